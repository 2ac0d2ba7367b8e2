"""What a switch does to brokers: keys move to the stack's own, and the shared one ends when nobody needs it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable

from codesensei.scripts.base import files, register, units
from codesensei.scripts.base.broker_program import configured
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.own_broker import OwnBroker
from codesensei.scripts.base.redis_client import BrokerRefused, Client
from codesensei.scripts.base.step import Step
from codesensei.scripts.serving.live import Live
from codesensei.wire.broker import FIRST_GIVEN, LOOPBACK, PORT
from codesensei.wire.manifest import Manifest
from codesensei.wire.paths import ProjectPaths

# Where a key waits that is in both brokers, until the two are one.
WAITING = b"codesensei:waiting:"
# What was queued before stands where consumers that take from the right find it first.
MERGE = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'list' then
  for _, item in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do redis.call('RPUSH', KEYS[2], item) end
elseif kind == 'set' then redis.call('SUNIONSTORE', KEYS[2], KEYS[1], KEYS[2])
elseif kind == 'zset' then redis.call('ZUNIONSTORE', KEYS[2], 2, KEYS[1], KEYS[2], 'AGGREGATE', 'MAX')
elseif kind == 'hash' then
  local found = redis.call('HGETALL', KEYS[1])
  for at = 1, #found, 2 do redis.call('HSETNX', KEYS[2], found[at], found[at + 1]) end
elseif kind ~= 'string' then return redis.error_reply('ERR it cannot be merged') end
return redis.call('DEL', KEYS[1])
"""


def needs_shared(project: ProjectPaths) -> bool:
    """Whether the project needs the shared broker, as far as anybody knows: without one of its own it may."""
    return not _lives_on_its_own(project) or any(int(number) < FIRST_GIVEN for number in _numbers(project))


def is_shared_needed() -> bool:
    """Whether a project of this server needs the shared broker."""
    return any(needs_shared(ProjectPaths(slug)) for slug in register.entries())


def _lives_on_its_own(project: ProjectPaths) -> bool:
    manifest = Live.read(project).manifest
    return manifest is not None and manifest.own_broker


def bring_strings(project: ProjectPaths, used: Collection[str]) -> None:
    """Copy sessions, caches and results to the stack's own broker before visitors come to the release that uses it.

    `used` are the numbers to which its settings lead.
    """
    if _lives_on_its_own(project):
        return
    own = OwnBroker(project)
    with contextlib.suppress(OSError, BrokerRefused), own.connect() as target:
        for number in _left(project, used):
            with _shared() as source:
                source.ask("SELECT", number)
                for key in source.scan():
                    if source.ask("TYPE", key) == b"string" and (found := _read(source, key)):
                        target.ask("RESTORE", key, *found, "REPLACE")


def settle(step: Step[Manifest], used: Collection[str]) -> None:
    """Once nothing but the manifest is live: carry over what the project left in the shared broker.

    `used` are the numbers to which its settings lead.
    """
    own = OwnBroker(step.project)
    if step.data.own_broker:
        _carry_over(step, own, _left(step.project, used))
        with contextlib.suppress(OSError, BrokerRefused), own.connect() as client:
            client.ask("ACL", "SETUSER", "default", "resetpass", f">{own.settings()['requirepass']}")
    elif own.exists:
        remove(step, own)
        step.say(f"kept: {step.project.broker_data}, from when the stack had a broker of its own")


def remove(step: Step[object], own: OwnBroker) -> None:
    """Stop the stack's own broker, and remove its unit and its configuration; its data stays."""
    if own.exists:
        systemctl("disable", "--now", "--quiet", own.unit, check=False)
        step.converge(files.remove_path(own.unit_file), f"unit {own.unit} removed")
        systemctl("daemon-reload")
        systemctl("reset-failed", own.unit, check=False)
    step.converge(files.remove_path(step.project.broker_config), f"{step.project.broker_config} removed")


def settle_shared(step: Step[object]) -> None:
    """Let the shared broker run if a project may need it; stop it if none does, and nobody else uses it."""
    broker = configured()
    if broker is None or not register.entries():
        return
    if is_shared_needed():
        units.ensure_running(step, broker.unit, broker.name, check=False)
    elif units.is_active(broker.unit) and not _is_used():
        systemctl("disable", "--now", "--quiet", broker.unit)
        step.changed(f"{broker.unit} stopped: every project of this server has a broker of its own")


def stopped(project: ProjectPaths) -> list[str]:
    """What the project needs of the shared broker and does not run."""
    broker = configured()
    if broker is None or not needs_shared(project):
        return []
    return units.amiss(broker.unit)


def own_stopped(project: ProjectPaths) -> list[str]:
    """Whether the stack's own broker does not run."""
    own = OwnBroker(project)
    return units.amiss(own.unit) if own.exists else []


def _is_used() -> bool:
    """Whether the shared broker has keys, or a client other than this one; one that does not say is used."""
    try:
        with _shared() as client:
            databases = bytes(client.ask("INFO", "keyspace")).count(b"keys=")
            return databases > 0 or len(bytes(client.ask("CLIENT", "LIST")).splitlines()) > 1
    except (OSError, BrokerRefused):
        return True


def _shared() -> Client:
    return Client(LOOPBACK, PORT)


def _numbers(project: ProjectPaths) -> list[str]:
    """The project's numbers, as the register has them."""
    entry = register.entry(project.slug)
    return [number for number in (entry.names.get("brokers", ()) if entry else ()) if number.isdigit()]


def _left(project: ProjectPaths, used: Collection[str]) -> list[str]:
    """The databases of the shared broker that are this project's alone, and that it leaves for a broker of its own.

    A number that the program gives is that of the own broker now, so settings that lead to it do not use the database.
    """
    left = [number for number in _numbers(project) if number not in used or int(number) >= FIRST_GIVEN]
    return [number for number in left if not register.owner("brokers", number, but=project.slug)]


def _carry_over(step: Step[Manifest], own: OwnBroker, numbers: Iterable[str]) -> None:
    """Move every key of these databases. One that is cut off is completed by the next; then a job may come twice."""
    broker = configured()
    if broker is None or not units.is_active(broker.unit):
        return
    for number in numbers:
        moved, left = 0, 0
        try:
            with _shared() as source, own.connect() as target:
                source.ask("SELECT", number)
                for key in source.scan():
                    with contextlib.suppress(BrokerRefused):
                        moved += _move(source, target, key)
                left = source.ask("DBSIZE")
        except (OSError, BrokerRefused) as error:
            step.say(f"warning: not all of broker database {number} was carried over ({error}): run pulumi up again")
        if moved:
            step.changed(f"{moved} keys of broker database {number} carried over to the stack's own broker")
        if left:
            step.say(f"kept: {left} keys in broker database {number}, which could not be carried over")


def _read(source: Client, key: bytes) -> tuple[int, bytes] | None:
    """A key's milliseconds to live (0: for ever) and its content; None where it has just gone."""
    left, value = source.ask("PTTL", key), source.ask("DUMP", key)
    return None if value is None or left == -2 else (0 if left == -1 else max(1, left), value)


def _move(source: Client, target: Client, key: bytes) -> bool:
    found = _read(source, key)
    if found is None:
        return False
    try:
        target.ask("RESTORE", key, *found)
    except BrokerRefused as refused:
        if not str(refused).startswith("BUSYKEY"):
            raise
        target.ask("RESTORE", WAITING + key, 0, found[1], "REPLACE")
        target.ask("EVAL", MERGE, 2, WAITING + key, key)
    source.ask("DEL", key)
    return True
