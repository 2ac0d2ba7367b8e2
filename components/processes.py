"""What runs: the web process and the workers, as systemd units."""

from __future__ import annotations

from pathlib import Path

from pulumi import ResourceOptions

from codesensei.config import Stack, StackConfig
from codesensei.config.confined import ResourcesConfig
from codesensei.config.project import WorkerConfig
from codesensei.render import queues, rotation, units
from codesensei.render.programs import CANDIDATE, LIVE, STOP_WORKER, program
from codesensei.source import Code
from codesensei.webservers import WebServer
from codesensei.wire import names, paths
from codesensei.wire.manifest import Candidate, File, Unit
from components.base import Component


class Processes(Component):
    """The texts of all units. They reach the server only in the switch's manifest.

    `homes` are the processes that get a directory for what they keep: their HOME.
    """

    def __init__(self, *, stack: Stack, code: Code, opts: ResourceOptions | None = None) -> None:
        config, server, slug, stop = stack.config.project, code.server, stack.slug, stack.config.project.stop_timeout
        count = web_workers(stack.config, server)
        counted = f", {count or 'a secret number of'} workers" if server.workers_variable else ""
        shown = {
            "web": f"{server.name} {code.settings.application}{counted}",
            "workers": {key: worker.command + _notes(worker) for key, worker in config.workers.items()},
            "stopTimeout": {"web": stop.web, "workers": stop.workers},
        }
        if bounds := config.resources.model_dump(by_alias=True, exclude_defaults=True):
            shown["resources"] = bounds
        if config.loosened:
            shown["sandbox"] = {name: " ".join(words) or "off" for name, words in config.loosened.items()}
        super().__init__(slug, shown, opts)
        context = units.UnitContext(
            paths=stack.paths,
            user=stack.user,
            title=config.name or slug,
            settings_module=config.settings_module,
            directory=code.settings.django_directory,
            loosened=config.loosened,
        )
        application, programs = code.settings.application, stack.paths.programs
        web = units.Web(
            server=server,
            application=application,
            workers=count,
            stop_timeout=stop.web,
            resources=_resources(config.resources.web),
        )
        web_name, socket_name = names.web_unit(slug), names.socket_unit(slug)
        rotated = rotation.logrotate(stack.paths, user=stack.user, server=server)
        self.files = [
            _unit(socket_name, units.socket_unit(context)),
            _unit(web_name, units.web_unit(context, web)),
            File(path=str(stack.paths.rotation), content=rotated),
        ]
        if server.program:
            self.files.append(_run_by(stack.user, programs / server.program, program(server.program), web_name))
        self.units = [
            Unit(name=socket_name, kind="socket", stop_timeout=stop.web),
            Unit(name=web_name, kind="web", stop_timeout=stop.web),
        ]
        for key, worker in sorted(config.workers.items()):
            name, command = names.worker_unit(slug, key), worker.command
            script = units.worker_script(stack.paths, key, command=command)
            seconds, signal = worker.stop_timeout or stop.workers, worker.stop_signal or queues.stop_signal(command)
            resources = _resources(worker.resources or config.resources.workers)
            text = units.worker_unit(context, key, stop_timeout=seconds, stop_signal=signal, resources=resources)
            self.files.append(_unit(name, text))
            self.files.append(_run_by(stack.user, stack.paths.worker_script(key), script, name))
            self.units.append(
                Unit(name=name, kind="worker", stop_timeout=seconds, singleton=worker.singleton, command=command)
            )
        if config.workers:
            self.files.append(_run_by(stack.user, programs / STOP_WORKER, program(STOP_WORKER)))
        self.homes = ("web", *sorted(config.workers))
        files = _candidate_files(stack, server)
        beside = [unit.name for unit in self.units if unit.kind == "worker"]
        self.candidate = Candidate(unit=units.candidate_unit(context, web, beside), files=files, workers=count)
        self.register_outputs({})


def web_workers(config: StackConfig, server: WebServer) -> int | None:
    """How many processes serve. None if there is no such number: the server has none, or the variable is secret."""
    variable = server.workers_variable
    if not variable or variable in config.secret_names:
        return None
    return config.workers_given(variable) or server.default_workers


def _resources(given: ResourcesConfig) -> units.Resources:
    return units.Resources(
        memory_high=given.memory_high,
        memory_max=given.memory_max,
        tasks_max=given.tasks_max,
        cpu_weight=given.cpu_weight,
    )


def _notes(worker: WorkerConfig) -> str:
    """What a worker has beside its command, as the preview shows it."""
    notes = ["singleton"] if worker.singleton else []
    notes += [f"stops on {worker.stop_signal}"] if worker.stop_signal else []
    notes += [f"within {worker.stop_timeout} s"] if worker.stop_timeout else []
    bounds = worker.resources.model_dump(by_alias=True, exclude_defaults=True) if worker.resources else {}
    notes += [f"{name} {bound}" for name, bound in bounds.items()]
    return f" ({', '.join(notes)})" if notes else ""


def _unit(name: str, text: str) -> File:
    return File(path=str(paths.unit(name)), content=text)


def _run_by(user: str, path: Path, text: str, renews: str = "") -> File:
    return File(path=str(path), content=text, mode="0640", group=user, renews=renews)


def _candidate_files(stack: Stack, server: WebServer) -> tuple[File, ...]:
    if not server.program:
        return ()
    names = {server.program: server.program}
    if server.candidate_program:
        names = {server.program: server.candidate_program, LIVE: server.program, CANDIDATE: CANDIDATE}
    folder = stack.paths.candidate_programs
    return tuple(File(path=str(folder / name), content=program(source)) for name, source in names.items())
