"""What a release's settings lead to and another stack could use as well, held against the register."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from codesensei.scripts.base import host, register
from codesensei.scripts.base.register import Entry
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.together import raise_all
from codesensei.scripts.release.record import Facts, Use
from codesensei.scripts.release.release import Release, redactor
from codesensei.wire import paths
from codesensei.wire.broker import FIRST_GIVEN, LOOPBACK, OWN_PORT, PORT, mapping, number_at, part_of
from codesensei.wire.quick import dataclass

# Where Debian's Redis and Valkey listen beside their port.
OWN_SOCKET = re.compile(r"/(var/)?run/(redis|valkey)[\w./-]*\.sock")
FOLDERS = ("folder", "file")
# Variables that change what Celery does where it does not use them now.
OF_RESULTS, OF_HALF = "RESULT_BACKEND", re.compile(r".*(READ|WRITE)_URL")


@dataclass(frozen=True)
class Thing:
    """What is used: its kind and name in the register, and what Django calls it."""

    kind: str
    name: str
    use: Use

    @property
    def title(self) -> str:
        """As messages and codesensei:shares name it."""
        return register.title(self.kind, self.name)


def claim(step: Step[object], release: Release, facts: Facts, *, adopt: bool, shares: Iterable[str]) -> None:
    """Claim all that the settings lead to. Raises Failure for what is another stack's, by name."""
    things, shared, clean = of(facts), set(shares), redactor(step.project, release.name).clean
    found = [*_foreign_places(step.slug, facts), *_refused(step.slug, things, facts, adopt, shared)]
    raise_all(Failure(clean(bad.thing), clean(bad.cause), clean(bad.fix)) for bad in found)
    step.converge(
        register.claim(step.slug, _names(things), adopt=adopt, shares=shared), "what the settings use is claimed"
    )


def settle(slug: str, facts: Facts) -> None:
    """What the served release uses is all that the project uses, beside the number that the program gave it."""
    entry = register.entry(slug)
    if facts.shared is None or entry is None:
        return
    names = {"brokers": [], "uses": [], **_names(of(facts))}
    given = [number for number in entry.names.get("brokers", ()) if number.isdigit() and int(number) >= FIRST_GIVEN]
    register.settle(slug, {**names, "brokers": [*names["brokers"], *given]})


def unused(facts: Facts, shares: Iterable[str]) -> list[str]:
    """What codesensei:shares names and no setting leads to."""
    return sorted(set(shares) - {thing.title for thing in of(facts)}) if facts.shared is not None else []


def broker_numbers(facts: Facts) -> list[str]:
    """The broker databases to which the settings lead."""
    return [thing.name for thing in of(facts) if thing.kind == "brokers"]


def of(facts: Facts) -> list[Thing]:
    """What the settings lead to, in the register's words."""
    return [Thing(*named, use) for use in facts.shared or () if (named := _named(use))]


def _named(use: Use) -> tuple[str, str] | None:
    where = place(use.host)
    if use.kind == "redis" and (OWN_SOCKET.fullmatch(where) or (where, use.port) == (LOOPBACK, str(PORT))):
        return "brokers", use.name
    if use.kind == "redis" and use.port == str(OWN_PORT) and (number := number_at(where)):
        return "brokers", number
    return None if use.kind == "place" else ("uses", _title(use, where))


def _title(use: Use, where: str) -> str:
    at = _at(where, use.port)
    if use.kind in FOLDERS:
        return f"{use.kind} {use.name}"
    if use.kind == "redis":
        return f"Redis database {at}/{use.name}"
    if use.kind == "memcached":
        return f"memcached {at} with KEY_PREFIX {use.name!r}"
    if use.kind == "database" and where.startswith("/"):
        at = _at(LOOPBACK, use.port)
    return f"{use.kind} {at}{'' if use.name.startswith((',', '/')) else '/'}{use.name}"


def _at(where: str, port: str) -> str:
    return f"{where}:{port}" if port and not where.startswith("/") else where


def place(name: str) -> str:
    """A host as the register has it: one name for every way to this server itself."""
    name = name.strip("[]").rstrip(".").lower()
    if not name or name.startswith("/"):
        return name
    if number_at(name):
        return name
    own = {*host.own_addresses(), socket.gethostname().lower()}
    addresses = [name]
    with contextlib.suppress(OSError, UnicodeError):
        addresses += [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    return LOOPBACK if any(address in own or _is_loopback(address) for address in addresses) else name


def _is_loopback(address: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False


def _names(things: Iterable[Thing]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for thing in things:
        names.setdefault(thing.kind, []).append(thing.name)
    return names


def _refused(slug: str, things: list[Thing], facts: Facts, adopt: bool, shared: set[str]) -> Iterator[Failure]:
    mine = register.entry(slug)
    for kind, name in dict.fromkeys((thing.kind, thing.name) for thing in things):
        title, other = register.title(kind, name), _owner(slug, kind, name)
        if other is None or adopt or title in shared or (mine and mine.has(kind, name)):
            continue
        settings = sorted({thing.use.setting for thing in things if (thing.kind, thing.name) == (kind, name)})
        lead = "leads" if len(settings) == 1 else "lead"
        cause = f"{', '.join(settings)} {lead} to it, and it belongs to the stack {other[1].stack} (slug {other[0]})"
        fix = _fix(kind, name, settings, facts)
        yield Failure(title, cause, f'{fix};\nor share it on purpose: codesensei:shares: ["{title}"]')


def _owner(slug: str, kind: str, name: str) -> tuple[str, Entry] | None:
    """Another stack that has this; a database of this server also under its own name."""
    names = [(kind, name)]
    if known := re.fullmatch(rf"database {re.escape(LOOPBACK)}:5432/(.+)", name):
        names.append(("databases", known.group(1)))
    return next((found for one in names if (found := register.owner(*one, but=slug))), None)


def _foreign_places(slug: str, facts: Facts) -> Iterator[Failure]:
    """Paths in the folder of another project of this server."""
    places = ((use.setting, Path(use.name)) for use in facts.shared or () if use.kind in (*FOLDERS, "place"))
    for setting, path in dict.fromkeys(places):
        other = path.relative_to(paths.SERVER.projects).parts[:1] if paths.SERVER.projects in path.parents else ()
        if other and other[0] != slug:
            cause = f"it leads to {path}, in the folder of the project {other[0]}"
            yield Failure(setting, cause, f"point it below {paths.ProjectPaths(slug).shared} in the settings")


def _fix(kind: str, name: str, settings: list[str], facts: Facts) -> str:
    module = facts.settings_module or "the settings"
    if kind == "brokers":
        return f"two projects on one number take each other's tasks and keys: {_mapping(settings, facts, module)}"
    if name.startswith("Redis"):
        return f"give this stack another number, in its variables or in {module}"
    if name.startswith("memcached"):
        return f"set KEY_PREFIX in {settings[0]} to this project's name"
    if name.startswith("database"):
        return f"give this stack a database of its own, in its variables or in {module}"
    if name.startswith(FOLDERS):
        return f"point {settings[0]} to a place of its own in {module}, in the project's shared folder for example"
    return (
        f"give this stack a queue of its own (Celery: CELERY_TASK_DEFAULT_QUEUE), or another virtual host, in {module}"
    )


def _leads_to(variable: str, settings: str) -> bool:
    """Whether a variable that nobody gave seems to be where these settings come from."""
    if OF_HALF.fullmatch(variable) or (OF_RESULTS in variable and OF_RESULTS not in settings):
        return False
    return any(word in ("REDIS", "VALKEY") or word in settings for word in variable.split("_")[:-1])


def _mapping(settings: list[str], facts: Facts, module: str) -> str:
    """How the stack gets a number of its own."""
    if given := [name for setting in settings if (name := setting.removeprefix("the variable ")) != setting]:
        found = {
            name: part_of(name) or "url" for one in given for name in one.split(" and ") if part_of(name) != "host"
        }
        return f"take {', '.join(found)} out of codesensei:env, and set codesensei:broker: {mapping(found)}"
    names = [name for name in facts.unset if _leads_to(name, " ".join(settings).upper())]
    found = {name: part for name in names if (part := part_of(name)) in ("url", "number")}
    if found:
        return f"set codesensei:broker: {mapping(found)}, which {module} reads"
    name = "CELERY_BROKER_URL" if "celery" in settings[0].lower() else "REDIS_URL"
    line = f'read {settings[0]} in {module} from os.environ["{name}"]'
    return f"{line}, and set codesensei:broker: {mapping({name: 'url'})}"
