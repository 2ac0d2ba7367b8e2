"""The switch: the one step that changes what is live, completely or not at all."""

from __future__ import annotations

from pulumi import Output, ResourceOptions

from codesensei.config import Stack
from codesensei.source import Code
from codesensei.wire import steps
from codesensei.wire.manifest import File, HealthCheck, Manifest, RolePassword, Switched
from codesensei.wire.names import asked_name, is_pattern
from codesensei.wire.steps import DatabaseAccount
from components.base import Component, if_known, read_answer
from components.database import Database
from components.edge import EdgeProxy
from components.environment import Environment
from components.generated import Generated
from components.processes import Processes
from components.server import Server


class Switch(Component):
    """Proves a candidate, makes the whole manifest live, and reads the served release back through the proxy.

    On any failure everything is as it was. A process that left the manifest is stopped here; nothing else stops
    anything. `planned` is the manifest as far as a preview knows it. `release`, `revision` and `url` are what the
    switch reports as served, so they stay true after a failed deploy.
    """

    def __init__(
        self,
        *,
        stack: Stack,
        server: Server,
        database: Database,
        environment: Environment,
        code: Code,
        processes: Processes,
        edge: EdgeProxy,
        generated: Generated,
        opts: ResourceOptions,
    ) -> None:
        config = stack.config.project
        shown = {
            "release": environment.release,
            "units": [unit.name for unit in processes.units],
            "healthCheck": config.health_check.path,
            "keepReleases": config.keep_releases,
            "afterSwitch": list(config.hooks.after_switch),
        }
        super().__init__(stack.slug, shown, opts)
        known = (Output.all(*generated.hostnames), edge.files, database.account, edge.tls, edge.default_tls)
        data = Output.all(*known).apply(lambda values: _manifest(stack, code, processes, *values))
        names = Output.all(*map(if_known, generated.hostnames)).apply(
            lambda hosts: [host or f"(a new name).{stack.config.apps_domain}" for host in hosts]
        )
        # What a preview can tell of it, whatever else the update makes.
        self.planned: Output[Manifest] = Output.all(names, *map(if_known, known[1:])).apply(
            lambda values: _manifest(stack, code, processes, values[0], values[1] or (), *values[2:])
        )
        stdout = self.step(server.access, steps.SWITCH, data, environment.release, code.checkout.revision)
        said = stdout.apply(lambda text: read_answer(Switched, text, "step switch"))
        self.release: Output[str] = said.apply(lambda known: known.release)
        self.revision: Output[str] = said.apply(lambda known: known.revision)
        self.url: Output[str] = said.apply(lambda known: known.url)
        self.register_outputs({"release": self.release, "revision": self.revision, "url": self.url})


def _manifest(
    stack: Stack,
    code: Code,
    processes: Processes,
    hosts: list[str],
    site: tuple[File, ...],
    account: DatabaseAccount | None,
    tls: str | None,
    default_tls: str | None,
) -> Manifest:
    """Everything that is live after the switch: what is not in it is not."""
    config, asked, scheme = stack.config.project, stack.config.project.health_check, stack.scheme
    # One that opens: a name rather than a pattern, and IPv6 with its brackets.
    host = asked_name(min(hosts, key=is_pattern))
    host = f"[{host}]" if ":" in host else host
    return Manifest(
        slug=stack.slug,
        user=stack.user,
        directory=code.settings.django_directory,
        settings_module=config.settings_module,
        files=(*processes.files, *site),
        units=tuple(processes.units),
        homes=processes.homes,
        candidate=processes.candidate,
        health=HealthCheck(
            path=asked.path,
            timeout=asked.timeout,
            accept=asked.accept,
            hosts=tuple(hosts),
            scheme=scheme,
            external_tls=stack.config.tls.kind == "external",
        ),
        database=RolePassword(role=account.role, digest=account.digest) if account else None,
        url=f"{scheme}://{host}/",
        keep_releases=config.keep_releases,
        after_switch=config.hooks.after_switch,
        tls=tls,
        acme=stack.config.tls.kind == "acme",
        default_tls=default_tls,
        production=stack.config.production,
        adopt=stack.config.adopt,
        shares=stack.config.shares,
        media_url=config.served_media(code.settings.media_url),
        media=config.media,
        media_internal=config.media_kind == "internal",
        own_broker=stack.broker.own,
        sandbox=config.loosened,
        backups=stack.config.backups is not None,
        # The only rule that is held against the process that serves, too.
        waived=tuple(name for name in stack.config.waive if name == "debug"),
    )
