"""A repository by https: the operator's own credentials are used, wherever git has them, and shown nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codesensei.source import Checkout, SourceError, open_source
from tests.source.conftest import Repository, a_source, asked
from tests.source.https import PASSWORD, USER, GitServer, run_git_server

pytestmark = [pytest.mark.slow, pytest.mark.proves("config.source.git")]


@pytest.fixture
def server(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with run_git_server(tmp_path, tmp_path) as running:
        settings(tmp_path, f"[http]\n\tsslCAInfo = {running.certificate}\n")
        yield running


def settings(tmp_path: Path, text: str) -> None:
    with (tmp_path / "home" / ".gitconfig").open("a") as file:
        file.write(text)


def opened(server: GitServer, revision: str, tmp_path: Path) -> Checkout:
    return open_source(asked(a_source(revision, git=f"{server.url}/shop/.git")), cache_dir=tmp_path / "cache")


def by_header(server: GitServer, tmp_path: Path) -> None:
    settings(tmp_path, f'[http "{server.url}"]\n\textraHeader = {server.header}\n')


def by_helper(server: GitServer, tmp_path: Path) -> None:
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\ntest "$1" = get && printf "username={USER}\\npassword={PASSWORD}\\n"\n')
    helper.chmod(0o755)
    settings(tmp_path, f"[credential]\n\thelper = {helper}\n")


def by_store(server: GitServer, tmp_path: Path) -> None:
    (tmp_path / "home" / ".git-credentials").write_text(f"https://{USER}:{PASSWORD}@localhost:{server.port}\n")
    settings(tmp_path, "[credential]\n\thelper = store\n")


def by_netrc(server: GitServer, tmp_path: Path) -> None:
    (tmp_path / "home" / ".netrc").write_text(f"machine localhost login {USER} password {PASSWORD}\n")


@pytest.mark.parametrize("way", [by_header, by_helper, by_store, by_netrc])
def test_the_operators_credentials_are_used(
    server: GitServer, repository: Repository, tmp_path: Path, way: object
) -> None:
    assert callable(way)
    way(server, tmp_path)
    commit = repository.commit({"a.txt": "1"})
    repository.git("tag", "-m", "first", "v1")
    repository.commit({"a.txt": "2"})
    for revision in ("v1", commit, commit[:9]):
        project = opened(server, revision, tmp_path)
        assert (project.revision, project.branch, project.read("a.txt")) == (commit, None, "1")
    assert opened(server, "main", tmp_path).branch == "main"
    kept = [
        path for path in (tmp_path / "cache").rglob("*") if path.is_file() and PASSWORD in path.read_text("latin-1")
    ]
    assert kept == []


def test_a_commit_on_no_branch_and_a_rewritten_branch(
    server: GitServer, repository: Repository, tmp_path: Path
) -> None:
    by_header(server, tmp_path)
    first = repository.commit({"a.txt": "1"})
    assert opened(server, "main", tmp_path).revision == first
    repository.git("commit", "--quiet", "--amend", "-m", "Rewritten")
    second = repository.git("rev-parse", "HEAD")
    assert opened(server, "main", tmp_path).revision == second
    # The first is on no branch any more; another machine, without it in its cache, asks for it by name.
    elsewhere = open_source(asked(a_source(first, git=f"{server.url}/shop/.git")), cache_dir=tmp_path / "other")
    assert elsewhere.revision == first


def test_without_credentials_the_fix_is_said_and_nobody_is_asked(
    server: GitServer, repository: Repository, tmp_path: Path
) -> None:
    repository.commit({"a.txt": "1"})
    with pytest.raises(SourceError, match="wants credentials, and git has none that it accepts") as caught:
        opened(server, "main", tmp_path)
    assert "credential helper" in caught.value.fix
    settings(tmp_path, f'[http "{server.url}"]\n\textraHeader = Authorization: Basic d3Jvbmc6b25l\n')
    with pytest.raises(SourceError, match="wants credentials"):
        opened(server, "main", tmp_path)


def test_a_certificate_that_nobody_trusts(server: GitServer, repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a.txt": "1"})
    (tmp_path / "home" / ".gitconfig").write_text("")
    with pytest.raises(SourceError, match="TLS certificate is not trusted on this machine"):
        opened(server, "main", tmp_path)


def test_no_repository_at_the_address(server: GitServer, tmp_path: Path) -> None:
    by_header(server, tmp_path)
    with pytest.raises(SourceError, match="there is no repository, or you may not see it"):
        open_source(asked(a_source("main", git=f"{server.url}/none/.git")), cache_dir=tmp_path / "cache")
