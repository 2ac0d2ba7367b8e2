"""Which room may import what: the table in ARCHITECTURE.md, held against every file; and the drawing of the rooms."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tools import architecture
from tools.architecture import CHECKOUT, Room

TEXT = architecture.DOCUMENT.read_text()
ROOMS = architecture.rooms(TEXT)
STANDARD = sys.stdlib_module_names


def forbidden(text: str, room: Room) -> list[str]:
    """What a module imports and its room may not."""
    may = [name.rstrip("/").removesuffix(".py").replace("/", ".") for name in (room.name, *room.may)]
    return sorted(
        name
        for name in architecture.imports_of(text)
        if name.partition(".")[0] not in STANDARD and not any(f"{name}.".startswith(f"{prefix}.") for prefix in may)
    )


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_imports_only_what_it_may(room: Room) -> None:
    assert room.files
    own = [path for path in room.files if architecture.room_of(module_of(path), ROOMS) == room]
    wrong = {str(path.relative_to(CHECKOUT)): names for path in own if (names := forbidden(path.read_text(), room))}
    assert not wrong


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_may_import_no_more_than_it_does(room: Room) -> None:
    own = [path for path in room.files if architecture.room_of(module_of(path), ROOMS) == room]
    found = {f"{name}." for path in own for name in architecture.imports_of(path.read_text())}
    may = {name: f"{name.rstrip('/').removesuffix('.py').replace('/', '.')}." for name in room.may}
    assert [name for name, prefix in may.items() if not any(module.startswith(prefix) for module in found)] == []


def module_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT).with_suffix("")).replace("/", ".").removesuffix(".__init__")


def test_every_file_of_the_product_is_in_a_room() -> None:
    folders = [*(CHECKOUT / "codesensei").rglob("*.py"), *(CHECKOUT / "components").rglob("*.py")]
    known = {path for room in ROOMS for path in room.files}
    packages = {CHECKOUT / "codesensei/__init__.py", CHECKOUT / "codesensei/scripts/__init__.py"}
    assert set(folders) - known - packages == set()


def test_the_server_side_runs_without_any_package() -> None:
    """It is alone on the server: no module of what travels may need what only the operator has."""
    travels = {
        room.name
        for room in ROOMS
        if room.name.startswith(("codesensei/scripts/", "codesensei/wire/", "codesensei/webservers/"))
    }
    for room in ROOMS:
        if room.name in travels:
            packages = {name for name in room.may if "/" not in name}
            # Scripts that run inside the project's own process.
            assert packages <= {"django"}
            assert {name for name in room.may if "/" in name} <= travels
    assert len(travels) >= 8


def test_only_one_module_of_the_config_knows_the_engine() -> None:
    files = (CHECKOUT / "codesensei/config").rglob("*.py")
    names = {path.name: architecture.imports_of(path.read_text()) for path in files}
    knowing = [name for name, found in names.items() if any(module.startswith("pulumi") for module in found)]
    assert knowing == ["load.py"]


@pytest.mark.slow
def test_the_drawing_is_what_the_code_says() -> None:
    assert architecture.written(TEXT) == TEXT, "run python3 -m tools.architecture"


def test_no_rooms_import_each_other() -> None:
    with pytest.raises(ValueError, match=r"import each other: \['a', 'b'\]"):
        architecture.floors({"a": {"b"}, "b": {"a"}, "c": set()})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import pulumi_command", ["pulumi_command"]),
        ("def f():\n    from tools.engine import install", ["tools.engine.install"]),
        ("from codesensei.scripts.base import files", ["codesensei.scripts.base.files"]),
        ("from codesensei import remote, scripts", ["codesensei.scripts"]),
        ("from codesensei import remote\nimport json\nimport pulumi_random as random", []),
    ],
)
def test_a_forbidden_import_is_found(text: str, names: list[str]) -> None:
    (room,) = (room for room in ROOMS if room.name == "components/")
    assert forbidden(text, room) == names


# Words that had meant several things, or nothing to a stranger.
RETIRED = re.compile(
    r"\b(twins?|mend(s|ed|ing)?|anew|farewell|cautions?|cures?|(stack |project |server )?specs?)\b", re.IGNORECASE
)
PROSE = (".py", ".sh", ".md", ".toml", ".j2", ".yaml")
# They speak of the words themselves, of what earlier versions have written, or have a word of somebody else's.
ALLOWED = {
    "codesensei/programs/gunicorn_conf.py": {"spec"},
    "codesensei/remote/destroy_check.py": {"farewell"},
    "codesensei/remote/state.py": {"mend"},
    "codesensei/source/tree.py": {"spec"},
    "tests/components/recorder.py": {"spec"},
    "tests/components/test_graph.py": {"farewell"},
    "tests/source/test_git.py": {"spec"},
    "tests/remote/test_state.py": {"mend"},
    "tests/remote/test_step.py": {"mend"},
    "tests/scripts/test_live.py": {"twin"},
    "tests/scripts/test_record.py": {"twin"},
}


def texts() -> dict[str, str]:
    """All that people read of the product."""
    folders = ("codesensei", "components", "tools", "docs", "stacks", "tests")
    files = [path for folder in folders for path in (CHECKOUT / folder).rglob("*") if path.suffix in PROSE]
    files += [path for path in CHECKOUT.glob("*") if path.suffix in PROSE]
    found = {str(path.relative_to(CHECKOUT)): path.read_text() for path in files if path.is_file()}
    return {name: text for name, text in found.items() if name != "tests/test_imports.py"}


@pytest.mark.slow
def test_retired_words_are_gone() -> None:
    found = {name: {match[0].lower() for match in RETIRED.finditer(text)} for name, text in texts().items()}
    used = {name: words for name, words in found.items() if words}
    assert {
        name: words - ALLOWED.get(name, set()) for name, words in used.items() if words - ALLOWED.get(name, set())
    } == {}
    assert {name: words for name, words in ALLOWED.items() if words - found.get(name, set())} == {}


@pytest.mark.slow
def test_each_term_of_the_glossary_is_used() -> None:
    section = TEXT.partition("\n## Glossary\n")[2].partition("\n## ")[0]
    terms = [term for row in re.findall(r"^\| ([a-z][^|]*) \|", section, re.MULTILINE) for term in row.split(", ")]
    terms.remove("term")
    assert len(terms) == len(set(terms)) >= 30
    product = " ".join(text for name, text in texts().items() if name.startswith(("codesensei/", "components/")))
    assert [
        term for term in terms if not re.search(rf"\b{re.sub('[ -]', '[ _-]?', term)}", product, re.IGNORECASE)
    ] == []
