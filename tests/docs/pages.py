"""The blocks and the commands that the documents print, read from the documents themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
# CONTRACT.md is left out: it is written by a program, and prints nothing to type.
_DOCS = sorted(page.name for page in (CHECKOUT / "docs").glob("*.md") if page.name != "CONTRACT.md")
PAGES = ("README.md", "CONTRIBUTING.md", *(f"docs/{name}" for name in _DOCS))
# What a reader is told to type begins with one of these.
PROGRAMS = (
    "codesensei eval git journalctl make psql pulumi python3 runuser ssh ssh-add ssh-keyscan sudo systemctl".split()
)
_HEADING = re.compile(r"(#+) (.+)")
_FENCE = re.compile(r"( *)```(.*)")
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block. `place` is its page and section, as a link names it, and its number from the second on."""

    place: str
    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """What a page prints: its fenced blocks, the code in its sentences, and lines that only their indent makes code."""

    blocks: tuple[Block, ...]
    spans: tuple[str, ...]
    indented: tuple[str, ...]


@cache
def read(name: str) -> Page:
    """Read a page of the checkout."""
    return parse(name, (CHECKOUT / name).read_text())


def parse(name: str, text: str) -> Page:
    """Read the text of a page."""
    blocks, prose, indented, counts = [], [], [], dict[str, int]()
    section, previous, lines = "", "", iter(text.splitlines())
    for line in lines:
        if fence := _FENCE.fullmatch(line):
            place = f"{name}#{section}"
            counts[place] = counts.get(place, 0) + 1
            number = f".{counts[place]}" if counts[place] > 1 else ""
            blocks.append(Block(f"{place}{number}", fence[2], "".join(_until_the_fence(lines, fence[1]))))
            continue
        if heading := _HEADING.fullmatch(line):
            section = re.sub(r"[^\w -]", "", heading[2].lower()).replace(" ", "-")
        elif line.startswith("    ") and not previous:
            indented.append(line)
        prose.append(line)
        previous = line.strip()
    spans = [" ".join(found[1].split()) for found in _SPAN.finditer("\n".join(prose))]
    return Page(tuple(blocks), tuple(spans), tuple(indented))


def _until_the_fence(lines: Iterator[str], indent: str) -> Iterator[str]:
    for line in lines:
        if line.strip() == "```":
            return
        yield f"{line.removeprefix(indent)}\n"
    raise AssertionError("a fenced block has no end")


def blocks(*languages: str) -> dict[str, Block]:
    """The blocks of these languages on all pages, by their place."""
    return {block.place: block for page in PAGES for block in read(page).blocks if block.language in languages}


def commands() -> set[str]:
    """The commands in sentences: code that begins with a program and says more than its name."""
    found = {span for page in PAGES for span in read(page).spans}
    return {span for span in found if span.split()[0] in PROGRAMS and " " in span and "…" not in span}
