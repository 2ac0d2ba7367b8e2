#!/bin/bash
# Print what serves: the release of `current`, then unit, state, main process and its directory of web and worker.
# No peer waits for its worker, which may still be on its way from one release to the next.
set -euo pipefail

settled() { # unit
    case $(systemctl is-active "$1" || true) in
        activating | deactivating | reloading) return 1 ;;
    esac
}

main() {
    local unit process
    readlink "$BASE/current"
    for unit in "$SLUG.service" "$SLUG-worker.service"; do
        for _ in $(seq 300); do
            settled "$unit" && break
            sleep 0.1
        done
        process=$(systemctl show -P MainPID "$unit")
        echo "$unit $(systemctl is-active "$unit" || true) $process $(readlink "/proc/$process/cwd")"
    done
}

main
