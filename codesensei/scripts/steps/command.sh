#!/bin/sh
# A project's own commands, each a copy of this file, named after what it does:
# /srv/codesensei/<slug>/manage runs manage.py of the serving release as the app user with its environment,
# /srv/codesensei/<slug>/backup backs the project up, or puts a backup back.
set -eu

main() {
    me=$(readlink -f "$0")
    here=$(dirname "$me")
    run=/usr/local/lib/codesensei/$(basename "$here")/run
    command=$(basename "$me")
    if [ "$(id -u)" -eq 0 ]; then
        exec "$run" "$command" "$@"
    fi
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        # Names alone: a password is not for the list of processes.
        kept=$(env | sed -n 's/^\(DJANGO_SUPERUSER_[A-Z0-9_]*\)=.*/\1/p' | paste -sd, -)
        exec sudo -n ${kept:+"--preserve-env=$kept"} "$run" "$command" "$@"
    fi
    printf 'error: %s needs root: run it as root, or with sudo %s\n' "$0" "$me" >&2
    exit 1
}

main "$@"
