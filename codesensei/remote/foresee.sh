#!/bin/sh
# Defines `foresee <seconds> <program> <mark>`, which runs the checks on its standard input by a Python program, and prints
# behind the mark with which status they have ended early.

foresee() {
    timeout "$1" /usr/bin/python3 -I -B -X utf8 -c "$2" 2>/dev/null || printf '\n%s%s\n' "$3" "$?"
}
