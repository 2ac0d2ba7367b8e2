"""Another manifest: processes, hostnames, and what a switch to it means for visitors and jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from codesensei.story.memory import more
from codesensei.story.migrations import Migrations
from codesensei.story.section import LONGEST, MOST, Section, apart, section
from codesensei.story.served import Served
from codesensei.wire import codec, paths
from codesensei.wire.manifest import HealthCheck, Manifest, Unit, means_another
from codesensei.wire.names import worker_key
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import ANOTHER_PASSWORD, SWITCH, Drift, Memory

# What the other sections tell, or what follows from it; `candidate` is only there to prove.
_TOLD = {"files", "units", "homes", "candidate", "url", "tls", "default_tls", "slug", "user", "health", "database"}
_TOLD |= {"hosts", "scheme", "media_url", "backups", "waived"}
QUIET = "visitors notice nothing, a candidate serves them meanwhile"
# Of two values in one line, beside the name of their key.
EACH = (LONGEST - 40) // 2
_KEYS = {name: f"healthCheck.{name}" for name in ("path", "timeout", "accept")}


@dataclass(frozen=True)
class _Change:
    """From one manifest to another, with another release or with the same.

    `drift` is what was changed by hand, and is put back with it.
    """

    was: Manifest
    wanted: Manifest
    of_release: bool
    drift: Sequence[Drift] = ()

    @property
    def repairs_only(self) -> bool:
        """Whether nothing is asked for that is not live already."""
        return not self.of_release and self.was == self.wanted

    @property
    def of_password(self) -> bool:
        """Whether the database role gets another password, which ends what the processes have open."""
        before, after = self.was.database, self.wanted.database
        # A role that only comes has its password before the switch, and with another role nobody serves.
        is_changed = before and after and before.role == after.role and before.digest != after.digest
        # A candidate could not log in with the one that the role gets back either.
        return bool(is_changed) or any(one.thing.endswith(ANOTHER_PASSWORD) for one in self.drift)

    def is_down(self, unit: Unit) -> bool:
        """Whether somebody has stopped it, so that it starts."""
        stopped = f"{unit.name} is "
        return any(
            one.thing.startswith(stopped) and any(line.endswith("-> active") for line in one.lines)
            for one in self.drift
        )

    @property
    def files(self) -> set[str]:
        """Paths of the files that mean another thing, come or go."""
        before = dict(self.was.contents())
        changed = {file.path for file in self.wanted.files if means_another(before.get(file.path), file)}
        return changed | (before.keys() - {file.path for file in self.wanted.files})

    def stale(self, unit: Unit) -> bool:
        """Whether the process must be replaced: its code is another, or what its unit runs, or what is put back."""
        own = {file.path for file in self.wanted.files if unit.name in (file.renews, file.path.rpartition("/")[2])}
        is_put_back = any(f"{unit.name} restarts" in one.lines for one in self.drift)
        of_all = unit.kind != "socket" and (self.of_release or self.of_password)
        return of_all or is_put_back or bool(own & self.files)

    def units(self, kind: str) -> list[tuple[Unit | None, Unit | None]]:
        """The units of this kind, before and after."""
        before, after = ({unit.name: unit for unit in of.units if unit.kind == kind} for of in (self.was, self.wanted))
        return [(before.get(name), after.get(name)) for name in sorted({*before, *after})]

    def called(self, unit: Unit) -> str:
        """A process as the stack file calls it."""
        if unit.kind != "worker":
            return unit.kind
        return worker_key(self.wanted.slug, unit.name)


def of_processes(
    served: Served, release: str, wanted: Manifest, memory: Memory | None = None, drift: Sequence[Drift] = ()
) -> Section:
    """Workers that come, go or run another line, what more of them take, and which processes start again."""
    change = _change(served, release, wanted, drift)
    # What only the drift starts again is told with it.
    return section("processes", *(() if change is None or change.repairs_only else _processes(change, memory)))


def _change(served: Served, release: str, wanted: Manifest, drift: Sequence[Drift] = ()) -> _Change | None:
    ours = [one for one in drift if one.step == SWITCH.name]
    return None if served.manifest is None else _Change(served.manifest, wanted, served.release != release, ours)


def _processes(change: _Change, memory: Memory | None) -> Iterator[Iterable[str]]:
    before, after = change.was.candidate.workers, change.wanted.candidate.workers
    if before != after:
        yield [f"web: {before} -> {after} workers" if before and after else f"web: {_many(before)} -> {_many(after)}"]
    workers = change.units("worker")
    come = [wanted for was, wanted in workers if was is None and wanted]
    stay = [(was, wanted) for was, wanted in workers if was and wanted]
    yield (f"+ {change.called(one)}: {one.command}{' (singleton)' if one.singleton else ''}" for one in come)
    yield (f"- {change.called(was)}: stops, {_drains(was)}" for was, wanted in workers if was and wanted is None)
    yield (
        f"{change.called(wanted)}: {' -> '.join(apart(was.command or 'another line', wanted.command, EACH))}"
        for was, wanted in stay
        if was.command != wanted.command
    )
    yield more(change.was, change.wanted, memory)
    for _, web in change.units("web"):
        if web and change.is_down(web):
            yield ["web starts"]
        elif web and change.stale(web):
            yield ["web restarts" if _is_felt(change) else "web restarts by hand-over"]
    yield _starting(change, stay)


def _many(workers: int | None) -> str:
    return f"{workers} workers" if workers else "as many as its server, or a secret variable, says"


def _starting(change: _Change, stay: Iterable[tuple[Unit, Unit]]) -> Iterator[str]:
    for was, wanted in stay:
        if change.is_down(wanted):
            yield f"{change.called(wanted)} starts"
        elif change.stale(wanted):
            # systemd reads its new unit before it stops the process.
            had = f" (before: {was.stop_timeout} s)" if was.stop_timeout != wanted.stop_timeout else ""
            yield f"{change.called(wanted)} restarts, {_drains(wanted)}{had}"


def _drains(unit: Unit) -> str:
    return f"its jobs have {unit.stop_timeout} s to end"


def _is_felt(change: _Change) -> bool:
    """Whether no candidate can serve visitors meanwhile."""
    sockets = [unit for _, unit in change.units("socket") if unit]
    return change.of_password or any(change.stale(unit) or change.is_down(unit) for unit in sockets)


def new_hostnames(served: Served, wanted: Manifest) -> list[str]:
    """The hostnames that come, as far as a preview tells them one by one."""
    known = served.manifest.health.hosts if served.manifest else wanted.health.hosts
    return [name for name in wanted.health.hosts if name not in known][:MOST]


def of_site(served: Served, wanted: Manifest, remarks: Mapping[str, str]) -> Section:
    """Hostnames that come and go, with what is to be said of new ones, and the scheme."""
    change = _change(served, served.release, wanted)
    return section("site", *(_site(change, remarks) if change else ()))


def _site(change: _Change, remarks: Mapping[str, str]) -> Iterator[Iterable[str]]:
    before, after = change.was.health, change.wanted.health
    come = [name for name in after.hosts if name not in before.hosts]
    yield (f"+ {name} ({remarks[name]})" if name in remarks else f"+ {name}" for name in come)
    yield (f"- {name}" for name in before.hosts if name not in after.hosts)
    if before.scheme != after.scheme:
        yield [f"{before.scheme} -> {after.scheme}"]
    elif change.was.tls != change.wanted.tls:
        yield ["another certificate"]
    if change.was.media_url != change.wanted.media_url:
        yield [f"uploads {change.was.media_url or 'not served'} -> {change.wanted.media_url or 'not served'}"]


def of_switch(
    served: Served, release: str, wanted: Manifest, migrations: Migrations, drift: Sequence[Drift] = ()
) -> Section:
    """What happens to visitors and jobs, and what else changes with it; nothing where no switch runs.

    `drift` is what was changed by hand.
    """
    change = _change(served, release, wanted, drift)
    if change is None:
        known = served.release == release
        return section("switch", [] if known else ["what is live now is not in the state: all of it is held to be new"])
    if change.repairs_only and not change.drift:
        return Section("switch")
    refused = ["nothing changes: `pulumi up` stops at the migrations; once they are acknowledged:"]
    meaning = _meaning(change, migrations)
    return section("switch", refused if migrations.refused else (), [meaning], *([one] for one in _settings(change)))


def _meaning(change: _Change, migrations: Migrations) -> str:
    """One line for visitors and jobs."""
    down = [unit for unit in change.wanted.units if change.is_down(unit)]
    stale = [unit for unit in change.wanted.units if change.stale(unit)]
    told = []
    if _is_felt(change):
        told.append("visitors wait while web restarts")
    elif migrations.unfit:
        told.append("requests may fail as long as the older code serves")
    elif migrations.harmful:
        told.append("requests may fail from the migrations on until the candidate serves")
    elif migrations.unknown:
        told.append("what visitors notice depends on migrations that are not known here")
    elif any(unit.kind == "web" for unit in down):
        told.append("web starts")
    elif any(unit.kind == "web" for unit in stale):
        told.append(QUIET)
    else:
        told.append("nothing restarts for visitors")
    told += sorted(f"{change.called(unit)} starts" for unit in down if unit.kind == "worker")
    # What has ended has no jobs.
    working = [(was, wanted) for was, wanted in change.units("worker") if was and wanted not in down]
    ending = [wanted or was for was, wanted in working if wanted is None or wanted in stale]
    if ending:
        told.append(f"jobs have up to {max(unit.stop_timeout for unit in ending if unit)} s to end")
    elif working and not change.repairs_only:
        told.append("workers run on")
    put_back = {one.thing.partition(" ")[0] for one in change.drift}
    if any(paths.site_link(Path(path)) for path in change.files | put_back):
        told.append("nginx reloads")
    return "; ".join(told)


def _settings(change: _Change) -> Iterator[str]:
    """What else the switch gets: keys of the stack file, with their values where these are short."""
    for key, before, after in (*_fields(change.was, change.wanted), *_fields(change.was.health, change.wanted.health)):
        if before != after:
            yield f"{key} {' -> '.join(apart(_value(before), _value(after), EACH))}"


def _fields(was: object, wanted: Manifest | HealthCheck) -> Iterator[tuple[str, object, object]]:
    """What no other section tells, by the name that it has in the stack file, as far as it has one."""
    for name in (field.name for field in dataclasses.fields(wanted)):
        if name not in _TOLD:
            yield _KEYS.get(name, codec.key_of(name)), getattr(was, name), getattr(wanted, name)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value)) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
