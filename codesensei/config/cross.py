"""Rules about several keys at once; each takes the config and gives the problems that it sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from codesensei.config.errors import Problem
from codesensei.config.mend import touches
from codesensei.config.stack import StackConfig
from codesensei.config.types import show
from codesensei.webservers import SERVERS
from codesensei.wire.names import is_system_unit, socket_unit, web_unit, worker_unit

_ACME_NAMES = 100
# What web servers read the number of their processes from.
WORKER_COUNTS = sorted({server.workers_variable for server in SERVERS.values()} - {None, ""})
_MOVING = re.compile(r"(HEAD|FETCH_HEAD|refs/heads/.+|refs/remotes/.+|origin/.+|heads/.+)")


def _app_user(config: StackConfig) -> Iterable[Problem]:
    if config.project.user == config.server.user:
        yield Problem(
            "user-is-login-user",
            "project.user",
            f"{show(config.project.user)} is the login user, who may become root",
            f"give the project a user of its own: {config.project.slug}",
        )


def _units(config: StackConfig) -> Iterable[Problem]:
    slug = config.project.slug
    for unit in (web_unit(slug), socket_unit(slug)):
        if is_system_unit(unit):
            yield Problem(
                "slug-reserved",
                "project.slug",
                f"{unit} is a unit of the system",
                f"choose another slug: {slug}-site",
            )
            return
    for key in config.project.workers:
        unit = worker_unit(slug, key)
        if is_system_unit(unit):
            yield Problem(
                "worker-unit-reserved",
                f"project.workers.{key}",
                f"{unit} is a unit of the system",
                "give the worker another name",
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
    if config.tls.kind == "acme" and not config.domains and not config.apps_domain:
        yield Problem(
            "acme-needs-name",
            "tls",
            "is acme, but the stack has no host name to get a certificate for",
            "add codesensei:domains, or set tls to selfSigned",
        )


def _acme_names(config: StackConfig) -> Iterable[Problem]:
    count = len(config.domains) + bool(config.apps_domain)
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
            f"{show(config.apps_domain)} is in domains too, but it only carries generated names",
            "remove it from one of the two",
        )


def _variables(config: StackConfig) -> Iterable[Problem]:
    """Every variable has one giver."""
    givers: dict[str, str] = {}
    for place, names in (
        ("env", config.env),
        ("secretEnv", config.secret_names),
        ("generateSecrets", config.generate_secrets),
        ("broker.env", config.broker.env),
    ):
        for name in names:
            if name in givers:
                yield Problem(
                    _TWICE[place],
                    f"{place}.{name}" if place != "generateSecrets" else place,
                    f"{name} is in {givers[name]} too",
                    f"remove it from {givers[name]} or from {place}",
                )
            givers.setdefault(name, place)
    made = set(config.generate_secrets) | set(config.broker.env)
    for name in config.database.env:
        if name in made:
            yield Problem(
                "database-variable-twice",
                f"database.env.{name}",
                f"{name} is in {givers[name]} too",
                f"remove it from {givers[name]} or from database.env",
            )
    if "DATABASE_URL" in made - set(config.database.env):
        yield Problem(
            "database-url-made",
            givers["DATABASE_URL"],
            "DATABASE_URL is made by the program, with role and password",
            "remove it here",
        )


_TWICE = {
    "secretEnv": "secret-and-plain",
    "generateSecrets": "generated-and-given",
    "broker.env": "broker-variable-twice",
}
# Each rule with the paths that it looks at.
_CHECKS: tuple[tuple[Callable[[StackConfig], Iterable[Problem]], tuple[str, ...]], ...] = (
    (_app_user, ("project.user", "server.user")),
    (_units, ("project.slug", "project.workers")),
    (_python, ("project.python", "project.installer")),
    (_revision, ("project.source", "production")),
    (_acme, ("tls", "domains", "appsDomain")),
    (_acme_names, ("tls", "domains", "appsDomain")),
    (_apps_domain, ("domains", "appsDomain")),
    (_variables, ("env", "secretEnv", "generateSecrets", "database.env", "broker.env")),
)


def cross_problems(config: StackConfig, failed: frozenset[str] = frozenset()) -> list[Problem]:
    """Everything that is wrong with combinations of keys, none of which is among the failed paths."""
    return [problem for check, paths in _CHECKS if not touches(failed, paths) for problem in check(config)]


def worker_count_problems(values: Mapping[str, str], places: Mapping[str, str]) -> list[Problem]:
    """Variables that give the number of web processes are whole numbers from 1.

    `values` are what the processes read. None is shown, because it may stand in secretEnv.
    """
    return [
        Problem("worker-count", places[name], "is not a whole number from 1", 'write it like "2"')
        for name in WORKER_COUNTS
        if name in values and not re.fullmatch(r"[1-9][0-9]{0,3}", values[name])
    ]
