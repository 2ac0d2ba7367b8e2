"""The database and its role, where the project's data is on the server itself."""

from __future__ import annotations

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.wire import digests, steps
from codesensei.wire.steps import MADE_HERE, DatabaseAccount
from components.server import Server


class Database(pulumi.ComponentResource):
    """A role and a database of its own, made on the first deploy and never dropped but by `onDestroy`.

    The password takes two ways: as text into the project's variables, and as a verifier, which the step stages and the
    switch alone puts into force. `account` tells by a digest that it changed; None where nothing is made.
    """

    account: pulumi.Output[DatabaseAccount] | None

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        server: Server,
        password: pulumi.Output[str],
        digest_key: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        plan = stack.database
        # What a preview shows of the component.
        shown = {"kind": plan.kind, "name": plan.name, "role": plan.role, "host": plan.host, "port": plan.port}
        super().__init__("codesensei:index:Database", name, shown, opts)
        self.account = None
        if plan.kind in MADE_HERE:
            self.account = keyed(digest_key, password).apply(
                lambda digest: DatabaseAccount(name=plan.name, role=plan.role, port=plan.port, digest=digest)
            )
            both = pulumi.Output.all(self.account, password)
            remote.remote_step(
                f"{name}-database",
                server.access,
                steps.DATABASE,
                data=both.apply(lambda known: step_data(stack, known[0], known[1])),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"name": plan.name, "role": plan.role})


def step_data(stack: Stack, account: DatabaseAccount, password: str) -> steps.Database:
    """What the step `database` gets. An empty password: a role that logs in over the socket under its own name."""
    return steps.Database(
        account=account,
        host=stack.database.host,
        user=stack.user,
        extensions=stack.config.database.extensions,
        adopt=stack.config.adopt,
        password=password,
    )


def keyed(key: pulumi.Output[str], value: pulumi.Output[str]) -> pulumi.Output[str]:
    """10 hexadecimal digits that change with the value, and may be read."""
    both = pulumi.Output.all(key, value)
    return pulumi.Output.unsecret(both.apply(lambda known: digests.keyed(known[0], known[1])))
