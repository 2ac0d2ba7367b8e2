"""The whole config of a stack, as one frozen value without any secret."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from codesensei.config.database import BrokerConfig, DatabaseConfig
from codesensei.config.edge import Domain, Domains, Limits, Tls, TlsOff, TrustedProxies
from codesensei.config.environment import EnvValue, OwnVariable
from codesensei.config.project import ProjectConfig
from codesensei.config.server import ServerConfig
from codesensei.config.types import Flag, Model, distinct
from codesensei.wire.envfile import meaning


def _names_only(value: object) -> object:
    # Whatever comes from a file is no tuple: without_secrets() makes one of the names of a map.
    return value if isinstance(value, tuple) else None


def _nothing(value: object) -> object:
    return None if value == "" else value


class OnDestroy(Model):
    """What `pulumi destroy` does with data."""

    database: Literal["keep", "drop"] = "keep"
    media: Literal["keep", "drop"] = "keep"


class StackConfig(Model):
    """The desired state of one stack. Secrets are here by name only."""

    server: ServerConfig
    production: Flag = Field(default=False, description="True refuses what should not serve the public, e.g. a branch")
    project: ProjectConfig
    domains: Domains = Field(default=(), description="Public host names: [shop.example.com]")
    apps_domain: Annotated[Domain | None, BeforeValidator(_nothing)] = Field(
        default=None, description="A generated host name below this domain is added"
    )
    tls: Tls = TlsOff()
    trusted_proxies: TrustedProxies = Field(default=(), description="Networks whose X-Forwarded-* headers are believed")
    limits: Limits = Limits()
    database: DatabaseConfig = DatabaseConfig()
    broker: BrokerConfig = BrokerConfig()
    env: dict[OwnVariable, EnvValue] = Field(default={}, description="Plain variables")
    secret_names: Annotated[tuple[OwnVariable, ...], BeforeValidator(_names_only)] = Field(
        default=(), alias="secretEnv", description="Names of the secret variables"
    )
    generate_secrets: Annotated[tuple[OwnVariable, ...], AfterValidator(distinct)] = Field(
        default=(), description="Variables whose value is made once and never changes by itself: [SECRET_KEY]"
    )
    drift: Flag = Field(default=True, description="Look at the server once per run for what was changed by hand")
    adopt: Flag = Field(default=False, description="Take over what exists on the server and is not this stack's")
    allow_unsupported: Flag = Field(default=False, description="Deploy to an untested distribution")
    on_destroy: OnDestroy = OnDestroy()

    def workers_given(self, variable: str) -> int | None:
        """The number of web processes that a plain variable gives; None where it is secret or not given."""
        given = self.env.get(variable)
        return None if given is None else int(meaning(given))
