"""Tests that share a server stay on one worker: not every pytest takes the group that xdist writes into a test's id."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = """
import os
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("group", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in "ab"])
def test_where(group, number):
    with Path(__file__).with_name(group).open("a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_a_group_runs_on_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_where.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    seen = {name: (tmp_path / name).read_text().split() for name in "ab"}
    assert {name: len(workers) for name, workers in seen.items()} == {"a": 4, "b": 4}
    assert {name: len(set(workers)) for name, workers in seen.items()} == {"a": 1, "b": 1}
