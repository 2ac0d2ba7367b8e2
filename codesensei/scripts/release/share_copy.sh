#!/bin/sh
# Copies what the repository has in $1 into the empty folder $2, once; a copy that was cut off starts again.
set -eu
part=$2/.codesensei-part
rm -rf -- "$part"
[ -d "$1" ] && [ -z "$(ls -A -- "$2")" ] || exit 0
cp -rT --no-preserve=mode -- "$1" "$part"
find "$part" -mindepth 1 -maxdepth 1 -exec mv -t "$2" -- {} +
rmdir -- "$part"
