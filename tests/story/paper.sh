#!/bin/sh
# A server that does nothing and says that each step is done: what it was asked runs nowhere.
set -eu

main() {
    case ${SSH_ORIGINAL_COMMAND:-} in
    *sftp*) exec /usr/lib/openssh/sftp-server -d "$1" ;;
    esac
    cat >/dev/null
    # shellcheck disable=SC2086  # the words of a step's line, which have no spaces
    set -- ${SSH_ORIGINAL_COMMAND:-}
    while [ $# -gt 4 ] && [ "$1" != switch ]; do shift; done
    if [ "${1:-}" = switch ]; then
        served="{\"$3\": \"2026-02-10T10:00:00Z\"}"
        url=http://shop.example.com/
        echo "codesensei-result: {\"release\": \"$3\", \"revision\": \"$4\", \"url\": \"$url\", \"served\": $served}" >&2
    else
        echo "codesensei-result: {}" >&2
    fi
}

main "$@"
