"""The value that a program reads from an environment file (contract, "Environment")."""

from __future__ import annotations

import re

_SINGLE = re.compile(r"'[^']*'", re.DOTALL)
_DOUBLE = re.compile(r'"[^"$`\\]*"', re.DOTALL)


def is_quoted_word(value: str) -> bool:
    """True for one complete single-quoted word, or a double-quoted one without `$`, backquote and backslash.

    Such a value goes into the environment file as it is; any other value is data.
    """
    return bool(_SINGLE.fullmatch(value) or _DOUBLE.fullmatch(value))


def meaning(value: str) -> str:
    """The text that the application will see for a value of `env` or `secretEnv`."""
    return value[1:-1] if is_quoted_word(value) else value
