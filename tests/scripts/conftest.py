"""The server-side paths in a scratch directory, and a step that remembers what it said."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step
from codesensei.scripts.steps import claim
from codesensei.wire import paths
from codesensei.wire.paths import ServerPaths
from codesensei.wire.steps import Nothing


def pytest_sessionfinish() -> None:
    """Machines that were kept for copies end with the tests, whichever of them used any."""
    if scenarios := sys.modules.get("tests.scripts.machine.scenarios"):
        scenarios.forget()


class SpokenStep(Step[Any]):
    """A step whose progress lines are kept in `said`."""

    said: list[str]

    def say(self, text: str) -> None:
        self.said = [*getattr(self, "said", []), text]


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """A step that is run here may change it for its own process."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that stands for the server's root; files in it belong to whoever runs the tests."""
    places = {
        "projects": "srv",
        "memory": "memory",
        "cache": "cache",
        "locks": "locks",
        "library": "library",
        "config": "etc",
        "candidates": "candidates",
        "units": "units",
        "runtime_units": "runtime-units",
        "local_units": "local-units",
        "packaged_units": "packaged",
        "nginx": "nginx",
        "nginx_logs": "log",
        "rotation": "logrotate.d",
        "brokers": "brokers",
        "broker_data": "broker-data",
        "wal_archives": "wal",
        "postgresql": "etc-postgresql",
        "postgresql_programs": "lib-postgresql",
        "cgroups": "cgroup",
        "postgresql_sockets": "postgresql",
        "certbot": "letsencrypt",
        "authorities": "authorities",
        "ufw": "ufw",
    }
    for place in places.values():
        (tmp_path / place).mkdir()
    here = {name: tmp_path / place for name, place in places.items()}
    here |= {"sshd_config": tmp_path / "sshd_config.d" / "00-codesensei.conf", "apt_updates": tmp_path / "52updates"}
    here["sshd_config"].parent.mkdir()
    monkeypatch.setattr(paths, "SERVER", ServerPaths(**here))
    monkeypatch.setattr(files, "user_id", lambda name: os.getuid())
    monkeypatch.setattr(files, "group_id", lambda name: os.getgid())
    (tmp_path / "home").mkdir()
    user = pwd.getpwuid(os.getuid())
    login = SimpleNamespace(pw_name=user.pw_name, pw_gid=user.pw_gid, pw_dir=str(tmp_path / "home"))
    monkeypatch.setattr(claim, "login_user", lambda: login)
    return tmp_path


@pytest.fixture
def make_step() -> Any:
    """`make_step(name, *args, data=...)`: a step of the project `shop`."""

    def make(name: str, /, *args: str, slug: str = "shop", data: object = None) -> SpokenStep:
        return SpokenStep(slug, name, args, Nothing() if data is None else data)

    return make


def fingerprints(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, mode and time of change of everything below a directory."""
    return {
        str(path): (found.st_ino, found.st_mode, found.st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        for found in [path.lstat()]
    }
