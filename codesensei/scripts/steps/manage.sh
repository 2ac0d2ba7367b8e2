#!/bin/sh
# Run manage.py of the serving release as the app user with its environment: /srv/codesensei/<slug>/manage <arguments>
set -eu

main() {
    here=$(dirname "$(readlink -f "$0")")
    slug=$(basename "$here")
    run=/usr/local/lib/codesensei/$slug/run
    if [ "$(id -u)" -eq 0 ]; then
        exec "$run" manage "$@"
    fi
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        # Names alone: a password is not for the list of processes.
        kept=$(env | sed -n 's/^\(DJANGO_SUPERUSER_[A-Z0-9_]*\)=.*/\1/p' | paste -sd, -)
        exec sudo -n ${kept:+"--preserve-env=$kept"} "$run" manage "$@"
    fi
    printf 'error: %s needs root: run it as root, or with sudo %s\n' "$0" "$here/manage" >&2
    exit 1
}

main "$@"
