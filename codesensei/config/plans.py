"""What the config means for the database and the broker: where they are, and who gives their credentials."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Literal, NoReturn

from pydantic_core import PydanticCustomError

from codesensei.config.database import URL_VARIABLE, DatabasePart
from codesensei.config.problems import BadConfig, Problem
from codesensei.config.stack import StackConfig
from codesensei.config.types import reject
from codesensei.config.urls import LOCAL, POSTGRES_PORT, Url, read_url
from codesensei.wire.broker import FIRST_GIVEN, PORT, BrokerPart, is_own
from codesensei.wire.names import is_system_database
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import DatabaseKind

_MAX_NAME = 63
_NUMBER_PART = re.compile(r"(.*(?:REDIS|VALKEY).*?)_(?:DB|DATABASE|NUMBER)")


@dataclass(frozen=True)
class DatabasePlan:
    """Which database the project uses, and who gives its credentials. Never holds a password.

    `generated`: made on the server, with a password of the program's own; `local`: made on the server, as a given URL
    says; `external` and `sqlite`: nothing is made; `none`: the program does not look at it.
    `variables` are those that the program injects, by the part they hold; `scheme` is that of the URL.
    """

    kind: DatabaseKind
    name: str = ""
    role: str = ""
    host: str = ""
    port: int | None = None
    socket: bool = False
    variables: Mapping[str, DatabasePart] = field(default_factory=dict)
    given_by: Literal["DATABASE_URL", "mapped"] | None = None
    scheme: str = field(default="", compare=False)


@dataclass(frozen=True)
class PlanWithPassword:
    """A plan together with the given password, which only the loader may see."""

    plan: DatabasePlan
    password: str | None = field(default=None, repr=False)


def plan_database(config: StackConfig, values: Mapping[str, str], places: Mapping[str, str]) -> PlanWithPassword:
    """Decide what becomes of the database. Raises BadConfig with one problem.

    `values`: what the project reads in each variable, secret ones included; `places`: each variable's path in the file.
    """
    mapping = config.database.env
    if config.database.kind == "none":
        _need_nothing(config, "kind is none: the program makes no database")
        return PlanWithPassword(DatabasePlan("none"))
    given = {name: part for name, part in mapping.items() if name in values}
    if URL_VARIABLE in values and mapping.get(URL_VARIABLE, "url") == "url":
        others = {name: part for name, part in mapping.items() if name != URL_VARIABLE}
        for name in sorted(others.keys() & given):
            fix = f"remove it here, or from {URL_VARIABLE} and database.env"
            _refuse("variable-twice", places[name], f"{name} is filled from {URL_VARIABLE}", fix)
        place = places[URL_VARIABLE]
        return _from_url(config, _read(values[URL_VARIABLE], place), place, others, "DATABASE_URL")
    if given:
        return _from_parts(config, values, given, places)
    return _generated(config)


def _generated(config: StackConfig) -> PlanWithPassword:
    database = config.database
    if database.kind == "external":
        fix = f"pulumi config set --secret --path codesensei:secretEnv.{URL_VARIABLE}"
        _refuse("external-without-url", "database.kind", f"is external, but no {URL_VARIABLE} says where it is", fix)
    parts = set(database.env.values())
    if database.env and "url" not in parts and not {"name", "user", "password"} <= parts:
        lacking = ", ".join(sorted({"name", "user", "password"} - parts))
        fix = "map url, or name, user and password (host and port where the settings read them)"
        _refuse("mapping-incomplete", "database.env", f"maps no variable to: {lacking}", fix)
    name = database.name or config.project.slug.replace("-", "_")
    if is_system_database(name):
        message = f'the database would be named "{name}", which is reserved by PostgreSQL'
        _refuse("database-default-name", "project.slug", message, "set codesensei:database.name")
    inject = database.env or {URL_VARIABLE: "url"}
    plan = DatabasePlan("generated", name, name, "127.0.0.1", POSTGRES_PORT, False, inject, scheme="postgres")
    return PlanWithPassword(plan)


def _from_parts(
    config: StackConfig, values: Mapping[str, str], given: Mapping[str, DatabasePart], places: Mapping[str, str]
) -> PlanWithPassword:
    lacking = sorted(set(config.database.env) - set(given))
    if lacking:
        message = "has no value, but other mapped variables do"
        fix = "set all mapped variables, or none to have the database created"
        _refuse("mapping-partly-given", f"database.env.{lacking[0]}", message, fix)
    parts = {part: values[name] for name, part in given.items()}
    naming = [places[name] for name, part in given.items() if part in {"url", "name", "host"}]
    place = naming[0] if naming else "database.env"
    if "url" in parts:
        return _from_url(config, _read(parts["url"], place), place, {}, "mapped")
    digits = parts.get("port") or str(POSTGRES_PORT)
    port = int(digits) if re.fullmatch(r"[0-9]{1,5}", digits) else 0
    if not 1 <= port <= 65535:
        given_port = next(name for name, part in given.items() if part == "port")
        _refuse("mapped-port", places[given_port], "is not a TCP port", "use a number from 1 to 65535")
    host = parts.get("host", "127.0.0.1")
    name, user, password = (parts.get(part, "") for part in ("name", "user", "password"))
    url = Url("postgres", "postgres", host, port, name, user, host.startswith("/") or not host, password)
    return _from_url(config, url, place, {}, "mapped")


def _from_url(
    config: StackConfig, url: Url, place: str, inject: Mapping[str, DatabasePart], by: Literal["DATABASE_URL", "mapped"]
) -> PlanWithPassword:
    kind = config.database.kind
    if url.kind == "sqlite":
        if kind != "auto":
            message = f"is {kind}, but {place} points to a SQLite file"
            _refuse("kind-and-url", "database.kind", message, "set it to auto")
        _check_sqlite(config, url.name, place)
        if config.database.migration_timeout:
            message = "has no use: nothing cancels a migration of a SQLite file"
            _refuse("migration-timeout-sqlite", "database.migrationTimeout", message, "remove it, or set 0")
        _need_nothing(config, "a SQLite file needs nothing made")
        return PlanWithPassword(DatabasePlan("sqlite", url.name, variables=inject, given_by=by, scheme=url.scheme))
    if kind == "local" and not url.local:
        fix = "set it to external, or point the URL to 127.0.0.1"
        _refuse("local-elsewhere", "database.kind", f"is local, but {place} points to another machine", fix)
    if kind == "external" and url.local:
        fix = "set it to local, or point the URL to the provider's host; for a database of your own: none"
        _refuse("external-here", "database.kind", f"is external, but {place} points to the server itself", fix)
    if not url.local:
        _need_nothing(config, "the database is elsewhere")
        port = url.port or url.usual_port
        plan = DatabasePlan("external", url.name, url.user, url.host, port, False, inject, by, url.scheme)
        return PlanWithPassword(plan, url.password or None)
    _check_local(config, url, place)
    role = url.user or config.project.user
    plan = DatabasePlan(
        "local", url.name, role, url.host, url.port or POSTGRES_PORT, url.socket, inject, by, url.scheme
    )
    return PlanWithPassword(plan, url.password or None)


def _check_local(config: StackConfig, url: Url, place: str) -> None:
    if url.kind != "postgres":
        fix = "codesensei manages PostgreSQL only; for a database of your own, set database.kind to none"
        _refuse("local-not-postgres", place, "points to a database on the server that is not PostgreSQL", fix)
    for what, name in (("database", url.name), ("role", url.user or config.project.user)):
        if not name:
            fix = "end it with one: postgres://user:password@127.0.0.1:5432/shop"
            _refuse("url-name", place, "has no database name", fix)
        if is_system_database(name):
            _refuse("url-system-name", place, f"names a {what} reserved by PostgreSQL", "choose another name: shop")
        if len(name.encode()) > _MAX_NAME or not name.isprintable():
            fix = "choose a shorter name: PostgreSQL would truncate it"
            _refuse("url-long-name", place, f"the name of the {what} is longer than 63 bytes or not printable", fix)
    if config.database.name and config.database.name != url.name:
        _refuse("database-name-differs", "database.name", f"is not the name in {place}", "remove it: the URL says it")
    if not url.password and not (url.socket and url.user in {"", config.project.user}):
        fix = "add one: postgres://user:password@host/name"
        if url.socket:
            fix += f", or connect as {config.project.user}, which the socket knows without one"
        _refuse("url-password", place, "has no password", fix)


def _check_sqlite(config: StackConfig, path: str, place: str) -> None:
    paths = ProjectPaths(config.project.slug)
    good = f"sqlite:///{paths.shared}/db.sqlite3"
    inside = posixpath.relpath(posixpath.join(paths.current / config.project.directory, path), paths.current)
    if any(inside.startswith(f"{folder}/") for folder in config.project.shared_paths):
        return
    if not path.startswith("/"):
        message = "points to a SQLite file inside the release, which the next deploy would lose"
        _refuse("sqlite-in-release", place, message, f"point it to shared, with four slashes: {good}")
    if path.startswith(f"{paths.root}/") and not path.startswith(f"{paths.shared}/"):
        fix = f"point it to shared: {good}"
        _refuse("sqlite-outside-shared", place, "points to a SQLite file that no release shares", fix)


def _need_nothing(config: StackConfig, why: str) -> None:
    if config.database.extensions:
        _refuse("extensions-elsewhere", "database.extensions", f"cannot be made: {why}", "remove them here")
    if config.database.name:
        _refuse("name-elsewhere", "database.name", f"has no use: {why}", "remove it")
    if config.database.kind == "none" and config.database.env:
        _refuse("mapping-elsewhere", "database.env", f"has no use: {why}", "remove it, or set the kind to auto")
    if config.database.rehearse == "always":
        message = f"always is not possible: only PostgreSQL on the server is copied, and {why}"
        _refuse("rehearse-elsewhere", "database.rehearse", message, "set it to auto or never")


def _read(text: str, place: str) -> Url:
    try:
        return read_url(text)
    except PydanticCustomError as error:
        raise BadConfig((Problem.of(error, place),)) from None


def _refuse(rule: str, path: str, message: str, fix: str) -> NoReturn:
    raise BadConfig((Problem(rule, path, message, fix),))


@dataclass(frozen=True)
class BrokerPlan:
    """Which numbers of the server's shared broker the given variables name, and what the program fills in."""

    numbers: tuple[int, ...] = ()
    variables: Mapping[str, BrokerPart] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether the stack has a broker of its own."""
        return is_own(self.variables.values())

    @property
    def shared(self) -> bool:
        """Whether a variable leads to the broker without a password, which every user of the server can use."""
        return bool(self.numbers) or (bool(self.variables) and not self.own)


def plan_broker(
    config: StackConfig, values: Mapping[str, str], places: Mapping[str, str]
) -> tuple[BrokerPlan, list[Problem]]:
    """Which variables lead to the server's own broker, and to which of its numbers (contract, "Broker")."""
    numbers: set[int] = set()
    problems: list[Problem] = []
    for name, value in sorted(values.items()):
        if not value.startswith(("redis://", "valkey://")):
            continue
        try:
            url = read_url(value)
            if url.local and (url.port or PORT) == PORT:
                numbers.add(_number(url))
        except PydanticCustomError as error:
            problems.append(Problem.of(error, places[name]))
    numbers |= _numbers_in_parts(values)
    mapped = config.broker.env
    parts = set(mapped.values())
    if is_own(parts) and not ("url" in parts or {"host", "port"} <= parts):
        message, fix = (
            "maps a password without the host and the port that it is for",
            ("map url, or host and port too: {REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password}"),
        )
        problems.append(Problem("broker-password-alone", "broker.env", message, fix))
    elif mapped and not is_own(parts) and not {"url", "number"} & parts:
        message, fix = (
            "maps neither the password nor the number, by which the stack would have a part of its own",
            "map url, or password: {REDIS_PASSWORD: password}",
        )
        problems.append(Problem("broker-mapping-incomplete", "broker.env", message, fix))
    return BrokerPlan(tuple(sorted(numbers)), mapped), problems


def _numbers_in_parts(values: Mapping[str, str]) -> set[int]:
    """The numbers of the server's own broker that variables like REDIS_HOST and REDIS_DB name together."""
    found = set()
    for name, number in values.items():
        part = _NUMBER_PART.fullmatch(name)
        if not part or not re.fullmatch(r"[0-9]{1,4}", number):
            continue
        host = next((values[one] for one in (f"{part[1]}_HOST", f"{part[1]}_HOSTNAME") if one in values), "elsewhere")
        if host.lower() in LOCAL and values.get(f"{part[1]}_PORT", str(PORT)) == str(PORT):
            found.add(int(number))
    return found


def _number(url: Url) -> int:
    if url.host == "::1":
        message = "points to ::1, but the server's broker listens on 127.0.0.1 alone"
        raise reject("broker-address", message, "use redis://127.0.0.1:6379/0")
    if url.password or url.user:
        fix = "remove it: redis://127.0.0.1:6379/0 (the broker listens on loopback only)"
        raise reject("broker-password", "has a password, but the server's broker has none", fix)
    number = url.name or "0"
    if not (number.isascii() and number.isdigit() and int(number) < FIRST_GIVEN):
        fix = f"end it with a number from 0 to {FIRST_GIVEN - 1}: redis://127.0.0.1:6379/0"
        raise reject("broker-number", "has no valid database number", fix)
    return int(number)
