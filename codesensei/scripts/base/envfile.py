"""Read an env file as `sh` and systemd do; root never sources one."""

from __future__ import annotations

import re
from pathlib import Path

_NEXT = re.compile(
    r"""(?:[ \t]*(?:\#[^\n]*)?\n)
      | (?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>'[^']*'|"(?:[^"\\]|\\.)*"|[^\n]*)(?:\n|\Z))""",
    re.VERBOSE | re.DOTALL,
)


def read(path: Path) -> str:
    """The text of an env file, with carriage returns as they are; FileNotFoundError when there is none."""
    return path.read_bytes().decode()


def assignments(text: str) -> dict[str, str]:
    """Each variable's assignment as it is written, without its name."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _NEXT.match(text, position)
        if match is None:
            break
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
