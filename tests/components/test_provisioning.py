"""What the server is asked to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.provisioning import packages_data
from tests.components import stacks


@pytest.mark.proves("config.python")
@pytest.mark.parametrize(
    ("keys", "python", "uv"),
    [
        ("installer: auto", "", False),
        ('{installer: auto, python: "3.12"}', "3.12", True),
        # apt has no patch releases.
        ('{installer: auto, python: "3.12.4"}', "", True),
        ('{installer: pip, python: "3.12"}', "3.12", False),
        ('{installer: uv, python: "3.12"}', "", False),
    ],
)
def test_where_another_python_is_from(tmp_path: Path, keys: str, python: str, uv: bool) -> None:
    lines = keys.strip("{}").replace(", ", "\n    ")
    text = stacks.GIVEN.replace("mediaServing: proxy", f"mediaServing: proxy\n    {lines}")
    found = packages_data(stacks.loaded(tmp_path, text))
    assert (found.python, found.uv) == (python, uv)
