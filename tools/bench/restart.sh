#!/bin/bash
# `restart.sh <web unit> <worker unit>`: restart both, and wait until the worker has written that it has its broker.
set -euo pipefail

main() {
    local worker=$2 start
    systemctl restart "$@"
    start=$(systemctl show --property=InvocationID --value "$worker")
    until has_broker "$start"; do
        systemctl --quiet is-active "$worker"
        sleep 0.05
    done
}

# To its end: who stops reading early makes journalctl fail.
has_broker() {
    journalctl --quiet --no-pager --output=cat "_SYSTEMD_INVOCATION_ID=$1" | grep ' Connected to ' >/dev/null
}

main "$@"
