"""Tests that prove a sentence fail when the product is broken on purpose: sampled, in a copy of the checkout."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.breakages import HOST, UNIT, Breakage
from tests.test_contract import proofs
from tools import contract
from tools.contract import CHECKOUT

SECONDS = 600
HOST_SECONDS = 3600
BREAKAGES = [*UNIT, *(breakage for breakage, _ in HOST)]
WITHOUT_SERVERS = "not host and not engine and not full"


def proving(sentence: str) -> list[str]:
    """What pytest is to run for the tests that say they prove a sentence, those on servers left out."""
    found = set()
    for proof in proofs()[sentence]:
        if proof.file.startswith("tests/host/"):
            continue
        is_test = proof.test.startswith(("test_", "Test"))
        found.add(f"{proof.file}::{proof.test.replace('.', '::')}" if is_test else proof.file)
    return sorted(found)


@functools.cache
def text_of(file: str) -> str:
    """A file of the checkout; many breakages are in the same one."""
    return (CHECKOUT / file).read_text()


def apply(breakage: Breakage, root: Path) -> str:
    """Break the copy below `root`; returns the file's text as it was."""
    file = root / breakage.file
    text = file.read_text()
    file.write_text(text.replace(breakage.old, breakage.new))
    return text


def run(root: Path, *arguments: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run tests in the copy."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "CODESENSEI_KEEP"))}
    return subprocess.run(command, cwd=root, env=kept, capture_output=True, text=True, timeout=seconds, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout's own files elsewhere."""
    root = tmp_path_factory.mktemp("breakages") / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (CHECKOUT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, root / name, follow_symlinks=False)
    # Compiled once, and again for a text that is another one, whatever its time and size.
    by_text = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "-x", "/examples/|/hostile/"]
    subprocess.run([sys.executable, *by_text, str(root)], check=True, timeout=SECONDS)
    return root


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
@pytest.mark.slow
def test_each_breaks_one_place(breakage: Breakage) -> None:
    assert text_of(breakage.file).count(breakage.old) == 1
    assert breakage.old != breakage.new
    assert breakage.sentence in proofs()


def test_every_sentence_is_broken_or_says_why_not() -> None:
    found = contract.read_contract((CHECKOUT / contract.SENTENCES).read_text())
    broken = {breakage.sentence for breakage in BREAKAGES}
    assert sorted(found.sentences.keys() - broken - found.unbroken.keys() - found.unproved.keys()) == []
    assert sorted(broken & found.unbroken.keys()) == [], "these have a breakage now: take their reasons out"


@pytest.mark.full
def test_unbroken_they_pass(copy: Path) -> None:
    """So that a failure below is the fault's."""
    nodes = sorted({node for breakage in UNIT for node in proving(breakage.sentence)})
    done = run(copy, "-m", WITHOUT_SERVERS, *nodes)
    assert done.returncode == 0, done.stdout


@pytest.mark.full
@pytest.mark.parametrize("breakage", UNIT, ids=lambda breakage: breakage.name)
def test_a_breakage_is_noticed(copy: Path, breakage: Breakage) -> None:
    """A test that says it proves the sentence fails; that it cannot be collected would be no proof."""
    before = apply(breakage, copy)
    try:
        done = run(copy, "-x", "-m", WITHOUT_SERVERS, *proving(breakage.sentence))
    finally:
        (copy / breakage.file).write_text(before)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED" in done.stdout, done.stdout


@pytest.mark.full
@pytest.mark.host
def test_breakages_are_noticed_on_a_server(copy: Path) -> None:
    """One deploy of them all; each makes its own test fail, and a test of none of them passes."""
    whole = "tests/host/test_deploy.py::test_an_unknown_host_gets_no_project[13]"
    before = {breakage.file: apply(breakage, copy) for breakage, _ in HOST}
    try:
        done = run(copy, "-rA", *(node for _, node in HOST), whole, seconds=HOST_SECONDS)
    finally:
        for file, text in before.items():
            (copy / file).write_text(text)
    outcomes = [
        line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith(("FAILED", "PASSED", "ERROR"))
    ]
    assert sorted(outcomes) == sorted([f"PASSED {whole}", *(f"FAILED {node}" for _, node in HOST)]), done.stdout
