#!/bin/sh
# Puts a link to $2 in the place of the folder $1.
set -eu
rm -rf -- "$1"
mkdir -p -- "${1%/*}"
ln -s -- "$2" "$1"
