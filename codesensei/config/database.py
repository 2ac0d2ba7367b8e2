"""The database and the broker: what the config may say about them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from codesensei.config.environment import OwnVariable
from codesensei.config.types import Model, Seconds, Whole, at_least, distinct, reject, show

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SYSTEM_NAME = re.compile(r"postgres|public|none|template\d*|pg_.*")
# Trusted extensions of PostgreSQL 14 to 17, and those whose packages are known.
_EXTENSION_NAMES = """
    btree_gin btree_gist citext cube dict_int fuzzystrmatch hstore intarray isn lo ltree pgcrypto
    pg_trgm plperl seg tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp postgis
    postgis_raster postgis_topology vector
"""
EXTENSIONS = frozenset(_EXTENSION_NAMES.split())
DatabasePart = Literal["url", "host", "port", "name", "user", "password"]


def is_system_name(value: str) -> bool:
    """True for names of PostgreSQL's own: postgres, public, none, template0, template1, pg_*."""
    return bool(_SYSTEM_NAME.fullmatch(value))


def database_name(value: str) -> str:
    """The name of a database: `""` for the default."""
    if not value:
        return value
    if is_system_name(value):
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
    if value == "pgvector":
        return "vector"
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
    dump_keep: Annotated[Whole, AfterValidator(at_least(0, "dump-keep", "0 keeps no dump", "give 0 or more"))] = Field(
        default=3, description="Dumps kept on the server"
    )


class BrokerConfig(Model):
    """The task broker."""

    env: dict[OwnVariable, Literal["url"]] = Field(
        default={}, description="Variables to inject: {CELERY_BROKER_URL: url}"
    )
