"""A project's program: what it says is filtered, and what it answers to the step is not."""

from __future__ import annotations

import itertools
import shlex
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Step, write_json
from codesensei.scripts.release import jobs, record
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release
from codesensei.wire import paths, sandbox
from tests.scripts.examples import BUILD, FACTS

PROGRAM = "print('user shop logs in'); print('\\nfacts:{\"root\": \"/srv/shop\"}'); print('shop is done')"


@pytest.mark.parametrize(
    ("build_user", "private", "mask"), [(False, False, "0022"), (False, True, "0027"), (True, False, "0027")]
)
def test_who_may_read_what_a_job_makes(
    server: Path, monkeypatch: pytest.MonkeyPatch, build_user: bool, private: bool, mask: str
) -> None:
    """The proxy reads what the app user makes in shared/media; a database is nobody else's to read."""
    started: list[list[str]] = []

    def popen(argv: list[str], **_: object) -> subprocess.Popen[str]:
        started.append(argv)
        return real([sys.executable, "-c", ""], stdout=subprocess.PIPE, text=True)

    real = subprocess.Popen
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    monkeypatch.setattr(subprocess, "Popen", popen)
    release = Release(paths.ProjectPaths("shop"), "1234567-89abcde", "deploy", ".", "config.settings")
    release.project.job_logs.parent.mkdir(parents=True)
    job = Job("make", ["touch", "x"], as_build_user=build_user, private=private)
    assert jobs.run_job(Step("shop", "build", (), BUILD), release, job).ok
    assert f"--property=UMask={mask}" in started[0]


def test_an_answer_is_whole_and_in_no_log(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret variable may be a word of every path, such as the login of a mail server."""
    project = paths.ProjectPaths("shop")
    name = "1234567-89abcde"
    project.env_file(name).parent.mkdir(parents=True)
    project.env_file(name).write_text("MAIL_LOGIN=shop\n")
    project.variable_notes(name).parent.mkdir(parents=True, exist_ok=True)
    write_json(project.variable_notes(name), {"secretNames": ["MAIL_LOGIN"]})
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    monkeypatch.setattr(jobs, "_systemd_run", lambda *_: [sys.executable, "-c", PROGRAM])
    release = Release(project, name, "deploy", ".", "config.settings")
    done = jobs.run_job(Step("shop", "build", (), BUILD), release, Job("ask", [], answer="facts:"))
    assert done.ok
    assert done.answer.strip() == '{"root": "/srv/shop"}'
    assert done.tail.splitlines() == ["user [secret] logs in", "", "[secret] is done"]
    assert "/srv" not in done.log.read_text()
    assert "shop" not in done.log.read_text()


@pytest.mark.proves("build.signal")
@pytest.mark.parametrize(
    ("code", "said", "ended"),
    [
        (15, "Result=exit-code\nExecMainCode=2\nExecMainStatus=15\n", "was killed by signal 15"),
        (255, "Result=core-dump\nExecMainCode=3\nExecMainStatus=11\n", "was killed by signal 11"),
        (15, "Result=exit-code\nExecMainCode=1\nExecMainStatus=15\n", "ended with status 15"),
        (1, "", "ended with status 1"),
    ],
)
def test_a_job_that_a_signal_ends_has_failed(
    server: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str, ended: str
) -> None:
    project, name = paths.ProjectPaths("shop"), "1234567-89abcde"
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    monkeypatch.setattr(jobs, "_systemd_run", lambda *_: [sys.executable, "-c", f"raise SystemExit({code})"])
    monkeypatch.setattr(jobs, "systemctl", lambda *_, **__: Result(said, "", 0))
    release = Release(project, name, "deploy", ".", "config.settings")
    project.job_logs.parent.mkdir(parents=True)
    done = jobs.run_job(Step("shop", "build", (), BUILD), release, Job("make", []))
    assert not done.ok
    assert done.ended == ended


@pytest.mark.proves("build.signal")
@pytest.mark.parametrize(("result", "is_good"), [("exit-code", True), ("oom-kill", False), ("timeout", False)])
def test_one_that_has_ended_well_has_not(
    server: Path, monkeypatch: pytest.MonkeyPatch, result: str, is_good: bool
) -> None:
    """Only what looks at its end could not start: an app user had moved a folder of the unit's at that moment."""
    project, name = paths.ProjectPaths("shop"), "1234567-89abcde"
    said = f"Result={result}\nExecMainCode=1\nExecMainStatus=0\n"
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    monkeypatch.setattr(jobs, "_systemd_run", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])
    monkeypatch.setattr(jobs, "systemctl", lambda *_, **__: Result(said, "", 0))
    release = Release(project, name, "deploy", ".", "config.settings")
    project.job_logs.parent.mkdir(parents=True)
    assert jobs.run_job(Step("shop", "build", (), BUILD), release, Job("make", [])).ok == is_good


@pytest.mark.proves("build.signal")
def test_systemd_is_told_which_end_is_a_good_one(server: Path) -> None:
    release = Release(paths.ProjectPaths("shop"), "1234567-89abcde", "deploy", ".", "config.settings")
    ended_itself = confined(release)["ExecStopPost"]
    # What systemd has written with one is read otherwise when it reads its units again.
    assert "$" not in ended_itself
    for code, status in (("exited", 0), ("killed", 1), ("dumped", 1)):
        environment = {"NOTE": "a\nEXIT_CODE=exited\nb", "EXIT_CODE": code}
        assert subprocess.run(shlex.split(ended_itself), env=environment, check=False).returncode == status


TELLING = (
    "print('Applying a.1...', end='', flush=True); print('waits:for the lock of shop', flush=True); print(' OK');"
    "print('Applying b.2...', end='', flush=True); print('waits:again', flush=True); print('end', end='')"
)


@pytest.mark.proves("migrate.lock-holder")
def test_what_a_job_tells_is_said_at_once_and_leaves_its_lines_whole(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, name = paths.ProjectPaths("shop"), "1234567-89abcde"
    project.env_file(name).parent.mkdir(parents=True)
    project.env_file(name).write_text("MAIL_LOGIN=shop\n")
    project.variable_notes(name).parent.mkdir(parents=True, exist_ok=True)
    write_json(project.variable_notes(name), {"secretNames": ["MAIL_LOGIN"]})
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    monkeypatch.setattr(jobs, "_systemd_run", lambda *_: [sys.executable, "-c", TELLING])
    step, said = Step("shop", "build", (), BUILD), list[str]()
    monkeypatch.setattr(step, "say", said.append)
    done = jobs.run_job(
        step, Release(project, name, "deploy", ".", "config.settings"), Job("migrate", [], tells="waits:")
    )
    assert said == ["migrate: for the lock of [secret]", "migrate: again"]
    assert done.tail.splitlines() == ["Applying a.1... OK", "Applying b.2...end"]


@pytest.mark.proves("build.weight")
def test_a_job_leaves_the_machine_to_what_serves(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    release = Release(paths.ProjectPaths("shop"), "1234567-89abcde", "deploy", ".", "config.settings")
    for as_build_user in (False, True):
        words = jobs._systemd_run(release, Job("make", ["true"], as_build_user=as_build_user), None)
        # systemd's default weight is 100.
        assert {"--property=CPUWeight=20", "--property=IOWeight=20", "--property=Nice=10"} <= set(words)


@pytest.mark.proves("migrate.weight")
def test_a_migration_is_as_important_as_what_serves(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    release = Release(paths.ProjectPaths("shop"), "1234567-89abcde", "deploy", ".", "config.settings")
    words = jobs._systemd_run(release, Job("migrate", ["true"], low_weight=False), None)
    assert [word for word in words if "Weight" in word or "Nice" in word] == []


def confined(release: Release, **job: Any) -> dict[str, str]:
    words = jobs._systemd_run(release, Job("make", ["true"], **job), None)
    return dict(word.removeprefix("--property=").split("=", 1) for word in words if word.startswith("--property="))


@pytest.mark.proves("processes.sandbox", "processes.places")
def test_a_job_may_do_what_the_live_processes_may(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    project, name = paths.ProjectPaths("shop"), "1234567-89abcde"
    project.record(name).parent.mkdir(parents=True)
    record.begin(project, name, revision="1234567", settings_module="config.settings", user="deploy")
    loosened = {"PrivateDevices": (), "ReadWritePaths": ("/mnt/x",)}
    release = Release(project, name, "deploy", ".", "config.settings", loosened)
    # Before Django was asked, nobody knows where the project writes.
    assert {"ProtectSystem": "full", "ProtectHome": "no"}.items() <= confined(release).items()
    record.built(project, name, replace(FACTS, places=("/mnt/media", "/home/deploy/keys")), {})
    found = confined(release)
    wanted = sandbox.directives(loosened, [f"{project.shared}", "-/mnt/media", "-/home/deploy/keys"])
    assert {**wanted, "ProtectHome": "read-only"}.items() <= found.items()
    assert "PrivateDevices" not in found
    assert found["JoinsNamespaceOf"] == "shop.service"
    assert confined(release, looks_around=True)["ProtectSystem"] == "full"
    # A build writes into its release alone, whatever the stack loosens.
    release = replace(release, sandbox={**loosened, "NoNewPrivileges": (), "ProtectSystem": ()})
    built = confined(release, as_build_user=True)
    assert (built["NoNewPrivileges"], built["CapabilityBoundingSet"]) == ("yes", "")
    assert {"ProtectSystem": "strict", "ReadWritePaths": f"{release.path} {project.cache}"}.items() <= built.items()


@pytest.mark.proves("migrations.rehearsal.kept-away")
@pytest.mark.parametrize("loosened", [False, True])
def test_a_job_that_reaches_one_socket_alone(server: Path, monkeypatch: pytest.MonkeyPatch, loosened: bool) -> None:
    """Whatever the stack loosens for what serves."""
    monkeypatch.setattr(jobs, "make_app_home", lambda *_: None)
    project, name = paths.ProjectPaths("shop"), "1234567-89abcde"
    project.record(name).parent.mkdir(parents=True)
    record.begin(project, name, revision="1234567", settings_module="config.settings", user="deploy")
    record.built(project, name, replace(FACTS, places=("/mnt/media",)), {})
    off = ("PrivateTmp", "PrivateDevices", "NoNewPrivileges", "ProtectSystem", "CapabilityBoundingSet", "ProtectHome")
    more = {**dict.fromkeys(off, ()), "ReadWritePaths": ("/mnt/x",)} if loosened else {}
    release = Release(project, name, "deploy", ".", "config.settings", more)
    found = confined(release, only_socket=Path("/run/codesensei/rehearsal-shop"))
    assert {
        "PrivateNetwork": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "TemporaryFileSystem": f"/run:ro {project.logs}:mode=1777",
        "BindReadOnlyPaths": "-/run/systemd/journal /run/codesensei/rehearsal-shop:/run/postgresql",
    }.items() <= found.items()
    # What the project is allowed to read there, it may.
    assert (found["User"], found["ProtectHome"]) == ("deploy", "read-only" if loosened else "yes")
    assert not {"ReadWritePaths", "JoinsNamespaceOf"} & found.keys()


@pytest.mark.proves("errors.progress")
def test_a_long_job_says_less_and_less_often_that_it_runs() -> None:
    told = list(itertools.takewhile(lambda at: at <= 3600, itertools.accumulate(jobs.quiet_times())))
    assert told[:3] == [20, 60, 140]
    assert len(told) < 12
    assert told[-1] > 2400


def test_a_job_that_prints_nothing_is_said_to_run(make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "QUIET_SECONDS", 0.001)
    said = threading.Event()
    step = make_step("build", data=BUILD)
    monkeypatch.setattr(step, "say", lambda text: said.set() if "install: still running" in text else None)
    with jobs.telling(step, "install"):
        assert said.wait(10)
