"""What is told of static files that were not found, or have changed under the same name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.scripts.release import record, static_files
from codesensei.scripts.release.record import VisitorFacts
from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import FACTS, NAME, REVISION

SHOP = ProjectPaths("shop")
NOW = "0000001-89abcde"
RELEASE = Release(SHOP, NAME, "deploy", ".", "config.settings")
# As collectstatic prints it.
SAID = """System check identified some issues:

WARNINGS:
?: (staticfiles.W004) The directory '{path}' in the STATICFILES_DIRS setting does not exist.

128 static files copied to '/srv/codesensei/shop/releases/x/staticfiles'.
"""


@pytest.mark.proves("static.absent")
def test_a_folder_that_collectstatic_does_not_find_is_told(server: Path) -> None:
    (told,) = static_files.absent(RELEASE, SAID.format(path=RELEASE.path / "frontend/dist") * 2)
    assert told.startswith("there is no frontend/dist, which STATICFILES_DIRS names: its static files are not served")
    assert "project.hooks.beforeCollectstatic" in told
    (told,) = static_files.absent(RELEASE, SAID.format(path="/opt/assets"))
    assert told.startswith("there is no /opt/assets,")
    assert not [*static_files.absent(RELEASE, "128 static files copied")]


def collected(name: str, **files: str) -> Path:
    """The static files of a release, and the link of the product's to them."""
    folder = SHOP.release(name) / "staticfiles"
    for file, text in files.items():
        path = folder / file.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    own = SHOP.own_folder(name)
    own.mkdir(parents=True)
    (own / "static").symlink_to("../staticfiles")
    return folder


def told(public: Path, visitors: VisitorFacts | None) -> list[str]:
    SHOP.record(NAME).parent.mkdir(parents=True, exist_ok=True)
    record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
    record.built(SHOP, NAME, replace(FACTS, visitors=visitors), {})
    return [*static_files.kept_names(RELEASE, public)]


@pytest.mark.proves("static.kept-names")
def test_what_has_changed_and_kept_its_name_is_told(server: Path) -> None:
    plain = VisitorFacts(static_renamed=False)
    collected(NOW, css__site_css="old", js__site_js="same", js__gone_js="x", logo_png="old", staticfiles_json="old")
    new = {
        "css__site_css": "new",
        "js__site_js": "same",
        "js__new_js": "x",
        "logo_png": "new",
        "staticfiles_json": "new",
    }
    public = collected(NAME, **new)
    assert told(public, plain) == []
    SHOP.current.symlink_to(f"releases/{NOW}")
    (said,) = told(public, plain)
    assert said.startswith("static files have changed and kept their names (css/site.css): who was here before")
    assert "ManifestStaticFilesStorage" in said
    assert told(public, VisitorFacts()) == told(public, None) == []


@pytest.mark.proves("root.trust")
@pytest.mark.parametrize("old", [True, False])
def test_links_among_static_files_are_not_read(server: Path, old: bool) -> None:
    """A build may have made them, and whether a file of root's has a certain content is nobody's to know."""
    secret = server / "secret"
    secret.write_text("secret")
    folders = [collected(NOW, site_css="guess"), collected(NAME, site_css="guess")]
    (folders[0 if old else 1] / "site.css").unlink()
    (folders[0 if old else 1] / "site.css").symlink_to(secret)
    SHOP.current.symlink_to(f"releases/{NOW}")
    assert told(folders[1], VisitorFacts(static_renamed=False)) == []
