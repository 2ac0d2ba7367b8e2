"""The config of a review stack, made from another stack's: names of its own, and nothing of what is the other's alone.

A review stack serves one branch. It is on the same server as the stack that it was made from.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from codesensei.config.check import Checked, check, without_secrets
from codesensei.config.problems import NAMESPACE
from codesensei.config.secrecy import Place, Secrecy, once, take_secrets
from codesensei.config.stack import StackConfig
from codesensei.config.urls import read_url
from codesensei.console.errors import CommandError
from codesensei.wire.broker import PORT
from codesensei.wire.envfile import Written, meaning
from codesensei.wire.names import is_pattern
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

PREFIX = "review-"
# `[a-z][a-z0-9-]*`, at most 31: a part of the other slug, of the branch, and of the digest of both.
_SLUG, _BASE, _DIGEST = 31, 12, 6
# What a review stack does not take over: it has its own, or must not have it.
_LEFT = ("digestKey", "domains", "appsDomain", "backups", "promoteFrom", "shares", "newServer", "adopt", "waive")
_KEEP_RELEASES = 2
# Where something is kept that every stack with the same value reads and writes.
_PLACES = re.compile(r"(postgres\w*|postgis|mysql\w*|mariadb|rediss?|valkey|amqps?|mongodb(\+srv)?)://", re.IGNORECASE)


@dataclass(frozen=True)
class Review:
    """The config of a review stack. `notes` are sentences for the user; none holds a value of a variable."""

    stack: str
    slug: str
    hostname: str
    plain: Mapping[str, object]
    """Everything but the secrets; keys without the namespace."""
    secrets: Mapping[Place, str] = field(repr=False)
    """By their places."""
    notes: tuple[str, ...] = ()


def slug_of(slug: str, branch: str) -> str:
    """The slug of the review stack for a branch of the project `slug`: no other branch and no worker has it."""
    digest = hashlib.sha256(f"{slug}\n{branch}".encode()).hexdigest()[:_DIGEST]
    base = slug[:_BASE].rstrip("-")
    words = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")
    words = words[: _SLUG - len(base) - len(digest) - 2].strip("-")
    return "-".join(filter(None, (base, words, digest)))


def stack_of(slug: str) -> str:
    """The name of the review stack with this slug."""
    return f"{PREFIX}{slug}"


def derive(
    raw: Mapping[str, object],
    stack: str,
    branch: str,
    revision: str,
    *,
    secrecy: Secrecy | None = None,
    apps_domain: str = "",
    data: bool = False,
    dump: str = "",
    without: tuple[str, ...] = (),
) -> Review:
    """The review stack for `branch` of the stack `stack`, whose config is `raw`, secrets in clear.

    `secrecy`: what is encrypted of it; `apps_domain`: the domain that its hostname is below; default: that of the
    other stack. `data`: its database is a copy of the other one's, `dump`: of the dump with this SHA-256; `without`:
    variables that it does not get.
    CommandError where the other stack's config is wrong, or none can be made from it.
    """
    # Before anything else that may be wrong with it.
    if str(raw.get("production")).lower() == "true":
        cause = "it is production, and a review stack runs code that nobody has reviewed, with this stack's secrets"
        raise CommandError(f"stack {stack}", cause, "name another stack: --from staging")
    known = checked(raw, stack, secrecy)
    base = known.config
    domain = apps_domain or base.apps_domain or ""
    _refuse(known, stack, domain, data=data, dump=dump)
    slug = slug_of(base.project.slug, branch)
    hostname = f"{slug}.{domain}"
    made: dict[str, Any] = _moved({key: raw[key] for key in raw if key not in _LEFT}, base, slug)
    variables = {place: dict(made.get(place) or {}) for place in ("env", "secretEnv")}
    variables["env"] = {name: _renamed(value, base, hostname) for name, value in variables["env"].items()}
    for name in without:
        if not any(found.pop(name, None) is not None for found in variables.values()):
            fix = "name a variable of its env or secretEnv"
            raise CommandError(f"stack {stack}", f"it has no variable {printable(name)}", fix)
    notes = [*_own_database(made, variables, known, stack), *_own_broker(made, variables)]
    notes += _elsewhere(variables, stack)
    made |= {key: value for key, value in variables.items() if key in made}
    made["project"] = _project(made["project"], base, slug, branch, revision)
    made["domains"] = [hostname]
    made["onDestroy"] = {"database": "drop", "media": "drop"}
    made["reviewOf"] = {"stack": stack, "branch": branch}
    if data:
        made["reviewOf"]["dataFrom"] = base.project.slug
    if dump:
        made["reviewOf"]["dump"] = dump
    numbers = checked(made, stack_of(slug)).broker.numbers
    if numbers:
        cause = f"variables lead to number {numbers[0]} of the server's broker, which can be one stack's alone"
        fix = "map them in codesensei:broker.env there: {REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password}"
        raise CommandError(f"stack {stack}", cause, fix)
    return Review(stack_of(slug), slug, hostname, *_apart(made), tuple(notes))


def checked(raw: Mapping[str, object], stack: str, secrecy: Secrecy | None = None) -> Checked:
    """The config of a stack. CommandError with everything that is wrong in it."""
    secrets, found = take_secrets(raw)
    checked = check(*without_secrets(raw), secrets)
    problems = (secrecy or Secrecy()).told([*found, *(checked if isinstance(checked, list) else ())])
    if problems or isinstance(checked, list):
        first, *others = once(problems, secrets)
        more = "".join(f"\nalso: {one}" for one in others)
        raise CommandError(f"stack {stack}: {NAMESPACE}{first.path}", first.message, f"{first.fix}{more}")
    return checked


def _refuse(known: Checked, stack: str, domain: str, *, data: bool, dump: str) -> None:
    """Refuse a stack that no review stack can be made from."""
    base, plan, thing = known.config, known.database, f"stack {stack}"
    if base.review_of:
        fix = f"name the stack that it was made from: --from {base.review_of.stack}"
        raise CommandError(thing, "it is a review stack itself", fix)
    if not domain:
        fix = "set codesensei:appsDomain there, or name a domain: --apps-domain apps.example.com"
        raise CommandError(thing, "it has no domain below which a review stack could get its hostname", fix)
    if plan.kind == "none":
        cause = "its database.kind is none: the settings lead to its database, and a review stack's would to the same"
        raise CommandError(thing, cause, "let the settings read DATABASE_URL, and remove the kind")
    if plan.kind == "sqlite":
        root = ProjectPaths(base.project.slug).root
        if plan.name.startswith("/") and not plan.name.startswith(f"{root}/"):
            cause = "its SQLite file is outside the project's folder: a review stack would write to the same one"
            raise CommandError(thing, cause, f"put it below {root}/shared")
        if data or dump:
            cause = "its database is a SQLite file, which is not copied"
            raise CommandError(thing, cause, "leave out --data and --dump, and copy the file on the server")
    if data and plan.kind == "external":
        fix = "leave out --data, or give a dump of it: --dump FILE"
        raise CommandError(thing, "its database is on another machine, where --data cannot read it", fix)


def _moved(value: Any, base: StackConfig, slug: str) -> Any:
    """The same with each path below the other project's folder below the review stack's own."""
    if isinstance(value, Mapping):
        return {key: _moved(inner, base, slug) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, base, slug) for inner in value]
    if not isinstance(value, str):
        return value
    old, new = ProjectPaths(base.project.slug).root, ProjectPaths(slug).root
    return re.sub(rf"{re.escape(str(old))}(?![a-z0-9-])", str(new), value)


def _renamed(value: Any, base: StackConfig, hostname: str) -> Any:
    """The same with the review stack's hostname in the place of each of the other stack's."""
    for name in base.domains if isinstance(value, str) else ():
        if not is_pattern(name):
            value = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", hostname, value)
    return value


def _own_database(
    made: dict[str, Any], variables: Mapping[str, dict[str, Any]], known: Checked, stack: str
) -> Iterator[str]:
    """Without what leads to the other database: one is made for the review stack."""
    plan, config = known.database, {**(made.get("database") or {})}
    mapped = dict(config.get("env") or {})
    config.pop("name", None)
    if plan.given_by and plan.kind != "sqlite":
        given = set(mapped) if plan.given_by == "mapped" else {"DATABASE_URL"}
        for found in variables.values():
            for name in given & set(found):
                del found[name]
        if plan.given_by == "DATABASE_URL" and mapped:
            # A mapping alone would leave it out.
            config["env"] = {"DATABASE_URL": "url", **mapped}
        config.pop("kind", None)
        if plan.kind == "external":
            yield f"{stack} has its database elsewhere; this one is made on the server"
    if config:
        made["database"] = config
    else:
        made.pop("database", None)


def _own_broker(made: dict[str, Any], variables: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """A broker of its own in the place of a number of the one that all share, which only one stack may have."""
    shared = {name for found in variables.values() for name, value in found.items() if _is_shared(value)}
    if not shared:
        return
    for found in variables.values():
        for name in shared & set(found):
            del found[name]
    broker = made.get("broker") or {}
    made["broker"] = {**broker, "env": {**(broker.get("env") or {}), **dict.fromkeys(sorted(shared), "url")}}
    yield f"{', '.join(sorted(shared))} will lead to a broker of its own"


def _is_shared(value: object) -> bool:
    if not isinstance(value, str) or not _read(value).startswith(("redis://", "valkey://")):
        return False
    try:
        url = read_url(_read(value))
    except ValueError:
        return False
    return url.local and (url.port or PORT) == PORT


def _read(value: str) -> str:
    """What a process reads for a value."""
    return meaning(Written(value))


def _elsewhere(variables: Mapping[str, dict[str, Any]], stack: str) -> Iterator[str]:
    for found in variables.values():
        for name, value in sorted(found.items()):
            if isinstance(value, str) and _PLACES.match(_read(value)):
                yield f"{name} leads where it leads in {stack}, and both write there; --without {name} leaves it out"


def _project(project: Mapping[str, Any], base: StackConfig, slug: str, branch: str, revision: str) -> dict[str, Any]:
    kept = {key: value for key, value in project.items() if key != "shareUser"}
    source = {**project["source"], "revision": revision}
    name = f"{base.project.name or base.project.slug}, {branch}"
    own = {"slug": slug, "name": name, "source": source, "user": slug, "keepReleases": _KEEP_RELEASES}
    return {**kept, **own}


def _apart(made: Mapping[str, Any]) -> tuple[dict[str, object], dict[Place, str]]:
    """The plain part, and the secrets by their places."""
    plain = {key: value for key, value in made.items() if key not in {"sshPrivateKey", "secretEnv"}}
    secrets: dict[Place, str] = {("secretEnv", name): str(value) for name, value in made.get("secretEnv", {}).items()}
    if "sshPrivateKey" in made:
        secrets["sshPrivateKey",] = made["sshPrivateKey"]
    tls = plain.get("tls")
    if isinstance(tls, Mapping) and "key" in tls:
        plain["tls"] = {key: value for key, value in tls.items() if key != "key"}
        secrets["tls", "key"] = tls["key"]
    return plain, secrets
