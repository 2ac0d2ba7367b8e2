"""Which commit a revision is, what is in its archive, and what cannot be deployed."""

from __future__ import annotations

import os
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codesensei.source import Checkout, SourceError, archive, branches, open_source
from codesensei.source import git as room
from tests.source.conftest import Repository, a_source, asked

Opener = Callable[[Repository, str, Path], Checkout]


def by_url(repository: Repository, revision: str, tmp_path: Path) -> Checkout:
    return open_source(asked(a_source(revision, git=repository.url)), cache_dir=tmp_path / "cache")


def by_path(repository: Repository, revision: str, tmp_path: Path) -> Checkout:
    return open_source(
        asked(a_source(revision, path=repository.directory.name)), cache_dir=tmp_path / "cache", base=tmp_path
    )


@pytest.fixture(params=[by_url, by_path])
def opened(request: pytest.FixtureRequest) -> Opener:
    """Both ways to name a repository."""
    opener: Opener = request.param
    return opener


@pytest.mark.proves("config.source.revision")
def test_a_branch_is_said_to_be_one(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    commit = repository.commit({"a.txt": "1"}, "Add a")
    project = opened(repository, "main", tmp_path)
    assert (project.revision, project.branch, project.subject) == (commit, "main", "Add a")
    assert project.short == commit[:7]


@pytest.mark.proves("config.source.revision")
@pytest.mark.slow
def test_a_tag_a_commit_and_a_short_one_are_no_branches(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    commit = repository.commit({"a.txt": "1"})
    repository.git("tag", "v1")
    repository.git("tag", "-m", "annotated", "v2")
    repository.git("tag", "-m", "of a tag", "v3", "v2")
    repository.commit({"a.txt": "2"})
    for revision in ("v1", "v2", "v3", commit, commit[:10], "refs/tags/v2"):
        project = opened(repository, revision, tmp_path)
        assert (project.revision, project.branch) == (commit, None), revision
        assert project.read("a.txt") == "1"


def test_a_branch_with_slashes_moves(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    repository.commit({"a.txt": "1"})
    repository.git("checkout", "--quiet", "-b", "feature/x")
    for text in ("2", "3"):
        commit = repository.commit({"a.txt": text})
        project = opened(repository, "feature/x", tmp_path)
        assert (project.revision, project.branch, project.read("a.txt")) == (commit, "feature/x", text)


def test_a_tag_goes_before_a_branch_of_the_same_name(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    tagged = repository.commit({"a.txt": "1"})
    repository.git("tag", "same")
    repository.commit({"a.txt": "2"})
    repository.git("branch", "same")
    project = opened(repository, "same", tmp_path)
    assert (project.revision, project.branch) == (tagged, None)


def test_head_is_the_branch_that_is_checked_out(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    assert by_path(repository, "HEAD", tmp_path).branch == "main"


def test_a_full_commit_that_was_fetched_needs_no_repository(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"a.txt": "1"})
    first = by_url(repository, commit, tmp_path)
    repository.directory.rename(tmp_path / "gone")
    again = by_url(repository, commit, tmp_path)
    assert (again.revision, again.tar_sha256) == (commit, first.tar_sha256)
    with pytest.raises(SourceError, match="there is no repository"):
        by_url(repository, "main", tmp_path)


def test_a_commit_on_no_branch_is_asked_for_by_name(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    repository.git("checkout", "--quiet", "--detach")
    loose = repository.commit({"a.txt": "loose"})
    repository.git("checkout", "--quiet", "main")
    assert by_url(repository, loose, tmp_path).read("a.txt") == "loose"


def test_a_branch_that_was_rewritten(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    by_url(repository, "main", tmp_path)
    repository.git("commit", "--quiet", "--amend", "-m", "Other")
    assert by_url(repository, "main", tmp_path).subject == "Other"


def test_a_branch_that_became_a_directory_of_branches(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    repository.git("branch", "x")
    by_url(repository, "x", tmp_path)
    repository.git("branch", "-D", "x")
    repository.git("branch", "x/y")
    assert by_url(repository, "x/y", tmp_path).branch == "x/y"


def test_an_unknown_revision_names_those_that_are_near(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    repository.commit({"a.txt": "1"})
    repository.git("tag", "v1.4.0")
    with pytest.raises(SourceError) as caught:
        opened(repository, "v1.40", tmp_path)
    assert caught.value.cause == "has no commit, tag or branch v1.40"
    assert caught.value.fix == "did you mean v1.4.0?"
    with pytest.raises(SourceError, match="has no commit, tag or branch " + "0" * 40):
        opened(repository, "0" * 40, tmp_path)


def test_a_tag_of_a_file_is_no_revision(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    repository.commit({"a.txt": "1"})
    repository.git("tag", "blob", "HEAD:a.txt")
    with pytest.raises(SourceError, match="has no commit, tag or branch blob"):
        opened(repository, "blob", tmp_path)


@pytest.mark.parametrize("revision", ["--upload-pack=touch /tmp/x", "--help", "-h"])
def test_a_revision_is_never_an_option(repository: Repository, tmp_path: Path, opened: Opener, revision: str) -> None:
    repository.commit({"a.txt": "1"})
    with pytest.raises(SourceError, match="has no commit, tag or branch"):
        opened(repository, revision, tmp_path)


@pytest.mark.proves("config.source.git")
@pytest.mark.parametrize(
    "url",
    ["ext::sh -c id", "git://host/x", "http://host/x", "ftp://host/x", "--upload-pack=id", "/abs", "fd::3", "host:x"],
)
def test_other_transports_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a supported git URL"):
        open_source(asked(a_source("main", git=url)), cache_dir=tmp_path)
    assert not list(tmp_path.glob("*/mirror.git"))


def test_a_transport_that_the_operators_settings_lead_to_is_refused(repository: Repository, tmp_path: Path) -> None:
    with (tmp_path / "home/.gitconfig").open("a") as settings:
        settings.write('[url "ext::sh -c id "]\n\tinsteadOf = https://evil.example/\n')
    with pytest.raises(SourceError, match="transport that is not allowed"):
        open_source(asked(a_source("main", git="https://evil.example/x")), cache_dir=tmp_path / "cache")


def test_the_operators_settings_lead_to_a_repository(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"a.txt": "1"})
    with (tmp_path / "home/.gitconfig").open("a") as settings:
        settings.write(f'[url "{repository.url}"]\n\tinsteadOf = https://git.example/shop\n')
    project = open_source(asked(a_source("main", git="https://git.example/shop")), cache_dir=tmp_path / "cache")
    assert project.revision == commit


@pytest.mark.proves("source.archive")
@pytest.mark.slow
def test_the_same_commit_gives_the_same_bytes_everywhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit(
        {
            "text.txt": "a\nb\n",
            "script.sh": "#!/bin/sh\n",
            ".gitattributes": "*.txt text\nversion export-subst\n*.bin filter=upper\n",
            "version": "$Format:%H %h %D$\n",
            "x.bin": "lower",
        }
    )
    (repository.directory / "script.sh").chmod(0o755)
    commit = repository.commit()
    first = by_url(repository, commit, tmp_path)
    plain = first.tar_path.read_bytes()
    repository.git("tag", "v9")
    repository.git("config", "core.autocrlf", "true")
    repository.git("config", "core.abbrev", "20")
    (repository.directory / ".git/info").mkdir(exist_ok=True)
    (repository.directory / ".git/info/attributes").write_text("script.sh export-ignore\n")
    with (tmp_path / "home/.gitconfig").open("a") as settings:
        settings.write(
            "[tar]\n\tumask = 0077\n[core]\n\tautocrlf = true\n\teol = crlf\n\tattributesFile = /dev/null\n"
            '[filter "upper"]\n\tsmudge = tr a-z A-Z\n[log]\n\tshowSignature = true\n'
        )
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "tar.umask")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0007")
    for again in (
        open_source(asked(a_source(commit, git=repository.url)), cache_dir=tmp_path / "other"),
        open_source(asked(a_source("v9", git=repository.url)), cache_dir=tmp_path / "third"),
        open_source(asked(a_source("v9", path="shop")), cache_dir=tmp_path / "fourth", base=tmp_path),
    ):
        assert again.tar_path.read_bytes() == plain
        assert again.tar_sha256 == first.tar_sha256
    with tarfile.open(first.tar_path) as tar:
        assert {member.name: oct(member.mode) for member in tar if member.name in ("text.txt", "script.sh")} == {
            "text.txt": "0o644",
            "script.sh": "0o755",
        }


def test_the_archive_is_outside_the_checkout_and_made_once(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"a.txt": "1"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    first = open_source(asked(a_source("main", git=repository.url)))
    assert first.tar_path.is_relative_to(tmp_path / "xdg/codesensei/git")
    assert first.tar_path.name == f"{first.revision}.tar"
    inode = first.tar_path.stat().st_ino
    assert open_source(asked(a_source("main", git=repository.url))).tar_path.stat().st_ino == inode


@pytest.mark.slow
def test_old_archives_are_forgotten(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT_ARCHIVES", 2)
    projects = []
    for number in range(4):
        repository.commit({"a.txt": str(number)})
        projects.append(by_url(repository, "main", tmp_path))
        os.utime(projects[-1].tar_path, (number, number))
    assert [project.tar_path.exists() for project in projects] == [False, False, True, True]


@pytest.mark.slow
def test_two_runs_at_once(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({f"{number}.txt": "x" * 1000 for number in range(200)})
    found: list[Checkout] = []

    def run() -> None:
        found.append(by_url(repository, "main", tmp_path))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {project.revision for project in found} == {commit}
    assert len({project.tar_sha256 for project in found}) == 1
    assert len(found) == 4


def test_a_run_that_holds_the_cache_too_long_is_named(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"a.txt": "1"})
    by_url(repository, "main", tmp_path)
    lock = next((tmp_path / "cache").glob("*/lock"))
    monkeypatch.setattr(room, "LOCK_SECONDS", 0.0)
    holder = subprocess.Popen(
        ["flock", str(lock), "sh", "-c", "echo held; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        with pytest.raises(SourceError, match="another run has held the cache"):
            by_url(repository, "main", tmp_path)
    finally:
        holder.communicate()


@pytest.mark.proves("config.source.unusable")
def test_changes_in_no_commit_are_refused_by_name(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1", ".gitignore": "*.log\n"})
    repository.write({"a.txt": "2", "new file.txt": "1", "x.log": "1"})
    with pytest.raises(SourceError) as caught:
        by_path(repository, "main", tmp_path)
    assert caught.value.cause == "has changes that are in no commit: a.txt, new file.txt"
    assert "commit them" in caught.value.fix


def test_changes_are_of_no_account_for_another_revision(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit({"a.txt": "1"})
    repository.commit({"a.txt": "2"})
    repository.write({"a.txt": "3"})
    assert by_path(repository, first, tmp_path).read("a.txt") == "1"


def test_changes_are_of_no_account_by_url(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    repository.write({"a.txt": "3"})
    assert by_url(repository, "main", tmp_path).read("a.txt") == "1"


@pytest.mark.proves("config.source.unusable")
def test_submodules_are_refused_by_name(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    commit = repository.commit({"a.txt": "1"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},libs/theme")
    repository.git("commit", "--quiet", "-m", "Add a submodule")
    (repository.directory / "libs/theme").mkdir(parents=True)
    with pytest.raises(SourceError, match="has submodules, whose files are not in the commit: libs/theme"):
        opened(repository, "main", tmp_path)


@pytest.mark.proves("config.source.unusable")
@pytest.mark.parametrize("pattern", ["docs", "docs/theme", "docs/"])
def test_what_an_archive_leaves_out_is_not_refused(
    repository: Repository, tmp_path: Path, opened: Opener, pattern: str
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"
    commit = repository.commit({"a.txt": "1", "logo.png": pointer})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},docs/theme")
    repository.write({".gitattributes": f"{pattern} export-ignore\n/logo.png export-ignore\n"})
    (repository.directory / "docs/theme").mkdir(parents=True)
    repository.git("add", ".gitattributes")
    repository.git("commit", "--quiet", "-m", "Add a submodule")
    assert opened(repository, "main", tmp_path).files == {"a.txt", ".gitattributes"}


@pytest.mark.proves("config.source.unusable")
def test_git_lfs_is_refused_by_name(repository: Repository, tmp_path: Path, opened: Opener) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"
    repository.commit({"logo.png": pointer, "about.txt": "version https://git-lfs.github.com/"})
    with pytest.raises(SourceError, match="keeps files in Git LFS, which are not in the commit: logo"):
        opened(repository, "main", tmp_path)


ENCRYPTED = {
    "git-crypt": ({"secret.py": b"\0GITCRYPT\0\x01\x02"}, ""),
    "transcrypt": ({"secret.py": b"U2FsdGVkX1/4cJ4Vb2M="}, "secret.py filter=crypt diff=crypt\n"),
    "git-agecrypt": ({"secret.py": b"age-encryption.org/v1\n-> X25519"}, "secret.py filter=git-agecrypt\n"),
}


@pytest.mark.proves("config.source.encrypted")
@pytest.mark.parametrize("tool", ENCRYPTED)
def test_encrypted_files_are_refused_by_name(repository: Repository, tmp_path: Path, opened: Opener, tool: str) -> None:
    files, attributes = ENCRYPTED[tool]
    repository.git("config", "filter.crypt.clean", "cat")
    repository.commit({**files, ".gitattributes": attributes, "empty": ""})
    with pytest.raises(SourceError, match=f"has files that {tool} has encrypted.*: secret.py") as caught:
        opened(repository, "main", tmp_path)
    assert caught.value.fix.endswith("secret.py export-ignore")
    repository.commit({".gitattributes": f"{attributes}secret.py export-ignore\n"})
    assert opened(repository, "main", tmp_path).files == {".gitattributes", "empty"}


def test_what_no_filter_has_encrypted_is_a_file_like_others(
    repository: Repository, tmp_path: Path, opened: Opener
) -> None:
    repository.commit({"backup.age": "age-encryption.org/v1\n-> X25519", "vault": "U2FsdGVkX1/4cJ4Vb2M="})
    assert opened(repository, "main", tmp_path).files == {"backup.age", "vault"}


@pytest.mark.proves("config.source.path")
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nothing", "is not a directory"),
        ("plain", "there is no repository"),
        ("shop/inner", "is inside the repository"),
    ],
)
def test_a_path_is_a_repositorys_root(repository: Repository, tmp_path: Path, path: str, says: str) -> None:
    repository.commit({"inner/a.txt": "1"})
    (tmp_path / "plain").mkdir()
    with pytest.raises(SourceError, match=says) as caught:
        open_source(asked(a_source("main", path=path)), cache_dir=tmp_path / "cache", base=tmp_path)
    assert caught.value.thing == f"project.source.path {path}"


def test_a_worktree_and_a_hooks_environment(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit({"a.txt": "1"})
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_WORK_TREE", "/nonexistent")
    project = open_source(asked(a_source(commit, path="tree")), cache_dir=tmp_path / "cache", base=tmp_path)
    assert project.read("a.txt") == "1"


def test_a_cache_that_cannot_be_written_is_named(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(SourceError, match="cannot be written"):
        by_url(repository, "main", tmp_path)


@pytest.mark.slow
def test_git_that_hangs_ends(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexec sleep 600\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    monkeypatch.setattr(room, "ASK_SECONDS", 0.3)
    with pytest.raises(SourceError, match=r"host\.example does not answer"):
        open_source(asked(a_source("main", git="git@host.example:shop.git")), cache_dir=tmp_path / "cache")
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(ssh) not in running


def test_no_git_is_said(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="is not installed on this machine"):
        by_url(repository, "main", tmp_path)


@pytest.mark.proves("review-stack.list")
@pytest.mark.parametrize("by", ["git", "path"])
def test_the_branches_that_are_there(repository: Repository, tmp_path: Path, by: str) -> None:
    repository.commit({"a.txt": "1"})
    repository.git("branch", "feature/prices")
    repository.git("tag", "v1.0.0")
    repository.git("update-ref", "refs/remotes/origin/gone", "HEAD")
    where = {"git": repository.url} if by == "git" else {"path": repository.directory.name}
    source = a_source("main", **where)
    assert branches(source, base=tmp_path) == {"main", "feature/prices"}
    repository.git("branch", "--delete", "feature/prices")
    assert branches(source, base=tmp_path) == {"main"}
    (repository.directory / ".git").rename(tmp_path / "away")
    with pytest.raises(SourceError):
        branches(source, base=tmp_path)
