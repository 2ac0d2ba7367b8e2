#!/bin/sh
# A look at a server: `sh -s <launcher> <register> <mark>` prints the launcher's answer, and the register behind the mark.
# A server that nothing was deployed to has no launcher; that is an answer, not an error.
set -u
if [ -x "$1" ]; then
    "$1" look </dev/null
else
    echo '{}'
fi
if [ -r "$2" ]; then
    printf '\n%s' "$3"
    tr -d '\n' <"$2"
fi
