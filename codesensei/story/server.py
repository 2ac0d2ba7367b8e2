"""What a deploy changes on the server itself: packages of the system, the app user, backups, the program's scripts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from codesensei.story.section import Section, section
from codesensei.story.served import Done, latest
from codesensei.wire import steps
from codesensei.wire.steps import Account, Backup, KeepBackups, Packages

NAME = "server"
_PERIODS = {3600: "hourly", 86400: "daily", 7 * 86400: "weekly"}


@dataclass(frozen=True)
class Backups:
    """When backups are made, where to, how many stay, and of which folders in shared."""

    to: str
    schedule: str
    keep: KeepBackups
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Server:
    """What is asked of the server; `toolkit` is the hash of the program's scripts, `backups` None without any."""

    packages: Packages
    account: Account
    backups: Backups | None
    toolkit: str


def of_server(done: Mapping[str, Done], wanted: Server) -> Section:
    """From what the state has of the steps to what is asked of them; what the state does not have is not told."""
    return section(NAME, _changes(done, wanted))


def _changes(done: Mapping[str, Done], wanted: Server) -> Iterator[str]:
    if (packages := latest(done, steps.PACKAGES)) and packages != wanted.packages:
        yield from _packages(packages, wanted.packages)
    if (account := latest(done, steps.ACCOUNT)) and account != wanted.account:
        yield from _account(account, wanted.account)
    yield from _backups(done, wanted.backups)
    claim = done.get(steps.CLAIM.name)
    if claim is not None and claim.words[-1:] != (wanted.toolkit,):
        yield "codesensei's scripts there are replaced; nothing restarts for that alone"


def _packages(was: Packages, wanted: Packages) -> Iterator[str]:
    yield from _gains("", was.packages, wanted.packages)
    yield from _gains("extension ", was.extensions, wanted.extensions)
    for name, before, after in (
        ("postgresql", was.postgresql, wanted.postgresql),
        ("certbot", was.certbot, wanted.certbot),
        ("restic", was.backups, wanted.backups),
    ):
        yield from _gains("", [name] * before, [name] * after)
    if was.python != wanted.python:
        yield f"Python {was.python or 'of the system'} -> {wanted.python or 'of the system'}"
    if was.hardening != wanted.hardening:
        yield f"hardening {was.hardening} -> {wanted.hardening}"


def _gains(what: str, was: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    yield from (f"+ {what}{name} is installed" for name in sorted({*wanted} - {*was}))
    yield from (f"- {what}{name} is asked for no more, and stays" for name in sorted({*was} - {*wanted}))


def _account(was: Account, wanted: Account) -> Iterator[str]:
    if was.user != wanted.user:
        yield f"user {was.user} -> {wanted.user}"
    yield from (f"+ shared/{path}" for path in wanted.shared_paths if path not in was.shared_paths)
    yield from (
        f"- shared/{path} is used no more, and stays" for path in was.shared_paths if path not in wanted.shared_paths
    )


def _backups(done: Mapping[str, Done], wanted: Backups | None) -> Iterator[str]:
    was = latest(done, steps.BACKUPS)
    if was is None or wanted is None:
        if wanted:
            yield f"backups {wanted.schedule} to {wanted.to}"
        elif steps.BACKUPS.name in done:
            yield "no backups are made any more; those that there are stay"
        return
    if was.to != wanted.to:
        yield f"backups to {was.to} -> {wanted.to}; those at {was.to} stay there"
    before = _schedule(was)
    if before != wanted.schedule:
        yield f"backups {before} -> {wanted.schedule}"
    if was.keep != wanted.keep:
        yield f"backups that stay: {_kept(was.keep)} -> {_kept(wanted.keep)}"
    folders, others = ({posixpath.join("shared", path) for path in found} for found in (was.folders, wanted.folders))
    if folders != others:
        yield f"backups of {', '.join(sorted(folders)) or 'no folder'} -> {', '.join(sorted(others)) or 'no folder'}"


def _schedule(backup: Backup) -> str:
    return _PERIODS.get(backup.period, f"every {backup.period} s")


def _kept(keep: KeepBackups) -> str:
    return f"{keep.daily} daily, {keep.weekly} weekly, {keep.monthly} monthly"
