"""Remove what the register says is this stack's; keep data unless `onDestroy` says `drop`.

Every part looks at what is there, so the next run completes one that was cut off. The register's entry goes last but
one, the toolkit's link last: until then a second run still knows everything.
"""

from __future__ import annotations

import contextlib

from codesensei.scripts.backups import copies, end
from codesensei.scripts.base import files, register
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.hardening import harden
from codesensei.scripts.release import checks, record
from codesensei.scripts.removal import accounts, configuration, data, database, own_broker, processes
from codesensei.scripts.serving import brokers, certificates, nginx_unit
from codesensei.scripts.serving.live import Live
from codesensei.scripts.steps import broker, claim
from codesensei.wire.steps import Destroy


def run(step: Step[Destroy]) -> None:
    """Take the project off this server."""
    entry = register.entry(step.slug)
    if entry is not None and entry.identity != step.data.identity:
        step.say(f"the slug {step.slug} belongs to the stack {entry.stack} now: nothing of it is removed")
        return
    if entry is not None:
        kept = _remove_all(step, entry)
        files.remove_path(step.project.memory)
        register.forget(step.slug, kept)
        brokers.settle_shared(step)
        step.changed(f"the register forgets {step.slug}")
        step.say("generated names and secrets end with this stack's state")
    nginx_unit.free(step)
    harden.say_what_stays(step)
    for path in (step.project.incoming, *claim.sent_toolkits(step.slug), *claim.sent_dumps(step.slug)):
        files.remove_path(path)
    files.remove_path(step.project.cache)
    files.remove_path(step.project.library)
    with claim.no_bootstrap() as alone:
        if alone:
            claim.remove_unused_toolkits(ended=step.slug)
    if not step.changes:
        step.say(f"nothing is left of {step.slug}")


def _remove_all(step: Step[Destroy], entry: register.Entry) -> register.Kept | None:
    served = Live.read(step.project)
    fates = {"database": step.data.on_destroy.database, "media": step.data.on_destroy.media}
    drops = {kind for kind, fate in fates.items() if fate == "drop"}
    drop_database = "database" in drops
    processes.remove(step, {*entry.names.get("units", ()), *served.units})
    end.backups(step)
    configuration.remove(step, served.contents)
    certificates.remove(step)
    copies.sweep(step)
    end.sweep(step)
    database_kept = database.remove(step, entry, drop_database)
    _empty_broker(step, entry, drop_database)
    broker_kept = own_broker.remove(step, drop_database)
    remains = broker_kept + data.remove(step, drops, checks.sqlite_names(record.every(step.project)))
    user_kept = accounts.remove(step, entry, remains)
    if not (database_kept or remains):
        return None
    role, name = database_kept or ("", "")
    return register.Kept(stack=entry.stack, user=entry.user if user_kept else "", role=role, database=name)


def _empty_broker(step: Step[Destroy], entry: register.Entry, drop: bool) -> None:
    """Empty the broker databases that were this stack's alone, if its data is dropped."""
    for number in entry.names.get("brokers", ()):
        if register.owner("brokers", number, but=step.slug):
            step.say(f"kept: the broker's database {number}, which another stack uses too")
            continue
        # A broker that is gone or down has nothing to empty now.
        with contextlib.suppress(OSError, Failure):
            program = broker.find()
            left = broker.in_database(program, number, "DBSIZE")
            if left != "0" and drop:
                broker.in_database(program, number, "FLUSHDB")
                step.changed(f"broker database {number} emptied")
            elif left != "0":
                step.say(f"kept: {left} keys in the broker's database {number}")
