"""`codesensei pin`: the commit in the stack file, and nothing else of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from codesensei.console.__main__ import cli

FILE = """# The shop.
config:
  codesensei:project:
    slug: shop   # never changes
    source:
      path: shop
      revision: v1.0.0{behind}
    settingsModule: config.settings
  codesensei:secretEnv:
    TOKEN: {{secure: v1:abc}}
encryptionsalt: v1:xyz
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the program with a stack, and the project's repository beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "stacks").mkdir()
    (tmp_path / "shop").mkdir()
    git("init", "--quiet", "--initial-branch=main")
    for number, subject in enumerate(("Open a shop", 'Sell # things: \u202e"for less"')):
        (tmp_path / "shop/manage.py").write_text(f"# {number}\n")
        git("add", ".")
        git("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "-m", subject)
        git("tag", f"v{number + 1}.0.0")
    return tmp_path


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", "shop", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write(behind: str = "", text: str = FILE) -> Path:
    file = Path("stacks/Pulumi.prod.yaml")
    file.write_text(text.format(behind=behind))
    file.chmod(0o640)
    return file


def pin(*words: str) -> Result:
    return CliRunner().invoke(cli, ["pin", "--stack", "prod", *words])


@pytest.mark.proves("console.pin")
@pytest.mark.parametrize("behind", ["", "  # Open a shop", "  "])
@pytest.mark.parametrize("name", ["main", "v2.0.0", "commit"])
def test_one_line_changes(folder: Path, name: str, behind: str) -> None:
    file, commit = write(behind), git("rev-parse", "main")
    before = file.read_text().splitlines()
    done = pin(commit[:9] if name == "commit" else name)
    assert done.exit_code == 0, done.output
    after = file.read_text().splitlines()
    changed = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    assert [now.partition("  # ")[0] for _, now in changed] == [f'      revision: "{commit}"']
    assert "  # Sell # things: " in changed[0][1]
    assert "\u202e" not in file.read_text()
    assert yaml.safe_load(file.read_text())["config"]["codesensei:project"]["source"]["revision"] == commit
    assert os.stat(file).st_mode & 0o777 == 0o640
    assert done.output.startswith(f"prod: {commit[:12]} Sell # things: ")
    assert "before: v1.0.0" in done.output
    again = pin("main", "--json")
    assert json.loads(again.output)["changed"] is False
    assert file.read_text().splitlines() == after


@pytest.mark.proves("console.pin")
def test_a_source_on_one_line_keeps_what_is_behind_the_revision(folder: Path) -> None:
    text = "config:\n  codesensei:project: {{slug: shop, source: {{path: shop, revision: 'v1.0.0'}}}} # ours\n"
    file, commit = write(text=text), git("rev-parse", "v2.0.0")
    assert pin("v2.0.0").exit_code == 0
    assert file.read_text() == (
        f'config:\n  codesensei:project: {{slug: shop, source: {{path: shop, revision: "{commit}"}}}} # ours\n'
    )


IN_MAP = "config:\n  codesensei:project: {{source: {{path: shop, revision:}}}}\n"


@pytest.mark.proves("console.pin")
@pytest.mark.parametrize(
    ("text", "was", "subject"),
    [
        (FILE.replace(" v1.0.0", ""), "", True),
        (FILE.replace(" v1.0.0", "   "), "", True),
        (FILE.replace(" v1.0.0", " # none yet"), "", True),
        (FILE.replace(" v1.0.0", " ~"), "~", True),
        (IN_MAP.replace("revision:", "revision: "), "", False),
        (IN_MAP, "", False),
        (FILE.replace(" v1.0.0", " &unused v1.0.0"), "v1.0.0", True),
        (FILE.replace(" v1.0.0", " !!str 100"), "100", True),
    ],
)
def test_a_revision_in_any_form_is_replaced(folder: Path, text: str, was: str, subject: bool) -> None:
    file, commit = write(text=text), git("rev-parse", "main")
    wanted = yaml.safe_load(file.read_text())
    done = pin("main", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["was"] == was
    wanted["config"]["codesensei:project"]["source"]["revision"] = commit
    assert yaml.safe_load(file.read_text()) == wanted
    assert ("# Sell" in file.read_text()) is subject


@pytest.mark.proves("console.pin", "errors.four")
@pytest.mark.parametrize(
    "text",
    [
        FILE.replace(" v1.0.0", " >-\n        v1.0.0"),
        FILE.replace(" v1.0.0", " &tag v1.0.0").replace("abc}}", "abc}}\n  codesensei:env: {{TAG: *tag}}"),
        FILE.replace(" v1.0.0", " *tag").replace("slug: shop", "slug: &tag shop"),
    ],
)
def test_a_revision_that_cannot_be_replaced_alone_stays(folder: Path, text: str) -> None:
    file = write(text=text)
    before = file.read_text()
    done = pin("main")
    assert done.exit_code == 1
    assert "and cannot be replaced alone" in done.output
    assert f'fix: write it there: revision: "{git("rev-parse", "main")}"' in done.output
    assert file.read_text() == before


@pytest.mark.proves("console.pin")
def test_the_ends_of_lines_stay(folder: Path) -> None:
    file = write()
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    lines = file.read_bytes().count(b"\r\n")
    assert pin("main").exit_code == 0
    assert file.read_bytes().count(b"\r\n") == file.read_bytes().count(b"\n") == lines


@pytest.mark.proves("console.pin", "errors.four")
@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        (FILE, ["v3.0.0"], "v3.0.0"),
        (FILE, ["--", "--upload-pack=x"], "it cannot be one of that source"),
        ("config:\n  codesensei:env: {{}}\n", ["main"], "it has no revision in source of codesensei:project"),
        ("config: [\n", ["main"], "it cannot be read: "),
        ("", ["main"], "it has no revision in source of codesensei:project"),
    ],
)
def test_what_cannot_be_pinned_changes_nothing(folder: Path, text: str, words: list[str], says: str) -> None:
    file = write(text=text)
    before = file.read_text()
    done = pin(*words)
    assert done.exit_code == 1
    assert "error: " in done.output
    assert says in done.output
    assert "fix: " in done.output
    assert file.read_text() == before


@pytest.mark.proves("console.pin")
def test_a_stack_without_a_file(folder: Path) -> None:
    done = pin("main")
    assert done.exit_code == 1
    assert "stacks/Pulumi.prod.yaml: it is not there" in done.output
