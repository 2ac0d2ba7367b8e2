"""What a build leaves in a release, told by name."""

from __future__ import annotations

import sqlite3
import tarfile
from pathlib import Path

import pytest

from codesensei.scripts.release import made
from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import NAME

SHOP = ProjectPaths("shop")


def a_database(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE x (y)")


def told(archive: Path) -> list[str]:
    return list(made.warnings(Release(SHOP, NAME, "deploy", ".", "config.settings"), archive))


@pytest.mark.proves("release.made")
def test_databases_and_packages_of_a_build(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "MUCH", 1 << 20)
    release = SHOP.releases / NAME
    for name in ("work/huey.db", "zips.sqlite3"):
        a_database(release / name)
    (release / "notes.db").write_text("a text")
    (release / "lead.db").symlink_to("work/huey.db")
    for folder in ("node_modules", "small/node_modules"):
        (release / folder / "x").mkdir(parents=True)
    (release / "node_modules/x/big.js").write_bytes(b"x" * (3 << 20))
    a_database(release / "node_modules/x/cache.db")
    archive = server / "source.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(release / "zips.sqlite3", "zips.sqlite3")
    assert told(archive) == [
        "work/huey.db is a SQLite file in the release, made by its build: nothing can write it, and the next release"
        f" will not have it; let the project keep it in {SHOP.shared}",
        "node_modules takes 3 MB in each release that is kept; if nothing needs it once the assets are built, add"
        " rm -rf node_modules to project.hooks.afterCollectstatic",
    ]
    assert len(told(server / "gone")) == 1
