"""What a preview can tell of others: names that another stack has, and a server that is left with its data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.config.urls import POSTGRES_PORT
from codesensei.wire import codec, names, register
from codesensei.wire.broker import FIRST_GIVEN
from codesensei.wire.codec import WireError
from codesensei.wire.register import Clash, Register
from codesensei.wire.steps import MADE_HERE, PREFLIGHT, Finding, Preflight
from components.server import preflight_data


def to_ask(stack: Stack, state: remote.State) -> Preflight | None:
    """What the server is asked for in a preview, where the first step on it will run; None where the step has run."""
    if not pulumi.runtime.is_dry_run():
        return None
    config, done = stack.config, state.steps.get(PREFLIGHT.name)
    hostnames = list(config.domains)
    if not hostnames and config.apps_domain is None:
        hostnames = [config.server.host]
    # What the register says of others is told from the register itself, each name once.
    wanted = replace(preflight_data(stack, state.identity, hostnames, ()), share_user=True)
    if done is None or str(state.outputs.get("server", "")) != config.server.host:
        return wanted
    with suppress(WireError):
        was = codec.from_text(Preflight, done.data, PREFLIGHT.name)
        has_names = {*hostnames} <= {*was.hostnames}
        same = replace(wanted, hostnames=was.hostnames, broker_numbers=was.broker_numbers, share_user=was.share_user)
        return None if has_names and same == was else wanted
    return wanted


def refuse_foreseen(stack: Stack, access: remote.Access) -> None:
    """Refuse in a preview what the first steps on the server would refuse, as far as it has told."""
    if not pulumi.runtime.is_dry_run():
        return
    clashing = [*clashes(stack, access)] if access.look.register is not None else []
    told: dict[str, Clash | Finding] = {one.thing: one for one in access.look.refused}
    told |= {one.thing: one for one in clashing}
    on = f"on {stack.config.server.host}"
    found = [remote.RemoteError(f"{one.thing} {on}", one.cause, one.fix) for one in told.values()]
    if found:
        raise pulumi.RunError("\n".join(map(str, found)))


def clashes(stack: Stack, access: remote.Access) -> Iterator[Clash]:
    """All that another stack has and this one wants."""
    known, slug, config = access.look.register or Register(), stack.slug, stack.config
    entry = known.slugs.get(slug)
    # Before the end of a first deploy, the state does not say by which identity the server knows the stack.
    own = entry.identity if entry and entry.stack == stack.full_name else "new"
    if not config.adopt and (clash := register.of_slug(known, slug, stack.full_name, access.identity or own)):
        yield clash
        return
    if not config.project.share_user and (clash := register.of_user(known, slug, stack.user)):
        yield clash
    for kind, name in [] if config.adopt else _wanted(stack):
        clash = register.of_name(known, slug, kind, name)
        if clash and clash.thing not in config.shares:
            yield clash
    # No word of the stack file makes one archive two.
    if port := archived_port(stack):
        yield from filter(None, [register.of_name(known, slug, "archives", str(port))])


def archived_port(stack: Stack) -> int | None:
    """The port of the PostgreSQL whose WAL the stack archives; None where it does not."""
    backups = stack.config.backups
    return (stack.database.port or POSTGRES_PORT) if backups and backups.database == "continuous" else None


def say_what_is_archived(stack: Stack, access: remote.Access) -> None:
    """Say in a preview whose databases are in the archive too: it is that of a whole PostgreSQL."""
    known, port = access.look.register or Register(), archived_port(stack)
    found = register.with_databases(known, stack.slug)
    if port and found and pulumi.runtime.is_dry_run():
        remote.warn(
            f"codesensei:backups.database: continuous: {stack.config.server.host} archives all that its PostgreSQL at "
            f"port {port} writes, so the databases there of {', '.join(found)} are in these backups too, and "
            "backupPassword opens them"
        )


def say_who_shares(stack: Stack, access: remote.Access) -> None:
    """Say in a preview which projects can use what is in the broker without a password, as this one does."""
    known, plan = access.look.register or Register(), stack.broker
    others = sorted(set(known.slugs) - {stack.slug})
    numbers = {str(number) for number in plan.numbers}
    if not plan.own and (entry := known.slugs.get(stack.slug)):
        # Also those that only the settings name: Django was asked for them by the last deploy.
        numbers |= {one for one in entry.names.get("brokers", ()) if one.isdigit() and int(one) < FIRST_GIVEN}
    given = ["given by broker.env"] if plan.shared and plan.variables else []
    told = [*sorted(numbers, key=int), *given]
    if not others or not told or not pulumi.runtime.is_dry_run():
        return
    fix = "map url, or host, port and password" if given else "let codesensei:broker.env give a URL"
    remote.warn(
        f"broker database {', '.join(told)} of {stack.config.server.host} has no password: every user of the "
        f"server, and so the project {', '.join(others)}, can read, change and run what is in it; {fix}, and the "
        "stack has a broker of its own"
    )


def _wanted(stack: Stack) -> Iterator[tuple[str, str]]:
    database = stack.database
    for unit in names.stack_units(stack.slug, stack.config.project.workers):
        yield "units", unit
    for name in stack.config.domains:
        yield "hostnames", name
    if database.kind in MADE_HERE:
        yield from (("databases", database.name), ("roles", database.role))
    for number in stack.broker.numbers:
        yield "brokers", str(number)


def leave_no_data(stack: Stack, access: remote.Access) -> None:
    """Say what stays on the server that the stack leaves; production goes to an empty one only if told to."""
    config, before = stack.config, access.moved_from
    if not before:
        if config.new_server and access.served:
            remote.warn("codesensei:newServer: the server is no new one any more: remove it")
        return
    local = stack.database.kind in (*MADE_HERE, "sqlite")
    data = "the database and the uploads stay" if local else "the uploads stay"
    cause = f"was {before}, and {config.server.host} has nothing of this stack: {data} on {before}, where "
    _, *processes = names.stack_units(stack.slug, config.project.workers)
    cause += f"{', '.join(processes)} go on running" + ("" if local else ", in the same database")
    recipe = 'docs/operating.md, "A new machine", says how to carry them over'
    if config.production and config.new_server != "empty":
        fix = f"{recipe}; to begin there without them, set codesensei:newServer: empty"
        raise remote.RemoteError("codesensei:server.host", cause, fix)
    remote.warn(f"codesensei:server.host {cause}; {recipe}")
