"""Repositories made on the spot, and an environment in which git knows nobody's settings."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codesensei.config.project import ProjectConfig, SourceConfig
from codesensei.source import Checkout, open_source


def a_source(revision: str, git: str | None = None, path: str | None = None) -> SourceConfig:
    """Unchecked, because this room refuses bad URLs too."""
    return SourceConfig.model_construct(revision=revision, git=git, path=path)


def asked(source: SourceConfig | None = None, **changes: Any) -> ProjectConfig:
    """A project's config: the main branch of `shop`, unless another source is given."""
    source = source or a_source("main", path="shop")
    return ProjectConfig.model_construct(**{"source": source, "settings_module": "config.settings", **changes})


@dataclass(frozen=True)
class Repository:
    directory: Path

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.directory), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            file = self.directory / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                file.write_bytes(content)
            else:
                file.write_text(content)

    def commit(self, files: Mapping[str, str | bytes] | None = None, subject: str = "Change") -> str:
        """The new commit's name."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        # What `git rev-parse HEAD` says, without a process of its own.
        head = (self.directory / ".git" / "HEAD").read_text().strip()
        return (self.directory / ".git" / head.removeprefix("ref: ")).read_text().strip() if " " in head else head

    @property
    def url(self) -> str:
        return f"file://{self.directory}"


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Tester\n\temail = tester@example.com\n[init]\n\tdefaultBranch = main\n"
        # Each commit would start another git to look for what can be packed.
        "[maintenance]\n\tauto = false\n[gc]\n\tauto = 0\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.directory.mkdir()
    made.git("init", "--quiet", "--template=")
    return made


@pytest.fixture
def project_of(repository: Repository, tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Checkout]:
    """A project with the files given, at its only commit."""

    def make(files: Mapping[str, str | bytes]) -> Checkout:
        repository.commit(files)
        return open_source(asked(), cache_dir=tmp_path / "cache", base=tmp_path)

    return make
