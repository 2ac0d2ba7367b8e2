#!/bin/sh
# The launcher behind /usr/local/lib/codesensei/<slug>/run: the link's name is the project, its target the toolkit.
here=${0%/*}
exec python3 -I -B -X utf8 "$(readlink -f "$here")" "${here##*/}" "$@"
