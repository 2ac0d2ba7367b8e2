#!/bin/sh
# A look at a server: `sh -s <launcher> <register> <mark> <mark>` prints the launcher's answer, the version of the system's
# Python behind the second mark, and the register behind the first. More questions may follow on standard input: `ask
# <word>...` prints the launcher's answer to that.
# A server that nothing was deployed to has no launcher; that is an answer, not an error.
set -u
launcher=$1
register=$2
of_register=$3
of_python=$4

ask() {
    if [ -x "$launcher" ]; then
        "$launcher" ask "$@" </dev/null
    fi
}

if [ -x "$launcher" ]; then
    "$launcher" look </dev/null
else
    echo '{}'
fi
if python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' </dev/null 2>/dev/null); then
    printf '\n%s%s\n' "$of_python" "$python"
fi
if [ -r "$register" ]; then
    printf '\n%s' "$of_register"
    tr -d '\n' <"$register"
    echo
fi
