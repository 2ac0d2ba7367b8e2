"""The rooms of the product and what they import: `python3 -m tools.architecture` draws them into ARCHITECTURE.md.

The table there says which rooms there are and what each may import; the drawing below it is what they do import.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT = CHECKOUT / "ARCHITECTURE.md"
BEGIN, END = "<!-- drawn by tools.architecture -->\n```\n", "```\n<!-- end of the drawing -->\n"
_ROW = re.compile(r"^\| `([\w./]+)` \|([^|]+)\|([^|]*)\|$", re.MULTILINE)


@dataclass(frozen=True)
class Room:
    """A folder or a file of the product; `may` are the rooms and packages that it may import."""

    name: str
    may: tuple[str, ...]

    @property
    def module(self) -> str:
        """Its name in an import."""
        return self.name.rstrip("/").removesuffix(".py").replace("/", ".")

    @property
    def files(self) -> list[Path]:
        """Its Python files."""
        place = CHECKOUT / self.name
        return [place] if place.is_file() else sorted(place.rglob("*.py"))


def rooms(text: str) -> list[Room]:
    """The rooms of the table, in its order."""
    return [Room(name, tuple(re.findall(r"`([\w./]+)`", may))) for name, _, may in _ROW.findall(text)]


def imports_of(text: str) -> set[str]:
    """Full names of all that a module imports, wherever in it; `from a import b` counts as `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(name: str, every: list[Room]) -> Room | None:
    """The room that an imported name is from, the smallest one where they lie in each other."""
    fitting = [room for room in every if f"{name}.".startswith(f"{room.module}.")]
    return max(fitting, key=lambda room: len(room.module), default=None)


def arrows(every: list[Room]) -> dict[str, set[str]]:
    """Which rooms each room imports."""
    found: dict[str, set[str]] = {room.name: set() for room in every}
    for room in every:
        for path in room.files:
            for name in imports_of(path.read_text()):
                other = room_of(name, every)
                if other and other != room:
                    found[room.name].add(other.name)
    return found


def floors(found: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each room: one above the highest that it imports. ValueError for rooms in a circle."""
    known: dict[str, int] = {}
    while len(known) < len(found):
        free = {name for name in found if name not in known and found[name] <= known.keys()}
        if not free:
            raise ValueError(f"these rooms import each other: {sorted(found.keys() - known.keys())}")
        known |= {name: max((known[other] + 1 for other in found[name]), default=0) for name in free}
    return known


def drawing(every: list[Room]) -> str:
    """The floors from the top, each room with the rooms that it imports."""
    found = arrows(every)
    height = floors(found)
    lines = []
    for floor in range(max(height.values()), -1, -1):
        for number, name in enumerate(sorted(name for name in found if height[name] == floor)):
            head = f"{floor}  " if number == 0 else "   "
            leads = " ".join(sorted(map(_short, found[name]), key=str.lower))
            lines.append(f"{head}{_short(name):<22}{'-> ' + leads if leads else ''}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def _short(name: str) -> str:
    return name.removeprefix("codesensei/").rstrip("/")


def written(text: str) -> str:
    """The document with the drawing as it should be."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + drawing(rooms(text)) + END + rest.partition(END)[2]


def main() -> int:
    """Write the drawing."""
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
