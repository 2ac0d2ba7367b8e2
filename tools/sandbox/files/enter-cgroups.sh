#!/usr/bin/env bash
# enter-cgroups.sh DIRECTORY... -- PROGRAM [ARGUMENT...]
# Become PROGRAM inside the given control groups.
set -euo pipefail

main() {
    while [ "$1" != "--" ]; do
        echo "$$" >"$1/cgroup.procs"
        shift
    done
    shift
    exec "$@"
}
main "$@"
