"""The switch: the one step that changes what is live, wholly or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pulumi

from codesensei import remote
from codesensei.config import Stack
from components.database import Database
from components.edge import EdgeProxy
from components.environment import Environment
from components.processes import Processes
from components.release import Code
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
                "units": [str(unit["name"]) for unit in processes.units],
                "healthCheck": stack.config.project.health_check.path,
                "keepReleases": stack.config.project.keep_releases,
                "afterSwitch": list(stack.config.project.hooks.after_switch),
            },
            opts,
        )
        switched = remote.remote_step(
            f"{name}-switch",
            server.access,
            "switch",
            args=[environment.release, code.project.revision],
            data=_manifest(stack, code, database, processes, edge, hostnames),
            opts=pulumi.ResourceOptions(parent=self),
        )
        said = switched.stdout.apply(_said)
        self.release: pulumi.Output[str] = said["release"]
        self.revision: pulumi.Output[str] = said["revision"]
        self.url: pulumi.Output[str] = said["url"]
        self.register_outputs({"release": self.release, "revision": self.revision, "url": self.url})


def _said(text: str) -> dict[str, str]:
    said = json.loads(text.splitlines()[-1])
    # A switch by an earlier version of the program has none.
    for warning in said.pop("warnings", []):
        pulumi.warn(warning)
    return dict(said)


def _manifest(
    stack: Stack,
    code: Code,
    database: Database,
    processes: Processes,
    edge: EdgeProxy,
    hostnames: Sequence[pulumi.Input[str]],
) -> Mapping[str, object]:
    """Everything that shall be live, so that what is not in it is not."""
    config, names = stack.config.project, stack.names
    health = config.health_check
    url = pulumi.Output.from_input(hostnames[0]).apply(lambda host: url_of(names.scheme, host))
    return {
        "slug": names.slug,
        "user": names.user,
        "directory": code.settings.django_directory,
        "settingsModule": config.settings_module,
        "files": [*processes.files, *edge.files],
        "units": processes.units,
        "homes": processes.homes,
        "candidate": processes.candidate,
        "health": {
            "path": health.path,
            "timeout": health.timeout,
            "accept": list(health.accept),
            "hosts": list(hostnames),
            "scheme": names.scheme,
        },
        "database": {"role": database.plan.role, "digest": database.password_digest} if database.made_here else None,
        "url": url,
        "keepReleases": config.keep_releases,
        "afterSwitch": list(config.hooks.after_switch),
        # What they make is part of what is live, and no part of the release's name.
        "staticHooks": [*config.hooks.before_collectstatic, *config.hooks.after_collectstatic],
        "tls": edge.tls,
        "acme": stack.config.tls.kind == "acme",
        "defaultTls": edge.default_tls,
    }


def url_of(scheme: str, host: str) -> str:
    """An address that opens in a browser; IPv6 gets its brackets."""
    return f"{scheme}://[{host}]/" if ":" in host else f"{scheme}://{host}/"
