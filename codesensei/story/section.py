"""The form of a story: sections with a name and entries, as text that is data too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

# Columns of a section's name; its entries begin behind them, one on each line.
MARGIN = 12
MOST = 10
LONGEST = 160


@dataclass(frozen=True)
class Section:
    """What one part of a deploy changes; one without entries is not told."""

    name: str
    entries: tuple[str, ...] = ()


def section(name: str, *lists: Iterable[str]) -> Section:
    """A section of lists as a person can read them; a long one hides nothing of the others."""
    return Section(name, tuple(entry for entries in lists for entry in bounded([*entries])))


def bounded(entries: Sequence[str]) -> tuple[str, ...]:
    """The first entries, each on one line, and how many more there are."""
    left = len(entries) - MOST
    # One more line is as short as saying that there is one.
    shown = entries if left <= 1 else [*entries[:MOST], f"{_sign(entries)}and {left} more"]
    return tuple(map(shortened, shown))


def _sign(entries: Sequence[str]) -> str:
    """With which all of them begin."""
    return next((sign for sign in ("+ ", "- ") if all(entry.startswith(sign) for entry in entries)), "")


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text on one line, without its end where it is long."""
    shown = printable(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def apart(was: str, wanted: str, longest: int) -> tuple[str, str]:
    """Both on one line; where they are too long together, each around what differs first."""
    texts = printable(was), printable(wanted)
    if sum(map(len, texts)) <= 2 * longest:
        return texts
    pairs = enumerate(zip(*texts, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(map(len, texts)))
    start = max(0, same - longest // 2)
    before, after = (shortened(f"…{text[start + 1 :]}" if start else text, longest) for text in texts)
    return before, after


def text_of(sections: Iterable[Section]) -> str:
    """The story as a preview shows it; empty where nothing changes."""
    lines = []
    for told in sections:
        names = [told.name, *[""] * len(told.entries)]
        lines += [f"{name:<{MARGIN}}{entry}" for name, entry in zip(names, told.entries, strict=False)]
    return "\n".join(lines)


def read(text: str) -> tuple[Section, ...]:
    """What `text_of` made; nothing for any other text."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, entry = line[:MARGIN].strip(), line[MARGIN:]
        if not entry or (not name and not found) or (name and not name.isalpha()):
            return ()
        entries = found.setdefault(name, []) if name else found[next(reversed(found))]
        entries.append(entry)
    return tuple(Section(name, tuple(entries)) for name, entries in found.items())
