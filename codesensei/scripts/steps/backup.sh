#!/bin/sh
# Back the project up, or put a backup back: /srv/codesensei/<slug>/backup now|list|verify|restore <id>
set -eu

main() {
    here=$(dirname "$(readlink -f "$0")")
    slug=$(basename "$here")
    run=/usr/local/lib/codesensei/$slug/run
    if [ "$(id -u)" -eq 0 ]; then
        exec "$run" backups "$@"
    fi
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        exec sudo -n "$run" backups "$@"
    fi
    printf 'error: %s needs root: run it as root, or with sudo %s\n' "$0" "$here/backup" >&2
    exit 1
}

main "$@"
