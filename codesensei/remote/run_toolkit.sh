#!/bin/sh
# Runs the toolkit that has arrived in the login user's home: `sh -s <file> <slug> claim <format> ...`.
set -eu
if [ ! -r "$1" ]; then
    printf 'error: toolkit on %s: %s has gone from the home of %s\n' "$(uname -n)" "$1" "${SUDO_USER:-$(id -un)}" >&2
    printf 'fix: pulumi up --replace "**::server-toolkit-file"\n' >&2
    exit 1
fi
file=$1
shift
exec sh -s "$@" <"$file"
