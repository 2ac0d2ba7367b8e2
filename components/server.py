"""The server: ours to use, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.remote import toolkit
from components.generated import identity


class Server(pulumi.ComponentResource):
    """One machine. It gets the scripts that every later step runs, and says no before anything is made there.

    `identity` is what the server's register knows this stack by.
    """

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        access: remote.Access,
        hostnames: Sequence[pulumi.Input[str]],
        broker_numbers: Sequence[pulumi.Input[int]],
        generated: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        scripts = toolkit.pack()
        server = stack.config.server
        super().__init__(
            "codesensei:index:Server",
            name,
            {"host": server.host, "port": server.port, "user": server.user, "toolkit": scripts.hash},
            opts,
        )
        child = pulumi.ResourceOptions(parent=self)
        self.access = access
        self.identity = identity(f"{name}-identity", child)
        brought = remote.toolkit_step(
            f"{name}-toolkit",
            access,
            scripts,
            stack=stack.names.stack,
            identity=self.identity,
            adopt=stack.config.adopt,
            opts=child,
        )
        # It alone undoes what the whole stack has made, so it is there before anything else is made.
        # It comes after the generated values, so they leave the state only when it has succeeded.
        # Its connection carries the key, because a plain `pulumi destroy` runs no program that could start an agent.
        teardown = remote.teardown_step(
            f"{name}-teardown",
            access,
            data={
                "stack": stack.names.stack,
                "identity": self.identity,
                "slug": stack.names.slug,
                "onDestroy": {"database": stack.config.on_destroy.database, "media": stack.config.on_destroy.media},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[brought, *generated]),
        )
        remote.farewell_step(
            f"{name}-farewell",
            access,
            stack=stack.names.stack,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[teardown]),
        )
        remote.remote_step(
            f"{name}-preflight",
            access,
            "preflight",
            data=_preflight(stack, self.identity, hostnames, broker_numbers),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[brought]),
        )
        self.register_outputs({"host": server.host, "identity": self.identity})


def _preflight(
    stack: Stack,
    identity: pulumi.Output[str],
    hostnames: Sequence[pulumi.Input[str]],
    broker_numbers: Sequence[pulumi.Input[int]],
) -> Mapping[str, object]:
    """Everything that this stack wants for itself: preflight refuses, by name, what is somebody else's."""
    config, names, database = stack.config, stack.names, stack.database
    units = [names.socket_unit, names.web_unit, *(names.worker_unit(key) for key in sorted(config.project.workers))]
    return {
        "stack": names.stack,
        "identity": identity,
        "slug": names.slug,
        "user": names.user,
        "shareUser": config.project.share_user,
        "loginUser": config.server.user,
        "adopt": config.adopt,
        "allowUnsupported": config.allow_unsupported,
        "units": units,
        "hostnames": list(hostnames),
        "database": None
        if database.kind in ("sqlite", "none")
        else {
            "kind": database.kind,
            "name": database.name,
            "role": database.role,
            "host": database.host,
            "port": database.port,
        },
        "brokerNumbers": list(broker_numbers),
        "ports": [80, 443] if names.scheme == "https" else [80],
    }
