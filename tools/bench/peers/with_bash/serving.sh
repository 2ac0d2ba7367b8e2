#!/bin/bash
# Print what serves: the release of `current`, then unit, state, main process and its directory of web and worker.
set -euo pipefail

main() {
    local unit process
    readlink "$BASE/current"
    for unit in "$SLUG.service" "$SLUG-worker.service"; do
        process=$(systemctl show -P MainPID "$unit")
        echo "$unit $(systemctl is-active "$unit" || true) $process $(readlink "/proc/$process/cwd")"
    done
}

main
