"""The two readers of an env file: real shells, and systemd's parser (its rules written again, and its own code)."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

# A state takes one character and gives the next state.
State = Callable[[str], Any]

WHITESPACE = " \t\n\r"
NEWLINE = "\n\r"
COMMENTS = "#;"
SHELL_NEEDS_ESCAPE = '"\\`$'
# Before, a backslash at the end of a comment made the next line part of it (systemd's NEWS).
COMMENTS_END_SINCE = 254


class Unreadable(Exception):
    """The reader refused the file."""


def shell(program: str, file: Path) -> dict[str, str]:
    """What a process sees after `set -eu; set -a; . file` in `program`, which knows no other program."""
    done = subprocess.run(
        [program, "-c", 'set -eu; set -a; . "$1"; exec /usr/bin/env -0', program, str(file)],
        env={"PATH": "/nonexistent"},
        cwd=file.parent,
        capture_output=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise Unreadable(done.stderr.decode("utf-8", "replace"))
    pairs = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if entry)
    return {name.decode(): value.decode("utf-8", "surrogateescape") for name, _, value in pairs}


def is_readable_unicode(text: str) -> bool:
    """systemd's unichar_is_valid over a whole text."""
    codes = map(ord, text)
    return all(
        not 0xD800 <= code <= 0xDFFF and not 0xFDD0 <= code <= 0xFDEF and code & 0xFFFE != 0xFFFE for code in codes
    )


class SystemdRules:
    """EnvironmentFile= by the rules of systemd's env-file.c: a method for each state."""

    def __init__(self, version: int) -> None:
        self._comments_go_on = version < COMMENTS_END_SINCE
        self.found: dict[str, str] = {}
        self._key = ""
        self._value = ""
        self._kept = 0  # length of an unquoted value without the spaces at its end
        self._state: State = self._before_key

    def read(self, text: str) -> dict[str, str]:
        for character in text:
            self._state = self._state(character)
        if self._state not in (self._before_key, self._in_key, self._comment, self._comment_escape):
            self._push()
        return self.found

    def _push(self) -> None:
        if self._state == self._bare:
            self._value = self._value[: self._kept]
        if not is_readable_unicode(self._key + self._value):
            raise Unreadable("invalid UTF-8")
        self.found[self._key.rstrip(WHITESPACE)] = self._value
        self._key, self._value = "", ""

    def _before_key(self, character: str) -> State:
        if character in COMMENTS:
            return self._comment
        if character in WHITESPACE:
            return self._before_key
        self._key = character
        return self._in_key

    def _in_key(self, character: str) -> State:
        if character in NEWLINE:
            self._key = ""
            return self._before_key
        if character == "=":
            return self._before_value
        self._key += character
        return self._in_key

    def _before_value(self, character: str) -> State:
        if character in NEWLINE:
            self._push()
            return self._before_key
        quotes: dict[str, State] = {"'": self._single, '"': self._double, "\\": self._escape}
        if character in quotes:
            return quotes[character]
        if character in WHITESPACE:
            return self._before_value
        self._value += character
        self._kept = len(self._value)
        return self._bare

    def _bare(self, character: str) -> State:
        if character in NEWLINE:
            self._push()
            return self._before_key
        if character == "\\":
            return self._escape
        self._value += character
        self._kept = self._kept if character in WHITESPACE else len(self._value)
        return self._bare

    def _escape(self, character: str) -> State:
        if character not in NEWLINE:
            self._value += character
        self._kept = len(self._value)
        return self._bare

    def _single(self, character: str) -> State:
        if character == "'":
            return self._before_value
        self._value += character
        return self._single

    def _double(self, character: str) -> State:
        if character == '"':
            return self._before_value
        if character == "\\":
            return self._double_escape
        self._value += character
        return self._double

    def _double_escape(self, character: str) -> State:
        if character in SHELL_NEEDS_ESCAPE:
            self._value += character
        elif character != "\n":
            self._value += "\\" + character
        return self._double

    def _comment(self, character: str) -> State:
        if character == "\\":
            return self._comment_escape
        return self._before_key if character in NEWLINE else self._comment

    def _comment_escape(self, character: str) -> State:
        ends = character in NEWLINE and not self._comments_go_on
        return self._before_key if ends else self._comment


def systemd_rules(text: str, version: int = COMMENTS_END_SINCE) -> dict[str, str]:
    """What this version of systemd reads from a file with this text."""
    return SystemdRules(version).read(text)


def systemd_library() -> Path | None:
    """systemd's own code on this machine, where its shared library can be found."""
    found = sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so")) + sorted(
        Path("/usr/lib/systemd").glob("libsystemd-shared-*.so")
    )
    return found[0] if found else None


def systemd_version(library: Path) -> int:
    """The version that is in the name of systemd's shared library."""
    return int(re.findall(r"\d+", library.name)[0])


def systemd_itself(library: Path, file: Path) -> dict[str, str]:
    """EnvironmentFile= by systemd's load_env_file(), called in its shared library."""
    code = ctypes.CDLL(str(library))
    entries = ctypes.POINTER(ctypes.c_char_p)()
    result = code.load_env_file(None, str(file).encode(), ctypes.byref(entries))
    if result < 0:
        raise Unreadable(f"errno {-result}")
    found: dict[str, str] = {}
    for entry in iter(entries):
        if entry is None:
            break
        name, _, value = entry.partition(b"=")
        found[name.decode()] = value.decode()
    return found
