"""Text on its way to a person: nothing of others in it steers a terminal, or hides what stands beside it."""

from __future__ import annotations

import re

# What programs color their words with says nothing.
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Begins a color in whatever Pulumi prints; it drops all that follows one without an end, and ends at an unknown one.
MARK = "<{%"


def printable(text: str) -> str:
    """The text on one line, with bytes that are no UTF-8 and characters that nobody could see spelled out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in encodable(text)
    )


def encodable(text: str) -> str:
    """The text with bytes that are no UTF-8 spelled out, and with a space in what Pulumi would take for a color."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace(MARK, "<{ %")


def printable_lines(text: str) -> str:
    """A program's words: the same of each line, without colors and with spaces for tabs."""
    lines = _COLOR.sub("", text).expandtabs(4).split("\n")
    return "\n".join(printable(line.rstrip("\r")) for line in lines)


def size(count: int) -> str:
    """A number of bytes as a person says it: 3.2 GB."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}" if amount < 10 and unit != "bytes" else f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"
