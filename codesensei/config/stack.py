"""The whole config of a stack, as one frozen value without any secret, and the rules about several of its keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from codesensei.config.backups import BackupsConfig
from codesensei.config.database import URL_VARIABLE, BrokerConfig, DatabaseConfig
from codesensei.config.edge import Domain, Domains, Limits, Tls, TlsOff
from codesensei.config.problems import NAMESPACE, Problem
from codesensei.config.project import ProjectConfig
from codesensei.config.server import KEYSCAN, ServerConfig
from codesensei.config.types import (
    Flag,
    LeftOut,
    Model,
    StackName,
    Text,
    TrustedProxies,
    option,
    reject,
    show,
    slug,
    unique,
)
from codesensei.config.variables import EnvValue, OwnVariable
from codesensei.config.waive import Waivers
from codesensei.webservers import SERVERS
from codesensei.wire.envfile import meaning
from codesensei.wire.names import asked_name, is_pattern, is_system_unit, socket_unit, web_unit, worker_unit
from codesensei.wire.processes import PYTHON_PATH
from codesensei.wire.sandbox import WITH_PRIVILEGES


def _names_only(value: object) -> object:
    # Whatever comes from a file is no tuple: without_secrets() makes one of the names of a map.
    return value if isinstance(value, tuple) else None


def _nothing(value: object) -> object:
    return None if value == "" else value


class OnDestroy(Model):
    """What `pulumi destroy` does with data."""

    database: Literal["keep", "drop"] = "keep"
    media: Literal["keep", "drop"] = "keep"


def digest(value: str) -> str:
    """A SHA-256, or nothing."""
    if value and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise reject("dump-digest", f"{show(value)} is no SHA-256", "let codesensei review up --dump FILE write it")
    return value


def slug_or_nothing(value: str) -> str:
    """The slug of another project, or nothing."""
    return slug(value) if value else value


class ReviewOf(Model):
    """Whose review stack this is; `codesensei review up` writes it. A database that is not there may be filled."""

    stack: StackName = Field(description="The stack that it was made from")
    branch: Text = Field(description="The branch whose commit it serves")
    data_from: Annotated[str, AfterValidator(slug_or_nothing)] = option(
        "", "The slug of the project whose database a new one is filled from; default: an empty one"
    )
    dump: Annotated[str, AfterValidator(digest)] = option(
        "", "The SHA-256 of the dump that a new database is filled from"
    )

    @property
    def fills(self) -> bool:
        """Whether a new database is made of another one."""
        return bool(self.data_from or self.dump)


class StackConfig(Model):
    """The desired state of one stack. Secrets are here by name only."""

    server: ServerConfig
    production: Flag = option(
        False, "True refuses what should not serve the public: a branch, and what the policy finds"
    )
    project: ProjectConfig
    domains: Domains = option((), "Public host names: [shop.example.com]; *.example.com is all names below it")
    apps_domain: Annotated[Domain | None, BeforeValidator(_nothing)] = option(
        None, "A generated host name below this domain is added"
    )
    tls: Tls = TlsOff()
    trusted_proxies: TrustedProxies = option((), "Networks whose X-Forwarded-* headers are believed")
    limits: Limits = Limits()
    database: DatabaseConfig = DatabaseConfig()
    broker: BrokerConfig = BrokerConfig()
    backups: BackupsConfig | None = option(None, "Encrypted backups of the database and of uploads; default: none")
    env: dict[OwnVariable, EnvValue] = option({}, "Plain variables")
    secret_names: Annotated[tuple[OwnVariable, ...], BeforeValidator(_names_only)] = Field(
        default=(), alias="secretEnv", description="Names of the secret variables"
    )
    generate_secrets: Annotated[tuple[OwnVariable, ...], AfterValidator(unique)] = option(
        (), "Variables whose value is made once and never changes by itself: [SECRET_KEY]"
    )
    promote_from: StackName = option(
        "", "Another stack of this project: this one serves only code that that one has served"
    )
    review_of: ReviewOf | None = option(None, "Makes this a review stack; codesensei review up writes it")
    waive: Waivers = option({}, "Rules of the policy that this stack need not follow, each with the reason")
    drift: Flag = option(True, "Look at the server once per run for what was changed by hand")
    adopt: Flag = option(False, "Take over what exists on the server and is not this stack's")
    shares: Annotated[tuple[str, ...], AfterValidator(unique)] = option(
        (), "What another stack of the server may use too, as a refusal names it"
    )
    new_server: Literal["", "empty"] = option(
        "", "empty: after a change of server.host, production may start there without its data"
    )
    allow_unsupported: Flag = option(False, "Deploy to an untested distribution")
    on_destroy: OnDestroy = OnDestroy()

    def workers_given(self, variable: str) -> int | None:
        """The number of web processes that a plain variable gives; None where it is secret or not given."""
        given = self.env.get(variable)
        return None if given is None else int(meaning(given))


# With this variable a Celery worker takes SIGTERM for SIGQUIT: for platforms that send it to every process.
REMAPPED = "REMAP_SIGTERM"
_CELERY_WORKER = re.compile(r"\bcelery\b[^|&;\n]*\sworker\b")
_ACME_NAMES = 100
_MOVING = re.compile(r"(HEAD|FETCH_HEAD|refs/heads/.+|refs/remotes/.+|origin/.+|heads/.+)")


def _app_user(config: StackConfig) -> Iterable[Problem]:
    if config.project.user == config.server.user:
        message = f"{show(config.project.user)} is the login user, who can become root"
        fix = f"give the project its own user: {config.project.slug}"
        yield Problem("user-is-login-user", "project.user", message, fix)


def _units(config: StackConfig) -> Iterable[Problem]:
    slug = config.project.slug
    for unit in filter(is_system_unit, (web_unit(slug), socket_unit(slug))):
        fix = f"choose another slug: {slug}-site"
        yield Problem("slug-reserved", "project.slug", f"{unit} is a system unit", fix)
        return
    for key in config.project.workers:
        unit = worker_unit(slug, key)
        if is_system_unit(unit):
            fix = "give the worker another name"
            yield Problem("worker-unit-reserved", f"project.workers.{key}", f"{unit} is a system unit", fix)


def _server(config: StackConfig) -> Iterable[Problem]:
    name, interface = config.project.server, config.project.interface
    if "auto" not in (name, interface) and interface not in SERVERS[name].interfaces:
        others = " or ".join(other for other, server in SERVERS.items() if interface in server.interfaces)
        message = f"{name} does not serve {interface}, which project.interface says"
        fix = f"set project.interface to auto, or project.server to {others}"
        yield Problem("server-interface", "project.server", message, fix)


def _python(config: StackConfig) -> Iterable[Problem]:
    project = config.project
    if project.python.count(".") == 2 and project.installer == "pip":
        minor = project.python.rpartition(".")[0]
        message = f"{show(project.python)} names a patch release, which apt cannot choose"
        yield Problem("python-needs-uv", "project.python", message, f'write "{minor}", or set project.installer to uv')


def _revision(config: StackConfig) -> Iterable[Problem]:
    revision = config.project.source.revision
    if config.production and _MOVING.fullmatch(revision):
        message = f"{show(revision)} moves, and this stack is production"
        fix = "give a commit or a tag: v1.4.0"
        yield Problem("production-moving-revision", "project.source.revision", message, fix)


def _review(config: StackConfig) -> Iterable[Problem]:
    review = config.review_of
    if review is None:
        return
    if config.production:
        message = "makes this a review stack, which codesensei review down removes with its data, and it is production"
        yield Problem("review-of-production", "reviewOf", message, "remove it, or codesensei:production")
    if not review.stack:
        yield Problem("review-of-nothing", "reviewOf.stack", "is empty", "name the stack that it was made from")
    if review.data_from and review.dump:
        yield Problem("review-filled-twice", "reviewOf.dump", "dataFrom is given too", "remove one of the two")


def _acme(config: StackConfig) -> Iterable[Problem]:
    count = len(config.domains) + bool(config.apps_domain)
    if config.tls.kind == "acme" and not count:
        fix = "add codesensei:domains, or set tls to selfSigned"
        yield Problem("acme-needs-name", "tls", "is acme, but the stack has no host name to get a certificate for", fix)
    if config.tls.kind == "acme" and count > _ACME_NAMES:
        message = f"has {count} names with appsDomain's, and a certificate holds {_ACME_NAMES}"
        yield Problem("acme-names", "domains", message, "remove some, or set tls to a certificate of your own")


def _patterns(config: StackConfig) -> Iterable[Problem]:
    patterns = [name for name in config.domains if is_pattern(name)]
    if config.tls.kind == "acme" and patterns:
        message = f"{show(patterns[0])} needs a certificate by DNS validation, which tls: acme cannot do"
        fix = "set tls to a certificate of your own for it, to external or to selfSigned, or list each host name"
        yield Problem("acme-pattern", "domains", message, fix)


def _external(config: StackConfig) -> Iterable[Problem]:
    if config.tls.kind != "external":
        return
    if not config.trusted_proxies:
        message = "is external, but no load balancer or CDN is trusted to say that a visitor came over HTTPS"
        fix = "list the networks that it connects from in codesensei:trustedProxies"
        yield Problem("external-needs-proxies", "tls", message, fix)
    if not (config.domains or config.apps_domain):
        message = "is external, but the stack has no host name: the server's own address has no TLS"
        yield Problem("external-needs-name", "tls", message, "add codesensei:domains")


def _apps_domain(config: StackConfig) -> Iterable[Problem]:
    if config.apps_domain and config.apps_domain in config.domains:
        message = f"{show(config.apps_domain)} is also in domains, but it is for generated names only"
        yield Problem("apps-domain-is-domain", "appsDomain", message, "remove it from one of the two")


def _python_path(config: StackConfig) -> Iterable[Problem]:
    for place, names in (("env", config.env), ("secretEnv", config.secret_names)):
        if config.project.python_path and PYTHON_PATH in names:
            message = f"{PYTHON_PATH} is also made of project.pythonPath"
            yield Problem("python-path-twice", f"{place}.{PYTHON_PATH}", message, "remove one of the two")


def _variables(config: StackConfig) -> Iterable[Problem]:
    """Every variable has one giver."""
    givers: dict[str, str] = {}
    for place, rule, names in (
        ("env", "", config.env),
        ("secretEnv", "secret-and-plain", config.secret_names),
        ("generateSecrets", "generated-and-given", config.generate_secrets),
        ("broker.env", "broker-variable-twice", config.broker.env),
    ):
        for name in names:
            if name in givers:
                message = f"{name} is also in {givers[name]}"
                fix = f"remove it from {givers[name]} or from {place}"
                yield Problem(rule, f"{place}.{name}" if place != "generateSecrets" else place, message, fix)
            givers.setdefault(name, place)
    made = {*config.generate_secrets, *config.broker.env}
    for name in config.database.env:
        if name in made:
            fix = f"remove it from {givers[name]} or from database.env"
            yield Problem("database-variable-twice", f"database.env.{name}", f"{name} is also in {givers[name]}", fix)
    if URL_VARIABLE in made - set(config.database.env):
        message = f"{URL_VARIABLE} is made by the program, with role and password"
        yield Problem("database-url-made", givers[URL_VARIABLE], message, "remove it here")


def _memory(config: StackConfig) -> Iterable[Problem]:
    project = config.project
    given = {f"resources.{name}": getattr(project.resources, name) for name in ("web", "workers")}
    given |= {f"workers.{key}.resources": worker.resources for key, worker in project.workers.items()}
    for place, found in given.items():
        if found and found.high_is_useless:
            message = f"{found.memory_high} is not below memoryMax ({found.memory_max}), at which the process is ended"
            yield Problem("memory-order", f"project.{place}.memoryHigh", message, "lower it, or remove it")


def _backups(config: StackConfig) -> Iterable[Problem]:
    backups = config.backups
    if backups is None:
        return
    kind = backups.to.partition(":")[0]
    if kind == "sftp" and backups.host_key is None:
        message = "is missing: without it, anyone in between could take the backups"
        yield Problem("backup-host-key", "backups.hostKey", message, KEYSCAN)
    if kind == "s3" and not backups.access_key:
        fix = "add the key's name here, and its secret: pulumi config set --secret --path codesensei:backups.secretKey"
        yield Problem("backup-access-key", "backups.accessKey", "is missing: the storage needs one", fix)
    of_one_kind = (
        ("hostKey", backups.host_key, "sftp"),
        ("accessKey", backups.access_key, "s3"),
        ("region", backups.region, "s3"),
        ("rootCertificate", backups.root_certificate, "s3"),
    )
    for name, given, wanted in of_one_kind:
        if given and kind != wanted:
            message = f"has no use: backups.to is not {wanted}:"
            yield Problem("backup-key-unused", f"backups.{name}", message, "remove it")
    if not any((backups.keep.daily, backups.keep.weekly, backups.keep.monthly)):
        yield Problem("backup-keep-none", "backups.keep", "keeps no backup at all", "set daily to 7, or remove keep")
    if backups.database != "continuous":
        return
    if kind == "sftp":
        message = "continuous backups go to a directory of the server or to s3:, and backups.to is sftp:"
        fix = "mount that storage and name the directory (to: /backups/shop), or set backups.database: dump"
        yield Problem("backup-continuous-target", "backups.database", message, fix)
    if kind == "s3" and _is_address(backups.to):
        message = "continuous backups go to an s3: target by its name: pgBackRest takes no certificate of an IP address"
        fix = "write the name in its certificate, or set backups.database: dump"
        yield Problem("backup-continuous-address", "backups.to", message, fix)
    if backups.keep.monthly and "monthly" in backups.keep.model_fields_set:
        message = "with continuous backups, every moment of so many days and weeks can be restored, and none before"
        yield Problem("backup-continuous-keep", "backups.keep.monthly", message, "remove it")
    elif not backups.days and any((backups.keep.daily, backups.keep.weekly, backups.keep.monthly)):
        message = "keeps no day and no week"
        yield Problem("backup-continuous-none", "backups.keep", message, "set daily to 7, or remove keep")


def _is_address(to: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(to.partition(":")[2]).hostname or "")
    except ValueError:
        return False
    return True


_Rule = Callable[[StackConfig], Iterable[Problem]]
_RULES: tuple[_Rule, ...] = (
    _app_user,
    _units,
    _server,
    _python,
    _revision,
    _review,
    _acme,
    _patterns,
    _external,
    _apps_domain,
    _python_path,
    _variables,
    _memory,
    _backups,
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
        f"{NAMESPACE}trustedProxies: {network} is everybody: any visitor could claim another address"
        for network in config.trusted_proxies
        if network.endswith("/0")
    ]
    if config.domains and all(map(is_pattern, config.domains)) and not config.apps_domain:
        found.append(
            f"{NAMESPACE}domains: the output url is {asked_name(config.domains[0])}, which is made up, because no host "
            "name is written out: list one"
        )
    project = config.project
    if project.share_user:
        found.append(
            f"{NAMESPACE}project.shareUser: every project on {config.server.host} that runs as {project.user} can read "
            "and change what the others have there: variables with their secrets, database, uploads, logs, processes"
        )
    for name, words in project.loosened.items():
        what = f"{', '.join(words)} is allowed" if words else "is off"
        if name == "NoNewPrivileges":
            what += f", and so are {', '.join(sorted(WITH_PRIVILEGES - {name}))}, which would imply it,"
        found.append(f"{NAMESPACE}project.sandbox.{name}: {what} for the project's processes and hooks")
    asgi, wsgi = ("asgiApplication", project.asgi_application), ("wsgiApplication", project.wsgi_application)
    unused = {"wsgi": asgi, "asgi": wsgi}
    other, application = unused.get(project.interface, ("", None))
    if application:
        found.append(f"{NAMESPACE}project.{other}: is not used: project.interface is {project.interface}")
    celery = {name: worker.command for name, worker in project.workers.items() if _CELERY_WORKER.search(worker.command)}
    given = REMAPPED in {*config.env, *config.secret_names}
    if lost := [name for name, line in celery.items() if given or f"{REMAPPED}=" in line]:
        found.append(
            f"{NAMESPACE}project.workers: with {REMAPPED}, deploys end the tasks of {', '.join(lost)} amid"
            " their work: remove it; Celery finishes its tasks on SIGTERM, and here no other process gets that"
        )
    return tuple(found)
