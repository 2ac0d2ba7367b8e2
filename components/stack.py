"""One stack: a Django project on a server, in the order in which its parts are made."""

from __future__ import annotations

import pulumi
from pulumi import Output, ResourceOptions

from codesensei import remote, source
from codesensei.config import ConfigError, Stack
from codesensei.config.types import LeftOut
from codesensei.wire import policy
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import MADE_HERE, NOTHING_ASKED
from codesensei.wire.text import printable
from components import others, promotion, review, story
from components.backups import Backups
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
    """The stack's outputs, under their names: `url`, `release` and `revision` are read back from what is served."""

    url: Output[str]
    hostnames: Output[list[str]]
    release: Output[str]
    revision: Output[str]
    server: str
    backupPassword: Output[str] | None = None  # an output's name


def deploy(stack: Stack, access: remote.Access | None = None) -> Outputs:
    """Declare the whole stack. `access` is the way to its server; default: the one in the stack config."""
    config = stack.config
    if config.production:
        remote.refuse_stand_ins()
    for warning in stack.warnings:
        remote.warn(warning)
    code, access = _read(stack, access)
    for note in source.hold(code.unfit, access.look.python):
        remote.warn(note)
    others.leave_no_data(stack, access)
    others.refuse_foreseen(stack, access)
    others.say_who_shares(stack, access)
    others.say_what_is_archived(stack, access)
    promoted = promotion.require(stack, code, access)
    review.hold(stack, code, access)
    generated = Generated(stack)
    server = Server(stack=stack, access=access, generated=generated)
    provisioning = Provisioning(stack=stack, server=server, generated=generated, opts=_after(server))
    database = Database(stack=stack, server=server, generated=generated, opts=_after(provisioning))
    environment = Environment(
        stack=stack,
        server=server,
        database=database,
        generated=generated,
        code=code,
        # Both, because a database on another machine has no step to wait for.
        opts=_after(provisioning, database),
    )
    release = Release(stack=stack, server=server, environment=environment, code=code, opts=_after(environment))
    processes = Processes(stack=stack, code=code, opts=_after(environment))
    edge = EdgeProxy(stack=stack, server=server, code=code, generated=generated, opts=_after(provisioning))
    switch = Switch(
        stack=stack,
        server=server,
        database=database,
        environment=environment,
        code=code,
        processes=processes,
        edge=edge,
        generated=generated,
        opts=_after(release, processes, edge),
    )
    if stack.config.backups is not None:
        Backups(stack=stack, server=server, generated=generated, code=code, opts=_after(switch))
    story.tell(stack, server, code, environment, switch, generated, promoted)
    hostnames: Output[list[str]] = Output.all(*generated.hostnames)
    served = (switch.url, hostnames, switch.release, switch.revision)
    return Outputs(*served, config.server.host, generated.backup_password)


def _read(stack: Stack, access: remote.Access | None) -> tuple[source.Code, remote.Access]:
    """The project's source and the way to the server, which answers while the source is read."""
    if access:
        return _read_source(stack), access
    config, key = stack.config, stack.secrets.ssh_private_key
    asking = remote.ask(config.server, slug=stack.slug, drift=config.drift, private_key=key)
    code, state = _read_source(stack), remote.read_state()
    asked = story.of_database(stack, code, state) if config.drift else NOTHING_ASKED
    return code, remote.reach(asking, state, asked, others.to_ask(stack, state))


def _read_source(stack: Stack) -> source.Code:
    """Read it, and tell what there is to say of it."""
    code = source.read_code(stack.config)
    _name_branch(code)
    made_here = stack.database.kind in MADE_HERE
    geographic = source.hold_geography(code.geography, stack.database.scheme, made_here=made_here)
    for note in (*code.settings.unsure, *code.warnings, *geographic):
        remote.warn(note)
    _tell_findings(stack, code)
    return code


def with_source(error: ConfigError) -> pulumi.RunError:
    """The error about the stack config, and what is wrong with the source as far as the config names one."""
    try:
        source.read_code(error.sound)
    except source.SourceError as found:
        return pulumi.RunError(f"{error}\nand the project's source:\n{found}")
    except LeftOut:
        pass
    return error


def _after(*components: pulumi.Resource) -> ResourceOptions:
    return ResourceOptions(depends_on=list(components))


def _tell_findings(stack: Stack, code: source.Code) -> None:
    """What is certain before the server decides."""
    refused = "; pulumi up refuses it, because codesensei:production is true" if stack.config.production else ""
    for finding in code.findings:
        if finding.thing not in stack.config.waive:
            remote.warn(policy.sentence(finding) + refused)


def _name_branch(code: source.Code) -> None:
    """A branch moves: the preview says where it is now."""
    branch, commit = code.checkout.branch, f"{code.checkout.short} ({code.checkout.subject})"
    if branch is None:
        return
    pulumi.info(printable(f"branch {branch} is at {commit}"))
