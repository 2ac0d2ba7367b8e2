"""The two readers of an env file: real shells, and systemd's parser (its rules written anew, and its own code)."""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
from pathlib import Path

WHITESPACE = " \t\n\r"
NEWLINE = "\n\r"
COMMENTS = "#;"
SHELL_NEEDS_ESCAPE = '"\\`$'


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


def systemd_rules(text: str) -> dict[str, str]:
    """EnvironmentFile= by the rules of systemd's env-file.c: a state per character, written anew from its behaviour."""
    found: dict[str, str] = {}
    state, key, value = "before key", "", ""
    kept = 0  # length of an unquoted value without the spaces at its end

    def push() -> None:
        nonlocal key, value
        if not is_readable_unicode(key + value):
            raise Unreadable("invalid UTF-8")
        found[key.rstrip(WHITESPACE)] = value
        key, value = "", ""

    for character in text:
        if state == "before key":
            if character in COMMENTS:
                state = "comment"
            elif character not in WHITESPACE:
                state, key = "key", character
        elif state == "key":
            if character in NEWLINE:
                state, key = "before key", ""
            elif character == "=":
                state, kept = "before value", 0
            else:
                key += character
        elif state == "before value" and character in ("'", '"', "\\"):
            state = {"'": "single", '"': "double", "\\": "escape"}[character]
        elif state in ("before value", "value") and character in NEWLINE:
            value = value[:kept] if state == "value" else value
            push()
            state = "before key"
        elif state == "before value":
            if character not in WHITESPACE:
                state, value = "value", value + character
                kept = len(value)
        elif state == "value":
            if character == "\\":
                state = "escape"
            else:
                value += character
                kept = kept if character in WHITESPACE else len(value)
        elif state == "escape":
            state = "value"
            if character not in NEWLINE:
                value += character
            kept = len(value)
        elif state == "single":
            if character == "'":
                state = "before value"
            else:
                value += character
        elif state == "double":
            if character in ('"', "\\"):
                state = "before value" if character == '"' else "double escape"
            else:
                value += character
        elif state == "double escape":
            state = "double"
            if character in SHELL_NEEDS_ESCAPE:
                value += character
            elif character != "\n":
                value += "\\" + character
        elif state == "comment":
            if character == "\\":
                state = "comment escape"
            elif character in NEWLINE:
                state = "before key"
        else:
            state = "comment"
    if state not in ("before key", "key", "comment", "comment escape"):
        value = value[:kept] if state == "value" else value
        push()
    return found


def systemd_library() -> Path | None:
    """systemd's own code on this machine, where its shared library can be found."""
    found = sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so")) + sorted(
        Path("/usr/lib/systemd").glob("libsystemd-shared-*.so")
    )
    return found[0] if found else None


def systemd_itself(library: Path, file: Path) -> dict[str, str]:
    """EnvironmentFile= by systemd's load_env_file(), called in its shared library."""
    code = ctypes.CDLL(str(library))
    entries = ctypes.POINTER(ctypes.c_char_p)()
    result = code.load_env_file(None, str(file).encode(), ctypes.byref(entries))
    if result < 0:
        raise Unreadable(f"errno {-result}")
    found: dict[str, str] = {}
    for entry in iter(entries):  # type: ignore[call-overload]
        if entry is None:
            break
        name, _, value = entry.partition(b"=")
        found[name.decode()] = value.decode()
    return found
