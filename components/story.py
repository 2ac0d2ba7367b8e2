"""The story that a preview begins with, and an update ends with: what serves, held against what is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import pulumi
from pulumi import Output

from codesensei import remote, story
from codesensei.config import Stack
from codesensei.source import Code
from codesensei.story import Served, Variable
from codesensei.wire import codec, envfile, names, steps
from codesensei.wire.codec import WireError
from codesensei.wire.envfile import Written
from codesensei.wire.manifest import Manifest
from codesensei.wire.quick import dataclass
from codesensei.wire.register import with_databases
from codesensei.wire.steps import MADE_HERE, NOTHING_ASKED, SWITCH, AskedOfDatabase
from components.backups import backup_data
from components.base import if_known
from components.environment import Environment
from components.generated import Generated
from components.provisioning import account_data, packages_data
from components.release import build_data
from components.server import Server, on_destroy
from components.switch import Switch


@dataclass(frozen=True)
class _Planned:
    """What is known of the deploy: the manifest, the next release and the stack's key where they are, variables."""

    manifest: Manifest
    release: str | None
    digest_key: str | None = field(repr=False)
    given: Mapping[str, Written] = field(repr=False)
    own: Mapping[str, str | None] = field(repr=False)
    # Of the backups: their password, and the secret key of their target.
    kept: Sequence[str | None] = field(repr=False)


def tell(
    stack: Stack,
    server: Server,
    code: Code,
    environment: Environment,
    switch: Switch,
    generated: Generated,
    promoted: str = "",
) -> None:
    """Tell it as one diagnostic of the stack; nothing where nothing changes.

    A preview tells what would change, an update what has changed, once the switch has ended well. `promoted` is what
    is to be said of another stack that has served this code.
    """
    access = server.access
    outputs, done = access.state.outputs, access.state.steps
    of_state = Served.of(access.served, str(outputs.get("revision", "")), done)
    look = access.look
    # The switch of somebody who is deploying now may come to the state yet.
    here = look.served[0] if look.served and access.served and not look.deploying else access.served
    commits = {names.code_of(access.served): of_state.revision, code.id[:7]: code.checkout.revision}
    served = story.serving(here, of_state, done, commits)
    unwritten = f"the server serves {here}; the state has {access.served} still"

    def told(known: list[Any]) -> None:
        release, url, *planned = known
        if access.served:
            sections = _sections(stack, server, code, served, environment, _Planned(*planned))
        else:
            sections = _first(stack, server, code, environment, _Planned(*planned))
        if here != access.served:
            sections[0] = replace(sections[0], entries=(*sections[0].entries, unwritten))
        if promoted and sections[0].entries:
            sections[0] = replace(sections[0], entries=(*sections[0].entries, promoted))
        was, build = story.latest(done, steps.BUILD), build_data(stack, code)
        # Waivers stay: alone, they are told only when there are others.
        if any(part.entries for part in sections) or story.changes_policy(was, build):
            sections.append(story.of_policy(was, build, stack.config.waive))
        if release and any(part.entries for part in sections):
            sections.append(story.ended(release, url))
        if text := story.text_of(sections):
            pulumi.info(text)

    live = (None, None) if pulumi.runtime.is_dry_run() else (switch.release, switch.url)
    kept = [generated.backup_password or "", stack.secrets.backup_key or ""]
    parts = (environment.release, environment.digest_key, environment.given, environment.own, kept)
    Output.all(*live, switch.planned, *map(_each_if_known, parts)).apply(told)


def of_database(stack: Stack, code: Code, state: remote.State) -> AskedOfDatabase:
    """What the story has to ask the server's own PostgreSQL."""
    if stack.database.kind not in MADE_HERE:
        return NOTHING_ASKED
    return story.of_database(str(state.outputs.get("revision", "")), code.checkout, _roots(stack, code))


def _roots(stack: Stack, code: Code) -> tuple[str, ...]:
    """Where apps are imported from."""
    return (code.settings.django_directory, *code.settings.roots, *code.requirements.roots)


def _server(stack: Stack, server: Server, code: Code, planned: _Planned) -> story.WantedServer:
    """What is asked of the server itself."""
    password, key = (secret or "" for secret in planned.kept)
    backups = backup_data(stack, code.settings.django_directory, password, key) if stack.config.backups else None
    known = server.access.look.register
    neighbours = None if known is None else with_databases(known, stack.slug)
    asked = (packages_data(stack), account_data(stack), backups, server.toolkit, neighbours)
    return story.WantedServer(*asked, on_destroy(stack), _place(stack))


def _place(stack: Stack) -> steps.DatabasePlace:
    """Where the project's database will be."""
    plan = stack.database
    return steps.DatabasePlace(kind=plan.kind, name=plan.name, role=plan.role, host=plan.host, port=plan.port)


def _destroys(state: remote.State) -> steps.OnDestroy | None:
    """What the state has of it; None where it does not tell, or tells it in another version's form."""
    with contextlib.suppress(ValueError, WireError):
        return codec.decode(steps.Destroy, codec.plain(state.destroy), "teardown", kept=True).on_destroy
    return None


def _each_if_known(value: Any) -> Output[Any]:
    """The value if it is known; of a map, each value that is."""
    if isinstance(value, dict):
        known: Output[Any] = Output.all(**{name: if_known(inner) for name, inner in value.items()})
        # Of nothing it makes a list.
        return known.apply(lambda found: found or {})
    if isinstance(value, list):
        return Output.all(*map(if_known, value))
    return if_known(value)


def _needed_backup(stack: Stack, look: remote.Look) -> str:
    """What must come before production destroys something; empty where nothing must, or nobody has looked."""
    config, age = stack.config, look.backup_age
    is_asked = config.production and config.backups is not None and "backup" not in config.waive
    if not is_asked or look.register is None or (age is not None and age < steps.FRESH_BACKUP):
        return ""
    there = "there is none yet" if age is None else f"the newest is {age // 3600:.0f} hours old"
    return f"a backup is younger than a day ({there}): codesensei backup"


def _where_they_lead(stack: Stack, hostnames: list[str]) -> Mapping[str, str]:
    """What is to be said of new hostnames; nothing where a load balancer or CDN is to get the visitors first."""
    config = stack.config
    behind = config.tls.kind == "external" or config.trusted_proxies
    return {} if behind else remote.remarks(hostnames, config.server.host)


def _first(
    stack: Stack,
    server: Server,
    code: Code,
    environment: Environment,
    planned: _Planned,
) -> list[story.Section]:
    """What a stack brings that serves nothing yet."""
    manifest = planned.manifest
    remarks = _where_they_lead(stack, [name for name in manifest.health.hosts if name in stack.config.domains])
    web = f"{code.server.name} {code.settings.application}"
    variables = _variables(environment, planned)
    asked = _server(stack, server, code, planned)
    return story.of_first_deploy(code.checkout, manifest, web, variables, remarks, [*_stores(stack)], asked)


def _stores(stack: Stack) -> Iterator[str]:
    """Where the project's data go."""
    plan, broker, where = stack.database, stack.broker, story.stored(_place(stack))
    if plan.kind in MADE_HERE:
        yield f"+ {where}, with the role {plan.role}"
    elif plan.kind == "external":
        yield f"{where}, where nothing is made"
    elif plan.kind == "sqlite":
        yield where
    if broker.own:
        yield "+ a broker of its own, Valkey or else Redis"
    elif broker.shared:
        yield "+ the server's broker, Valkey or else Redis, which its projects share"


def _variables(environment: Environment, planned: _Planned) -> dict[str, Variable]:
    """All variables of the next release."""
    secret = environment.secret_names
    found = {key: Variable(envfile.meaning(text), key in secret) for key, text in planned.given.items()}
    own = {key: Variable(value, key in secret, environment.origins[key]) for key, value in planned.own.items()}
    return found | own


def _sections(
    stack: Stack,
    server: Server,
    code: Code,
    served: Served,
    environment: Environment,
    planned: _Planned,
) -> list[story.Section]:
    """Always in this order."""
    project, build = stack.config.project, build_data(stack, code)
    postgresql = stack.database.kind in ("generated", "local", "external")
    look, done = server.access.look, server.access.state.steps
    # Variables that the update makes are in no name yet.
    digest_key, variables = planned.digest_key, _variables(environment, planned)
    name = planned.release or f"{code.id[:7]}-(new variables)"
    values = {key: variable.value for key, variable in variables.items()}
    manifest = story.with_same_password(served, planned.manifest, values)
    migrations = story.of_migrations(
        served,
        code.checkout,
        _roots(stack, code),
        project.acknowledge_migrations,
        keeps=build.keep_defaults and postgresql,
        kept=look.kept_defaults,
        backup=_needed_backup(stack, look),
        postgresql=postgresql,
        tables=look.tables,
        applied=look.migrations,
        rehearse=build.rehearse if stack.database.kind in ("generated", "local") else "never",
    )
    switch = story.of_switch(served, name, manifest, migrations, look.drift)
    removed = []
    if switch.entries or any(drift.step == SWITCH.name for drift in look.drift):
        removed = story.removed_releases(look.releases, look.served, name, manifest.keep_releases)
    return [
        story.of_release(served, name, code.checkout, build),
        story.of_packages(served, code.checkout, code.requirements, build),
        migrations,
        story.of_variables(served, name, variables, digest_key),
        story.of_processes(served, name, manifest, look.memory, look.drift),
        story.of_site(served, manifest, _where_they_lead(stack, story.new_hostnames(served, manifest))),
        story.of_server(
            done, _server(stack, server, code, planned), removed, _destroys(server.access.state), served.build
        ),
        story.of_drift(look.drift, served, manifest, put_back=not pulumi.runtime.is_dry_run()),
        switch,
    ]
