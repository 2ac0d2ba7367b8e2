"""PostgreSQL's configuration files, the one way in which a value is written there."""

from __future__ import annotations

# What stands for a character that the text of a value cannot have as it is.
_ESCAPED = {"\\": "\\\\", "'": "''", "\n": "\\n", "\r": "\\r"}


def quote(value: str) -> str:
    """A value between quotes. ValueError for one that no configuration file can hold."""
    if "\0" in value:
        raise ValueError("PostgreSQL's configuration cannot hold a NUL character")
    return "'" + "".join(_ESCAPED.get(character, character) for character in value) + "'"


def command(line: str) -> str:
    """A command line that PostgreSQL runs, as itself: in its text, a percent sign begins a placeholder."""
    return line.replace("%", "%%")
