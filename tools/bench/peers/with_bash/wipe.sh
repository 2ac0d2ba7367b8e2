#!/bin/bash
# Take a peer's project off the server, and what was downloaded for it.
set -euo pipefail

main() {
    local unit
    for unit in "$SLUG-worker.service" "$SLUG.service"; do
        if [ -e "/etc/systemd/system/$unit" ]; then
            systemctl disable -q --now "$unit"
            rm "/etc/systemd/system/$unit"
        fi
    done
    systemctl daemon-reload
    rm -f "/etc/nginx/sites-enabled/$SLUG"
    systemctl reload nginx
    cd /
    runuser -u postgres -- dropdb --if-exists --force "$DB_NAME"
    runuser -u postgres -- dropuser --if-exists "$DB_NAME"
    rm -rf "$BASE" /home/deploy/.cache
    sync
}

main
