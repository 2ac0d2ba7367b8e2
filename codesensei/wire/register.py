"""Who owns what on a server, as its register says; root keeps it, and a preview reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field

from codesensei.wire.quick import dataclass

# The kinds of names, and what messages call one.
KINDS = {
    "units": "unit",
    "hostnames": "hostname",
    "roles": "database role",
    "databases": "database",
    "brokers": "broker database",
    # By the port: what PostgreSQL archives is the whole cluster.
    "archives": "WAL archive of PostgreSQL at port",
    # What settings lead to: the name says what it is.
    "uses": "",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One project on this server."""

    stack: str
    identity: str
    user: str = ""
    # No default: an earlier version reads the file too, and misses the key.
    names: Mapping[str, tuple[str, ...]]

    def has(self, kind: str, name: str) -> bool:
        return name in self.names.get(kind, ())


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What an earlier `pulumi destroy` left of a project."""

    stack: str
    user: str
    role: str
    database: str


@dataclass(kw_only=True)
class Register:
    """The whole file."""

    format: int = 1
    slugs: dict[str, Entry] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)


@dataclass(frozen=True)
class Clash:
    """What somebody else has: its thing, cause and fix, as a failure tells them."""

    thing: str
    cause: str
    fix: str


def title(kind: str, name: str) -> str:
    """What messages and codesensei:shares call a name."""
    return f"{KINDS[kind]} {name}".strip()


def with_databases(register: Register, slug: str) -> list[str]:
    """The other projects that have databases in the server's PostgreSQL."""
    return sorted(one for one, entry in register.slugs.items() if one != slug and entry.names.get("databases"))


def disconnected(others: Collection[str] | None) -> str:
    """Whom a restart of PostgreSQL concerns; `others` are the other projects there, None where nobody has asked."""
    lost = "whoever is connected to a database of it loses the connection"
    if others is None:
        return f"{lost}, other projects too"
    return f"{lost}, those of {', '.join(others)} too" if others else lost


def of_slug(register: Register, slug: str, stack: str, identity: str) -> Clash | None:
    """What keeps this stack from having the slug."""
    item, left = register.slugs.get(slug), register.kept.get(slug)
    if item is None and left is not None and left.stack != stack:
        cause = f"data that a destroy of the stack {left.stack} kept is still here"
        fix = "choose another codesensei:project.slug, or take the data over with codesensei:adopt: true"
        return Clash(f"slug {slug}", cause, fix)
    if item and item.identity != identity:
        cause = f"it belongs to the stack {item.stack} (identity {item.identity}); "
        cause += f"this is the stack {stack} (identity {identity})"
        fix = "choose another codesensei:project.slug, destroy that stack, or take over with codesensei:adopt: true"
        return Clash(f"slug {slug}", cause, fix)
    return None


def of_name(register: Register, slug: str, kind: str, name: str) -> Clash | None:
    """What keeps the project from having the name: another one has it."""
    found = next(((one, item) for one, item in register.slugs.items() if one != slug and item.has(kind, name)), None)
    if found is None:
        return None
    other, item = found
    fix = "choose another name, or deploy that stack without it, or take it over with codesensei:adopt: true"
    if kind == "brokers":
        fix = "two projects on one number take each other's tasks: choose another number in the URL, or let "
        fix += "codesensei:broker.env give one;\n"
        fix += f"if it gave this one: pulumi up --replace '**{slug}-broker-number'"
    if kind == "archives":
        fix = "PostgreSQL archives all databases of a port to one place: set codesensei:backups.database: dump in "
        fix += "one of the two stacks, and deploy it"
    return Clash(title(kind, name), f"it belongs to the stack {item.stack} (slug {other})", fix)


def of_user(register: Register, slug: str, user: str) -> Clash | None:
    """What keeps the project from running as the user, unless it says that it may."""
    entry = register.slugs.get(slug)
    sharing = [other for other, item in register.slugs.items() if item.user == user and other != slug]
    if not sharing or (entry and entry.user == user):
        return None
    cause = f"the project {', '.join(sharing)} runs as this user: each could read the other's secrets and files"
    fix = "choose another codesensei:project.user, or accept that with codesensei:project.shareUser: true"
    return Clash(f"user {user}", cause, fix)
