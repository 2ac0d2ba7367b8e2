"""The server: reserved for the stack, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi_random as random
from pulumi import Output, ResourceOptions

from codesensei import remote
from codesensei.config import Stack
from codesensei.remote import toolkit
from codesensei.wire import names, steps
from components.base import Component, warn_of
from components.generated import Generated


class Server(Component):
    """One machine. It gets the scripts that every later step runs, and refuses before anything is made there.

    `identity` is how the server's register knows this stack, whatever the stack is called; `toolkit` is the hash of the
    scripts.
    """

    def __init__(self, *, stack: Stack, access: remote.Access, generated: Generated) -> None:
        scripts, config, server = toolkit.pack(), stack.config, stack.config.server
        shown: dict[str, Any] = {"host": server.host, "port": server.port, "user": server.user, "toolkit": scripts.hash}
        if config.review_of:
            # The first of the stack's resources that is made: also of a failed first deploy the state says whose it is.
            shown["reviewOf"] = {"stack": config.review_of.stack, "branch": config.review_of.branch}
        shown |= config.model_dump(include={"allow_unsupported", "on_destroy"}, exclude_defaults=True, by_alias=True)
        super().__init__("server", shown, None)
        child = ResourceOptions(parent=self)
        self.access, self.toolkit = access, scripts.hash
        # No argument here may ever change either: see `generated`.
        self.identity: Output[str] = random.RandomUuid("server-identity", opts=child).result
        brought = remote.toolkit_step(
            "server-toolkit",
            access,
            scripts,
            stack=stack.full_name,
            identity=self.identity,
            adopt=config.adopt,
            opts=child,
        )
        # The teardown alone undoes everything that the stack makes, so it is there before anything else is made.
        # It comes after the generated values, so they leave the state only when it has succeeded.
        # Its connection carries the key, because a plain `pulumi destroy` runs no program that could start an agent.
        teardown = remote.teardown_step(
            "server-teardown",
            access,
            data=self.identity.apply(
                lambda identity: steps.Destroy(
                    stack=stack.full_name, identity=identity, slug=stack.slug, on_destroy=on_destroy(stack)
                )
            ),
            opts=ResourceOptions(parent=self, depends_on=[brought, *generated.resources]),
        )
        after_teardown = ResourceOptions(parent=self, depends_on=[teardown])
        remote.destroy_check("server-destroy-check", access, stack=stack.full_name, opts=after_teardown)
        self.before = [brought]
        number = generated.broker_number
        numbers = Output.all(*stack.broker.numbers, *([number] if number else []))
        wanted = Output.all(self.identity, Output.all(*generated.hostnames), numbers)
        checked = self.step(access, steps.PREFLIGHT, wanted.apply(lambda known: preflight_data(stack, *known)))
        checked.apply(lambda answer: warn_of(answer, "step preflight"))
        self.register_outputs({"host": server.host, "identity": self.identity})


def on_destroy(stack: Stack) -> steps.OnDestroy:
    """What happens to the data at the end."""
    config = stack.config.on_destroy
    return steps.OnDestroy(database=config.database, media=config.media)


def preflight_data(
    stack: Stack, identity: str, hostnames: Sequence[str], broker_numbers: Sequence[int]
) -> steps.Preflight:
    """Everything that this stack wants for itself: preflight refuses what somebody else has, and names both."""
    config, slug, place = stack.config, stack.slug, stack.database
    database = steps.DatabasePlace(kind=place.kind, name=place.name, role=place.role, host=place.host, port=place.port)
    return steps.Preflight(
        stack=stack.full_name,
        identity=identity,
        slug=slug,
        user=stack.user,
        share_user=config.project.share_user,
        login_user=config.server.user,
        adopt=config.adopt,
        shares=config.shares,
        allow_unsupported=config.allow_unsupported,
        units=names.stack_units(slug, config.project.workers),
        hostnames=tuple(hostnames),
        database=None if place.kind in ("sqlite", "none") else database,
        broker_numbers=tuple(int(number) for number in broker_numbers),
        ports=(80,) if config.tls.kind in ("off", "external") else (80, 443),
    )
