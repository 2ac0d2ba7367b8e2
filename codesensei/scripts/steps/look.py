"""Read-only: what each step did last, and what has changed since, as JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from codesensei.scripts.backups import status
from codesensei.scripts.base import damage, locks, proofs, register, rivals, units
from codesensei.scripts.checks import machine
from codesensei.scripts.hardening import firewall
from codesensei.scripts.serving import brokers, certificates, findings
from codesensei.scripts.serving.live import Live
from codesensei.wire import codec, paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import ACME, BROKER, DATABASE, INSTANCE, PACKAGES, PROXY, SWITCH, Finding, Seen, SeenStep


def run(slug: str, words: list[str]) -> int:
    """Print the look at project `slug`; 0 always."""
    project = ProjectPaths(slug)
    steps = sorted(path.stem for path in project.proofs.glob("*.json"))
    owner = register.entry(slug)
    seen = Seen(
        identity=owner.identity if owner else "",
        steps={step: _seen(project, step) for step in steps},
        findings=tuple(_findings(project)),
        deploying=locks.deploying(slug),
    )
    print(json.dumps(codec.encode(seen), sort_keys=True))
    return 0


def _seen(project: ProjectPaths, step: str) -> SeenStep:
    proof = proofs.read(project, step)
    return SeenStep(applied=proof.applied, drift=(*proofs.drift(proof), *_amiss(project, step)))


def _amiss(project: ProjectPaths, step: str) -> Iterable[str]:
    """What a step left in order, apart from files, and no longer is."""
    lacking: dict[str, Callable[[], Iterable[str]]] = {
        ACME.name: lambda: certificates.lacking(project),
        DATABASE.name: lambda: findings.stopped_postgresql(project),
        BROKER.name: lambda: brokers.stopped(project),
        INSTANCE.name: lambda: brokers.own_stopped(project),
        PACKAGES.name: lambda: _opened(project),
        PROXY.name: findings.stopped_proxy,
        SWITCH.name: lambda: (*_stopped(project), *_rivals(project), *_damaged(project)),
    }
    return lacking[step]() if step in lacking else ()


def _opened(project: ProjectPaths) -> Iterable[str]:
    """The server's firewall, where the stack has one set up."""
    return firewall.amiss() if str(paths.SERVER.firewall) in proofs.read(project, PACKAGES.name).shared else ()


def _findings(project: ProjectPaths) -> Iterator[Finding]:
    """What a person must repair; a server without this project has nothing to find."""
    live = Live.read(project)
    if live.manifest:
        yield from (Finding(thing=full.thing, cause=full.cause, fix=full.fix) for full in machine.full_disks())
        yield from findings.of_project(live)
        yield from status.findings(project)


def _rivals(project: ProjectPaths) -> Iterator[str]:
    """Sites of nginx that somebody has made since, and that have the project's hostnames."""
    manifest = Live.read(project).manifest
    for rival in rivals.find(project, manifest.health.hosts) if manifest else ():
        yield f"{rival.thing}: {rival.cause}"


def _damaged(project: ProjectPaths) -> Iterator[str]:
    yield from (f"{path} is damaged" for path in damage.find(project))


def _stopped(project: ProjectPaths) -> Iterator[str]:
    """Units that should run and do not; one that keeps restarting is broken, not changed by hand."""
    for name in sorted(Live.read(project).units):
        state = units.show(name)
        if state.active not in ("active", "activating", "reloading"):
            yield f"{name} is {state.active}"
        elif state.file != "enabled":
            yield f"{name} is {state.file or 'not enabled'}"
