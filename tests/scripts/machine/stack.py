"""What a stack asks for, and what earlier steps have left on the server for it: the one place that knows their form."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codesensei.render import systemd, units
from tests.scripts.machine.filesystem import TEMPORARY
from tests.scripts.machine.machine import Job, Machine
from tests.scripts.machine.postgres import verifier_of

SLUG, USER, ROLE = "shop", "deploy", "shop"
ROOT, MEMORY = f"/srv/codesensei/{SLUG}", f"/var/lib/codesensei/{SLUG}"
UNITS, CONFIG = "/etc/systemd/system", f"/etc/codesensei/{SLUG}"
SITE = f"/etc/nginx/sites-available/codesensei-{SLUG}.conf"
SITE_LINK = SITE.replace("available", "enabled")
DEFAULT_TLS, THROW_AWAY = "/etc/codesensei/default-tls", "/etc/codesensei/unknown-host"
SOCKET = f"{ROOT}/shared/gunicorn.sock"
DOOR, NEW_DOOR = f"{ROOT}/hand-over/web.sock", f"{ROOT}/hand-over/next.sock"
WEB, WEB_SOCKET, CANDIDATE = f"{SLUG}.service", f"{SLUG}.socket", f"codesensei-candidate-{SLUG}.service"
CANDIDATE_PROGRAMS = f"/run/codesensei-candidate/{SLUG}.programs"

SOCKET_UNIT = f"""[Socket]
ListenStream={SOCKET}
RemoveOnStop=yes
"""
_MAKE_DOOR = systemd.command(["/bin/sh", "-c", units.MAKE_DOOR, SOCKET, NEW_DOOR, DOOR])
MAKES_DOOR = f"ExecStartPost={_MAKE_DOOR}\n"
SERVICE = """[Service]
WorkingDirectory={directory}
EnvironmentFile={env}
ExecStart={command}
Restart={restart}
ReadWritePaths=/srv/codesensei/shop/shared
ProtectHome=yes
"""


@dataclass(frozen=True)
class Stack:
    """What a stack file asks for, as far as the switch sees it."""

    code: str = "c0de001"
    env: str = "e000001"
    workers: Mapping[str, str] = field(default_factory=lambda: {"mail": "celery -A shop worker"})
    singletons: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("shop.example.com",)
    scheme: str = "https"
    body_size: str = "10m"
    backlog: int = 2048
    processes: int | None = 3
    password: str | None = "first"
    health: str = "/"
    timeout: int = 30
    accept: tuple[str, ...] = ("2xx", "3xx")
    keep: int = 5
    after_switch: tuple[str, ...] = ()
    default_tls: str | None = None
    program: str = "workers = 3\n"
    # Whether the proxy goes by a name of root's, as it did not in earlier versions.
    door: bool = True
    # ALLOWED_HOSTS of the settings; None: just the stack's.
    allowed: tuple[str, ...] | None = None
    # Where the settings lead outside the project's folder; None: an earlier version of the program did not ask.
    places: tuple[str, ...] | None = ()

    @property
    def release(self) -> str:
        return f"{self.code}-{self.env}"

    @property
    def revision(self) -> str:
        return self.code + "0" * 33

    @property
    def digest(self) -> str:
        return hashlib.sha256(str(self.password).encode()).hexdigest()[:12]

    @property
    def variables(self) -> dict[str, str]:
        found = {"GREETING": self.env}
        if self.password:
            found |= {"DATABASE_USER": ROLE, "DATABASE_PASSWORD": self.password}
        return found

    @property
    def units(self) -> list[str]:
        """The names of all units that run."""
        return [WEB_SOCKET, WEB, *(worker_unit(key) for key in sorted(self.workers))]


def worker_unit(key: str) -> str:
    return f"{SLUG}-{key}.service"


def manifest(stack: Stack) -> dict[str, Any]:
    """What the switch is given for a stack."""
    units: list[dict[str, Any]] = [
        {"name": WEB_SOCKET, "kind": "socket", "stopTimeout": 40},
        {"name": WEB, "kind": "web", "stopTimeout": 40},
    ]
    for key, command in sorted(stack.workers.items()):
        singleton = key in stack.singletons
        units.append(
            {
                "name": worker_unit(key),
                "kind": "worker",
                "stopTimeout": 600,
                "singleton": singleton,
                "command": command,
            }
        )
    return {
        "slug": SLUG,
        "user": USER,
        "directory": ".",
        "settingsModule": "shop.settings",
        "files": _files(stack),
        "units": units,
        "homes": ["web", *sorted(stack.workers)],
        "candidate": {
            "workers": stack.processes,
            "files": [{"path": f"{CANDIDATE_PROGRAMS}/gunicorn_conf.py", "content": stack.program}],
            "unit": SERVICE.format(
                directory=f"{ROOT}/releases/@release@",
                env=f"{ROOT}/releases/@release@/.codesensei/env",
                command=_gunicorn(
                    "@workers@" if stack.processes else None,
                    f"{ROOT}/releases/@release@/.codesensei/venv",
                    f"{ROOT}/hand-over/candidate/web.sock",
                ),
                restart="no",
            ),
        },
        "health": {
            "path": stack.health,
            "timeout": stack.timeout,
            "accept": list(stack.accept),
            "hosts": list(stack.hosts),
            "scheme": stack.scheme,
        },
        "database": {"role": ROLE, "digest": stack.digest} if stack.password else None,
        "url": f"{stack.scheme}://{stack.hosts[0]}/",
        "keepReleases": stack.keep,
        "afterSwitch": list(stack.after_switch),
        "tls": None,
        "acme": False,
        "defaultTls": stack.default_tls,
    }


def _gunicorn(count: object, venv: str, socket: str) -> str:
    counted = "" if count is None else f" --workers {count} "
    return f"{venv}/bin/gunicorn{counted} --bind unix:{socket} --config x shop.wsgi"


def _files(stack: Stack) -> list[dict[str, Any]]:
    current, env = f"{ROOT}/current", f"{ROOT}/shared/.env"
    web = SERVICE.format(
        directory=current, env=env, command=_gunicorn(stack.processes, f"{ROOT}/shared/venv", SOCKET), restart="always"
    )
    names = " ".join(stack.hosts)
    socket = f"{SOCKET_UNIT}{MAKES_DOOR if stack.door else ''}Backlog={stack.backlog}\n"
    site = f"server unix:{DOOR if stack.door else SOCKET}; server unix:{ROOT}/hand-over/live.sock backup;"
    site += f" server_name {names}; client_max_body_size {stack.body_size};\n"
    found: list[dict[str, Any]] = [
        {"path": f"{UNITS}/{WEB_SOCKET}", "content": socket, "mode": "0644"},
        {"path": f"{UNITS}/{WEB}", "content": web, "mode": "0644"},
        {
            "path": f"{CONFIG}/programs/gunicorn_conf.py",
            "content": stack.program,
            "mode": "0640",
            "group": USER,
            "renews": WEB,
        },
        {"path": f"/etc/logrotate.d/codesensei-{SLUG}", "content": "weekly\n", "mode": "0644"},
    ]
    for key, command in sorted(stack.workers.items()):
        script = f"{CONFIG}/workers/{key}.sh"
        text = SERVICE.format(directory=current, env=env, command=f"/bin/bash {script}", restart="always")
        found.append({"path": f"{UNITS}/{worker_unit(key)}", "content": text, "mode": "0644"})
        found.append(
            {"path": script, "content": f"{command}\n", "mode": "0640", "group": USER, "renews": worker_unit(key)}
        )
    return [*found, {"path": SITE, "content": site, "mode": "0644"}]


def make_server(machine: Machine) -> None:
    """What is there before the first switch: directories, root's links, the register's entry."""
    for path in (
        *(f"{ROOT}/{name}" for name in ("releases", "env", "venvs", "shared/media", "shared/logs", "shared/state")),
        *(f"{MEMORY}/{name}" for name in ("release", "proofs", "database")),
        *("/etc/nginx/sites-available", "/etc/nginx/sites-enabled", "/etc/logrotate.d", UNITS, THROW_AWAY),
        *(
            "/run/systemd/system",
            "/run/codesensei",
            "/proc",
            "/var/log/nginx",
            "/usr/local/share/ca-certificates",
            "/etc/letsencrypt",
        ),
        "/var/cache/codesensei",
    ):
        machine.files.path(path).mkdir(parents=True, exist_ok=True)
    machine.link(f"{ROOT}/shared/.env", "../current/.codesensei/env")
    machine.link(f"{ROOT}/shared/venv", "../current/.codesensei/venv")
    machine.link(DEFAULT_TLS, THROW_AWAY)
    machine.write("/proc/meminfo", "MemAvailable: 4000000 kB\nSwapFree: 0 kB\n")
    entry = {"stack": "organization/shop/prod", "identity": "i1", "user": USER, "names": {"roles": [ROLE]}}
    machine.write("/var/lib/codesensei/register.json", {"format": 1, "slugs": {SLUG: entry}, "kept": {}})
    machine.postgres.roles[ROLE] = None


def stage(machine: Machine, stack: Stack, *, prepared: bool = True) -> None:
    """What the steps before the switch leave: a release that is built and prepared, and a password that waits."""
    release = f"{ROOT}/releases/{stack.release}"
    machine.write(f"{ROOT}/env/{stack.env}.env", "".join(f"{k}='{v}'\n" for k, v in stack.variables.items()))
    machine.write(f"{release}/manage.py", "")
    machine.write(f"{release}/.codesensei/REVISION", f"{stack.revision}\n")
    machine.link(f"{release}/.codesensei/env", f"../../../env/{stack.env}.env")
    machine.link(f"{release}/.codesensei/venv", "../../../venvs/v1-py3.13.5")
    machine.write(f"{ROOT}/venvs/v1-py3.13.5/.complete", "3.13.5\n")
    record = {
        "state": "prepared" if prepared else "built",
        "revision": stack.revision,
        "settingsModule": "shop.settings",
        "user": USER,
        "venv": "v1-py3.13.5",
        "facts": {
            "django": "5.2",
            "databases": {},
            "allowedHosts": list(stack.hosts if stack.allowed is None else stack.allowed),
            "debug": False,
            "installedStaticfiles": False,
            **dict.fromkeys(SETTINGS, ""),
            **({} if stack.places is None else {"places": list(stack.places)}),
        },
    }
    machine.write(f"{MEMORY}/release/{stack.release}.json", record)
    account = {"name": SLUG, "role": ROLE, "port": 5432, "digest": stack.digest} if stack.password else None
    secret = ["DATABASE_PASSWORD"] if stack.password else []
    variables = {"secretNames": secret, "managedNames": secret, "account": account, "user": USER}
    machine.write(f"{MEMORY}/release/{stack.env}.env.json", variables)
    if stack.password:
        staged = {"role": ROLE, "port": 5432, "verifier": verifier_of(stack.password)}
        machine.write(f"{MEMORY}/database/{stack.digest}.json", staged)
        if machine.read(f"{MEMORY}/live.json") is None:
            machine.postgres.roles[ROLE] = verifier_of(stack.password)


def picture(machine: Machine, *hosts: str) -> dict[str, object]:
    """All that a switch decides on: what visitors see, what runs with what, and every file. No process ids."""
    found: dict[str, object] = {
        "current": machine.read(f"{ROOT}/current"),
        "previous": machine.read(f"{ROOT}/previous"),
        "role": machine.postgres.roles.get(ROLE),
        # An empty one is as good as none.
        "live": (machine.read(f"{MEMORY}/live.json") or "").replace("{}\n", ""),
        "visitors": {host: machine.visit(host) for host in hosts},
        "nginx": {name: site.text for name, site in machine.nginx.loaded.items()},
        "default TLS": machine.read(DEFAULT_TLS),
        "socket": _holder(machine),
        "left behind": _left(machine),
    }
    for folder in (UNITS, "/etc/nginx", "/etc/logrotate.d", CONFIG):
        for path in sorted(machine.files.path(folder).rglob("*")):
            name = machine.files.shown(path)
            if not TEMPORARY.fullmatch(path.name) and (text := machine.read(name)) is not None:
                found[name] = text
    for name, unit in sorted(machine.systemd.units.items()):
        if name.startswith(SLUG) and (unit.runs or name in machine.systemd.enabled):
            process = unit.process
            runs = process and (process.release, process.command, dict(process.environment))
            found[name] = (unit.state, name in machine.systemd.enabled, unit.began_with.replace(MAKES_DOOR, ""), runs)
    return found


def _holder(machine: Machine) -> str:
    """Which unit holds the socket that the proxy knows."""
    listener = machine.sockets.behind(SOCKET)
    units = machine.systemd.units.values()
    return next((unit.name for unit in units if listener and unit.listener is listener), "nobody")


def _left(machine: Machine) -> list[str]:
    """What is there only while a switch runs."""
    places = (f"/run/systemd/system/{CANDIDATE}", f"{ROOT}/hand-over/candidate", f"{ROOT}/hand-over/live.sock")
    notes = (CANDIDATE_PROGRAMS, f"{MEMORY}/switch/journal.json", f"/run/codesensei/credentials-{SLUG}.env")
    found = [path for path in (*places, *notes) if os.path.lexists(machine.files.path(path))]
    return found + ([CANDIDATE] if machine.systemd.unit(CANDIDATE).runs else [])


SETTINGS = ("mediaRoot", "mediaUrl", "staticRoot", "staticUrl", "asgiApplication", "wsgiApplication")
REQUIREMENTS, SERVER = "requirements/base.txt", ("gunicorn", "23.0.0")


def build_data(stack: Stack, **changes: Any) -> dict[str, Any]:
    """What the step `build` is given for a stack."""
    return {
        "user": USER,
        "source": {"tar": f"{stack.revision}.tar", "sha256": hashlib.sha256(archive()).hexdigest()},
        "directory": ".",
        "requirements": REQUIREMENTS,
        "installFrom": "requirements",
        "inPlace": False,
        "venvId": "5e7ab1e" + "0" * 33,
        "python": "",
        "installer": "pip",
        "server": {"name": SERVER[0], "version": SERVER[1]},
        "settingsModule": "shop.settings",
        "asgiDeclared": None,
        "wsgiDeclared": None,
        "static": "none",
        "staticUrl": "/static/",
        "mediaUrl": None,
        "database": {"kind": "none", "name": "", "role": "", "variables": {}},
        "hooks": {},
        "lockTimeout": 5,
        **changes,
    }


def archive() -> bytes:
    """The project's source, as it travels."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name in ("manage.py", REQUIREMENTS):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return written.getvalue()


def send(machine: Machine, stack: Stack) -> None:
    """What earlier steps leave for the build: the archive, and the env file."""
    arrived = machine.files.path(f"/var/lib/codesensei/incoming/{SLUG}/{stack.revision}.tar")
    arrived.parent.mkdir(parents=True, exist_ok=True)
    arrived.write_bytes(archive())
    machine.write(f"{ROOT}/env/{stack.env}.env", "".join(f"{k}='{v}'\n" for k, v in stack.variables.items()))
    machine.write(f"{MEMORY}/release/{stack.env}.env.json", {"secretNames": ["DATABASE_PASSWORD"]})
    says = {"django": "5.2", "databases": {}, "debug": False, "installedStaticfiles": False, "allowedHosts": []}
    says |= {**dict.fromkeys(SETTINGS, ""), "places": []}
    asked: dict[str, object] = {"databases": []}
    answer = {"facts": says, "databases": asked}
    machine.jobs.append(Job("ask_databases.py", output=f"\ncodesensei-databases:{json.dumps(asked)}\n"))
    machine.jobs.append(Job("ask_django.py", output=f"\ncodesensei-facts:{json.dumps(answer)}\n"))
