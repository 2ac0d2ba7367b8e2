"""Read-only: what each step did last, and what has changed since, as JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from codesensei.scripts.backups import archiving, settings, status
from codesensei.scripts.base import (
    changed,
    damage,
    files,
    host,
    limited,
    locks,
    nginx,
    proofs,
    register,
    rivals,
    sites,
    units,
)
from codesensei.scripts.base.aside import begin
from codesensei.scripts.base.own_broker import OwnBroker
from codesensei.scripts.checks import machine
from codesensei.scripts.hardening import firewall
from codesensei.scripts.release import defaults, edited, prune
from codesensei.scripts.release.release import redactor_of_all
from codesensei.scripts.serving import brokers, certificates, change, default_tls, findings, memory
from codesensei.scripts.serving.live import Live
from codesensei.scripts.steps import packages
from codesensei.wire import codec, paths
from codesensei.wire.codec import WireError
from codesensei.wire.manifest import Manifest
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import (
    ACME,
    BACKUPS,
    BROKER,
    BUILD,
    DATABASE,
    ENVIRONMENT,
    INSTANCE,
    PACKAGES,
    PROXY,
    SWITCH,
    Finding,
    Seen,
    SeenStep,
)

# More than are ever kept.
MOST_SERVED = 200


def run(slug: str, _words: list[str]) -> int:
    """Print the look at project `slug`; 0 always."""
    project = ProjectPaths(slug)
    steps = sorted(path.stem for path in project.proofs.glob("*.json"))
    owner = register.entry(slug)
    of_steps = {step: begin(partial(_seen, project, step)) for step in steps}
    found = begin(lambda: tuple(_findings(project)))
    seen = Seen(
        identity=owner.identity if owner else "",
        steps={step: answer() for step, answer in of_steps.items()},
        findings=found(),
        deploying=locks.deploying(slug),
        releases=tuple(prune.made(project)),
        served=tuple(prune.served(project)[:MOST_SERVED]),
        kept_defaults=defaults.labels(project),
        backup_age=status.age(project),
        memory=memory.of_project(Live.read(project)),
    )
    print(json.dumps(codec.encode(seen), sort_keys=True))
    return 0


def _seen(project: ProjectPaths, step: str) -> SeenStep:
    proof = proofs.read(project, step)
    manifest = Live.read(project).manifest if step == SWITCH.name else None
    of_proxy = _sites(project, manifest) if manifest else ()
    drift = (*proofs.drift(proof), *_amiss(project, step), *of_proxy)
    changes = _changes(project, step, proof) if drift else {}
    refused = tuple(word for word in drift if isinstance(word, findings.Unrepaired))
    return SeenStep(applied=proof.applied, drift=drift, changes=changes, refused=refused)


def _changes(project: ProjectPaths, step: str, proof: proofs.Proof) -> Mapping[str, tuple[str, ...]]:
    """How each thing has drifted, as far as there is more to say of it than that it has."""
    live, clean, found = Live(project, None), secrets_filter(project), {}
    if step == SWITCH.name:
        live = Live.read(project)
        found = dict(_stopped(project))
        # Processes have what they were started with, and work in the folder of their release.
        of_all = (*_unfit(project), *findings.changed_password(project), *_edited_variables(project, live))
        found |= dict.fromkeys(of_all, tuple(change.again(live)))
    elif step == BACKUPS.name:
        found = dict(archiving.lacking(project))
    texts = {**proof.texts, **live.contents}
    for each in proofs.changed(proof):
        lines = changed.lines(each, texts.get(each.path), clean)
        found[each.words] = (*lines, *change.restarts(live, each.path))
    return {words: lines for words, lines in found.items() if lines}


def secrets_filter(project: ProjectPaths) -> Callable[[str], str] | None:
    """What takes the stack's secrets out of a text; None where they cannot be read, so that no text may be shown."""
    try:
        password = settings.password_file(project)
        backups = settings.read(project)
        more = [OwnBroker(project).settings().get("requirepass", "")]
        more += [password.read_text(), backups.secret_key] if backups else []
        return redactor_of_all(project, more).clean
    except (KeyError, OSError, ValueError, WireError):
        return None


def _amiss(project: ProjectPaths, step: str) -> Iterable[str]:
    """What a step left in order, apart from files, and no longer is."""
    lacking: dict[str, Callable[[], Iterable[str]]] = {
        ACME.name: lambda: certificates.lacking(project),
        BACKUPS.name: lambda: dict(archiving.lacking(project)),
        BUILD.name: lambda: _gone(project),
        DATABASE.name: lambda: findings.of_database(project),
        BROKER.name: lambda: brokers.stopped(project),
        INSTANCE.name: lambda: brokers.own_stopped(project),
        PACKAGES.name: lambda: _of_system(project),
        PROXY.name: lambda: units.amiss(nginx.UNIT),
        SWITCH.name: lambda: (
            *dict(_stopped(project)),
            *_damaged(project),
            *_unfit(project),
            *findings.changed_password(project),
            *_edited_variables(project, Live.read(project)),
            *_led_away(project),
        ),
    }
    return lacking[step]() if step in lacking else ()


def _gone(project: ProjectPaths) -> Iterable[str]:
    """The release that serves, or its packages; `current` may lead to what never was one."""
    release = Live.read(project).release
    return edited.gone(project, release) if release and project.record(release).exists() else ()


def _edited_variables(project: ProjectPaths, live: Live) -> Iterator[str]:
    """The env file of what serves, where processes may have been started with what somebody has written there."""
    path = str(project.env_file(live.release)) if live.release else ""
    for each in proofs.changed(proofs.read(project, ENVIRONMENT.name)):
        if each.path == path and each.has_another_text:
            yield f"processes may have started with what was written by hand into {path}"


def _led_away(project: ProjectPaths) -> Iterator[str]:
    """Ways of visitors to the project that somebody has closed."""
    manifest = Live.read(project).manifest
    if manifest is None:
        return
    if default_tls.wanted(project, manifest.default_tls) is not None:
        yield f"{paths.SERVER.default_tls} leads to {files.link_target(paths.SERVER.default_tls)}"
    if any(units.is_active(name) for name in manifest.named("socket")) and not project.door.exists():
        yield f"the project's socket {project.door} is gone"


def _unfit(project: ProjectPaths) -> tuple[str, ...]:
    """Of the switch, where the release that serves must be made again: its processes work in another folder then."""
    return ("what serves would not start again",) if any(_gone(project)) else ()


def _of_system(project: ProjectPaths) -> Iterator[str]:
    """Packages that somebody has removed, and the server's firewall, where the stack has one set up."""
    proof = proofs.read(project, PACKAGES.name)
    yield from packages.lacking(proof.packages)
    if str(paths.SERVER.firewall) in proof.shared:
        yield from firewall.amiss()


def _findings(project: ProjectPaths) -> Iterator[Finding]:
    """What a person must repair; a server without this project has nothing to find."""
    live = Live.read(project)
    if live.manifest:
        yield from (Finding(thing=full.thing, cause=full.cause, fix=full.fix) for full in machine.full_disks())
        yield from findings.of_project(live, secrets_filter(project))
        yield from findings.of_proxy(project)
        yield from certificates.ending(project)
        yield from status.findings(project)
        yield from archiving.findings(project, status.read(project).made)
        yield from filter(None, [limited.finding()])


def _sites(project: ProjectPaths, manifest: Manifest) -> Iterator[str]:
    """Sites of nginx that somebody has made since with the project's hostnames; and the project's own, if unread."""
    configuration = sites.configuration()
    for rival in rivals.rivals(configuration, project, manifest.health.hosts, host.own_addresses()):
        told = f"{rival.thing}: {rival.cause}"
        yield told if manifest.adopt else findings.Unrepaired(told)
    yield from findings.unread_site(configuration, project)


def _damaged(project: ProjectPaths) -> Iterator[str]:
    yield from (f"{path} is damaged" for path in damage.find(project))


def _stopped(project: ProjectPaths) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Units that do not run as they should, with how; one that keeps restarting is broken, not changed by hand."""
    for name, state in units.show_all(sorted(Live.read(project).units)).items():
        found = state.file or "not enabled"
        enabled = [f"{found} -> enabled"] if found != "enabled" else []
        if state.active not in ("active", "activating", "reloading"):
            yield f"{name} is {state.active}", (f"{state.described} -> active", *enabled)
        elif state.file != "enabled":
            yield f"{name} is {found}", (*enabled,)
        elif units.is_left_behind(state):
            # It serves what it has loaded, and would not start again.
            yield f"{name} works in a folder that is gone", (f"{name} restarts",)
