"""Runs on a server: the program on standard input, or ends with status 3 where the server has but a part of Python."""

import sys

PARTIAL = 3
try:
    # Of Debian 13's python3-minimal it ends in a NameError.
    import tempfile  # noqa: F401
except (ImportError, NameError):
    sys.exit(PARTIAL)
try:
    exec(sys.stdin.read())
except ImportError:
    sys.exit(PARTIAL)
