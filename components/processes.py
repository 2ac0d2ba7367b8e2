"""What runs: the web process and the named workers, as systemd units."""

from __future__ import annotations

import pulumi

from codesensei.config import Stack, StackConfig
from codesensei.render import rotation, units
from codesensei.render.programs import CANDIDATE, LIVE, STOP_WORKER, program
from codesensei.source import Code
from codesensei.webservers import WebServer
from codesensei.wire import names, paths
from codesensei.wire.manifest import Candidate, File, Unit


class Processes(pulumi.ComponentResource):
    """The texts of all units. They reach the server in the switch's manifest and nowhere else.

    `homes` are the processes that get a directory for what they keep: their HOME.
    """

    files: list[File]
    units: list[Unit]
    homes: tuple[str, ...]
    candidate: Candidate

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        code: Code,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        config, server, slug = stack.config.project, code.server, stack.slug
        count = web_workers(stack.config, server)
        counted = f", {count or 'a secret number of'} workers" if server.workers_variable else ""
        super().__init__(
            "codesensei:index:Processes",
            name,
            {
                "web": f"{server.name} {code.settings.application}{counted}",
                "workers": {
                    key: worker.command + (" (singleton)" if worker.singleton else "")
                    for key, worker in config.workers.items()
                },
                "stopTimeout": {"web": config.stop_timeout.web, "workers": config.stop_timeout.workers},
            },
            opts,
        )
        context = units.UnitContext(
            paths=stack.paths,
            user=stack.user,
            title=config.name or slug,
            settings_module=config.settings_module,
            directory=code.settings.django_directory,
        )
        web = units.Web(
            server=server,
            application=code.settings.application,
            workers=count,
            stop_timeout=config.stop_timeout.web,
        )
        web_name, socket_name = names.web_unit(slug), names.socket_unit(slug)
        self.files = [
            _unit(socket_name, units.socket_unit(context)),
            _unit(web_name, units.web_unit(context, web)),
            File(
                path=str(stack.paths.rotation),
                content=rotation.logrotate(stack.paths, user=stack.user, server=server),
            ),
        ]
        if server.program:
            self.files.append(_program(stack, server.program, renews=web_name))
        self.units = [
            Unit(name=socket_name, kind="socket", stop_timeout=web.stop_timeout),
            Unit(name=web_name, kind="web", stop_timeout=web.stop_timeout),
        ]
        stop = config.stop_timeout.workers
        for key, worker in sorted(config.workers.items()):
            unit = names.worker_unit(slug, key)
            self.files += [
                _unit(unit, units.worker_unit(context, key, stop_timeout=stop)),
                File(
                    path=str(stack.paths.worker_script(key)),
                    content=units.worker_script(stack.paths, key, command=worker.command),
                    mode="0640",
                    group=stack.user,
                    renews=unit,
                ),
            ]
            self.units.append(
                Unit(name=unit, kind="worker", stop_timeout=stop, singleton=worker.singleton, command=worker.command)
            )
        if config.workers:
            self.files.append(_program(stack, STOP_WORKER))
        self.homes = ("web", *sorted(config.workers))
        self.candidate = Candidate(
            unit=units.candidate_unit(context, web), files=_candidate_files(stack, server), workers=count
        )
        self.register_outputs({})


def web_workers(config: StackConfig, server: WebServer) -> int | None:
    """How many processes serve. None where there is no such number: the server has one, or the variable is secret."""
    variable = server.workers_variable
    if not variable or variable in config.secret_names:
        return None
    return config.workers_given(variable) or server.default_workers


def _unit(name: str, text: str) -> File:
    return File(path=str(paths.unit(name)), content=text)


def _program(stack: Stack, name: str, *, renews: str = "") -> File:
    path = str(stack.paths.programs / name)
    return File(path=path, content=program(name), mode="0640", group=stack.user, renews=renews)


def _candidate_files(stack: Stack, server: WebServer) -> tuple[File, ...]:
    if not server.program:
        return ()
    names = {server.program: server.program}
    if server.candidate_program:
        names = {server.program: server.candidate_program, LIVE: server.program, CANDIDATE: CANDIDATE}
    folder = stack.paths.candidate_programs
    return tuple(File(path=str(folder / name), content=program(source)) for name, source in names.items())
