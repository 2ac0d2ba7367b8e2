"""Whatever a repository holds, reading it takes little time and memory, and the error names the file and the bound."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from codesensei.source import Checkout, bounds, open_source
from codesensei.source.errors import SourceError
from codesensei.source.inspect import read_settings
from codesensei.source.models import without_migrations
from codesensei.source.requirements import requirements_closure
from codesensei.source.roots import import_roots
from codesensei.source.settings import Modules, read_names
from tests.source.conftest import Repository, a_source, asked

Made = Callable[[Mapping[str, str | bytes]], Checkout]
SETTINGS = "config/settings.py"
PROJECT = {"manage.py": "", "config/__init__.py": "", "config/wsgi.py": "application = 1\n", "requirements.txt": ""}
# Each takes minutes or gigabytes where nothing bounds it.
SECONDS = 20.0

pytestmark = pytest.mark.proves("source.bounds")


def used() -> float:
    """Seconds of processor, git's included: another program's load counts for nothing."""
    return sum(os.times()[:4])


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    started = used()
    yield
    assert used() - started < SECONDS


def deep(levels: int) -> dict[str, str]:
    return {
        "sum": f"A = {' + '.join(['1'] * levels)}\n",
        "minus": f"A = {'-' * levels}1\n",
        "chain": f"A = a{'.b()' * levels}\n",
        "not": f"A = {'not ' * levels}1\n",
        "lambda": f"A = {'lambda: ' * levels}1\n",
        "elif": "if a:\n    pass\n" + "elif a:\n    pass\n" * levels,
        "parts": f"A = a{'[0]' * levels}\n",
    }


@pytest.mark.parametrize("kind", deep(1))
@pytest.mark.parametrize("levels", [bounds.NESTING + 5, 20_000])
def test_deep_settings_are_named(project_of: Made, kind: str, levels: int) -> None:
    project = project_of({**PROJECT, SETTINGS: deep(levels)[kind]})
    with pytest.raises(SourceError, match=rf"^{SETTINGS}(:\d+)?: is nested deeper than {bounds.NESTING} levels"):
        read_settings(project, asked())


@pytest.mark.parametrize("kind", deep(1))
def test_what_is_not_too_deep_is_read_by_every_reader(project_of: Made, kind: str) -> None:
    levels = {"chain": bounds.NESTING // 2 - 4}.get(kind, bounds.NESTING - 6)
    text = f"import sys\n{deep(levels)[kind]}MEDIA_ROOT = 'x'\n"
    model = "from django.db import models\nclass A(models.Model):\n    pass\n"
    app = {"notes/__init__.py": "", "notes/models.py": model + text}
    project = project_of({**PROJECT, "manage.py": text, SETTINGS: f"{text}INSTALLED_APPS = ['notes']\n", **app})
    modules = Modules(project, ".")
    assert import_roots(project, asked(directory=".", python_path=()), ".") == ()
    assert read_names(modules, "config.settings", ("MEDIA_ROOT",)).values == {"MEDIA_ROOT": "x"}
    assert len(without_migrations(modules, "config.settings")) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        {"manage.py": deep(20_000)["sum"]},
        {"notes/models.py": deep(20_000)["chain"]},
        {"notes/models.py": "x = 1\n" * 10_000_000},
        {f"config/m{number}.py": f"from config.m{number + 1} import *\n" for number in range(3000)},
        {"notes/models.py": "".join(f"class C{n}(C{n - 1}, C{n - 2}):\n    pass\n" for n in range(2, 3000))},
        {"config/more.py": "".join(f"a{number} = 'x{number}.py'\n" for number in range(40_000))},
        {"config/more.py": "A = 'aaaaaaaa'\n" + "A = A + A\n" * 60},
        {"config/more.py": "include('*.py')\n" * 20_000},
        {"config/more.py": "A = ['a']\n" + "A = A + A\n" * 60},
        {"config/more.py": "A = [1]\n" + "A = [A, A]\n" * 60 + "LOGGING = {'a': A}\n"},
        {"config/more.py": "A = [1]\n" + "A = [A]\n" * 20_000 + "LOGGING = {'a': A}\n"},
    ],
    ids=[
        "manage",
        "models",
        "long models",
        "imports",
        "classes",
        "names",
        "doubled",
        "includes",
        "lists",
        "lists of lists",
        "deep lists",
    ],
)
def test_what_settings_lead_to_is_read_in_bounds(project_of: Made, files: dict[str, str]) -> None:
    settings = "from config.m0 import *\nfrom config.more import *\nWSGI_APPLICATION = 'config.wsgi.application'\n"
    project = project_of({**PROJECT, SETTINGS: settings, **files})
    assert read_settings(project, asked()).wsgi_application
    without_migrations(Modules(project, "."), "config.settings")


@pytest.mark.slow
def test_settings_of_ten_million_lines_are_named(project_of: Made) -> None:
    project = project_of({**PROJECT, SETTINGS: "x = 1\n" * 10_000_000})
    with pytest.raises(SourceError, match=f"^{SETTINGS}: has 57 MB, and of Python files at most 1 MB are read"):
        read_settings(project, asked())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {f"r{n}.txt": f"-r r{n + 1}.txt\n" for n in range(2000)},
            "^r99.txt:1: includes r100.txt, and only 100 files",
        ),
        (
            {"r0.txt": "".join(f"-r s{n}.txt\n" for n in range(500)), **{f"s{n}.txt": "" for n in range(500)}},
            "only 100",
        ),
        ({"r0.txt": "-r big.txt\n", "big.txt": "# x\n" * 2_000_000}, "^big.txt: has 7 MB, and at most 4 MB of a file"),
    ],
    ids=["chain", "fan", "long"],
)
def test_requirements_without_end_are_named(project_of: Made, files: dict[str, str], message: str) -> None:
    project = project_of(files)
    with pytest.raises(SourceError, match=message):
        requirements_closure(project, "r0.txt")


SLOW = {
    "blanks": (" ", "x"),
    "words": ("a ", "b"),
    "extras": ("a [ ", ""),
    "addresses": ("a@", ""),
    "versions": ("a<1 ", "("),
}


@pytest.mark.parametrize("kind", SLOW)
def test_lines_that_make_patterns_slow_are_read_at_once(project_of: Made, kind: str) -> None:
    begin, end = SLOW[kind]
    requirements_closure(project_of({"r.txt": f"{begin}{begin[-1] * 300_000}{end}\n"}), "r.txt")


def test_includes_that_go_in_a_circle_are_read_once(project_of: Made) -> None:
    project = project_of({"a.txt": "-r b.txt\n", "b.txt": "-r a.txt\n-r ./b.txt\n"})
    assert requirements_closure(project, "a.txt").files == ("a.txt", "b.txt")


def opened(repository: Repository, tmp_path: Path) -> Checkout:
    return open_source(asked(a_source("main", path="shop")), cache_dir=tmp_path / "cache", base=tmp_path)


@pytest.mark.slow
def test_files_that_unpack_to_more_than_a_server_takes_are_named(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "ARCHIVE_BYTES", 1 << 20)
    repository.commit({"a b/zeros\n.bin": bytes(20 << 20), "small": "x"})
    words = r"has more than 1 MB of files, the biggest: a b/zeros\S*.bin \(20 MB\)"
    with pytest.raises(SourceError, match=words) as error:
        opened(repository, tmp_path)
    assert "\n.bin" not in str(error.value)
    assert sum(file.stat().st_size for file in (tmp_path / "cache").rglob("*") if file.is_file()) < 1 << 20
    repository.commit({".gitattributes": "*.bin export-ignore\n"})
    assert "small" in opened(repository, tmp_path).files


def tree_of(repository: Repository, lines: str) -> str:
    command = ["git", "-C", str(repository.directory), "mktree"]
    return subprocess.run(command, input=lines, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_trees_that_stand_for_any_number_of_files_are_refused(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "LISTING_BYTES", 1 << 20)
    repository.commit({"x": "x"})
    found = repository.git("rev-parse", "HEAD:x")
    kind = "100644 blob"
    for _ in range(8):
        found = tree_of(repository, "".join(f"{kind} {found}\tn{number:02}\n" for number in range(30)))
        kind = "040000 tree"
    commit = repository.git("commit-tree", found, "-m", "many")
    source = a_source(commit, path="shop")
    with pytest.raises(SourceError, match=f"has more than {bounds.FILES} files in this commit"):
        open_source(asked(source), cache_dir=tmp_path / "cache", base=tmp_path)


def test_links_in_a_circle_lead_nowhere(repository: Repository, tmp_path: Path) -> None:
    for name, target in {"a": "b", "b": "a", "self": "self", "deep": "deep/deep"}.items():
        (repository.directory / name).symlink_to(target)
    repository.commit({"small": "x"})
    project = opened(repository, tmp_path)
    assert not any(project.tree.is_file(name) for name in ("a", "self", "deep", "a/small"))


def test_a_commit_without_files_is_named(repository: Repository, tmp_path: Path) -> None:
    repository.commit()
    with pytest.raises(SourceError, match="has no files in this commit"):
        opened(repository, tmp_path)


def test_every_file_is_bounded_where_it_is_read(project_of: Made) -> None:
    project = project_of({"a": bytes(bounds.TEXT_BYTES + 1)})
    assert len(project.tree.beginning("a")) == bounds.TEXT_BYTES
    with pytest.raises(SourceError, match=r"^a: has 4 MB"):
        project.read("a")
