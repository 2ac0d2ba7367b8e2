"""docs/reading.md quotes components/ truly: every quoted line stands in a file that its section names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = (ROOT / "docs" / "reading.md").read_text().split("\n## ")[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=[section.split(".")[0] for section in SECTIONS])
def test_quoted_lines_stand_where_the_section_says(section: str) -> None:
    files = [ROOT / name for name in re.findall(r"`(components/\w+\.py)`", section)]
    assert files, "the section names no file"
    lines = {line for file in files for line in file.read_text().splitlines()}
    quoted = [
        line for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL) for line in block.splitlines() if line
    ]
    assert quoted, "the section quotes nothing"
    assert [line for line in quoted if line not in lines] == []
