"""The env file: one text that `sh` (`set -a; . file`) and systemd (EnvironmentFile=) read the same.

A value is written between double quotes with a backslash before `" \\ $` and the backquote, newlines as they are: the
only form on which both readers agree for every character. A value that the user already gave as one complete quoted
word is written as it stands and read without its quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from codesensei.config.environment import SHELL_NAMES
from codesensei.config.words import is_quoted_word, meaning

HEADER = "# Written by codesensei from the stack config; changes made here are lost at the next deploy.\n"

# What the kernel takes for one NAME=value with its final NUL, and what is left to all of them besides arguments.
MAX_ASSIGNMENT_BYTES = 131_071
MAX_TOTAL_BYTES = 1_500_000

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r'["\\$`]')
_ASSIGNMENT = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)=(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\n""", re.DOTALL)


class EnvError(ValueError):
    """A variable that no env file can hold. The text names the variable, never its value."""

    def __init__(self, name: str, cause: str) -> None:
        self.name = name
        self.cause = cause
        super().__init__(f"{name}: {cause}")


def render(variables: Mapping[str, str]) -> str:
    """The whole file: a header, one assignment per variable, sorted by name. EnvError for what cannot be held."""
    for name, value in variables.items():
        cause = refusal(name, value)
        if cause:
            raise EnvError(name, cause)
    total = sum(_size(name, value) for name, value in variables.items())
    if total > MAX_TOTAL_BYTES:
        raise EnvError("env", f"all variables together have {total} bytes; a process takes {MAX_TOTAL_BYTES}")
    return HEADER + "".join(f"{name}={quote(variables[name])}\n" for name in sorted(variables))


def refusal(name: str, value: str) -> str | None:
    """Why a variable cannot be held, or None when it can. Never contains the value."""
    if not _NAME.fullmatch(name):
        return "a name has letters, digits and underscores and does not begin with a digit"
    if name in SHELL_NAMES:
        return "a shell sets this name itself, so the file could not be read by one"
    return _value_refusal(name, value)


def _value_refusal(name: str, value: str) -> str | None:
    if "\0" in value:
        return "the value has a NUL character, which no variable can hold"
    for character in value:
        code = ord(character)
        if 0xD800 <= code <= 0xDFFF:
            return f"the value has U+{code:04X}, half of a character, which is not valid text"
        if 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            return f"the value has U+{code:04X}, which is not a character; systemd refuses the whole file for it"
    if _size(name, value) > MAX_ASSIGNMENT_BYTES:
        return (
            f"name and value have {_size(name, value)} bytes; a process takes {MAX_ASSIGNMENT_BYTES} for one variable"
        )
    return None


def env_value(value: str) -> str:
    """What a process reads for the configured `value`: without its quotes when it is one complete quoted word."""
    return meaning(value)


def quote(value: str) -> str:
    """The right-hand side of an assignment. Only for values that `refusal` lets through."""
    return value if is_quoted_word(value) else '"' + _SPECIAL.sub(r"\\\g<0>", value) + '"'


def parse(text: str) -> dict[str, str]:
    """Read back a file that `render` wrote. ValueError for any other form."""
    variables: dict[str, str] = {}
    position = 0
    while position < len(text):
        if text[position] == "#":
            position = text.index("\n", position) + 1
            continue
        found = _ASSIGNMENT.match(text, position)
        if not found:
            raise ValueError(f"not an assignment as codesensei writes them, at character {position}")
        name, literal, escaped = found.groups()
        variables[name] = literal if literal is not None else re.sub(r'\\(["\\$`])', r"\1", escaped)
        position = found.end()
    return variables


def _size(name: str, value: str) -> int:
    # The longest form counts, so that a refusal does not depend on quoting.
    return len(name.encode()) + 1 + len(value.encode("utf-8", "surrogatepass"))
