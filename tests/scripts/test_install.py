"""Why a job of the project's failed: what only the server's files tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure
from codesensei.scripts.release.builder import require
from codesensei.scripts.release.jobs import JobResult
from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import NAME

SHOP = ProjectPaths("shop")


def failed(path: Path) -> Failure:
    release = Release(SHOP, NAME, "deploy", ".", "config.settings")
    log = f"PermissionError: [Errno 13] Permission denied: '{path}'"
    with pytest.raises(Failure) as caught:
        require(JobResult(1, log, Path("log")), release, "collectstatic")
    return caught.value


@pytest.mark.proves("shared-paths.read")
def test_a_file_that_the_build_user_may_not_open_is_not_one_of_the_release(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, release = SHOP.shared / "src/data", SHOP.releases / NAME
    kept.mkdir(parents=True)
    (release / "src").mkdir(parents=True)
    (release / "src/data").symlink_to(kept)
    secret = kept / ".secret"
    secret.touch(0o600)
    app_user = secret.stat().st_uid
    monkeypatch.setattr(files, "user_id", lambda _: app_user)
    told = failed(release / "src/data/.secret")
    assert told.cause == (
        "the build user may not open src/data/.secret, a file of the app user's in a shared folder (mode 0600)"
    )
    assert f"or on the server: chmod g+r {secret}; or run what needs it in hooks.beforeMigrate" in told.fix
    assert "only deploy may" in failed(release / "src/data/new").cause
    monkeypatch.setattr(files, "user_id", lambda _: app_user + 1)
    assert failed(release / "src/data/.secret").fix == f"on the server: chown deploy: {secret}"
    assert "shared folder" not in failed(release / "app.log").cause


@pytest.mark.proves("causes.memory")
def test_a_job_that_was_killed_for_memory_is_told_as_that(server: Path) -> None:
    """Whatever its output ends with."""
    release = Release(SHOP, NAME, "deploy", ".", "config.settings")
    done = JobResult(1, "ERROR: Failed building wheel for grpcio", Path("log"), result="oom-kill")
    with pytest.raises(Failure, match="the server ran out of memory"):
        require(done, release, "install")
    with pytest.raises(Failure, match="grpcio cannot be built"):
        require(replace(done, result="exit-code"), release, "install")
