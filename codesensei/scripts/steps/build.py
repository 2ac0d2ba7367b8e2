"""Step `build`: a release's code and packages, made by the build user, and everything that runs before the switch.

Everything is written inside the release's own directory, its venv and root's memory; nothing that serves is touched,
but for what hooks and migrations change.
"""

from __future__ import annotations

import os
import time
from functools import partial

from codesensei.scripts.backups import copies, dumps, status
from codesensei.scripts.backups import settings as backups
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.together import raise_all, together
from codesensei.scripts.checks.database import check_entry
from codesensei.scripts.release import checks, jobs, policy, record, settings, uses
from codesensei.scripts.release.databases import Asked
from codesensei.scripts.release.install import install
from codesensei.scripts.release.prepare import compile_modules, prepare
from codesensei.scripts.release.record import Facts
from codesensei.scripts.release.release import Release, links_to, redactor
from codesensei.scripts.release.share import share
from codesensei.scripts.release.unpack import sweep, unpack
from codesensei.scripts.serving import brokers
from codesensei.wire.said import Said
from codesensei.wire.steps import Build, Finding, never_made_again


def run(step: Step[Build]) -> None:
    """Make a release complete, once: it never changes afterwards."""
    name, _ = step.args
    data, project = step.data, step.project
    release = Release(project, name, data.user, data.directory, data.settings_module, data.sandbox)
    jobs.end_orphans(step)
    copies.sweep(step)
    jobs.refuse_missing(release)
    record.abandon_others(project, name)
    asked = None
    if _is_built(release):
        sweep(step)
        # What the stack config asks of the settings may have changed.
        _check(step, release.facts, release)
        step.say(f"release {name} is built already")
    else:
        asked = _build(step, release)
    prepare(step, release, asked, partial(_before_destructive, step), copies.original(step))


def _build(step: Step[Build], release: Release) -> Asked | None:
    """Unpack, install, ask Django; returns what it says of its databases, where it was asked for that too."""
    name, revision = step.args
    data, project = step.data, step.project
    record.begin(project, name, revision=revision, settings_module=data.settings_module, user=data.user)
    started = time.monotonic()
    jobs.make_home(step)
    unpack(step, release, revision, data.source)
    share(step, release, data.shared_paths)
    record.unpacked(project, name)
    unpacked = time.monotonic()
    install(step, release)
    installed = time.monotonic()
    # First: every start of Django would else compile them for itself.
    compile_modules(step, release)
    facts, asked = settings.ask_all(step, release)
    _check(step, facts, release)
    if data.database.kind != "none":
        for alias, found in facts.databases.items():
            check_entry(alias, found.engine, found.host, found.port)
    if data.static == "serve" and facts.installed_staticfiles:
        # Many settings create the folder themselves, which the app user cannot do in a release.
        jobs.make_in_release(release, os.path.join(release.code, facts.static_root), "STATIC_ROOT")
    seconds = {"code": unpacked - started, "packages": installed - unpacked, "settings": time.monotonic() - installed}
    jobs.wait_for_disk(step, release.path)
    record.built(project, name, facts, {phase: round(taken, 1) for phase, taken in seconds.items()})
    step.changed(f"release {name} is built")
    return asked


def _is_built(release: Release) -> bool:
    """Whether the release is complete and made for these settings; one that serves is not made again for others."""
    known = release.record
    if not (known.is_built and release.path.is_dir() and (release.venv / ".complete").exists()):
        return False
    # An earlier version of the program did not record them for a release that was never prepared.
    made_for = (known.settings_module or release.settings_module, known.user or release.user)
    other = never_made_again(release.name, made_for, (release.settings_module, release.user))
    if other and links_to(release):
        raise Failure(other.thing, other.cause, other.fix)
    return other is None


def _check(step: Step[Build], facts: Facts, release: Release) -> None:
    """Refuse settings that would lose data, not work, or use what is another stack's; a message may quote a secret."""
    data, clean, found = step.data, redactor(release.project, release.name).clean, together()
    with found:
        raise_all(Failure(bad.thing, clean(bad.cause), clean(bad.fix)) for bad in checks.problems(facts, release, data))
    with found:
        if warnings := policy.decide(release, facts, data, _looked_at(step)):
            step.result = Said(warnings=tuple(warnings))
    with found:
        uses.claim(step, release, facts, adopt=data.adopt, shares=data.shares)
    found.end()
    # It rests while every project has a broker of its own, and the settings may lead to it now.
    brokers.settle_shared(step)


def _looked_at(step: Step[Build]) -> dict[str, Finding | None]:
    """What the policy says of the backups, where they are asked for, and were before this deploy."""
    if not step.data.backups or backups.read(step.project) is None:
        return {}
    found = status.too_old(step.project)
    # On the first day there need not be one, and a waiver may be meant for a destructive migration.
    return {"backup": found} if found or status.read(step.project).made else {}


def _before_destructive(step: Step[Build]) -> None:
    """What there must be before migrations that destroy something: a backup, where production has them, and a dump."""
    data = step.data
    if data.production and data.backups and "backup" not in data.waived:
        status.require(step.project)
    dumps.make(step, data.dump_keep)
