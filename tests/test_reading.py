"""docs/reading.md names places in the code that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "reading.md").read_text()
SECTIONS = TEXT.split("\n## ")[1:]
NAMED = re.compile(r"`([\w/]+\.py):(\w+)`")


def names_in(file: Path) -> set[str]:
    """What a module defines at its top."""
    return {
        node.name
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize("section", SECTIONS, ids=[section.split(".")[0] for section in SECTIONS])
def test_an_answer_names_places_that_there_are(section: str) -> None:
    named = NAMED.findall(section)
    assert named, "the answer names no place"
    assert [f"{file}:{name}" for file, name in named if name not in names_in(ROOT / file)] == []


def test_every_place_is_named_in_this_form() -> None:
    """Else nothing would look whether it is there."""
    assert len(re.findall(r"\w\.py", TEXT)) == len(NAMED.findall(TEXT))
