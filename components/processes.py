"""What runs: the web process and the named workers, as systemd units."""

from __future__ import annotations

from typing import TypedDict

import pulumi

from codesensei.config import Names, Stack
from codesensei.render import envfile, programs, rotation, units
from components.release import WEB_SERVERS, Code

UNITS = "/etc/systemd/system"
WEB_HOME = "web"
_WEB_PROGRAMS: dict[units.Server, str] = {"gunicorn": programs.GUNICORN_CONF, "daphne": programs.SERVE_ASGI}


class File(TypedDict, total=False):
    """A file of the manifest; `mode` in octal digits, `renews` the unit that must be started anew after a change."""

    path: str
    content: pulumi.Input[str]
    mode: str
    group: str
    renews: str


class Processes(pulumi.ComponentResource):
    """The texts of all units. They reach the server in the switch's manifest and nowhere else."""

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        code: Code,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        config, names = stack.config.project, stack.names
        web_server = _server(code)
        count = web_workers(stack)
        super().__init__(
            "codesensei:index:Processes",
            name,
            {
                "web": f"{web_server} {code.settings.application}"
                + (f", {count or 'a secret number of'} workers" if web_server == "gunicorn" else ""),
                "workers": {
                    key: worker.command + (" (singleton)" if worker.singleton else "")
                    for key, worker in config.workers.items()
                },
                "stopTimeout": {"web": config.stop_timeout.web, "workers": config.stop_timeout.workers},
            },
            opts,
        )
        title = config.name or config.slug
        self.files: list[File] = [
            _unit(names.socket_unit, units.socket_unit(names, title=title)),
            _unit(
                names.web_unit,
                units.web_unit(
                    names,
                    title=title,
                    settings_module=config.settings_module,
                    server=web_server,
                    application=code.settings.application,
                    workers=count,
                    stop_timeout=config.stop_timeout.web,
                ),
            ),
            _program(names, _WEB_PROGRAMS[web_server], unit=names.web_unit),
            {
                "path": names.logrotate_path,
                "content": rotation.logrotate(names, server=web_server),
                "mode": "0644",
            },
        ]
        self.units: list[dict[str, object]] = [
            _entry(names.socket_unit, "socket", stop_timeout=config.stop_timeout.web),
            _entry(names.web_unit, "web", stop_timeout=config.stop_timeout.web),
        ]
        for key, worker in sorted(config.workers.items()):
            stop = config.stop_timeout.workers
            unit = units.worker_unit(names, key, title=title, settings_module=config.settings_module, stop_timeout=stop)
            self.files.append(_unit(names.worker_unit(key), unit))
            self.files.append(
                {
                    "path": names.worker_script(key),
                    "content": units.worker_script(names, key, command=worker.command),
                    "mode": "0640",
                    "group": names.group,
                    "renews": names.worker_unit(key),
                }
            )
            self.units.append(
                {
                    **_entry(names.worker_unit(key), "worker", stop_timeout=stop),
                    "singleton": worker.singleton,
                    "command": worker.command,
                }
            )
        if config.workers:
            self.files.append(_program(names, programs.STOP_WORKER))
        self.homes = [WEB_HOME, *sorted(config.workers)]
        self.candidate = {
            "name": names.candidate_unit,
            "socket": names.candidate_socket,
            "workers": count if web_server == "gunicorn" else None,
            "files": [
                {
                    "path": names.candidate_program(_WEB_PROGRAMS[web_server]),
                    "content": programs.program(_WEB_PROGRAMS[web_server]),
                }
            ],
            "unit": units.candidate_unit(
                names,
                directory=code.settings.django_directory,
                title=title,
                settings_module=config.settings_module,
                server=web_server,
                application=code.settings.application,
                workers=count,
                stop_timeout=config.stop_timeout.web,
            ),
        }
        self.register_outputs({})


def web_workers(stack: Stack) -> int | None:
    """gunicorn's processes: GUNICORN_WORKERS, else 3; None where it is secret and read on the server alone."""
    if units.WORKERS_VARIABLE in stack.secrets.env:
        return None
    given = stack.config.env.get(units.WORKERS_VARIABLE)
    return int(envfile.env_value(given)) if given is not None else units.DEFAULT_WORKERS


def _server(code: Code) -> units.Server:
    name = WEB_SERVERS[code.settings.interface][0]
    return "gunicorn" if name == "gunicorn" else "daphne"


def _unit(name: str, text: str) -> File:
    return {"path": f"{UNITS}/{name}", "content": text, "mode": "0644"}


def _program(names: Names, name: str, *, unit: str = "") -> File:
    file: File = {
        "path": names.program(name),
        "content": programs.program(name),
        "mode": "0640",
        "group": names.group,
    }
    return {**file, "renews": unit} if unit else file


def _entry(name: str, kind: str, *, stop_timeout: int) -> dict[str, object]:
    return {"name": name, "kind": kind, "stopTimeout": stop_timeout}
