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
        exec sudo -n "$run" manage "$@"
    fi
    printf 'error: %s needs root: run it as root, or with sudo %s\n' "$0" "$here/manage" >&2
    exit 1
}

main "$@"
