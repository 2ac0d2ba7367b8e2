"""The database and the broker: what the config may say about them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from codesensei.config.types import Model, Seconds, distinct, reject, show
from codesensei.config.variables import OwnVariable
from codesensei.wire.names import EXTENSION_ALIASES, EXTENSION_PACKAGES, TRUSTED_EXTENSIONS, is_system_database

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
EXTENSIONS = TRUSTED_EXTENSIONS | set(EXTENSION_PACKAGES)
DatabasePart = Literal["url", "host", "port", "name", "user", "password"]


def database_name(value: str) -> str:
    """The name of a database: `""` for the default."""
    if not value:
        return value
    if is_system_database(value):
        raise reject("database-system", f"{show(value)} is PostgreSQL's own", "choose a name of the project's: shop")
    if not _NAME.fullmatch(value):
        raise reject(
            "database-name",
            f"{show(value)} is not a name for a database",
            "use lower-case letters, digits and '_', a letter first, at most 63 characters: shop",
        )
    return value


def extension(value: str) -> str:
    """An extension that the owner of a database may create, or whose package is known."""
    value = EXTENSION_ALIASES.get(value, value)
    if value not in EXTENSIONS:
        raise reject(
            "extension",
            f"{show(value)} is neither a trusted extension nor one with a known package",
            f"known are: {', '.join(sorted(EXTENSIONS))}",
        )
    return value


class DatabaseConfig(Model):
    """Where the project's data lives."""

    kind: Literal["auto", "local", "external", "none"] = Field(
        default="auto", description="auto: local unless DATABASE_URL leads elsewhere"
    )
    name: Annotated[str, AfterValidator(database_name)] = Field(
        default="", description="Default: the slug, with '_' for '-'"
    )
    env: dict[OwnVariable, DatabasePart] = Field(
        default={}, description="Variables by the part they hold: {DB_HOST: host}"
    )
    extensions: Annotated[tuple[Annotated[str, AfterValidator(extension)], ...], AfterValidator(distinct)] = ()
    lock_timeout: Seconds = Field(default=5, description="Seconds that a migration waits for a lock")


class BrokerConfig(Model):
    """The task broker."""

    env: dict[OwnVariable, Literal["url"]] = Field(
        default={}, description="Variables to inject: {CELERY_BROKER_URL: url}"
    )
