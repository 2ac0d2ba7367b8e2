"""The project's variables: given, generated and injected, in one file per release."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

import pulumi
from pulumi import Output, ResourceOptions

from codesensei import remote
from codesensei.config import URL_VARIABLE, DatabasePlan, Stack
from codesensei.source import Code, SettingsFacts
from codesensei.story import Served
from codesensei.wire import digests, envfile, names, steps
from codesensei.wire.broker import BrokerPart, is_own, own_value, shared_value
from codesensei.wire.envfile import Written
from codesensei.wire.processes import PYTHON_PATH
from codesensei.wire.steps import MADE_HERE
from components.base import Component
from components.database import Database, keyed
from components.generated import Generated
from components.server import Server


class Environment(Component):
    """The env file of a release, written first, so that everything after it sees the same values.

    `release` is the release's name: the code id and the env id. A changed variable makes a new release; a new commit
    with the same variables shares their file. `given` are the variables of the stack file, `own` those that the program
    fills, each from what `origins` says.
    """

    def __init__(
        self,
        *,
        stack: Stack,
        server: Server,
        database: Database,
        generated: Generated,
        code: Code,
        opts: ResourceOptions,
    ) -> None:
        config, secrets, digest_key = stack.config, stack.secrets, generated.digest_key
        given_url = secrets.env.get(URL_VARIABLE, Output.secret(config.env.get(URL_VARIABLE, Written(""))))
        injected_database = database_variables(stack.database, generated.database_password, given_url)
        injected_broker: dict[str, Output[str]] = {}
        if generated.broker_number is not None:
            injected_broker = broker_variables(
                stack.broker.variables, generated.broker_number, generated.broker_password
            )
        python_path = relative_roots(code.settings) if PYTHON_PATH not in {*config.env, *secrets.env} else {}
        shown: dict[str, object] = {
            "env": dict(config.env),
            "secretEnv": {key: keyed(digest_key, value) for key, value in secrets.env.items()},
            "generated": dict.fromkeys((*config.generate_secrets, *injected_database), "generated"),
            "broker": dict.fromkeys(injected_broker, "its own") if stack.broker.own else dict(injected_broker),
            **python_path,
        }
        super().__init__(stack.slug, shown, opts)
        own: dict[str, pulumi.Input[str]] = {**generated.secrets, **injected_database, **injected_broker, **python_path}
        variables: dict[str, pulumi.Input[str]] = {**config.env, **secrets.env, **own}
        self.given, self.own, self.digest_key = {**config.env, **secrets.env}, own, digest_key
        self.origins = {
            **dict.fromkeys(generated.secrets, "generated"),
            **dict.fromkeys(injected_database, "of the database"),
            **dict.fromkeys(injected_broker, "of the broker"),
            **dict.fromkeys(python_path, "import roots"),
        }
        self.release = release_name(code.id, digest_key, variables).apply(partial(_hold, stack, server.access))
        self.secret_names = secret_names = {*secrets.env, *generated.secrets, *secret_parts(stack.database.variables)}
        if stack.broker.own:
            secret_names |= secret_parts(stack.broker.variables)
        data = Output.all(Output.all(**variables), database.account).apply(
            lambda known: steps.Environment(
                content=envfile.render(known[0] or {}, data=own),
                secret_names=tuple(sorted(secret_names)),
                managed_names=tuple(sorted(_managed_names(stack))),
                account=known[1],
                user=stack.user,
            )
        )
        self.step(server.access, steps.ENVIRONMENT, data, self.release.apply(names.variables_of))
        self.register_outputs({"release": self.release})


def _hold(stack: Stack, access: remote.Access, release: str) -> str:
    """The release's name. RemoteError where it serves, made for what the server would refuse to make it again for."""
    serves = Served.of(access.served, "", access.state.steps).build if release == access.served else None
    wanted = (stack.config.project.settings_module, stack.user)
    if serves and (other := steps.never_made_again(release, (serves.settings_module, serves.user), wanted)):
        raise remote.RemoteError(f"{other.thing} on {access.server.host}", other.cause, other.fix)
    return release


def relative_roots(settings: SettingsFacts) -> dict[str, str]:
    """PYTHONPATH for the project's import roots; empty where it has none but manage.py's folder."""
    found = [posixpath.relpath(root, settings.django_directory) for root in settings.python_path]
    return {PYTHON_PATH: ":".join(found)} if found else {}


def release_name(code_id: str, digest_key: Output[str], variables: Mapping[str, pulumi.Input[str]]) -> Output[str]:
    """`<code7>-<env7>`, which may be read: of the variables it has only a keyed digest."""
    known = Output.all(digest_key, Output.from_input(dict(variables)))
    return Output.unsecret(known.apply(lambda both: names.release_name(code_id, digests.env_id(*both))))


def database_variables(plan: DatabasePlan, password: Output[str], given_url: Output[Written]) -> dict[str, Output[str]]:
    """The variables that the program fills from the database: DATABASE_URL, or those that `database.env` maps.

    A URL that is given is passed on unchanged: its scheme and its options mean something to the project.
    """
    parts = {"host": plan.host, "port": str(plan.port or ""), "name": plan.name, "user": plan.role}

    def part(of: str) -> Output[str]:
        if of == "url" and plan.given_by == URL_VARIABLE:
            return given_url.apply(envfile.meaning)
        return password.apply(lambda known: {**parts, "password": known, "url": database_url(plan, known)}[of])

    return {name: part(of) for name, of in sorted(plan.variables.items())}


def broker_variables(
    variables: Mapping[str, BrokerPart], number: Output[int], password: Output[str]
) -> dict[str, Output[str]]:
    """The variables that `broker.env` maps."""

    def part(of: BrokerPart) -> Output[str]:
        if is_own(variables.values()):
            return Output.all(number, password).apply(lambda known: own_value(of, int(known[0]), known[1]))
        return number.apply(lambda known: shared_value(of, int(known)))

    return {name: part(of) for name, of in sorted(variables.items())}


def database_url(plan: DatabasePlan, password: str) -> str:
    """postgres://role:password@host:port/name; for a socket, the host is its percent-encoded directory."""
    login = quote(plan.role, safe="") + (f":{quote(password, safe='')}" if password else "")
    host = f"[{plan.host}]" if ":" in plan.host else quote(plan.host, safe="")
    port = f":{plan.port}" if plan.port and not plan.socket else ""
    return f"postgres://{login}@{host}{port}/{quote(plan.name, safe='')}"


def secret_parts(variables: Mapping[str, str]) -> set[str]:
    """Variables that contain the password of the database or the broker; names and ports are words of every log."""
    return {name for name, of in variables.items() if of in ("password", "url")}


def _managed_names(stack: Stack) -> set[str]:
    """Variables with credentials that the program keeps in force: a release that is brought back gets today's."""
    plan = stack.database
    given: Mapping[str, str] = {URL_VARIABLE: "url"} if plan.given_by == URL_VARIABLE else stack.config.database.env
    return secret_parts({**given, **plan.variables}) if plan.kind in MADE_HERE else set()
