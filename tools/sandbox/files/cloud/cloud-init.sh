#!/bin/sh
# What scripts ask of cloud-init, answered by a throw-away server: `cloud-init status [--wait] [--long]`.
set -eu

usage() {
    echo "usage: cloud-init status [--wait] [--long]" >&2
    exit 2
}

main() {
    [ "${1:-}" = status ] || usage
    shift
    wait=no
    long=no
    for option in "$@"; do
        case "$option" in
            -w | --wait) wait=yes ;;
            -l | --long) long=yes ;;
            *) usage ;;
        esac
    done
    while [ "$wait" = yes ] && [ ! -e /run/cloud-init/result.json ]; do
        printf .
        sleep 0.25
    done
    if [ -e /run/cloud-init/result.json ]; then state='done'; else state='running'; fi
    if [ "$wait" = yes ]; then echo; fi
    echo "status: $state"
    if [ "$long" = yes ]; then echo "detail: DataSourceNone"; fi
}
main "$@"
