"""What a step says to the program: one line of its output, never longer than the SSH provider can take."""

from __future__ import annotations

import json
from dataclasses import replace

from codesensei.wire import codec
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable_lines

# The provider reads lines into a buffer of 64 KiB, and a longer line makes some versions of it wait for ever.
LINE_BYTES = 60_000
HEAD, TAIL = 1_500, 400


@dataclass(frozen=True, kw_only=True)
class Said:
    """What any step can say: sentences that the program shows as warnings. Other fields hold names, which are short."""

    warnings: tuple[str, ...] = ()


def to_line(said: Said) -> str:
    """The line. A long warning loses its middle, and warnings for which there is no room are counted."""
    told = [printable_lines(shortened(text)) for text in said.warnings]
    kept = len(told)
    while len(line := _line(said, told, kept)) > LINE_BYTES and kept:
        kept = min(kept - 1, kept * LINE_BYTES // len(line))
    return line


def _line(said: Said, told: list[str], kept: int) -> str:
    left = len(told) - kept
    warnings = [*told[:kept], *([_left_out(left)] if left else [])]
    return json.dumps(codec.encode(replace(said, warnings=tuple(warnings))), sort_keys=True)


def _left_out(count: int) -> str:
    many = f"{count} more warnings are" if count > 1 else "1 more warning is"
    return f"{many} left out here, because there are so many\nfix: correct those above, then run pulumi up again"


def shortened(text: str) -> str:
    """The text without its middle, and how much that was, where it is very long."""
    cut = len(text) - HEAD - TAIL
    return text if cut <= 0 else f"{text[:HEAD]} … ({cut} characters left out) … {text[-TAIL:]}"
