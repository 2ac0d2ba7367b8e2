"""Repositories as they are: bare ones, partial ones, moving names, spoilt caches, odd names, many and big files."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from codesensei.config.project import SourceConfig
from codesensei.source import Checkout, SourceError, open_source
from tests.source.conftest import Repository, a_source, asked


def by_path(tmp_path: Path, revision: str, path: str = "shop") -> Checkout:
    return open_source(asked(a_source(revision, path=path)), cache_dir=tmp_path / "cache", base=tmp_path)


def by_url(repository: Repository, revision: str, tmp_path: Path) -> Checkout:
    return open_source(asked(a_source(revision, git=repository.url)), cache_dir=tmp_path / "cache")


def clone(repository: Repository, tmp_path: Path, *options: str) -> Repository:
    subprocess.run(
        ["git", "clone", "--quiet", *options, repository.url, str(tmp_path / "clone")], check=True, capture_output=True
    )
    return Repository(tmp_path / "clone")


@pytest.mark.proves("config.source.path")
def test_a_bare_repository(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"a.txt": "1"})
    clone(repository, tmp_path, "--bare")
    project = by_path(tmp_path, "main", "clone")
    assert (project.revision, project.branch, project.read("a.txt")) == (commit, "main", "1")


@pytest.mark.parametrize("path", ["shop/.git", "shop/.git/refs", "bare/refs"])
@pytest.mark.proves("config.source.path")
def test_git_s_own_folder_is_no_repository(repository: Repository, tmp_path: Path, path: str) -> None:
    repository.commit({"a.txt": "1"})
    subprocess.run(["git", "clone", "--quiet", "--bare", repository.url, str(tmp_path / "bare")], check=True)
    with pytest.raises(SourceError, match="is inside git's own folder"):
        by_path(tmp_path, "main", path)


@pytest.mark.parametrize("options", [("--depth=1",), ("--shared",), ("--filter=blob:none",)])
@pytest.mark.proves("config.source.path")
def test_a_clone_that_lacks_something(repository: Repository, tmp_path: Path, options: tuple[str, ...]) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    first = repository.commit({"a.txt": "1"})
    commit = repository.commit({"a.txt": "2"})
    clone(repository, tmp_path, *options)
    assert by_path(tmp_path, "main", "clone").revision == commit
    if options == ("--depth=1",):
        with pytest.raises(SourceError, match=f"has no commit, tag or branch {first}"):
            by_path(tmp_path, first, "clone")
    if options == ("--filter=blob:none",):
        with pytest.raises(SourceError, match="the repository lacks files of this commit") as caught:
            by_path(tmp_path, first, "clone")
        assert "project.source.git" in caught.value.fix


@pytest.mark.parametrize(
    "revision", ["origin/main", "refs/remotes/origin/main", "HEAD", "refs/heads/main", "heads/main"]
)
@pytest.mark.proves("config.source.revision")
def test_every_name_that_moves_is_a_branch(repository: Repository, tmp_path: Path, revision: str) -> None:
    repository.commit({"a.txt": "1"})
    clone(repository, tmp_path)
    assert by_path(tmp_path, revision, "clone").branch in {"main", "origin/main"}


@pytest.mark.parametrize("revision", ["refs/pull/7/head", "pull/7/head", "HEAD"])
@pytest.mark.proves("config.source.revision")
def test_every_name_of_a_url_that_moves_is_a_branch(repository: Repository, tmp_path: Path, revision: str) -> None:
    commit = repository.commit({"a.txt": "1"})
    repository.git("update-ref", "refs/pull/7/head", commit)
    project = by_url(repository, revision, tmp_path)
    assert project.revision == commit
    assert project.branch is not None


@pytest.mark.parametrize("name", ["fix/#12-a@b", "shop@1.4.0", "feature/ünï", "a%b", "+(1),'2'!=&$;{x}", "x/@", "r@"])
@pytest.mark.proves("config.source.revision")
def test_each_name_that_git_allows_is_found(repository: Repository, tmp_path: Path, name: str) -> None:
    commit = repository.commit({"a.txt": "1"})
    repository.git("branch", name)
    repository.commit({"a.txt": "2"})
    for project in (by_path(tmp_path, name), by_url(repository, name, tmp_path)):
        assert (project.revision, project.branch) == (commit, name)


NO_NAMES = """
-x --upload-pack=id @ /x x/ x. .x a/.b x.lock x.lock/y a..b a//b a@{1} a@{-1} a~1 a^ a^2 a:b a?b a*b a[b a\\b
"""


@pytest.mark.parametrize("name", [*NO_NAMES.split(), "", "a b", "a\n", "a\tb", "a\x7f", "a\u202eb", "x" * 256])
@pytest.mark.proves("config.source.revision")
def test_what_is_no_name_is_refused_before_git_is_asked(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a commit or a tag"):
        SourceConfig.model_validate({"path": "shop", "revision": name})


@pytest.mark.parametrize("host", ["-oProxyCommand", "-x"])
@pytest.mark.proves("config.source.git")
def test_a_host_is_no_option(host: str) -> None:
    for url in (f"git@{host}:shop.git", f"{host}@example.com:shop.git"):
        with pytest.raises(ValidationError, match="is not a supported git URL"):
            SourceConfig.model_validate({"git": url, "revision": "v1"})


@pytest.mark.proves("config.source.revision")
def test_a_branch_that_is_gone_is_not_found_in_the_cache(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    repository.git("branch", "feature")
    assert by_url(repository, "feature", tmp_path).branch == "feature"
    repository.git("branch", "-D", "feature")
    with pytest.raises(SourceError, match="has no commit, tag or branch feature"):
        by_url(repository, "feature", tmp_path)


@pytest.mark.proves("config.source.revision")
def test_short_commits(repository: Repository, tmp_path: Path) -> None:
    commits = [repository.commit({"a.txt": str(number)}) for number in range(4)]
    repository.git("tag", "v1", commits[0])
    described = repository.git("describe", "--tags", "--abbrev=9", commits[2])
    for revision in (commits[2][:9], commits[2][:9].upper(), commits[2].upper(), described):
        project = by_url(repository, revision, tmp_path)
        assert (project.revision, project.branch) == (commits[2], None), revision


@pytest.mark.proves("config.source.revision")
def test_a_commit_that_is_short_for_several(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "0"})
    tree = repository.git("rev-parse", "HEAD^{tree}")
    texts: dict[str, str] = {}
    for number in range(5000):
        text = f"tree {tree}\nauthor T <t@e.x> {number} +0000\ncommitter T <t@e.x> {number} +0000\n\nx\n"
        name = hashlib.sha1(f"commit {len(text)}\0{text}".encode()).hexdigest()
        if name[:4] in texts:
            break
        texts[name[:4]] = text
    for branch, content in (("one", text), ("two", texts[name[:4]])):
        command = ["git", "-C", str(repository.directory), "hash-object", "-t", "commit", "-w", "--stdin"]
        made = subprocess.run(command, input=content, capture_output=True, text=True, check=True).stdout.strip()
        repository.git("update-ref", f"refs/heads/{branch}", made)
    with pytest.raises(SourceError, match=f"{name[:4]} is short for several commits") as caught:
        by_url(repository, name[:4], tmp_path)
    assert caught.value.fix == "give more of the digits"


def spoil_by_lock(mirror: Path) -> None:
    (mirror / "packed-refs.lock").write_text("")
    (mirror / "refs/heads/main.lock").write_text("")


def spoil_by_truncation(mirror: Path) -> None:
    for file in [*mirror.glob("objects/??/*"), *mirror.glob("objects/pack/*.pack")]:
        file.chmod(0o644)
        file.write_bytes(b"")


@pytest.mark.parametrize("spoil", [spoil_by_lock, spoil_by_truncation])
def test_a_cache_that_a_killed_run_has_spoilt_is_made_anew(
    repository: Repository, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    repository.commit({"a.txt": "1"})
    by_url(repository, "main", tmp_path)
    commit = repository.commit({"a.txt": "2"})
    spoil(next((tmp_path / "cache").glob("*/mirror.git")))
    project = by_url(repository, "main", tmp_path)
    assert (project.revision, project.read("a.txt")) == (commit, "2")


def test_an_archive_that_a_power_cut_has_cut_is_made_anew(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1" * 20_000})
    first = by_path(tmp_path, "main")
    whole = first.tar_path.read_bytes()
    first.tar_path.write_bytes(whole[:9000])
    assert by_path(tmp_path, "main").tar_path.read_bytes() == whole


@pytest.mark.proves("source.refused", "config.source.unusable")
@pytest.mark.parametrize(
    ("links", "shown"),
    [
        ({"x": "/etc/passwd"}, "x -> /etc/passwd"),
        ({"a/x": "../../b"}, "a/x -> ../../b"),
        ({"a/b/up": "../..", "x": "a/b/up/../y"}, "x -> a/b/up/../y"),
        ({"bad\x1bname\udce9": "/"}, r"bad\x1bname\xe9 -> /"),
    ],
)
def test_links_that_lead_out_are_refused_by_name_in_preview(
    repository: Repository, tmp_path: Path, links: dict[str, str], shown: str
) -> None:
    repository.write({"a/b/file": "1"})
    for name, target in links.items():
        (repository.directory / name).symlink_to(target)
    repository.commit()
    with pytest.raises(SourceError) as caught:
        by_path(tmp_path, "main")
    assert caught.value.cause == f"has links that lead out of the repository: {shown}"
    str(caught.value).encode()
    repository.write({".gitattributes": "".join(f'"{name}" export-ignore\n' for name in links if name.isprintable())})
    repository.commit()
    if all(name.isprintable() for name in links):
        assert "a/b/file" in by_path(tmp_path, "main").files


def test_links_inside_the_tree_stay(repository: Repository, tmp_path: Path) -> None:
    repository.write({"a/b/file": "1", "c": ""})
    for name, target in {"a/up": "../c", "here": ".", "a/b/far": "../../a/./b/../b/file", "gone": "none"}.items():
        (repository.directory / name).symlink_to(target)
    repository.commit()
    project = by_path(tmp_path, "main")
    assert project.read("here/a/b/far") == "1"
    with tarfile.open(project.tar_path) as tar:
        assert tar.getmember("a/b/far").linkname == "../../a/./b/../b/file"


@pytest.mark.proves("config.source.unusable")
def test_the_product_s_own_folder_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.commit({".codesensei/key": "1"})
    with pytest.raises(SourceError, match=r"has files in \.codesensei, the product's own folder"):
        by_path(tmp_path, "main")


ODD = [
    "with space",
    "naïve/日本語.txt",
    "-dash",
    "quote'\"$`\\",
    "tab\tand\nnewline",
    "e\u0301",
    "*.py",
    "a" * 120 + "é" * 60,
]


def test_odd_names_travel(repository: Repository, tmp_path: Path) -> None:
    latin = os.fsdecode(b"caf\xe9.txt")
    repository.commit(dict.fromkeys((*ODD, latin), "x"))
    project = by_path(tmp_path, "main")
    assert project.files == {*ODD, latin}
    assert all(project.read(name) == "x" for name in project.files)
    repository.write({latin: "changed", "esc\x1b[31m": "new"})
    with pytest.raises(SourceError) as caught:
        by_path(tmp_path, "main")
    assert caught.value.cause == r"has changes that are in no commit: caf\xe9.txt, esc\x1b[31m"


def test_a_subject_that_is_no_utf_8(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    message = tmp_path / "message"
    message.write_bytes(b"Caf\xe9 \x1b[31m red\n")
    repository.git("commit", "--quiet", "--amend", "-F", str(message))
    subject = by_path(tmp_path, "main").subject
    subject.encode()
    assert subject.startswith("Caf")
    assert "\x1b" not in subject


def test_export_attributes_count(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit(
        {
            ".gitattributes": "docs export-ignore\nversion export-subst\n",
            "docs/a": "1",
            "version": "$Format:%H$\n",
            "b": "",
        }
    )
    project = by_path(tmp_path, "main")
    assert project.files == {".gitattributes", "version", "b"}
    assert project.read("version") == f"{commit}\n"


@pytest.mark.full
def test_many_files_and_big_ones(repository: Repository, tmp_path: Path) -> None:
    """20,000 files and one of 100 MB: a preview that finds the archive made stays quick."""
    repository.write({f"d{number % 200}/f{number}.txt": str(number) for number in range(20_000)})
    (repository.directory / "big.bin").write_bytes(os.urandom(1 << 20) * 100)
    repository.commit()
    project = by_url(repository, "main", tmp_path)
    assert len(project.files) == 20_001
    began = time.monotonic()
    again = by_url(repository, project.revision, tmp_path)
    assert again.tree.is_file("d7/f7.txt")
    assert time.monotonic() - began < 15


def test_a_link_to_itself_leads_nowhere(repository: Repository, tmp_path: Path) -> None:
    (repository.directory / "loop").symlink_to("loop")
    (repository.directory / "here").symlink_to(".")
    repository.commit({"manage.py": ""})
    tree = open_source(asked(a_source("main", path=str(repository.directory))), cache_dir=tmp_path / "cache").tree
    assert (tree.resolve("here"), tree.is_directory("here")) == (".", True)
    assert (tree.resolve("loop"), tree.is_directory("loop")) == (None, False)
