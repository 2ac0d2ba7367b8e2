"""The project's variables: given, generated and injected, in one file per release."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import pulumi

from codesensei import remote
from codesensei.config import URL_VARIABLE, DatabasePlan, Stack
from codesensei.wire import digests, envfile, names, steps
from codesensei.wire.envfile import Written
from codesensei.wire.steps import MADE_HERE
from components.database import Database, keyed
from components.server import Server

BROKER_ADDRESS = "redis://127.0.0.1:6379"


class Environment(pulumi.ComponentResource):
    """The env file of a release. It is written first, so everything after it sees the same values.

    `release` is the release's name: the code's id and the variables' id, so a changed variable is a new release, and
    a new commit with the same variables shares their file.
    """

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        server: Server,
        database: Database,
        password: pulumi.Output[str],
        generated_secrets: Mapping[str, pulumi.Output[str]],
        broker_number: pulumi.Output[int] | None,
        digest_key: pulumi.Output[str],
        code_id: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        config, secrets = stack.config, stack.secrets
        given_url = secrets.env.get(URL_VARIABLE, pulumi.Output.secret(config.env.get(URL_VARIABLE, Written(""))))
        injected_database = database_variables(stack.database, password, given_url)
        injected_broker = broker_variables(stack.broker.variables, broker_number)
        super().__init__(
            "codesensei:index:Environment",
            name,
            {
                "env": dict(config.env),
                "secretEnv": {key: keyed(digest_key, value) for key, value in secrets.env.items()},
                "generated": dict.fromkeys((*config.generate_secrets, *injected_database), "generated"),
                "broker": dict(injected_broker),
            },
            opts,
        )
        own = {**generated_secrets, **injected_database, **injected_broker}
        variables: dict[str, pulumi.Input[str]] = {**config.env, **secrets.env, **own}
        self.release = release_name(code_id, digest_key, variables)
        remote.remote_step(
            f"{name}-environment",
            server.access,
            steps.ENVIRONMENT,
            args=[self.release.apply(names.variables_of)],
            data=pulumi.Output.all(pulumi.Output.all(**variables), database.account).apply(
                lambda known: steps.Environment(
                    content=envfile.render(known[0] or {}, data=own),
                    secret_names=tuple(sorted({*secrets.env, *generated_secrets, *secret_parts(stack.database)})),
                    managed_names=tuple(sorted(managed_names(stack))),
                    account=known[1],
                    user=stack.user,
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"release": self.release})


def release_name(
    code_id: str, digest_key: pulumi.Output[str], variables: Mapping[str, pulumi.Input[str]]
) -> pulumi.Output[str]:
    """`<code7>-<env7>`; it may be read, because the variables enter it by a keyed digest alone."""
    everything = pulumi.Output.all(digest_key, pulumi.Output.from_input(dict(variables)))
    return pulumi.Output.unsecret(
        everything.apply(lambda known: names.release_name(code_id, digests.env_id(known[0], known[1])))
    )


def database_variables(
    plan: DatabasePlan, password: pulumi.Output[str], given_url: pulumi.Output[Written]
) -> dict[str, pulumi.Output[str]]:
    """The variables that the program fills from the database: DATABASE_URL, or those that `database.env` maps.

    A URL that is given goes on as it is: its scheme and its options mean something to the project.
    """

    def part(of: str) -> pulumi.Output[str]:
        if of == "url" and plan.given_by == URL_VARIABLE:
            return given_url.apply(envfile.meaning)
        return password.apply(lambda known: _part(plan, of, known))

    return {name: part(of) for name, of in sorted(plan.variables.items())}


def secret_parts(plan: DatabasePlan) -> set[str]:
    """Those of the database's variables that hold its password; its name or its port are words of every log."""
    return {name for name, of in plan.variables.items() if of in ("password", "url")}


def _part(plan: DatabasePlan, of: str, password: str) -> str:
    parts = {
        "host": plan.host,
        "port": str(plan.port or ""),
        "name": plan.name,
        "user": plan.role,
        "password": password,
        "url": database_url(plan, password),
    }
    return parts[of]


def database_url(plan: DatabasePlan, password: str) -> str:
    """postgres://role:password@host:port/name; a socket's directory stands where the host does, percent-encoded."""
    login = quote(plan.role, safe="") + (f":{quote(password, safe='')}" if password else "")
    host = f"[{plan.host}]" if ":" in plan.host else quote(plan.host, safe="")
    port = f":{plan.port}" if plan.port and not plan.socket else ""
    return f"postgres://{login}@{host}{port}/{quote(plan.name, safe='')}"


def broker_variables(names: tuple[str, ...], number: pulumi.Output[int] | None) -> dict[str, pulumi.Output[str]]:
    """The variables of `broker.env`: a URL with the stack's own number, which no other stack on the server has."""
    if number is None:
        return {}
    url = number.apply(lambda known: f"{BROKER_ADDRESS}/{known}")
    return dict.fromkeys(names, url)


def managed_names(stack: Stack) -> set[str]:
    """Variables with credentials that the program keeps in force: a release brought back gets today's."""
    plan = stack.database
    if plan.kind not in MADE_HERE:
        return set()
    given: set[str] = {URL_VARIABLE} if plan.given_by == URL_VARIABLE else set()
    if plan.given_by == "mapped":
        given = {name for name, part in stack.config.database.env.items() if part in ("url", "password")}
    return given | {name for name, part in plan.variables.items() if part in ("url", "password")}
