#!/bin/bash
# End a worker whose line is more than one command, so that a shell runs it: `stop_worker.sh [-s <signal>] <main process>`.
#
# A shell that gets SIGTERM ends at once, and systemd would kill its commands in the middle of their work. So the
# shells are halted, their commands get the signal, and this waits for them; systemd ends the shells afterwards, and
# kills what is left after TimeoutStopSec. A shell that has a trap for SIGTERM is left to itself, and what reads
# from another command ends with that one.
set -u

signal=SIGTERM
if [ "${1-}" = -s ]; then
    signal=$2
    shift 2
fi
main_process=${1-}
shells=()
commands=()
trapping=()

main() {
    [ $# -eq 1 ] || exit 0
    sort_out "$1"
    { [ ${#shells[@]} -gt 0 ] && [ ${#commands[@]} -gt 0 ]; } || [ ${#trapping[@]} -gt 0 ] || exit 0
    kill -STOP "${shells[@]}" 2>/dev/null
    # Again: until it was halted a loop may have started its next command.
    shells=()
    commands=()
    trapping=()
    sort_out "$1"
    for process in "${commands[@]}"; do
        reads_from_another "$process" || tell "$process"
    done
    kill -TERM "${trapping[@]}" 2>/dev/null
    for process in "${commands[@]}" "${trapping[@]}"; do
        while runs "$process"; do
            sleep 0.1
        done
    done
    # On another signal than this a halted shell would go on with its line.
    kill -TERM "${shells[@]}" 2>/dev/null
    return 0
}

# Splits a process and those that it has started into shells and their commands; what a command starts is its own.
sort_out() {
    local child
    if ! is_shell "$1" || { [ "$1" != "$main_process" ] && reads_from_another "$1"; }; then
        commands+=("$1")
        return
    fi
    if has SigCgt "$1" SIGTERM; then
        # systemd tells it, unless the unit has another signal.
        [ "$signal" = SIGTERM ] || trapping+=("$1")
        return
    fi
    shells+=("$1")
    while read -r -d ' ' child; do
        sort_out "$child"
    done < <(cat "/proc/$1/task/$1/children" 2>/dev/null)
}

is_shell() {
    case $(readlink "/proc/$1/exe") in
        */bash | */dash | */sh) return 0 ;;
        *) return 1 ;;
    esac
}

tell() {
    if has SigIgn "$1" "$signal"; then
        # Such as SIGINT, which a shell lets its background commands ignore.
        kill -TERM "$1" 2>/dev/null
    else
        kill -s "$signal" "$1" 2>/dev/null
    fi
}

# Whether a process has the signal in this set: SigCgt are those that it catches, SigIgn those that it ignores.
has() {
    local signals
    signals=$(sed -n "s/^$1:[[:space:]]*//p" "/proc/$2/status" 2>/dev/null)
    (((0x${signals:-0} >> ($(kill -l "$3") - 1)) & 1))
}

reads_from_another() {
    case $(readlink "/proc/$1/fd/0") in
        pipe:*) return 0 ;;
        *) return 1 ;;
    esac
}

# A zombie has ended; its halted shell cannot take note of it.
runs() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
    [ -n "$state" ] && [ "$state" != Z ]
}

main "$@"
