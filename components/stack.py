"""One stack: a Django project on a server, in the order in which it comes to be there."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from codesensei import remote, source
from codesensei.config import Stack
from components.database import Database
from components.edge import EdgeProxy
from components.environment import Environment
from components.generated import Generated
from components.processes import Processes
from components.provisioning import Provisioning
from components.release import Release
from components.server import Server
from components.switch import Switch


@dataclass(frozen=True)
class Outputs:
    """What the stack tells: all of it read back from what is served."""

    url: pulumi.Output[str]
    hostnames: pulumi.Output[list[str]]
    release: pulumi.Output[str]
    revision: pulumi.Output[str]
    server: str


def deploy(stack: Stack, access: remote.Access | None = None) -> Outputs:
    """Declare everything that the stack is. `access` is how its server is reached; default: as the stack says."""
    if stack.config.production:
        remote.refuse_stand_ins()
    for warning in stack.warnings:
        pulumi.warn(warning)
    code = source.read_code(stack.config)
    _name_branch(stack, code)
    for note in (*code.settings.unsure, *code.warnings):
        pulumi.warn(note)
    if access is None:
        access = remote.reach(
            stack.config.server,
            slug=stack.slug,
            drift=stack.config.drift,
            private_key=stack.secrets.ssh_private_key,
        )
    name = stack.slug

    made = Generated()
    digest_key = stack.secrets.digest_key or made.password(f"{name}-digest-key")
    password = stack.secrets.database_password or pulumi.Output.secret("")
    if stack.database.kind == "generated":
        password = made.password(f"{name}-database-password")
    generated_secrets = {key: made.password(f"{name}-{key}") for key in stack.config.generate_secrets}
    hostnames = _hostnames(name, stack, made)
    broker_number = made.broker_number(f"{name}-broker-number") if stack.broker.variables else None
    numbers: list[pulumi.Input[int]] = [*stack.broker.numbers, *([broker_number] if broker_number else [])]

    server = Server(
        "server", stack=stack, access=access, hostnames=hostnames, broker_numbers=numbers, generated=made.resources
    )
    provisioning = Provisioning(name, stack=stack, server=server, opts=_after(server))
    database = Database(
        name,
        stack=stack,
        server=server,
        password=password,
        digest_key=digest_key,
        opts=_after(provisioning),
    )
    environment = Environment(
        name,
        stack=stack,
        server=server,
        database=database,
        password=password,
        generated_secrets=generated_secrets,
        broker_number=broker_number,
        digest_key=digest_key,
        code_id=code.id,
        # Both: a database that is elsewhere has no step that could be waited for.
        opts=_after(provisioning, database),
    )
    release = Release(name, stack=stack, server=server, environment=environment, code=code, opts=_after(environment))
    processes = Processes(name, stack=stack, code=code, opts=_after(environment))
    edge = EdgeProxy(name, stack=stack, server=server, code=code, hostnames=hostnames, opts=_after(provisioning))
    switch = Switch(
        name,
        stack=stack,
        server=server,
        database=database,
        environment=environment,
        code=code,
        processes=processes,
        edge=edge,
        hostnames=hostnames,
        opts=_after(release, processes, edge),
    )
    return Outputs(
        url=switch.url,
        hostnames=pulumi.Output.all(*hostnames),
        release=switch.release,
        revision=switch.revision,
        server=stack.config.server.host,
    )


def _after(*components: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(depends_on=list(components))


def _hostnames(name: str, stack: Stack, made: Generated) -> list[pulumi.Input[str]]:
    """`domains`, then the generated name below `appsDomain`; with neither, the server's address."""
    names: list[pulumi.Input[str]] = [*stack.config.domains]
    apps = stack.config.apps_domain
    if apps is not None:
        names.append(made.hostname(f"{name}-hostname").apply(lambda label: f"{label}.{apps}"))
    return names or [stack.config.server.host]


def _name_branch(stack: Stack, code: source.Code) -> None:
    """A branch moves: the preview says where it is now, and production refuses it."""
    branch, commit = code.checkout.branch, f"{code.checkout.short} ({code.checkout.subject})"
    if branch is None:
        return
    if stack.config.production:
        raise pulumi.RunError(
            f"codesensei:project.source.revision: {branch} is a branch, which moves; it is at {commit} now\n"
            f"    production deploys a commit or a tag: set it to {code.checkout.revision}"
        )
    pulumi.info(f"branch {branch} is at {commit}")
