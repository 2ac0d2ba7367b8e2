"""docs/SPEED.md: the parts of it that are written by runs."""

from __future__ import annotations

from tools.trials.stack import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "SPEED.md"
BENCH, GROWTH = "<!-- written by tools.bench -->\n", "<!-- written by tools.bench.growth -->\n"
END = "<!-- end of what is written -->\n"


def read(begin: str) -> str:
    """The part of docs/SPEED.md that `begin` begins, as it is."""
    return DOCUMENT.read_text().partition(begin)[2].partition(END)[0]


def write(begin: str, text: str) -> None:
    """Write the part of docs/SPEED.md that `begin` begins."""
    head, _, rest = DOCUMENT.read_text().partition(begin)
    DOCUMENT.write_text(head + begin + text + END + rest.partition(END)[2])
