"""Who owns what on this server: which stack has which slug, units, roles, databases, hostnames and broker numbers.

The register is one file of root's. Every change holds its own short lock, below the lock of a step.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace

from codesensei.scripts.base.step import Failure, read_json, write_json
from codesensei.wire import codec, paths
from codesensei.wire.register import Clash, Entry, Kept, Register, of_name, of_slug, title

__all__ = ["Entry", "Kept", "claim", "claim_slug", "entries", "entry", "forget", "kept", "owner", "settle", "title"]
__all__ += ["refuse", "users", "whole"]


def whole() -> Register:
    """All that the register says."""
    return _read()


def entries() -> Mapping[str, Entry]:
    """All projects by slug."""
    return _read().slugs


def entry(slug: str) -> Entry | None:
    """The project with this slug; None when nobody has it."""
    return entries().get(slug)


def owner(kind: str, name: str, but: str = "") -> tuple[str, Entry] | None:
    """Who owns this name, `but` for one slug: slug and project; None when nobody does."""
    return next(((slug, item) for slug, item in entries().items() if slug != but and item.has(kind, name)), None)


def users(but: str) -> set[str]:
    """The users of all projects other than `but`, and of what a destroy kept of them."""
    data = _read()
    items: list[tuple[str, Entry | Kept]] = [*data.slugs.items(), *data.kept.items()]
    return {item.user for slug, item in items if slug != but and item.user}


def kept(slug: str) -> Kept | None:
    """What a destroy kept under this slug."""
    return _read().kept.get(slug)


def claim_slug(slug: str, stack: str, identity: str, adopt: bool = False) -> bool:
    """Give the slug to this stack; True when the register changed.

    Raises Failure when another stack has it and `adopt` is not given.
    """
    with _changing() as data:
        item = data.slugs.get(slug)
        if not adopt:
            refuse(of_slug(data, slug, stack, identity))
        known = item or Entry(stack=stack, identity=identity, names={})
        data.slugs[slug] = replace(known, stack=stack, identity=identity)
        return data.slugs[slug] != item


def claim(
    slug: str,
    names: Mapping[str, Iterable[str]],
    *,
    user: str | None = None,
    adopt: bool = False,
    shares: Container[str] = (),
) -> bool:
    """Add names to the slug's own (all or none); True when the register changed.

    Raises Failure for a name of another project; with `adopt` the name is taken from it. What `shares` names by its
    title may be both projects'.
    """
    return _hold(slug, names, user, adopt, shares, only=False)


def settle(slug: str, names: Mapping[str, Iterable[str]]) -> bool:
    """Make `names` the only ones of their kinds, once nothing else is served; True when the register changed."""
    return _hold(slug, names, user=None, adopt=False, shares=(), only=True)


def _hold(
    slug: str,
    names: Mapping[str, Iterable[str]],
    user: str | None,
    adopt: bool,
    shares: Container[str],
    *,
    only: bool,
) -> bool:
    with _changing() as data:
        before = data.slugs.get(slug)
        if before is None:
            raise Failure(f"slug {slug}", "this server's register does not know it", "run pulumi up again")
        held = dict(before.names)
        for kind, wanted in names.items():
            mine, added = set(before.names.get(kind, ())), set(wanted)
            for name in sorted(added - mine):
                if title(kind, name) not in shares:
                    _take(data, slug, kind, name, adopt)
            held[kind] = tuple(sorted(added if only else added | mine))
        data.slugs[slug] = replace(before, user=before.user if user is None else user, names=held)
        return data.slugs[slug] != before


def forget(slug: str, keep: Kept | None = None) -> bool:
    """Forget the project; `keep` notes what stays, so that a stack of the same name may use it again."""
    with _changing() as data:
        found = data.slugs.pop(slug, None) is not None
        data.kept.pop(slug, None)
        if keep is not None:
            data.kept[slug] = keep
        return found


def _take(data: Register, slug: str, kind: str, name: str, adopt: bool) -> None:
    if not adopt:
        refuse(of_name(data, slug, kind, name))
    for other, item in list(data.slugs.items()):
        if other != slug and item.has(kind, name):
            left = tuple(held for held in item.names[kind] if held != name)
            data.slugs[other] = replace(item, names={**item.names, kind: left})


def refuse(clash: Clash | None) -> None:
    """Raise Failure where somebody else has it."""
    if clash is not None:
        raise Failure(clash.thing, clash.cause, clash.fix)


def _read() -> Register:
    path = paths.SERVER.register
    return codec.decode(Register, read_json(path, {}), str(path), kept=True)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the register's own lock."""
    handle = os.open(paths.SERVER.register.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _changing() -> Iterator[Register]:
    """The register's content under its lock; written when the block ends without an error."""
    with locked():
        data = _read()
        yield data
        write_json(paths.SERVER.register, codec.encode(data))
