"""Quoting for unit files, done only here. Each kind of setting reads `%`, `$`, quotes and backslashes its own way."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def text(value: str) -> str:
    """A setting that is read to the end of its line (Description=, SyslogIdentifier=): only `%` is special.

    ValueError for control characters and a backslash at the end, which would join the next line.
    """
    if found := _CONTROL.search(value):
        raise ValueError(f"a unit's setting cannot hold the control character {found.group()!r}")
    if value.endswith("\\"):
        raise ValueError("a unit's setting cannot end with a backslash")
    if value != value.strip():
        raise ValueError("a unit's setting cannot begin or end with spaces")
    return value.replace("%", "%%")


def path(value: str) -> str:
    """An absolute path that is read to the end of its line (WorkingDirectory=, EnvironmentFile=, ListenStream=)."""
    if not value.startswith("/"):
        raise ValueError(f"not an absolute path: {value!r}")
    return text(value)


def word(value: str) -> str:
    """One argument of an ExecStart= line: no `$` substitution, no `%` specifier, no word splitting."""
    if "\0" in value:
        raise ValueError("an argument cannot hold a NUL character")
    expanded = value.replace("$", "$$").replace("%", "%%")
    return expanded if _PLAIN_WORD.fullmatch(value) else _quoted(expanded)


def command(words: Iterable[str]) -> str:
    """A whole ExecStart= line. The first word is the program: an absolute path without `$` and quotes."""
    program, *arguments = words
    if not program.startswith("/") or not _PLAIN_WORD.fullmatch(program):
        raise ValueError(f"not a program that a unit can start: {program!r}")
    return " ".join([program.replace("%", "%%"), *(word(argument) for argument in arguments)])


def assignment(name: str, value: str) -> str:
    """One `NAME=value` of an Environment= line; `$` has no meaning there."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a variable's name: {name!r}")
    if "\0" in value:
        raise ValueError(f"{name}: a variable cannot hold a NUL character")
    whole = f"{name}={value}".replace("%", "%%")
    return whole if _PLAIN_WORD.fullmatch(whole) else _quoted(whole)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", escaped) + '"'
