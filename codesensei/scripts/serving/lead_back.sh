#!/bin/bash
# Run by systemd when a candidate has ended: visitors that it still has are led back to the live socket.
# $1 is the live socket's second name, which exists only meanwhile, $2 the name that the proxy knows.
set -eu
if [ -S "$1" ] && ! [ "$1" -ef "$2" ]; then
    mv -fT -- "$1" "$2"
fi
