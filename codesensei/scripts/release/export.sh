#!/bin/sh
# Write what a command prints as a requirements file: export.sh FILE COMMAND...
# Without the line that names the public index: pipenv always writes it, and it would win over the project's variables.
set -eu
file="$1"
shift
"$@" >"$file.part"
sed -e '\|^-i https://pypi\.org/simple/*$|d' "$file.part" >"$file"
rm "$file.part"
