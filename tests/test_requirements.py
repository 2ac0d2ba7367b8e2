"""What is installed is what was tested: every package has one version, down to those that nobody here names."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]


def pins(name: str) -> dict[str, str]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    pairs = (line.split(";")[0].strip().split("==") for line in lines if line and not line.startswith("-"))
    return {normal(package): version for package, version in pairs}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(names: set[str]) -> set[str]:
    """The packages with all that they need here."""
    found, open_ones = set[str](), [normal(name) for name in names]
    while open_ones:
        name = open_ones.pop()
        if name not in found:
            found.add(name)
            open_ones += [
                normal(re.split(r"[\s;<>=!~\[(]", line)[0])
                for line in metadata.requires(name) or []
                if "extra ==" not in line and installed(re.split(r"[\s;<>=!~\[(]", line)[0])
            ]
    return found


def installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def test_the_closure_has_exact_versions_and_they_are_installed() -> None:
    wanted = pins("requirements.txt")
    known = pins("constraints.txt")
    # What older Pythons need beside it need not be here.
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    elsewhere = {normal(line.partition("==")[0]) for line in lines if ";" in line}
    closure = needed({name for name in wanted if name not in elsewhere or installed(name)}) - {"pip", "setuptools"}
    assert sorted(closure - set(known)) == [], "add their versions to constraints.txt"
    assert {name: known[name] for name in wanted} == wanted
    assert {name: metadata.version(name) for name in closure} == {name: known[name] for name in closure}
