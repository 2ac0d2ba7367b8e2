"""Programs of the project (pip, manage.py, hooks): never as root, with the release's environment, most at low weight.

Each runs as a transient unit: systemd reads the env file exactly as it will for the live process, no secret is on a
command line, and what is left of a killed run can be found and ended by name.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

from codesensei.scripts.base import files
from codesensei.scripts.base.commands import as_user, how_it_ended, run, sync, systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release.release import Release, redactor, variable_notes
from codesensei.wire import envfile, paths, processes, sandbox
from codesensei.wire.names import job_unit, web_unit
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.quick import dataclass

TAIL = 400
# Where PostgreSQL's sockets are.
SOCKETS = "/run/postgresql"
QUIET_SECONDS = 20.0
LONGEST_QUIET = 600.0
LONGEST_SECONDS = 6 * 3600
# Without a $: systemd may read the unit again meanwhile, and what it has written for itself then has another meaning.
ENDED_ITSELF = "/usr/bin/grep -qxzF EXIT_CODE=exited /proc/self/environ"
# systemd's ExecMainCode of a process that a signal has ended, without a core dump and with one.
BY_SIGNAL = (str(os.CLD_KILLED), str(os.CLD_DUMPED))


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    `tail` is the end of its output without secrets, `result` systemd's word for a failure, `signal` what has ended it
    (0: it ended itself), and `answer` what it printed for the step alone: unfiltered, and in no log.
    """

    code: int
    tail: str
    log: Path
    result: str = ""
    answer: str = ""
    signal: int = 0

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def ended(self) -> str:
        """How it failed, for an error that names it before."""
        return how_it_ended(-self.signal if self.signal else self.code)


@dataclass(frozen=True)
class Job:
    """One program to run for a release.

    The build user may write only in `writable` (default: the release's directory). `lines` of the output are kept.
    Nobody else may read what a `private` job makes. One that `looks_around` finds out what the user may write.
    """

    title: str
    argv: Sequence[str]
    as_build_user: bool = False
    private: bool = False
    looks_around: bool = False
    # Everything but migrations, which may hold locks that the live site waits for.
    low_weight: bool = True
    directory: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    # Bounds a hung install or migration; long data migrations need hours.
    seconds: float = LONGEST_SECONDS
    writable: Sequence[Path] = ()
    lines: int = TAIL
    # How a line for the step alone begins. It is not filtered: a masked path would be another path.
    answer: str = ""
    # How begins what is said at once. It may stand in the middle of a line, which then goes on.
    tells: str = ""
    # The folder of the one socket that is left to it: it reaches nothing else, and writes nothing that stays.
    only_socket: Path | None = None


def end_orphans(step: Step[object]) -> None:
    """End what a killed run of this project left running; the lock proves that nobody else started it."""
    unit = job_unit(step.project.slug)
    if systemctl("is-active", unit, check=False).stdout.strip() in ("active", "activating", "deactivating"):
        step.say(f"ending {unit}, left by an interrupted run")
        systemctl("stop", unit, check=False)
    systemctl("reset-failed", unit, check=False)
    end_build_user(step)
    files.remove_path(credentials_of(step.project))


def end_build_user(step: Step[object]) -> None:
    """End every process of the build user: none may be left when root takes over its files."""
    run(["pkill", "-KILL", "-U", step.project.build_user], check=False)


def make_home(step: Step[object]) -> None:
    """The build user's HOME."""
    files.make_directory(step.project.cache.parent, 0o755)
    files.make_directory(step.project.cache, 0o700, step.project.build_user, step.project.build_user)


def make_app_home(release: Release, process: str) -> None:
    """A process's HOME, made by the app user, who owns the folder around it."""
    path, user = release.project.home(process), release.user
    run(as_user(user, "mkdir", "-p", str(path)))


def make_in_release(release: Release, path: str, thing: str) -> None:
    """A directory in a release, made by the build user, who owns what is around it; `thing` is its name in errors."""
    argv = as_user(release.project.build_user, "mkdir", "-p", path, group=release.user)
    run(argv, thing=f"{thing} (release {release.name})")


def run_job(step: Step[object], release: Release, job: Job) -> JobResult:
    """Run `job` to its end; its whole output goes, filtered, to a log that only root reads."""
    project = release.project
    if not job.as_build_user:
        make_app_home(release, "manage")
    files.make_directory(project.job_logs, 0o700)
    log = project.job_logs / f"{release.name}-{step.name}.log"
    clean = redactor(project, release.name)
    answer = begun = ""
    tail: deque[str] = deque(maxlen=job.lines)
    only_root = partial(os.open, mode=0o600)
    with _credentials(release) as credentials, open(log, "a", opener=only_root) as full, telling(step, job.title):
        full.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {job.title}\n")
        argv, env = _systemd_run(release, job, credentials), {"PATH": SYSTEM_PATH}
        process = subprocess.Popen(
            argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True, errors="replace", env=env
        )
        assert process.stdout is not None
        for line in process.stdout:
            if job.answer and line.startswith(job.answer):
                answer = line.removeprefix(job.answer)
                continue
            if job.tells and job.tells in line:
                head, _, told = line.partition(job.tells)
                begun += head
                step.say(f"{job.title}: {clean.clean(told.strip())}")
                continue
            text, begun = clean.clean(begun + line), ""
            full.write(text)
            tail.extend(text.splitlines())
        if begun:
            full.write(text := clean.clean(begun))
            tail.append(text)
        code = process.wait()
    end = _how_it_ended(project) if code else End()
    return JobResult(0 if end.well else code, "\n".join(tail), log, end.result, answer, end.signal)


def wait_for_disk(step: Step[object], folder: Path) -> None:
    """Have the disk keep what jobs have written, before a note says that it is complete."""
    with telling(step, "wait for the disk"):
        sync(folder)


def quiet_times() -> Iterator[float]:
    """Seconds until each next word that something still runs: all of them stand before the error, should it fail."""
    pause = QUIET_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_QUIET)


@contextlib.contextmanager
def telling(step: Step[object], title: str) -> Iterator[None]:
    """Say that it still runs, even if it prints nothing: after 20 s, and then less and less often."""
    ended, started = threading.Event(), time.monotonic()

    def tell() -> None:
        for pause in quiet_times():
            if ended.wait(pause):
                return
            step.say(f"{title}: still running after {time.monotonic() - started:.0f} s")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


@dataclass(frozen=True)
class End:
    """Why a job failed: systemd's word, and the signal that ended it. `well`: only what looks at its end has failed."""

    result: str = ""
    signal: int = 0
    well: bool = False


def _how_it_ended(project: ProjectPaths) -> End:
    """What systemd knows of the failed job's unit, which it keeps until a reset."""
    unit = job_unit(project.slug)
    said = systemctl("show", "--property=Result,ExecMainCode,ExecMainStatus", unit, check=False).stdout
    found = dict(line.partition("=")[::2] for line in said.splitlines())
    systemctl("reset-failed", unit, check=False)
    if found.get("ExecMainCode") in BY_SIGNAL:
        return End(found.get("Result", ""), int(found.get("ExecMainStatus", 0)))
    # ENDED_ITSELF does not start where a folder of the unit's is gone at that moment, and would have said the same.
    by_itself = found == {"Result": "exit-code", "ExecMainCode": str(os.CLD_EXITED), "ExecMainStatus": "0"}
    return End(found.get("Result", ""), well=by_itself)


def _systemd_run(release: Release, job: Job, credentials: Path | None) -> list[str]:
    project = release.project
    user = project.build_user if job.as_build_user else release.user
    home = project.cache if job.as_build_user else project.home("manage")
    variables = {
        **processes.environment(venv=str(release.venv), settings_module=release.settings_module, home=str(home)),
        "LANG": "C.UTF-8",
        **job.variables,
    }
    properties = {
        "User": user,
        "Group": release.user,
        "WorkingDirectory": str(job.directory or release.code),
        # The app user's files in shared/media are like those of its live processes: the proxy can read them.
        "UMask": "0027" if job.as_build_user or job.private else "0022",
        "KillMode": "control-group",
        "RuntimeMaxSec": str(job.seconds),
        # To systemd, whoever is ended by SIGTERM, SIGINT or SIGHUP has ended well.
        "ExecStopPost": ENDED_ITSELF,
        "EnvironmentFile": str(release.env_file),
    }
    if job.low_weight:
        properties |= {"CPUWeight": "20", "IOWeight": "20", "Nice": "10"}
    properties |= _of_builds(release, job) if job.as_build_user else _of_app(release, job)
    arguments = [f"--property={name}={value}" for name, value in properties.items()]
    if credentials:
        arguments.append(f"--property=EnvironmentFile={credentials}")
    arguments += [f"--setenv={name}={value}" for name, value in variables.items()]
    # systemd expands $ in the command of a transient unit.
    argv = [word.replace("$", "$$") for word in job.argv]
    start = ["systemd-run", "--quiet", "--pipe", "--wait", "--service-type=exec", f"--unit={job_unit(project.slug)}"]
    return [*start, *arguments, "--", *argv]


def refuse_missing(release: Release) -> None:
    """Raise Failure for a path of project.sandbox that is not there: no unit that names it would start."""
    for path in release.sandbox.get(sandbox.WRITABLE, ()):
        if not os.path.lexists(path):
            cause = "project.sandbox names it in ReadWritePaths, and it is not there"
            raise Failure(path, cause, f"make it on the server: install -d -o {release.user} {path}")


def _of_builds(release: Release, job: Job) -> dict[str, str]:
    """What a package's setup.py, or a hook that writes code, may do: fill its directory, and use the network."""
    writable = [*(job.writable or (release.path,)), release.project.cache]
    return {
        **sandbox.directives(release.sandbox, map(str, writable)),
        # None of that is a build's, whatever the live processes may do.
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "ReadWritePaths": " ".join(map(str, writable)),
        # The build user may not write the live site's log files; what a build logs there is lost.
        "TemporaryFileSystem": f"{release.project.logs}:mode=1777",
    }


def _of_app(release: Release, job: Job) -> dict[str, str]:
    """What the project's own programs may do: as much as its live processes, with which they share /tmp."""
    facts = release.record.facts
    places = None if job.looks_around or facts is None else facts.places
    found = sandbox.directives(release.sandbox, sandbox.places_of(str(release.project.shared), places))
    if places is None:
        # Where it writes is not known yet.
        found = {**found, "ProtectSystem": "full", "ProtectHome": "no"}
    if facts and facts.sets_id:
        found.pop("RestrictSUIDSGID", None)
    if places and sandbox.are_hidden(places):
        found |= sandbox.shown(found)
    if job.only_socket:
        return _without_effects(found, release, job.only_socket)
    return {**found, "JoinsNamespaceOf": web_unit(release.project.slug)}


def _without_effects(found: Mapping[str, str], release: Release, socket: Path) -> dict[str, str]:
    """The same, but without network, sockets and places to write; the folder stands where PostgreSQL's own would."""
    return {
        **{name: value for name, value in found.items() if name != sandbox.WRITABLE},
        "PrivateNetwork": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "ProtectHome": "yes" if found.get("ProtectHome") == "yes" else "read-only",
        # Brokers and caches have their sockets there too. Settings open log files as soon as they are loaded.
        "TemporaryFileSystem": f"/run:ro {release.project.logs}:mode=1777",
        "BindReadOnlyPaths": f"-/run/systemd/journal {socket}:{SOCKETS}",
    }


@contextlib.contextmanager
def _credentials(release: Release) -> Iterator[Path | None]:
    path = write_credentials(release)
    try:
        yield path
    finally:
        if path:
            path.unlink(missing_ok=True)


def credentials_of(project: ProjectPaths) -> Path:
    """Where `write_credentials` writes; the file exists only while something runs with it."""
    return paths.SERVER.locks / f"credentials-{project.slug}.env"


def write_credentials(release: Release) -> Path | None:
    """An env file with the live release's database credentials if only the new release's password differs.

    The role's password changes at the switch; until then, what is staged logs in with the old one. A release with
    another role, or another database, runs with its own variables alone.
    """
    project = release.project
    serving = files.link_target(project.current)
    if serving is None:
        return None
    staged, live = (variable_notes(project, name) for name in (release.name, Path(serving).name))
    new, old = staged.account, live.account
    if not new or not old or new == old or replace(new, digest=old.digest) != old:
        return None
    names = set(staged.managed_names) & set(live.managed_names)
    values = envfile.assignments(project.env_file(Path(serving).name).read_bytes().decode())
    path = credentials_of(project)
    files.write_file(path, "".join(f"{name}={values[name]}\n" for name in sorted(names & set(values))), 0o600)
    return path
