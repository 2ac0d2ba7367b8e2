"""What runs: the web process and the named workers, as systemd units."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from codesensei.config import Stack
from codesensei.render import programs, rotation, units
from codesensei.source import Code
from codesensei.webservers import WebServer, process_count
from codesensei.wire import envfile, names, paths
from codesensei.wire.manifest import Candidate, File, Unit

WEB_HOME = "web"


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
        config, server = stack.config.project, code.server
        count = web_workers(stack, server)
        super().__init__(
            "codesensei:index:Processes",
            name,
            {
                "web": f"{server.name} {code.settings.application}"
                + (f", {count or 'a secret number of'} workers" if server.workers_variable else ""),
                "workers": {
                    key: worker.command + (" (singleton)" if worker.singleton else "")
                    for key, worker in config.workers.items()
                },
                "stopTimeout": {"web": config.stop_timeout.web, "workers": config.stop_timeout.workers},
            },
            opts,
        )
        slug, stop = stack.slug, config.stop_timeout
        context = units.UnitContext(
            paths=stack.paths,
            user=stack.user,
            title=config.name or slug,
            settings_module=config.settings_module,
            directory=config.directory,
        )
        web = units.Web(server=server, application=code.settings.application, workers=count, stop_timeout=stop.web)
        web_unit, socket_unit = names.web_unit(slug), names.socket_unit(slug)
        self.files = [
            _unit(socket_unit, units.socket_unit(context)),
            _unit(web_unit, units.web_unit(context, web)),
            replace(_program(stack, server.program), renews=web_unit),
            File(
                path=str(stack.paths.rotation),
                content=rotation.logrotate(stack.paths, user=stack.user, server=server),
            ),
        ]
        self.units = [
            Unit(name=socket_unit, kind="socket", stop_timeout=stop.web),
            Unit(name=web_unit, kind="web", stop_timeout=stop.web),
        ]
        for key, worker in sorted(config.workers.items()):
            unit = names.worker_unit(slug, key)
            self.files += [
                _unit(unit, units.worker_unit(context, key, stop_timeout=stop.workers)),
                File(
                    path=str(stack.paths.worker_script(key)),
                    content=units.worker_script(stack.paths, key, command=worker.command),
                    mode="0640",
                    group=stack.user,
                    renews=unit,
                ),
            ]
            self.units.append(
                Unit(
                    name=unit,
                    kind="worker",
                    stop_timeout=stop.workers,
                    singleton=worker.singleton,
                    command=worker.command,
                )
            )
        if config.workers:
            self.files.append(_program(stack, programs.STOP_WORKER))
        self.homes = (WEB_HOME, *sorted(config.workers))
        parts = filter(None, (server.program, server.candidate_program))
        self.candidate = Candidate(
            unit=units.candidate_unit(context, web, directory=code.settings.django_directory),
            files=(
                File(
                    path=str(stack.paths.candidate_programs / server.program),
                    content="".join(map(programs.program, parts)),
                ),
            ),
            workers=count,
        )
        self.register_outputs({})


def web_workers(stack: Stack, server: WebServer) -> int | None:
    """How many web processes there are; None where there is no such number, or it is secret and read there alone."""
    variable = server.workers_variable
    if not variable or variable in stack.secrets.env:
        return None
    return process_count(envfile.meaning(stack.config.env.get(variable, ""))) or server.default_workers


def _unit(name: str, text: str) -> File:
    return File(path=str(paths.unit(name)), content=text)


def _program(stack: Stack, name: str) -> File:
    return File(path=str(stack.paths.programs / name), content=programs.program(name), mode="0640", group=stack.user)
