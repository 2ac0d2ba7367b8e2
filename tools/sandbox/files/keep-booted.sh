#!/usr/bin/env bash
# keep-booted.sh DIRECTORY... -- PROGRAM [ARGUMENT...]
# Run a container's supervisor below the given control groups, and run it again whenever it ends
# with 133, by which systemd-nspawn --keep-unit says that the container asked for a reboot.
set -euo pipefail

main() {
    local -a groups=()
    while [ "$1" != "--" ]; do
        groups+=("$1")
        shift
    done
    shift
    local boot=0 status=133
    while [ "$status" -eq 133 ]; do
        # Each boot gets fresh groups: the old ones may still be busy or limited.
        boot=$((boot + 1))
        status=0
        start_in_group "boot-$boot" "$@" || status=$?
    done
    return "$status"
}

start_in_group() {
    local name=$1 group
    shift
    (
        for group in "${groups[@]}"; do
            mkdir -p "$group/$name"
            echo "$BASHPID" >"$group/$name/cgroup.procs"
        done
        exec "$@"
    )
}
main "$@"
