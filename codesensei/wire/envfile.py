"""The env file: one text that `sh` (`set -a; . file`) and systemd (EnvironmentFile=) read the same.

A value is written between double quotes with a backslash before `" \\ $` and the backquote, newlines as they are: the
only form on which both readers agree for every character. A value that the user already gave as one complete quoted
word is written as it stands and read without its quotes (contract, "Environment").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple, NewType

HEADER = "# Written by codesensei from the stack config; changes made here are lost at the next deploy.\n"
# The engine passes the whole config to the program in one variable, and Linux takes no "NAME=value" beyond 128 KiB.
MAX_VALUE_BYTES = 96 * 1024
# Names that a shell keeps read-only or computes itself: the file could not be sourced, or would read back differently.
SHELL_NAMES = frozenset(
    """
    _ BASHOPTS BASHPID BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_LINENO BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO DIRSTACK
    EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTCMD LINENO OPTIND PIPESTATUS PPID RANDOM SECONDS SHELLOPTS
    SRANDOM UID
    """.split()
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SINGLE = re.compile(r"'[^']*'", re.DOTALL)
_DOUBLE = re.compile(r'"[^"$`\\]*"', re.DOTALL)
_SPECIAL = re.compile(r'["\\$`]')
# What UTF-8 cannot hold, and what systemd does not take for text: it would refuse the whole file.
_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_NOT_TEXT = re.compile(f"[\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]")
_NEXT = re.compile(
    r"""(?:[ \t]*(?:\#[^\n]*)?\n)
      | (?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>'[^']*'|"(?:[^"\\]|\\.)*"|[^\n]*)(?:\n|\Z))""",
    re.VERBOSE | re.DOTALL,
)


# A value as the stack config has it. Only `meaning` makes of it what processes read, and never twice.
Written = NewType("Written", str)


class EnvError(ValueError):
    """A variable that no env file can hold. The text names the variable, never its value."""

    def __init__(self, name: str, cause: str) -> None:
        self.name, self.cause = name, cause
        super().__init__(f"{name}: {cause}")


class Refusal(NamedTuple):
    """Why no env file can hold a value: the id of the rule, and the sentence."""

    rule: str
    cause: str


def render(variables: Mapping[str, str], data: Collection[str] = ()) -> str:
    """The whole file: a header, one assignment per variable, sorted by name. EnvError for what cannot be held.

    Values are as the stack config has them, but for those of the variables in `data`, which processes read as they are.
    """
    for name, value in variables.items():
        if cause := refusal(name, value):
            raise EnvError(name, cause)
    quoted = {name: quote_data(value) if name in data else quote(value) for name, value in variables.items()}
    return HEADER + "".join(f"{name}={quoted[name]}\n" for name in sorted(variables))


def refusal(name: str, value: str) -> str | None:
    """Why a variable cannot be held, or None when it can. Never contains the value."""
    if not _NAME.fullmatch(name):
        return "a name has letters, digits and underscores and does not begin with a digit"
    if name in SHELL_NAMES:
        return "a shell sets this name itself, so the file could not be read by one"
    refused = value_refusal(value)
    return refused and refused.cause


def value_refusal(value: str) -> Refusal | None:
    """Why no env file can hold the value, without any part of it; None where one can."""
    if "\0" in value:
        return Refusal("env-nul", "has a NUL character, which no environment can hold")
    if _NOT_TEXT.search(value):
        return Refusal("env-not-text", "has a character that is not valid text")
    if len(value.encode()) > MAX_VALUE_BYTES:
        too_long = f"is longer than {MAX_VALUE_BYTES >> 10} KiB"
        return Refusal(
            "env-too-long", f"{too_long}: the engine passes the whole config in one variable of at most 128 KiB"
        )
    return None


def is_quoted_word(value: str) -> bool:
    """True for one complete single-quoted word, or a double-quoted one without `$`, backquote and backslash."""
    return bool(_SINGLE.fullmatch(value) or _DOUBLE.fullmatch(value))


def meaning(value: Written) -> str:
    """What a process reads for a value of the stack config: without its quotes where it is one quoted word."""
    return value[1:-1] if is_quoted_word(value) else value


def quote(value: str) -> str:
    """The right-hand side of an assignment, of which `meaning` is read. For values that `refusal` lets through."""
    return value if is_quoted_word(value) else quote_data(value)


def quote_data(value: str) -> str:
    """The right-hand side of an assignment, of which the value itself is read, with quotes that it may have."""
    return '"' + _SPECIAL.sub(r"\\\g<0>", value) + '"'


def assignments(text: str) -> dict[str, str]:
    """Each variable's assignment as it is written, without its name; as `sh` and systemd find them."""
    found: dict[str, str] = {}
    position = 0
    while match := _NEXT.match(text, position):
        if match["name"]:
            found[match["name"]] = match["value"]
        position = match.end()
    return found


def parse(text: str) -> dict[str, str]:
    """The values that a process gets."""
    return {name: _value(raw) for name, raw in assignments(text).items()}


def _value(raw: str) -> str:
    if len(raw) >= 2 and raw[0] == raw[-1] == "'":
        return raw[1:-1]
    if len(raw) >= 2 and raw[0] == raw[-1] == '"':
        return re.sub(r'\\([\\"$`])', r"\1", raw[1:-1])
    return raw
