#!/bin/bash
# Wait until the project answers on the server itself.
set -euo pipefail

main() {
    local code
    for _ in $(seq 300); do
        code=$(curl -s -o /dev/null -w '%{http_code}' -H "Host: $HOST_NAME" http://127.0.0.1/ || true)
        [ "$code" != 200 ] || return 0
        sleep 0.05
    done
    echo "$HOST_NAME does not answer 200" >&2
    return 1
}

main
