"""One stack: a Django project on a server, in the order in which it comes to be there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi

from codesensei import remote
from codesensei.config import Stack
from components.database import Database
from components.edge import EdgeProxy
from components.environment import Environment
from components.generated import Generated
from components.processes import Processes
from components.provisioning import Provisioning
from components.release import Code, Release, read_code
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
    for warning in stack.warnings:
        pulumi.warn(warning)
    code = read_code(stack)
    _name_branch(stack, code)
    for note in code.settings.unsure:
        pulumi.warn(note)
    stack = replace(stack, names=replace(stack.names, directory=code.settings.django_directory))
    if access is None:
        access = remote.reach(
            stack.config.server,
            slug=stack.names.slug,
            drift=stack.config.drift,
            private_key=stack.secrets.ssh_private_key,
        )
    name = stack.names.slug

    made = Generated()
    digest_key = stack.secrets.digest_key or made.password(f"{name}-digest-key")
    database_password = stack.secrets.database_password
    if stack.database.kind == "generated":
        database_password = made.password(f"{name}-database-password")
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
        password=database_password,
        digest_key=digest_key,
        opts=_after(provisioning),
    )
    environment = Environment(
        name,
        stack=stack,
        server=server,
        database=database,
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


def _name_branch(stack: Stack, code: Code) -> None:
    """A branch moves: the preview says where it is now, and production refuses it."""
    branch, commit = code.project.branch, f"{code.project.short} ({code.project.subject})"
    if branch is None:
        return
    if stack.config.production:
        raise pulumi.RunError(
            f"codesensei:project.source.revision: {branch} is a branch, which moves; it is at {commit} now\n"
            f"    production deploys a commit or a tag: set it to {code.project.revision}"
        )
    pulumi.info(f"branch {branch} is at {commit}")
