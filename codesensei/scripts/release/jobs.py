"""Programs of the project (pip, manage.py, hooks): never as root, with the release's environment, at low weight.

Each runs as a transient unit, so systemd reads the env file exactly as it will for the live process, no secret is on a
command line, and whatever is left of a killed run can be found and ended by name.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.commands import run, systemctl
from codesensei.scripts.base.step import Step
from codesensei.scripts.release.release import Release, redactor, variable_notes
from codesensei.wire import envfile, paths, processes
from codesensei.wire.names import job_unit
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.steps import DatabaseAccount

TAIL = 400
QUIET_SECONDS = 20.0
LONGEST_SECONDS = 6 * 3600


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    `tail` is the end of its output without secrets, `result` systemd's word for a failure, `answer` what it printed
    for the step alone: as it is, and in no log.
    """

    code: int
    tail: str
    log: Path
    result: str = ""
    answer: str = ""

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass(frozen=True)
class Job:
    """One program to run for a release.

    The build user may write in `writable` (default: the release's directory) and nowhere else; `lines` of the output
    are kept; what a `private` one makes, nobody else may read.
    """

    title: str
    argv: Sequence[str]
    as_build_user: bool = False
    private: bool = False
    directory: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    # Bounds a hung install or migration; long data migrations need hours.
    seconds: float = LONGEST_SECONDS
    writable: Sequence[Path] = ()
    lines: int = TAIL
    # What a line that is for the step begins with; filtered, a path in it would no longer be that path.
    answer: str = ""


def end_orphans(step: Step[object]) -> None:
    """End what a killed run of this project has left running; the lock says that nobody else started it."""
    unit = job_unit(step.project.slug)
    if systemctl("is-active", unit, check=False).stdout.strip() in ("active", "activating", "deactivating"):
        step.say(f"ending {unit}, left by an interrupted run")
        systemctl("stop", unit, check=False)
    systemctl("reset-failed", unit, check=False)
    end_build_user(step)
    files.remove_path(credentials_of(step.project))


def end_build_user(step: Step[object]) -> None:
    """End every process of the build user: none may be left when root takes over what it made."""
    run(["pkill", "-KILL", "-U", step.project.build_user], check=False)


def make_home(step: Step[object]) -> None:
    """The build user's HOME."""
    files.make_directory(step.project.cache.parent, 0o755)
    files.make_directory(step.project.cache, 0o700, step.project.build_user, step.project.build_user)


def make_app_home(release: Release, process: str) -> None:
    """A process's HOME; made by the app user, whose folder it is in."""
    path = release.project.home(process)
    user = release.user
    run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "mkdir", "-p", str(path)])


def run_job(step: Step[object], release: Release, job: Job) -> JobResult:
    """Run `job` to its end; its whole output goes, filtered, to a log that only root reads."""
    project = release.project
    if not job.as_build_user:
        make_app_home(release, "manage")
    files.make_directory(project.job_logs, 0o700)
    log = project.job_logs / f"{release.name}-{step.name}.log"
    clean = redactor(project, release.name)
    answer = ""
    tail: deque[str] = deque(maxlen=job.lines)
    with _credentials(release) as credentials, open(log, "a", opener=_private) as full, _telling(step, job.title):
        full.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {job.title}\n")
        process = subprocess.Popen(
            _systemd_run(release, job, credentials),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={"PATH": SYSTEM_PATH},
        )
        assert process.stdout is not None
        for line in process.stdout:
            if job.answer and line.startswith(job.answer):
                answer = line.removeprefix(job.answer)
                continue
            text = clean.clean(line)
            full.write(text)
            tail.extend(text.splitlines())
        code = process.wait()
    return JobResult(code, "\n".join(tail), log, _result(project) if code else "", answer)


@contextlib.contextmanager
def _telling(step: Step[object], title: str) -> Iterator[None]:
    """Say every 20 s that the job still runs, also where it is silent itself."""
    ended, started = threading.Event(), time.monotonic()

    def tell() -> None:
        while not ended.wait(QUIET_SECONDS):
            step.say(f"{title}: still running after {time.monotonic() - started:.0f} s")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _result(project: ProjectPaths) -> str:
    """Why systemd says that the job failed; the unit is kept until it is asked."""
    unit = job_unit(project.slug)
    result = systemctl("show", "--property=Result", "--value", unit, check=False).stdout.strip()
    systemctl("reset-failed", unit, check=False)
    return result


def _systemd_run(release: Release, job: Job, credentials: Path | None) -> list[str]:
    project = release.project
    user = project.build_user if job.as_build_user else release.user
    home = project.cache if job.as_build_user else project.home("manage")
    venv = release.venv
    variables = {
        **processes.environment(venv=str(venv), settings_module=release.settings_module, home=str(home)),
        "LANG": "C.UTF-8",
        **job.variables,
    }
    properties = {
        "User": user,
        "Group": release.user,
        "WorkingDirectory": str(job.directory or release.code),
        # What the app user makes in shared/media is made as its live processes make it: for the proxy to read.
        "UMask": "0027" if job.as_build_user or job.private else "0022",
        "CPUWeight": "20",
        "IOWeight": "20",
        "Nice": "10",
        "KillMode": "control-group",
        "RuntimeMaxSec": str(job.seconds),
        "EnvironmentFile": str(release.env_file),
    }
    arguments = [f"--property={name}={value}" for name, value in properties.items()]
    if credentials:
        arguments.append(f"--property=EnvironmentFile={credentials}")
    if job.as_build_user:
        arguments += [f"--property={text}" for text in _confinement(release, job)]
    arguments += [f"--setenv={name}={value}" for name, value in variables.items()]
    # systemd expands $ in the command of a transient unit.
    argv = [word.replace("$", "$$") for word in job.argv]
    return [
        "systemd-run",
        "--quiet",
        "--pipe",
        "--wait",
        "--service-type=exec",
        f"--unit={job_unit(project.slug)}",
        *arguments,
        "--",
        *argv,
    ]


def _confinement(release: Release, job: Job) -> list[str]:
    """What a package's setup.py, or a hook that writes code, may do: fill its directory, and use the network."""
    writable = [*(job.writable or (release.path,)), release.project.cache]
    return [
        "ProtectSystem=strict",
        f"ReadWritePaths={' '.join(map(str, writable))}",
        # Log files of the live site are not the build user's to write; what a build logs there goes nowhere.
        f"TemporaryFileSystem={release.project.logs}:mode=1777",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectHome=yes",
        "ProtectKernelTunables=yes",
        "ProtectControlGroups=yes",
        "NoNewPrivileges=yes",
        "RestrictSUIDSGID=yes",
        "CapabilityBoundingSet=",
    ]


@contextlib.contextmanager
def _credentials(release: Release) -> Iterator[Path | None]:
    path = write_credentials(release)
    try:
        yield path
    finally:
        if path:
            path.unlink(missing_ok=True)


def credentials_of(project: ProjectPaths) -> Path:
    """Where `write_credentials` writes; the file is there only while something runs with it."""
    return paths.SERVER.locks / f"credentials-{project.slug}.env"


def write_credentials(release: Release) -> Path | None:
    """An env file with the live release's database credentials, where the new release's password is another.

    The role's password changes at the switch; until then what is staged logs in with the one in force. A release that
    uses another role, or a database elsewhere, is proved with its own variables alone.
    """
    project = release.project
    serving = files.link_target(project.current)
    if serving is None:
        return None
    staged, live = (variable_notes(project, name) for name in (release.name, Path(serving).name))
    if not _only_password_differs(staged.account, live.account):
        return None
    names = set(staged.managed_names) & set(live.managed_names)
    values = envfile.assignments(project.env_file(Path(serving).name).read_bytes().decode())
    path = credentials_of(project)
    files.write_file(path, "".join(f"{name}={values[name]}\n" for name in sorted(names & set(values))), 0o600)
    return path


def _only_password_differs(staged: DatabaseAccount | None, live: DatabaseAccount | None) -> bool:
    return bool(staged and live and staged != live and replace(staged, digest=live.digest) == live)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
