"""The whole config of a stack, as one frozen value without any secret, and the rules about several of its keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from codesensei.config.database import URL_VARIABLE, BrokerConfig, DatabaseConfig
from codesensei.config.edge import Domain, Domains, Limits, Tls, TlsOff, TrustedProxies
from codesensei.config.problems import NAMESPACE, Problem
from codesensei.config.project import ProjectConfig
from codesensei.config.server import ServerConfig
from codesensei.config.types import Flag, LeftOut, Model, distinct, show
from codesensei.config.variables import EnvValue, OwnVariable, looks_secret
from codesensei.webservers import SERVERS
from codesensei.wire.envfile import meaning
from codesensei.wire.names import is_system_unit, socket_unit, web_unit, worker_unit


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


_ACME_NAMES = 100
_MOVING = re.compile(r"(HEAD|FETCH_HEAD|refs/heads/.+|refs/remotes/.+|origin/.+|heads/.+)")


def _app_user(config: StackConfig) -> Iterable[Problem]:
    if config.project.user == config.server.user:
        yield Problem(
            "user-is-login-user",
            "project.user",
            f"{show(config.project.user)} is the login user, who can become root",
            f"give the project its own user: {config.project.slug}",
        )


def _units(config: StackConfig) -> Iterable[Problem]:
    slug = config.project.slug
    for unit in (web_unit(slug), socket_unit(slug)):
        if is_system_unit(unit):
            yield Problem(
                "slug-reserved", "project.slug", f"{unit} is a system unit", f"choose another slug: {slug}-site"
            )
            return
    for key in config.project.workers:
        unit = worker_unit(slug, key)
        if is_system_unit(unit):
            yield Problem(
                "worker-unit-reserved",
                f"project.workers.{key}",
                f"{unit} is a system unit",
                "give the worker another name",
            )


def _server(config: StackConfig) -> Iterable[Problem]:
    name, interface = config.project.server, config.project.interface
    if "auto" not in (name, interface) and interface not in SERVERS[name].interfaces:
        others = " or ".join(other for other, server in SERVERS.items() if interface in server.interfaces)
        yield Problem(
            "server-interface",
            "project.server",
            f"{name} does not serve {interface}, which project.interface says",
            f"set project.interface to auto, or project.server to {others}",
        )


def _python(config: StackConfig) -> Iterable[Problem]:
    project = config.project
    if project.python.count(".") == 2 and project.installer == "pip":
        minor = project.python.rpartition(".")[0]
        yield Problem(
            "python-needs-uv",
            "project.python",
            f"{show(project.python)} names a patch release, which apt cannot choose",
            f'write "{minor}", or set project.installer to uv',
        )


def _revision(config: StackConfig) -> Iterable[Problem]:
    revision = config.project.source.revision
    if config.production and _MOVING.fullmatch(revision):
        yield Problem(
            "production-moving-revision",
            "project.source.revision",
            f"{show(revision)} moves, and this stack is production",
            "give a commit or a tag: v1.4.0",
        )


def _acme(config: StackConfig) -> Iterable[Problem]:
    count = len(config.domains) + bool(config.apps_domain)
    if config.tls.kind == "acme" and not count:
        yield Problem(
            "acme-needs-name",
            "tls",
            "is acme, but the stack has no host name to get a certificate for",
            "add codesensei:domains, or set tls to selfSigned",
        )
    if config.tls.kind == "acme" and count > _ACME_NAMES:
        yield Problem(
            "acme-names",
            "domains",
            f"has {count} names with appsDomain's, and a certificate holds {_ACME_NAMES}",
            "remove some, or set tls to a certificate of your own",
        )


def _apps_domain(config: StackConfig) -> Iterable[Problem]:
    if config.apps_domain and config.apps_domain in config.domains:
        yield Problem(
            "apps-domain-is-domain",
            "appsDomain",
            f"{show(config.apps_domain)} is also in domains, but it is for generated names only",
            "remove it from one of the two",
        )


def _variables(config: StackConfig) -> Iterable[Problem]:
    """Every variable has one giver."""
    givers: dict[str, str] = {}
    for place, names, rule in (
        ("env", config.env, ""),
        ("secretEnv", config.secret_names, "secret-and-plain"),
        ("generateSecrets", config.generate_secrets, "generated-and-given"),
        ("broker.env", config.broker.env, "broker-variable-twice"),
    ):
        for name in names:
            if name in givers:
                yield Problem(
                    rule,
                    f"{place}.{name}" if place != "generateSecrets" else place,
                    f"{name} is also in {givers[name]}",
                    f"remove it from {givers[name]} or from {place}",
                )
            givers.setdefault(name, place)
    made = set(config.generate_secrets) | set(config.broker.env)
    for name in config.database.env:
        if name in made:
            yield Problem(
                "database-variable-twice",
                f"database.env.{name}",
                f"{name} is also in {givers[name]}",
                f"remove it from {givers[name]} or from database.env",
            )
    if URL_VARIABLE in made - set(config.database.env):
        yield Problem(
            "database-url-made",
            givers[URL_VARIABLE],
            f"{URL_VARIABLE} is made by the program, with role and password",
            "remove it here",
        )


_RULES: tuple[Callable[[StackConfig], Iterable[Problem]], ...] = (
    _app_user,
    _units,
    _server,
    _python,
    _revision,
    _acme,
    _apps_domain,
    _variables,
)


def cross_problems(config: StackConfig) -> list[Problem]:
    """Everything that is wrong with combinations of keys; a rule that needs a left out one is not asked."""
    found: list[Problem] = []
    for rule in _RULES:
        with suppress(LeftOut):
            found.extend(rule(config))
    return found


def worker_count_problems(config: StackConfig, values: Mapping[str, str], places: Mapping[str, str]) -> list[Problem]:
    """The variable that gives the number of web processes is a whole number from 1.

    `values` are what the processes read. None is shown, because it may stand in secretEnv.
    """
    named = config.project.server
    servers = [SERVERS[named]] if named != "auto" else [server for server in SERVERS.values() if server.is_default]
    return [
        Problem("worker-count", places[name], "is not a positive whole number", 'write it like "2"')
        for name in {server.workers_variable for server in servers} & values.keys()
        if not re.fullmatch(r"[1-9][0-9]{0,3}", values[name])
    ]


def config_warnings(config: StackConfig) -> tuple[str, ...]:
    """Sentences for the user; none holds a value of a variable."""
    found = [
        f"{NAMESPACE}env.{name}: looks like a secret, but is in plain text in the stack file, the state and every "
        f"preview; move it: pulumi config set --secret --path {NAMESPACE}secretEnv.{name}, then remove it from env"
        for name, value in config.env.items()
        if looks_secret(name, value)
    ]
    found += [
        f"{NAMESPACE}trustedProxies: {network} is everybody: any visitor could claim another address"
        for network in config.trusted_proxies
        if network.endswith("/0")
    ]
    project = config.project
    if project.share_user:
        found.append(
            f"{NAMESPACE}project.shareUser: every project on {config.server.host} that runs as {project.user} can read "
            "and change what the others have there: variables with their secrets, database, uploads, logs, processes"
        )
    for interface, other, given in (
        ("wsgi", "asgiApplication", project.asgi_application),
        ("asgi", "wsgiApplication", project.wsgi_application),
    ):
        if project.interface == interface and given:
            found.append(f"{NAMESPACE}project.{other}: is not used: project.interface is {interface}")
    return tuple(found)
