"""Step `switch`: the only step that changes what is live, either completely or not at all.

It gets the manifest of everything that must be live. A candidate is proved first; then what is live is written down,
the manifest applied, and the served release read back through the proxy. On any failure, everything is put back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.backups import end
from codesensei.scripts.base import files, host, register, rivals, sites
from codesensei.scripts.base.fixes import again
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.together import raise_all
from codesensei.scripts.postgres import passwords
from codesensei.scripts.release import causes, checks, jobs, phases, prune, record, uses
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import (
    apply,
    brokers,
    candidate,
    certificates,
    edge,
    hand_over,
    live,
    media,
    parts,
    places,
    said,
    workers,
)
from codesensei.scripts.serving.change import Change
from codesensei.scripts.serving.live import Live
from codesensei.wire import paths
from codesensei.wire.manifest import Manifest, Switched

# As many as another stack may go back to that is promoted from this one.
MOST_SERVED = 50


def run(step: Step[Manifest]) -> None:
    """Make the manifest live, or leave everything as it was."""
    name, revision = step.args
    project, manifest = step.project, step.data
    live.refuse_foreign_paths(project, manifest)
    directory, module, sandbox = manifest.directory, manifest.settings_module, manifest.sandbox
    release = Release(project, name, manifest.user, directory, module, sandbox)
    if not release.record.is_prepared:
        raise Failure(f"release {name}", "it is not complete on this server", again(step.slug, "build"))
    _clear_up(step)
    hand_over.make_door(project, release.user)
    manifest = step.data = places.open_to(step, release)
    now, hosts = Live.read(project), manifest.health.hosts
    nginx = sites.configuration()
    found = rivals.rivals(nginx, project, hosts, host.own_addresses())
    rivals.refuse(found, adopt=manifest.adopt)
    raise_all(checks.debug_in_production(release.facts, release, manifest))
    uses.claim(step, release, release.facts, adopt=manifest.adopt, shares=manifest.shares)
    change = Change(step, now, release, tuple(rival.file for rival in found))
    served = now.manifest.health.hosts if now.manifest else ()
    warnings = rivals.displaced(nginx, project, [name for name in hosts if name not in served])
    seconds: dict[str, float] = {}
    if change.is_needed():
        warnings += _prove_and_switch(change, seconds)
        step.changed(f"{name} is live")
    else:
        edge.read_back(step, release, time.time())
        media.read_back(step, release)
        step.say(f"unchanged: {name} is live")
        if live.has_to_end(project):
            step.changed("the run that switched to it was cut off: its hooks and its record come now")
    _manage(step)
    warnings += _of_what_serves(step, release)
    warnings += _finish(step, release, seconds)
    media.retire(step, now.manifest)
    since = prune.since(project, MOST_SERVED)
    step.result = Switched(release=name, revision=revision, url=manifest.url, warnings=tuple(warnings), served=since)


def _clear_up(step: Step[Manifest]) -> None:
    """Put back and end what a killed run has left."""
    project = step.project
    if live.is_interrupted(project):
        step.changed("an interrupted switch is put back first")
        live.restore(step)
    jobs.end_orphans(step)
    candidate.end_orphan(step)


def _prove_and_switch(change: Change, seconds: dict[str, float]) -> list[str]:
    """Prove what is new beside what is live, then switch to it; notes the `seconds` of each part. Returns warnings."""
    step, release, manifest = change.step, change.release, change.manifest
    if manifest.own_broker:
        brokers.bring_strings(step.project, uses.broker_numbers(release.facts))
    stale = change.stale()
    if not change.of_web():
        grace = _prove_workers(change, stale, seconds)
        if change.now.manifest and change.now.manifest.health != manifest.health:
            edge.read_back(step, release, time.time(), behind_proxy=True)
        return _switch(change, stale, seconds, grace, candidate_serves=False)
    with candidate.running(step, release) as started:
        # While the candidate loads.
        grace = _prove_workers(change, stale, seconds)
        seconds["candidate"] = round(candidate.prove(step, release, started), 1)
        step.say(f"candidate {release.name} has answered")
        # It serves visitors during the switch, unless its password ends with it, or nothing is live.
        serves = not change.of_password() and not stale & set(manifest.named("socket"))
        serves = serves and hand_over.is_possible(step.project, manifest.named("socket", "web"))
        return _switch(change, stale, seconds, grace, candidate_serves=serves)


def _prove_workers(change: Change, stale: set[str], seconds: dict[str, float]) -> float:
    """Prove the workers that will be new; returns the seconds that they must live."""
    if not stale & set(change.manifest.named("worker")):
        return workers.GRACE
    with _timed(seconds, "proof"):
        return workers.prove(change.step, change.release)


def _switch(
    change: Change, stale: set[str], seconds: dict[str, float], grace: float, candidate_serves: bool
) -> list[str]:
    step, release, project, began = change.step, change.release, change.step.project, time.time()
    with live.all_or_nothing(step, change.now, stale, change.others()):
        with _timed(seconds, "web"):
            proxy_changed = apply.write(change)
            if candidate_serves:
                if not change.proxy_knows_door():
                    apply.reload_proxy(step.slug)
                hand_over.to_candidate(project)
            apply.load_units(change)
            # The old workers finish their jobs while the web process is renewed.
            renewal = workers.begin(change, stale)
            apply.start_web(change, stale)
            if candidate_serves:
                edge.read_back(step, release, began, behind_proxy=True)
                hand_over.to_live(project)
                candidate.retire(project)
            if proxy_changed:
                apply.reload_proxy(step.slug)
            edge.read_back(step, release, began)
            media.read_back(step, release)
        with _timed(seconds, "workers"):
            warnings = workers.finish(change, stale, renewal, grace)
        apply.remove_left(change)
        return warnings


@contextlib.contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[part] = round(time.monotonic() - started, 1)


def _manage(step: Step[Manifest]) -> None:
    """Note the files and links of the live state, so that a change by hand is seen."""
    for file in step.data.files:
        step.manage(file.path)
        if link := paths.site_link(Path(file.path)):
            step.manage(link)
    for link in (step.project.current, step.project.env_link, step.project.venv_link):
        step.manage(link)


def _of_what_serves(step: Step[Manifest], release: Release) -> list[str]:
    """What visitors and browsers would notice of it, as warnings."""
    manifest = step.data
    found = [
        *parts.warnings(manifest.health),
        *said.warnings(release, manifest),
        *(f"nginx: {text}" for text in sites.configuration().warnings),
    ]
    if not manifest.acme:
        found += certificates.uncovered(step.project, manifest.tls, manifest.health.hosts)
    return found


def _finish(step: Step[Manifest], release: Release, seconds: dict[str, float]) -> list[str]:
    """After the switch: its hooks, the register, old releases, the record; returns warnings."""
    manifest = step.data
    warnings = [*release.record.warnings, *(_after_switch(step, release) if step.changes else [])]
    register.settle(step.slug, {"units": [unit.name for unit in manifest.units], "hostnames": manifest.health.hosts})
    brokers.settle(step, uses.broker_numbers(release.facts))
    uses.settle(step.slug, release.facts)
    brokers.settle_shared(step)
    if not manifest.backups:
        end.backups(step)
    if manifest.database:
        passwords.prune(step.project, manifest.database.digest)
    # nginx makes it for everybody to read, and links that reset passwords stand in it.
    if files.close_to_others(step.project.site_log, "adm"):
        step.say(f"{step.project.site_log} is closed to other users")
    prune.record(step, release, seconds)
    prune.prune(step, manifest.keep_releases)
    certificates.retire(step, manifest.tls, manifest.acme)
    if step.changes:
        record.served(step.project, release.name)
        step.say(phases.describe(step.project, release, seconds))
    live.ended(step.project)
    return warnings


def _after_switch(step: Step[Manifest], release: Release) -> list[str]:
    """Run the hooks whose failure is only reported; returns warnings."""
    warnings = []
    for number, hook in enumerate(step.data.after_switch):
        script = step.project.environments / f"{release.name}.afterSwitch-{number}.sh"
        files.write_file(script, hook + "\n", 0o640, "root", release.user)
        done = jobs.run_job(step, release, Job(f"hook afterSwitch: {hook[:60]}", ["/bin/bash", "-e", str(script)]))
        if done.ok:
            step.say(f"hook afterSwitch has run: {hook[:60]}")
            continue
        ended = done.ended
        cause, fix = causes.explain_any(done.tail, ended)
        why = ended if cause == ended else f"{ended}: {cause}; {fix}".removesuffix("; ")
        warnings.append(f"{release.name} is live, but its hook afterSwitch {why} ({hook}); see {done.log}")
        step.say(f"hook afterSwitch {ended}, see {done.log}: {hook[:60]}")
    return warnings
