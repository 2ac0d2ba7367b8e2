#!/bin/bash
# One deploy over one SSH connection: the source's archive on standard input, everything else in the environment.
# No tool: nothing is planned, locked, proved or put back. It is the floor that a tool's own time is held against.
set -euo pipefail
umask 022

venv=$BASE/shared/venv
must_restart=no

as_user() {
    runuser -u deploy -- env HOME=/home/deploy "$@"
}

set_up() {
    install -d -o deploy -g deploy "$BASE" "$BASE/releases" "$BASE/shared"
    cd /
    runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 -v name="$DB_NAME" -v password="$DB_PASSWORD" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
SQL
    printf '%s\n' "$WEB_UNIT" >"/etc/systemd/system/$SLUG.service"
    printf '%s\n' "$WORKER_UNIT" >"/etc/systemd/system/$SLUG-worker.service"
    printf '%s\n' "$SITE" >"/etc/nginx/sites-enabled/$SLUG"
    systemctl daemon-reload
    systemctl enable -q "$SLUG" "$SLUG-worker"
    systemctl reload nginx
}

write_variables() {
    if [ "$(cat "$BASE/shared/env" 2>/dev/null || true)" != "$ENV_FILE" ]; then
        install -o deploy -g deploy -m 0640 /dev/null "$BASE/shared/env.new"
        printf '%s\n' "$ENV_FILE" >"$BASE/shared/env.new"
        mv "$BASE/shared/env.new" "$BASE/shared/env"
        must_restart=yes
    fi
}

install_packages() {
    if [ "$INSTALLER" = uv ]; then
        # uv trusts its own roots unless told.
        set -- as_user SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt /opt/uv/bin/uv
        [ -x "$venv/bin/python" ] || "$@" venv -q --python /usr/bin/python3 "$venv"
        "$@" pip install -q --python "$venv/bin/python" -r "$RELEASE/requirements.txt"
    else
        [ -x "$venv/bin/python" ] || as_user python3 -m venv "$venv"
        as_user "$venv/bin/pip" install -q --disable-pip-version-check -r "$RELEASE/requirements.txt"
    fi
    touch "$venv/.installed-$REQUIREMENTS"
}

build() {
    install -d -o deploy -g deploy "$RELEASE"
    as_user tar -xf - -C "$RELEASE"
    [ -e "$venv/.installed-$REQUIREMENTS" ] || install_packages
    # The quoted text is a script of its own, with arguments.
    # shellcheck disable=SC2016
    as_user PATH="$venv/bin:/usr/bin:/bin" bash -ec '
        cd "$1"
        set -a
        . "$2"
        set +a
        python manage.py migrate --noinput
        python manage.py collectstatic --noinput
        touch .built
    ' build "$RELEASE" "$BASE/shared/env" >&2
}

switch() {
    [ -e "$RELEASE/.built" ]
    if [ "$(readlink "$BASE/current" || true)" != "$RELEASE" ]; then
        ln -sfn "$RELEASE" "$BASE/current.new"
        mv -T "$BASE/current.new" "$BASE/current"
        must_restart=yes
    fi
    [ "$must_restart" = no ] || systemctl restart "$SLUG"
}

main() {
    [ "$MODE" != first ] || set_up
    if [ "$MODE" != rollback ]; then
        write_variables
        [ -e "$RELEASE/.built" ] || build
    fi
    switch
    HOST_NAME=$HOST_NAME bash -c "$AWAIT"
}

main
