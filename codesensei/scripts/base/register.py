"""Who owns what on this server: which stack has which slug, units, roles, databases, hostnames and broker numbers.

The register is one file of root's. Every change holds its own short lock, below the lock of a step.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from codesensei.scripts.base.step import Failure, read_json, write_json
from codesensei.wire import paths

# The kinds of names, and what one is called in a sentence.
KINDS = {
    "units": "unit",
    "hostnames": "hostname",
    "roles": "database role",
    "databases": "database",
    "brokers": "broker database",
}


@dataclass(frozen=True)
class Entry:
    """One project on this server."""

    slug: str
    stack: str
    identity: str
    user: str = ""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def has(self, kind: str, name: str) -> bool:
        return name in self.names.get(kind, ())


@dataclass(frozen=True)
class Kept:
    """What an earlier `pulumi destroy` left of a project."""

    slug: str
    stack: str
    user: str
    role: str
    database: str


def entries() -> dict[str, Entry]:
    """All projects by slug."""
    return {
        slug: Entry(
            slug,
            item["stack"],
            item["identity"],
            item.get("user", ""),
            {kind: tuple(names) for kind, names in item.get("names", {}).items()},
        )
        for slug, item in _read()["slugs"].items()
    }


def entry(slug: str) -> Entry | None:
    """The project with this slug; None when nobody has it."""
    return entries().get(slug)


def owner(kind: str, name: str) -> Entry | None:
    """Whose this name is; None when it is nobody's."""
    return next((item for item in entries().values() if item.has(kind, name)), None)


def users(but: str) -> set[str]:
    """The users of all projects other than `but`, and of what a destroy kept of them."""
    data = _read()
    items = [*data["slugs"].items(), *data["kept"].items()]
    return {item["user"] for slug, item in items if slug != but and item.get("user")}


def kept(slug: str) -> Kept | None:
    """What a destroy kept under this slug."""
    item = _read()["kept"].get(slug)
    return Kept(slug, item["stack"], item["user"], item["role"], item["database"]) if item else None


def claim_slug(slug: str, stack: str, identity: str, adopt: bool = False) -> bool:
    """Make the slug this stack's; True when the register changed.

    Raises Failure when another stack has it and `adopt` is not given.
    """
    with _changing() as data:
        item = data["slugs"].get(slug)
        left = data["kept"].get(slug)
        if item is None and left is not None and left["stack"] != stack and not adopt:
            raise Failure(
                f"slug {slug}",
                f"data that a destroy of the stack {left['stack']} kept is still here",
                "choose another codesensei:project.slug, or take the data over with codesensei:adopt: true",
            )
        if item is None:
            data["slugs"][slug] = {"stack": stack, "identity": identity, "user": "", "names": {}}
            return True
        if item["identity"] != identity and not adopt:
            raise Failure(
                f"slug {slug}",
                f"it belongs to the stack {item['stack']} (identity {item['identity']}); "
                f"this is the stack {stack} (identity {identity})",
                "choose another codesensei:project.slug, or destroy that stack, "
                "or take its place with codesensei:adopt: true",
            )
        if (item["stack"], item["identity"]) == (stack, identity):
            return False
        item.update(stack=stack, identity=identity)
        return True


def claim(slug: str, names: Mapping[str, Iterable[str]], *, user: str | None = None, adopt: bool = False) -> bool:
    """Add names to the slug's own (all or none); True when the register changed.

    Raises Failure for a name of another project; with `adopt` the name is taken from it.
    """
    with _changing() as data:
        mine = _own(data, slug)
        changed = user is not None and mine.get("user") != user
        if user is not None:
            mine["user"] = user
        for kind, wanted in names.items():
            have = mine["names"].setdefault(kind, [])
            for name in sorted(set(wanted) - set(have)):
                _take(data, slug, kind, name, adopt)
                have.append(name)
                have.sort()
                changed = True
        return changed


def settle(slug: str, names: Mapping[str, Iterable[str]]) -> bool:
    """Make `names` the only ones of their kinds, once nothing else is served; True when the register changed."""
    with _changing() as data:
        mine = _own(data, slug)["names"]
        wanted = {kind: sorted(set(values)) for kind, values in names.items()}
        changed = any(mine.get(kind, []) != values for kind, values in wanted.items())
        for kind, values in wanted.items():
            for name in set(values) - set(mine.get(kind, [])):
                _take(data, slug, kind, name, adopt=False)
        mine.update(wanted)
        return changed


def forget(slug: str, keep: Kept | None = None) -> bool:
    """Forget the project; `keep` notes what stays, so that a stack of the same name may take it up again."""
    with _changing() as data:
        found = data["slugs"].pop(slug, None) is not None
        data["kept"].pop(slug, None)
        if keep is not None:
            data["kept"][slug] = {
                "stack": keep.stack,
                "user": keep.user,
                "role": keep.role,
                "database": keep.database,
            }
        return found


def _take(data: dict[str, Any], slug: str, kind: str, name: str, adopt: bool) -> None:
    for other, item in data["slugs"].items():
        held = item["names"].get(kind, [])
        if other == slug or name not in held:
            continue
        if not adopt:
            fix = (
                "choose another name, or take it out of that stack and deploy it, "
                "or take it over with codesensei:adopt: true"
            )
            if kind == "brokers":
                fix = (
                    "two projects on one number take each other's tasks: choose another number in the URL, or let "
                    "codesensei:broker.env give one;\n"
                    f"where that gave this one: pulumi up --replace '**{slug}-broker-number'"
                )
            raise Failure(f"{KINDS[kind]} {name}", f"it belongs to the stack {item['stack']} (slug {other})", fix)
        held.remove(name)


def _own(data: dict[str, Any], slug: str) -> dict[str, Any]:
    item: dict[str, Any] | None = data["slugs"].get(slug)
    if item is None:
        raise Failure(f"slug {slug}", "the register of this server does not know it", "run pulumi up again")
    item.setdefault("names", {})
    return item


def _read() -> dict[str, Any]:
    data: dict[str, Any] = read_json(paths.SERVER.register, {})
    return {"format": 1, "slugs": data.get("slugs", {}), "kept": data.get("kept", {})}


@contextlib.contextmanager
def _changing() -> Iterator[dict[str, Any]]:
    """The register's content under its lock; written when the block ends without an error."""
    handle = os.open(paths.SERVER.register.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        data = _read()
        yield data
        write_json(paths.SERVER.register, data)
    finally:
        os.close(handle)
