"""`codesensei recover`: what an interrupted deploy has left, here and on the server, and its removal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from codesensei.console import show
from codesensei.console.engine import Engine, EngineLock
from codesensei.console.errors import CommandError
from codesensei.console.server import Server
from codesensei.wire.answers import ServerStatus
from codesensei.wire.quick import dataclass


@dataclass(frozen=True)
class Found:
    """All that was found before anything is changed; `locks` is None where the backend does not show them."""

    status: ServerStatus
    locks: tuple[EngineLock, ...] | None
    pending: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """One thing to do: what it is, and how it is done."""

    text: str
    do: Callable[[], None]


def find(engine: Engine, server: Server) -> Found:
    """Look, and change nothing."""
    locks = engine.locks()
    status = server.ask(ServerStatus, "status")
    return Found(status, None if locks is None else tuple(locks), tuple(engine.pending()))


def refuse_living(found: Found, *, unlock: bool) -> None:
    """CommandError where somebody still deploys, or where nobody here can tell."""
    if found.status.holder:
        fix = "wait until it has ended: pulumi up and recover both wait or refuse until then"
        raise CommandError("recover", f"{found.status.holder} still runs on the server", fix)
    for lock in found.locks or ():
        if lock.lives:
            raise CommandError("recover", f"somebody deploys this stack: {lock}", "wait for it, or end it with Ctrl-C")
        if lock.lives is None and not unlock:
            fix = "ask there; if nothing runs, say so: codesensei recover --unlock"
            raise CommandError("recover", f"the state is locked from another machine: {lock}", fix)


def lines(found: Found) -> Iterator[str]:
    """What was found, in sentences."""
    status = found.status
    yield f"serves: {status.release or 'nothing'}"
    yield f"lock on the server: free{f'; {status.last_holder} had it last' if status.last_holder else ''}"
    yield from show.left_behind(status)
    if found.locks is None:
        yield "lock of the state: this backend does not show it; --unlock removes it"
    for lock in found.locks or ():
        yield f"lock of the state: {lock}, {'which has ended' if lock.lives is False else 'another machine'}"
    yield from (f"pending in the state: {one}" for one in found.pending)


def plan(found: Found, engine: Engine, server: Server, say: Callable[[str], None], *, unlock: bool) -> list[Action]:
    """What is to be done, in this order: the server first, because the lock keeps others out until it is done."""
    actions = []
    # What else is left, the next deploy completes or undoes.
    if found.status.orphan:
        actions.append(Action("end what still runs on the server", lambda: server.do(say, "recover")))
    if found.locks or (found.locks is None and unlock):
        actions.append(Action("remove the lock of the state (pulumi cancel)", engine.unlock))
    if found.pending:
        text = "clear pending operations (pulumi refresh --clear-pending-creates)"
        actions.append(Action(text, engine.clear_pending))
    return actions
