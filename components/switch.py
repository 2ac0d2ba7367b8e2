"""The switch: the one step that changes what is live, wholly or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.source import Code
from codesensei.wire import codec, steps
from codesensei.wire.manifest import File, HealthCheck, Manifest, RolePassword, Switched
from codesensei.wire.steps import DatabaseAccount
from components.database import Database
from components.edge import EdgeProxy
from components.environment import Environment
from components.processes import Processes
from components.server import Server


class Switch(pulumi.ComponentResource):
    """Proves a candidate, makes the whole manifest live, and reads the served release back through the proxy.

    On any failure everything is as it was. A process that left the manifest is stopped here; nothing else stops
    anything. `release`, `revision` and `url` are what the switch itself says of what it serves, so they stay true
    after a failed deploy.
    """

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        server: Server,
        database: Database,
        environment: Environment,
        code: Code,
        processes: Processes,
        edge: EdgeProxy,
        hostnames: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "codesensei:index:Switch",
            name,
            {
                "release": environment.release,
                "units": [unit.name for unit in processes.units],
                "healthCheck": stack.config.project.health_check.path,
                "keepReleases": stack.config.project.keep_releases,
                "afterSwitch": list(stack.config.project.hooks.after_switch),
            },
            opts,
        )
        switched = remote.remote_step(
            f"{name}-switch",
            server.access,
            steps.SWITCH,
            args=[environment.release, code.checkout.revision],
            data=_manifest(stack, code, database, processes, edge, hostnames),
            opts=pulumi.ResourceOptions(parent=self),
        )
        said = switched.stdout.apply(_said)
        self.release: pulumi.Output[str] = said.apply(lambda known: known.release)
        self.revision: pulumi.Output[str] = said.apply(lambda known: known.revision)
        self.url: pulumi.Output[str] = said.apply(lambda known: known.url)
        self.register_outputs({"release": self.release, "revision": self.revision, "url": self.url})


def _said(text: str) -> Switched:
    # Said by the version of the program that made the switch.
    said = codec.decode(Switched, json.loads(text.splitlines()[-1]), "step switch", kept=True)
    for warning in said.warnings:
        pulumi.warn(warning)
    return said


def _manifest(
    stack: Stack,
    code: Code,
    database: Database,
    processes: Processes,
    edge: EdgeProxy,
    hostnames: Sequence[pulumi.Input[str]],
) -> pulumi.Output[Manifest]:
    """Everything that shall be live, so that what is not in it is not."""
    config = stack.config.project
    health = config.health_check

    def made(
        hosts: list[str],
        site: tuple[File, ...],
        account: DatabaseAccount | None,
        tls: str | None,
        default_tls: str | None,
    ) -> Manifest:
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
                path=health.path,
                timeout=health.timeout,
                accept=tuple(health.accept),
                hosts=tuple(hosts),
                scheme=stack.scheme,
            ),
            database=RolePassword(role=account.role, digest=account.digest) if account else None,
            url=url_of(stack.scheme, hosts[0]),
            keep_releases=config.keep_releases,
            after_switch=tuple(config.hooks.after_switch),
            tls=tls,
            acme=stack.config.tls.kind == "acme",
            default_tls=default_tls,
            production=stack.config.production,
            adopt=stack.config.adopt,
            media_url=code.settings.media_url if config.media_serving == "proxy" else None,
        )

    known = pulumi.Output.all(pulumi.Output.all(*hostnames), edge.files, database.account, edge.tls, edge.default_tls)
    return known.apply(lambda values: made(*values))


def url_of(scheme: str, host: str) -> str:
    """An address that opens in a browser; IPv6 gets its brackets."""
    return f"{scheme}://[{host}]/" if ":" in host else f"{scheme}://{host}/"
