"""The machine as a whole: programs that the product calls, visitors that come, and what there is to see afterwards."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.scripts.machine import nginx, postgres
from tests.scripts.machine.calls import Calls, Fault, How, Kind
from tests.scripts.machine.clock import Clock
from tests.scripts.machine.filesystem import Files
from tests.scripts.machine.nginx import Nginx
from tests.scripts.machine.postgres import Postgres
from tests.scripts.machine.processes import App, Process, Sockets
from tests.scripts.machine.systemd import NGINX, Result, Systemd, Unit

# In memory where that is possible.
PLACES = ("/dev/shm", "/tmp")
# With the number of the process that made it.
NAME = re.compile(r"m-(\d+)-\w+")
QUESTIONS = ("show", "is-active", "is-enabled")
ANSWERED = (0, "", "")


class Unknown(BaseException):
    """The product calls what the machine does not have; no product code catches this."""


@functools.cache
def _place() -> str:
    """Where machines are made, without those of tests that were killed."""
    place = next(filter(os.path.isdir, PLACES))
    for path in Path(place).iterdir():
        if (made := NAME.fullmatch(path.name)) and not os.path.isdir(f"/proc/{made[1]}"):
            shutil.rmtree(path, ignore_errors=True)
    return place


@dataclass(frozen=True)
class Ran:
    """One job of a release: who ran what."""

    user: str
    argv: list[str]
    properties: dict[str, str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Job:
    """How a job goes whose command has these words in it."""

    words: str
    code: int = 0
    output: str = ""
    seconds: float = 0.0
    effect: Callable[[Ran], None] = field(default=lambda ran: None)


@dataclass(frozen=True)
class Visit:
    """What a visitor sees. `release` is the code that answers, `waits` that nobody does yet, in a socket that holds."""

    status: int = 0
    location: str = ""
    body: str = ""
    release: str = ""
    waits: bool = False

    @property
    def lost(self) -> bool:
        """Whether nobody of the project answers, nor will."""
        return not self.waits and (self.status == 0 or "<hr><center>nginx" in self.body)


@dataclass
class Machine:
    """A server. Everything about it is below `root` or in one of its parts."""

    root: Path
    files: Files = field(init=False)
    clock: Clock = field(default_factory=Clock)
    sockets: Sockets = field(init=False)
    systemd: Systemd = field(init=False)
    nginx: Nginx = field(init=False)
    postgres: Postgres = field(default_factory=Postgres)
    # What the programs of a release do, by its name or by `unit@release`.
    apps: dict[str, App] = field(default_factory=dict)
    # How jobs go: the first that fits decides.
    jobs: list[Job] = field(default_factory=list)
    ran: list[Ran] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = Files(self.root)
        self.sockets = Sockets(self.files)
        self.systemd = Systemd(self.files, self.clock, self.sockets, self.apps)
        self.nginx = Nginx(self.files)
        self.systemd.units[NGINX] = Unit(NGINX, "[Service]\n", "active", "running")
        self.systemd.enabled.add(NGINX)

    @classmethod
    def make(cls) -> Machine:
        """A machine in a new directory with a short name: a socket's path has at most 107 characters."""
        return cls(Path(tempfile.mkdtemp(prefix=f"m-{os.getpid()}-", dir=_place())))

    def copy(self) -> Machine:
        """Another machine in the same state. On this one nothing may be under way, which only this one would end."""
        assert self.clock.is_still
        other = Machine.make()
        self.files.copy_to(other.files)
        other.clock.now = self.clock.now
        self.systemd.copy_to(other.systemd)
        other.nginx = self.nginx.copy(other.files)
        other.postgres.roles.update(self.postgres.roles)
        other.postgres.archives = self.postgres.archives
        other.apps.update(self.apps)
        other.jobs, other.ran = list(self.jobs), list(self.ran)
        return other

    def end(self) -> None:
        self.sockets.end()
        shutil.rmtree(self.root)

    def watch(self, look: Callable[[str], None]) -> None:
        """Call `look` before every change, and whenever a process has ended and the next has not begun."""
        self.files.watch = self.systemd.gap = look

    @property
    def calls(self) -> Calls:
        """What the last run of a step has called."""
        return self.files.calls

    def begin(self, fault: Fault | None = None) -> None:
        """A new process of the product's begins."""
        self.files.calls = Calls(fault)

    def reboot(self) -> None:
        """What is in memory alone is lost; what is enabled starts."""
        self.sockets.end()
        shutil.rmtree(self.files.path("/run"))
        shutil.rmtree(self.files.path("/proc"))
        (self.files.path("/run/systemd/system")).mkdir(parents=True)
        self.files.path("/proc").mkdir()
        self.systemd.units = {NGINX: self.systemd.units[NGINX]}
        self.nginx.read()
        self.systemd.control("start", sorted(self.systemd.enabled, key=lambda name: not name.endswith("socket")), set())

    # Programs

    def program(self, argv: Sequence[str], given: str = "") -> Result:
        """Run a program to its end."""
        kind, text, act = self._meaning(list(argv), given)
        return self._called(kind, text, act)

    def _called(self, kind: Kind, text: str, act: Callable[[], Result]) -> Result:
        if kind is not Kind.QUERY:
            self.files.before_change(text)
        how = self.calls.begin(kind, text)
        if how is How.REFUSED:
            return 1, "", f"{text} failed"
        with self.files.quiet():
            done = act()
        return (1, "", f"{text} failed") if how is How.LATE else done

    def _meaning(self, argv: list[str], given: str) -> tuple[Kind, str, Callable[[], Result]]:
        """What a command is: its kind, its words for the record, and what it does."""
        name, *words = argv
        if name == "systemctl":
            return self._systemctl([word for word in words if word not in ("--no-pager", "--no-ask-password")])
        if name == "journalctl":
            return Kind.QUERY, " ".join(["journalctl", *words[:1]]), lambda: self._journal(words)
        if name == "nginx":
            return Kind.QUERY, " ".join(argv), self._test_nginx
        if name in ("pkill", "sync"):
            return Kind.PROGRAM, " ".join(argv), lambda: ANSWERED
        if name == "setpriv":
            return self._as_user(words, given)
        if name.startswith("/usr/bin/python3") and words[0] == "-c":
            version = "3.12.9" if name.endswith("3.12") else "3.13.5"
            return Kind.QUERY, f"{name} --version", lambda: (0, f"{version}\n", "")
        raise Unknown(argv)

    def _as_user(self, words: list[str], given: str) -> tuple[Kind, str, Callable[[], Result]]:
        user = next(word.partition("=")[2] for word in words if word.startswith("--reuid="))
        command = [word for word in words if not word.startswith("--")]
        if command[0] == "psql":
            change = self.postgres.read(given)
            kind, text = (Kind.PROGRAM, change) if change else (Kind.QUERY, "psql SELECT")
            return kind, text, lambda: self.postgres.run(given)
        if command[0] == "mkdir":

            def make() -> Result:
                self.files.path(command[-1]).mkdir(parents=True, exist_ok=True)
                return ANSWERED

            return Kind.PROGRAM, f"as {user}: mkdir {command[-1]}", make
        raise Unknown(words)

    def _systemctl(self, words: list[str]) -> tuple[Kind, str, Callable[[], Result]]:
        verb = words[0]
        names = [word for word in words[1:] if not word.startswith("-")]
        options = {word for word in words[1:] if word.startswith("-")}
        kind = Kind.QUERY if verb in QUESTIONS else Kind.PROGRAM
        shown = [word for word in words if word != "--quiet" and not word.startswith("--property")]
        return kind, " ".join(["systemctl", *shown]), lambda: self._control(verb, names, options)

    def _control(self, verb: str, names: list[str], options: set[str]) -> Result:
        if verb == "show":
            wanted = next(text.partition("=")[2] for text in options if text.startswith("--property=")).split(",")
            parts = []
            for name in names:
                facts = self.systemd.show(name, wanted)
                parts.append("".join(f"{'' if '--value' in options else f'{key}='}{value}\n" for key, value in facts))
            return 0, "\n".join(parts), ""
        if verb == "is-active":
            state = self.systemd.unit(names[0]).state
            return (0 if state == "active" else 3), f"{state}\n", ""
        if verb == "is-enabled":
            return (0 if names[0] in self.systemd.enabled else 1), "", ""
        if names == [NGINX] and verb in ("reload", "start"):
            if verb == "start":
                self.systemd.units[NGINX].state = "active"
            return (0, "", "") if self.nginx.read() else (1, "", "Job for nginx.service failed")
        if verb in ("restart", "try-restart") and names == [postgres.UNIT]:
            self.postgres.restart(path.read_text() for path in self.files.path(postgres.CONF_D).glob("*.conf"))
            return ANSWERED
        return self.systemd.control(verb, names, options)

    def _journal(self, words: list[str]) -> Result:
        units = [word.partition("=")[2] for word in words if word.startswith("--unit=")]
        since = next((float(word.partition("@")[2]) for word in words if word.startswith("--since=@")), 0.0)
        lines = [line for unit in units for moment, line in self.systemd.journal[unit] if moment >= since]
        return 0, "".join(f"{line}\n" for line in lines), ""

    def _test_nginx(self) -> Result:
        problem = self.nginx.problem()
        return (1, "", f"nginx: [emerg] {problem}") if problem else (0, self.nginx.dump(), self.nginx.warnings)

    def job(self, argv: Sequence[str]) -> tuple[int, str]:
        """Run a job of a release by `systemd-run`; its status and output."""
        cut = list(argv).index("--")
        options, command = argv[:cut], list(argv[cut + 1 :])
        properties = dict(word.removeprefix("--property=").split("=", 1) for word in options if "--property=" in word)
        variables = dict(word.removeprefix("--setenv=").split("=", 1) for word in options if "--setenv=" in word)
        words = " ".join(command)

        def act() -> Result:
            ran = Ran(properties["User"], command, properties, variables)
            self.ran.append(ran)
            found = next((job for job in self.jobs if job.words in words), None)
            if found is None:
                return 0, '\ncodesensei-workers:{"problems": {}}\n' if "ask_workers.py" in words else "", ""
            self.clock.sleep(found.seconds)
            found.effect(ran)
            return found.code, found.output, ""

        name = re.sub(r"\S*/", "", " ".join(command[:3]))
        code, output, _ = self._called(Kind.PROGRAM, f"job: {name}", act)
        return code, output

    def extract(self, argv: Sequence[str], archive: IO[bytes]) -> Result:
        """tar: unpack what it is given."""
        place = next(word.partition("=")[2] for word in argv if word.startswith("--directory="))

        def act() -> Result:
            with tarfile.open(fileobj=archive) as tar:
                for member in tar:
                    found = self.files.path(f"{place}/{member.name}")
                    found.parent.mkdir(parents=True, exist_ok=True)
                    if member.isreg() and (content := tar.extractfile(member)):
                        found.write_bytes(content.read())
            return ANSWERED

        return self._called(Kind.PROGRAM, f"tar --extract {place}", act)

    # Requests

    def request(self, path: str) -> tuple[Process, App] | None:
        """A request to a socket, which starts the process where systemd holds that; None where it is refused."""
        found = self.sockets.behind(path)
        process = found.owner() if found else None
        return (process, self.answer_of(process)) if process else None

    def answer_of(self, process: Process) -> App:
        """What a process says: an error where its password is not the one in force."""
        role, password = process.environment.get("DATABASE_USER"), process.environment.get("DATABASE_PASSWORD")
        if role and password and not self.postgres.accepts(role, password):
            return App(500, body="", log=f'FATAL: password authentication failed for user "{role}"')
        return process.app

    def visit(self, host: str) -> Visit:
        """What a visitor would see now; nothing is started by it."""
        if self.systemd.units[NGINX].state != "active":
            return Visit()
        site = self.nginx.site(host)
        if site is None:
            return Visit(404, body=nginx.OWN_PAGE.format(status=404))
        listener = next(filter(None, map(self.sockets.behind, site.sockets)), None)
        if listener is None:
            return Visit(502, body=nginx.OWN_PAGE.format(status=502))
        owner = next((unit for unit in self.systemd.units.values() if unit.listener is listener), None)
        service = owner.name.replace(".socket", ".service") if owner else ""
        process = self.systemd.unit(service).process
        if process is None or not process.answers(self.clock.now):
            return Visit(waits=True)
        app = self.answer_of(process)
        return Visit(app.status, app.location, app.body, process.release)

    # What there is to see

    def read(self, path: str) -> str | None:
        """A file's text, or where a link leads."""
        found = self.files.path(path)
        if found.is_symlink():
            return f"-> {found.readlink()}"
        return found.read_text() if found.is_file() else None

    def write(self, path: str, content: str | Any) -> None:
        """Put a file there; what is no text becomes JSON."""
        found = self.files.path(path)
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_text(content if isinstance(content, str) else json.dumps(content))

    def link(self, path: str, target: str) -> None:
        found = self.files.path(path)
        found.parent.mkdir(parents=True, exist_ok=True)
        found.unlink(missing_ok=True)
        found.symlink_to(target)
