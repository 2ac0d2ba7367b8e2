"""Which room may import what: the last column of ARCHITECTURE.md's table, held against every file."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STANDARD = sys.stdlib_module_names
SERVER = "codesensei.scripts"


@dataclass(frozen=True)
class Room:
    """`may` are prefixes of what may be imported beside the standard library and the room itself."""

    name: str
    may: tuple[str, ...]


ROOMS = (
    Room("__main__.py", ("codesensei.quiet", "codesensei.config", "components", "pulumi")),
    Room(
        "components",
        ("codesensei.config", "codesensei.source", "codesensei.render", "codesensei.remote", "pulumi", "pulumi_random"),
    ),
    Room("codesensei/config", ("pydantic", "pydantic_core", "yaml")),
    Room("codesensei/source", ("codesensei.config", "pulumi")),
    Room("codesensei/render", ("codesensei.config", "jinja2")),
    Room("codesensei/remote", ("codesensei.config", "codesensei.render.shell", "pulumi", "pulumi_command")),
    Room("codesensei/scripts/base", ()),
    Room("codesensei/scripts/postgres", (f"{SERVER}.base",)),
    Room("codesensei/scripts/release", (f"{SERVER}.base",)),
    Room("codesensei/scripts/serving", (f"{SERVER}.base", f"{SERVER}.postgres", f"{SERVER}.release")),
    Room("codesensei/scripts/steps", tuple(f"{SERVER}.{room}" for room in ("base", "postgres", "release", "serving"))),
    Room("codesensei/scripts/main.py", (f"{SERVER}.base",)),
    Room("codesensei/programs", ("daphne", "twisted")),
    Room("codesensei/quiet.py", ()),
)
# Single files that may import more than their room.
EXCEPTIONS = {
    # The one module of the room that knows the engine.
    "codesensei/config/load.py": ("pulumi",),
    # They run inside the project's own process.
    "codesensei/scripts/release/ask_django.py": ("django",),
    "codesensei/scripts/serving/ask_why.py": ("django",),
}


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


def forbidden(path: str, text: str, room: Room) -> list[str]:
    """What a file imports and may not."""
    own = room.name.removesuffix(".py").replace("/", ".")
    may = (*room.may, own, *EXCEPTIONS.get(path, ()))
    return sorted(
        name
        for name in imports_of(text)
        if name.partition(".")[0] not in STANDARD and not any(f"{name}.".startswith(f"{prefix}.") for prefix in may)
    )


def files_of(room: Room) -> list[Path]:
    place = ROOT / room.name
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def product_files() -> list[Path]:
    folders = [*(ROOT / "codesensei").rglob("*.py"), *(ROOT / "components").rglob("*.py"), ROOT / "__main__.py"]
    return sorted(folders)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_imports_only_what_it_may(room: Room) -> None:
    files = files_of(room)
    assert files
    wrong = {
        str(path.relative_to(ROOT)): names
        for path in files
        if (names := forbidden(str(path.relative_to(ROOT)), path.read_text(), room))
    }
    assert not wrong


def test_every_file_of_the_product_is_in_a_room() -> None:
    known = {path for room in ROOMS for path in files_of(room)}
    packages = {ROOT / "codesensei/__init__.py", ROOT / "codesensei/scripts/__init__.py"}
    assert set(product_files()) - known - packages == set()


def test_the_server_side_runs_without_any_package() -> None:
    """The scripts are alone on the server: no module of theirs may need what only the operator has."""
    names = {name for path in files_of(Room("codesensei/scripts", ())) for name in imports_of(path.read_text())}
    assert not {name for name in names if name.startswith("codesensei.") and not name.startswith(f"{SERVER}.")}


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("components/x.py", "import pulumi_command", ["pulumi_command"]),
        ("components/x.py", "def f():\n    from tools.engine import install", ["tools.engine.install"]),
        ("components/x.py", "from codesensei.scripts.base import paths", ["codesensei.scripts.base.paths"]),
        ("components/x.py", "from codesensei import remote, scripts", ["codesensei.scripts"]),
        ("components/x.py", "from codesensei import remote\nimport json\nimport pulumi_random as random", []),
    ],
)
def test_a_forbidden_import_is_found(path: str, text: str, names: list[str]) -> None:
    (room,) = (room for room in ROOMS if room.name == "components")
    assert forbidden(path, text, room) == names
