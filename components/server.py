"""The server: ours to use, and checked."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.remote import toolkit
from codesensei.wire import names, steps
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
        # What a preview shows of the component.
        shown = {"host": server.host, "port": server.port, "user": server.user, "toolkit": scripts.hash}
        super().__init__("codesensei:index:Server", name, shown, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.access = access
        self.identity = identity(f"{name}-identity", child)
        brought = remote.toolkit_step(
            f"{name}-toolkit",
            access,
            scripts,
            stack=stack.full_name,
            identity=self.identity,
            adopt=stack.config.adopt,
            opts=child,
        )
        on_destroy = steps.OnDestroy(database=stack.config.on_destroy.database, media=stack.config.on_destroy.media)
        # It alone undoes what the whole stack has made, so it is there before anything else is made.
        # It comes after the generated values, so they leave the state only when it has succeeded.
        # Its connection carries the key, because a plain `pulumi destroy` runs no program that could start an agent.
        teardown = remote.teardown_step(
            f"{name}-teardown",
            access,
            data=self.identity.apply(
                lambda identity: steps.Destroy(
                    stack=stack.full_name, identity=identity, slug=stack.slug, on_destroy=on_destroy
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[brought, *generated]),
        )
        remote.destroy_check(
            f"{name}-destroy-check",
            access,
            stack=stack.full_name,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[teardown]),
        )
        remote.remote_step(
            f"{name}-preflight",
            access,
            steps.PREFLIGHT,
            data=_preflight(stack, self.identity, hostnames, broker_numbers),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[brought]),
        )
        self.register_outputs({"host": server.host, "identity": self.identity})


def _preflight(
    stack: Stack,
    identity: pulumi.Output[str],
    hostnames: Sequence[pulumi.Input[str]],
    broker_numbers: Sequence[pulumi.Input[int]],
) -> pulumi.Output[steps.Preflight]:
    """Everything that this stack wants for itself: preflight refuses, by name, what is somebody else's."""
    config, slug, place = stack.config, stack.slug, stack.database
    workers = (names.worker_unit(slug, key) for key in sorted(config.project.workers))
    database = steps.DatabasePlace(kind=place.kind, name=place.name, role=place.role, host=place.host, port=place.port)

    def made(identity: str, hosts: list[str], numbers: list[int]) -> steps.Preflight:
        return steps.Preflight(
            stack=stack.full_name,
            identity=identity,
            slug=slug,
            user=stack.user,
            share_user=config.project.share_user,
            login_user=config.server.user,
            adopt=config.adopt,
            allow_unsupported=config.allow_unsupported,
            units=units,
            hostnames=tuple(hosts),
            database=None if place.kind in ("sqlite", "none") else database,
            broker_numbers=tuple(int(number) for number in numbers),
            ports=(80, 443) if stack.scheme == "https" else (80,),
        )

    units = (names.socket_unit(slug), names.web_unit(slug), *workers)
    known = pulumi.Output.all(identity, pulumi.Output.all(*hostnames), pulumi.Output.all(*broker_numbers))
    return known.apply(lambda found: made(*found))
