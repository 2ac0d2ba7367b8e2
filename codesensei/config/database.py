"""The database and the broker: what the config may say about them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from codesensei.config.types import Flag, Model, Whole, at_least, option, reject, show, unique
from codesensei.config.variables import OwnVariable
from codesensei.wire.broker import BrokerPart
from codesensei.wire.names import EXTENSION_ALIASES, EXTENSION_PACKAGES, TRUSTED_EXTENSIONS, is_system_database
from codesensei.wire.rehearsal import Rehearse

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
EXTENSIONS = TRUSTED_EXTENSIONS | set(EXTENSION_PACKAGES)
URL_VARIABLE = "DATABASE_URL"
DatabasePart = Literal["url", "host", "port", "name", "user", "password"]


def database_name(value: str) -> str:
    """The name of a database: `""` for the default."""
    if not value:
        return value
    if is_system_database(value):
        raise reject("database-system", f"{show(value)} is reserved by PostgreSQL", "choose another name: shop")
    if not _NAME.fullmatch(value):
        fix = "use lower-case letters, digits and '_', a letter first, at most 63 characters: shop"
        raise reject("database-name", f"{show(value)} is not a name for a database", fix)
    return value


def extension(value: str) -> str:
    """An extension that the owner of a database may create, or whose package is known."""
    value = EXTENSION_ALIASES.get(value, value)
    if value not in EXTENSIONS:
        fix = f"supported: {', '.join(sorted(EXTENSIONS))}"
        raise reject("extension", f"{show(value)} is not a supported extension", fix)
    return value


DumpKeep = Annotated[Whole, at_least(0, "dump-keep", "a number of dumps is 0 or more", "set 3, or 0 for none")]
LockTimeout = Annotated[Whole, at_least(0, "lock-timeout", "times are in seconds, 0 for no limit", "set 5, or 0")]


MigrationTimeout = Annotated[
    Whole, at_least(0, "migration-timeout", "times are in seconds, 0 for no limit", "set 60, or 0")
]


class DatabaseConfig(Model):
    """Where the project's data lives."""

    kind: Literal["auto", "local", "external", "none"] = option(
        "auto", "auto: local unless DATABASE_URL leads elsewhere"
    )
    name: Annotated[str, AfterValidator(database_name)] = option("", "Default: the slug, with '_' for '-'")
    env: dict[OwnVariable, DatabasePart] = option({}, "Variables by the part they hold: {DB_HOST: host}")
    extensions: Annotated[tuple[Annotated[str, AfterValidator(extension)], ...], AfterValidator(unique)] = ()
    lock_timeout: LockTimeout = option(5, "Seconds that a migration waits for a lock; 0: for ever")
    migration_timeout: MigrationTimeout = option(
        0, "Seconds that a migration may hold its locks before it is cancelled; 0: for ever"
    )
    keep_defaults: Flag = option(
        True,
        "The default of a new column stays in PostgreSQL until another deploy migrates: the serving code may write",
    )
    rehearse: Rehearse = option(
        "auto", "Run migrations on a copy first; auto: those that may fail or take time, on up to 1 GB"
    )
    dump_keep: DumpKeep = option(3, "Dumps that stay of those made before destructive migrations; 0: none is made")


class BrokerConfig(Model):
    """The task broker."""

    env: dict[OwnVariable, BrokerPart] = option({}, "Variables by the part they hold: {CELERY_BROKER_URL: url}")
