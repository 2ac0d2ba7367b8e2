"""What a deploy changes on the server itself: packages of the system, the app user, backups, the program's scripts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from codesensei.story.section import Section, section
from codesensei.story.served import Done, latest
from codesensei.wire import codec, register, steps
from codesensei.wire.names import kept_releases
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Account, Backup, Build, DatabasePlace, KeepBackups, OnDestroy, Packages

NAME = "server"
_WORDS = {seconds: word for word, seconds in steps.PERIODS.items()}


@dataclass(frozen=True)
class WantedServer:
    """What is asked of the server; `toolkit` is the hash of the program's scripts, `backups` None without any.

    Of `backups` a secret that is not known yet is empty. `neighbours` are the other projects with databases in its
    PostgreSQL, None where nobody has asked. `on_destroy` is what happens to the data at the end, `database` is where
    the project's own will be.
    """

    packages: Packages
    account: Account
    backups: Backup | None
    toolkit: str
    neighbours: Collection[str] | None = None
    on_destroy: OnDestroy | None = None
    database: DatabasePlace | None = None


def of_server(
    done: Mapping[str, Done],
    wanted: WantedServer,
    removed: Sequence[str] = (),
    destroys: OnDestroy | None = None,
    serves: Build | None = None,
) -> Section:
    """From what the state has of the steps to what is asked of them; what the state does not have is not told.

    `removed` has a line for each release that a switch removes; `destroys` is what the state has of `on_destroy`,
    `serves` what the release that serves was built from.
    """
    moved = _moved(done, serves, wanted.database)
    return section(NAME, moved, *_changes(done, wanted), _at_the_end(destroys, wanted.on_destroy), removed)


def stored(place: DatabasePlace) -> str:
    """Where the project's database is."""
    if place.kind in steps.MADE_HERE:
        return f"database {place.name} in PostgreSQL on this server"
    if place.kind == "external":
        return f"database {place.name} at {place.host or 'another place'}"
    return "database in a SQLite file" if place.kind == "sqlite" else "no database that codesensei knows"


def _moved(done: Mapping[str, Done], serves: Build | None, wanted: DatabasePlace | None) -> Iterator[str]:
    """A line where the project will read and write another database than the one that serves."""
    if serves is None or wanted is None:
        return
    was, asked = serves.database, latest(done, steps.PREFLIGHT)
    place = DatabasePlace(kind=was.kind, name=was.name, role=was.role, host="", port=None)
    # A build does not say on which machine it is.
    known = [asked.database if asked else None, wanted]
    place = next((one for one in known if one and (one.kind, one.name) == (was.kind, was.name)), place)
    before, after = stored(place), stored(wanted)
    if before != after:
        yield f"{before} -> {after.removeprefix('database ')}; data does not move"


def _at_the_end(was: OnDestroy | None, wanted: OnDestroy | None) -> Iterator[str]:
    if was and wanted:
        for name in ("database", "media"):
            before, after = getattr(was, name), getattr(wanted, name)
            if before != after:
                yield f"onDestroy.{name} {before} -> {after}"


def brought(wanted: WantedServer) -> Iterator[Iterable[str]]:
    """What a first deploy brings beside what every project needs."""
    nothing = replace(
        wanted.packages, packages=(), extensions=(), python="", certbot=False, backups=False, continuous=False
    )
    yield from _packages(nothing, wanted.packages)
    yield _backups({}, wanted)


def removed_releases(there: Iterable[str], served: Sequence[str], release: str, keep: int) -> list[str]:
    """A line for each of the releases that are there and that a switch to `release` removes.

    `served` are those that have served, the latest first: the one that serves, then the one before it.
    """
    if not served:
        return []
    after = [*dict.fromkeys([release, *served])]
    stay = {*after[:2], *kept_releases(after, keep)}
    return [f"- release {name} is removed (keepReleases: {keep})" for name in there if name not in stay]


def _changes(done: Mapping[str, Done], wanted: WantedServer) -> Iterator[Iterable[str]]:
    if (packages := latest(done, steps.PACKAGES)) and packages != wanted.packages:
        yield from _packages(packages, wanted.packages)
    if (account := latest(done, steps.ACCOUNT)) and account != wanted.account:
        yield from _account(account, wanted.account)
    yield _backups(done, wanted)
    claim = done.get(steps.CLAIM.name)
    if claim is not None and claim.words[-1:] != (wanted.toolkit,):
        yield ["codesensei's scripts there are replaced; nothing restarts for that alone"]


def _packages(was: Packages, wanted: Packages) -> Iterator[Iterable[str]]:
    yield from _gains("", was.packages, wanted.packages)
    yield from _gains("extension ", was.extensions, wanted.extensions)
    for name, before, after in (
        ("postgresql", was.postgresql, wanted.postgresql),
        ("certbot", was.certbot, wanted.certbot),
        ("restic", was.backups, wanted.backups),
        ("pgbackrest", was.continuous, wanted.continuous),
    ):
        yield from _gains("", [name] * before, [name] * after)
    if was.python != wanted.python:
        yield [f"Python {was.python or 'of the system'} -> {wanted.python or 'of the system'}"]
    if was.hardening != wanted.hardening:
        yield [f"hardening {was.hardening} -> {wanted.hardening}"]


def _gains(what: str, was: Iterable[str], wanted: Iterable[str]) -> Iterator[Iterable[str]]:
    yield [f"+ {what}{name} is installed" for name in sorted({*wanted} - {*was})]
    yield [f"- {what}{name} is asked for no more, and stays" for name in sorted({*was} - {*wanted})]


def _account(was: Account, wanted: Account) -> Iterator[Iterable[str]]:
    if was.user != wanted.user:
        yield [f"user {was.user} -> {wanted.user}"]
    yield [f"+ shared/{path}" for path in wanted.shared_paths if path not in was.shared_paths]
    gone = [path for path in was.shared_paths if path not in wanted.shared_paths]
    yield [f"- shared/{path} is used no more, and stays" for path in gone]


def _backups(done: Mapping[str, Done], server: WantedServer) -> Iterator[str]:
    wanted, others = server.backups, server.neighbours
    if steps.BACKUPS.name not in done:
        if wanted:
            yield f"backups {_schedule(wanted)} to {wanted.to}"
            yield from _archived(0, wanted.days, others)
        return
    was = latest(done, steps.BACKUPS)
    if wanted is None:
        yield "no backups are made any more; those that there are stay"
        yield from [*_archived(was.days if was else 0, 0, others)][1:]
        return
    if was is None:
        return
    yield from _archived(was.days, wanted.days, others)
    if was.to != wanted.to:
        yield f"backups to {was.to} -> {wanted.to}; those at {was.to} stay there"
    if was.period != wanted.period:
        yield f"backups {_schedule(was)} -> {_schedule(wanted)}"
    if was.keep != wanted.keep:
        yield f"backups that stay: {_kept(was.keep)} -> {_kept(wanted.keep)}"
    if was.to == wanted.to and (others_now := [*_access(was, wanted)]):
        yield f"backups reach {wanted.to} with another {', '.join(others_now)}"
    if wanted.password not in ("", was.password):
        yield "another password for backups"
    if (before := _folders(was)) != (after := _folders(wanted)):
        yield f"backups of {before} -> {after}"


def _access(was: Backup, wanted: Backup) -> Iterator[str]:
    """What a target asks for, by its key in the stack file."""
    for name in ("host_key", "access_key", "secret_key", "region", "root_certificate"):
        before, after = getattr(was, name), getattr(wanted, name)
        if before != after and (after or name != "secret_key"):
            yield codec.key_of(name)


def _archived(was: int, wanted: int, others: Collection[str] | None) -> Iterator[str]:
    if was == wanted:
        return
    before, after = (f"restored to any moment of {days} days" if days else "dumped" for days in (was, wanted))
    yield f"the database can be {after}" if not was else f"the database: {before} -> {after}"
    if not was or not wanted:
        mode = "archive_mode on" if wanted else "archive_mode as before"
        yield f"PostgreSQL restarts once ({mode}): {register.disconnected(others)}"


def _folders(backup: Backup) -> str:
    return ", ".join(f"shared/{path}" for path in sorted(backup.folders)) or "no folder"


def _schedule(backup: Backup) -> str:
    return _WORDS.get(backup.period, f"every {backup.period} s")


def _kept(keep: KeepBackups) -> str:
    return f"{keep.daily} daily, {keep.weekly} weekly, {keep.monthly} monthly"
