"""The database and its role, if the project's data is on the server itself."""

from __future__ import annotations

from pulumi import Output, ResourceOptions

from codesensei.config import Stack
from codesensei.wire import digests, steps
from codesensei.wire.steps import MADE_HERE, DatabaseAccount
from components.base import Component
from components.generated import Generated
from components.server import Server


class Database(Component):
    """The project's own role and database, made on the first deploy and dropped only by `onDestroy`.

    The password goes two ways: as text into the project's variables, and as a verifier, which the step stages and only
    the switch puts into force. `account` has a digest that changes with it; None if nothing is made on the server.
    """

    def __init__(self, *, stack: Stack, server: Server, generated: Generated, opts: ResourceOptions) -> None:
        plan, password = stack.database, generated.database_password
        shown = {"kind": plan.kind, "name": plan.name, "role": plan.role, "host": plan.host, "port": plan.port}
        if filled := _fill(stack):
            shown["filledFrom"] = filled.project or "a dump"
        super().__init__(stack.slug, shown, opts)
        self.account: Output[DatabaseAccount] | None = None
        if plan.kind in MADE_HERE:
            self.account = keyed(generated.digest_key, password).apply(
                lambda digest: DatabaseAccount(name=plan.name, role=plan.role, port=plan.port, digest=digest)
            )
            data = Output.all(self.account, password).apply(lambda known: _step_data(stack, *known))
            self.step(server.access, steps.DATABASE, data)
        self.register_outputs({"name": plan.name, "role": plan.role})


def _step_data(stack: Stack, account: DatabaseAccount, password: str) -> steps.Database:
    return steps.Database(
        account=account,
        host=stack.database.host,
        user=stack.user,
        extensions=stack.config.database.extensions,
        adopt=stack.config.adopt,
        fill=_fill(stack),
        password=password,
    )


def _fill(stack: Stack) -> steps.Fill | None:
    """What the database of a review stack is made of."""
    review = stack.config.review_of
    return steps.Fill(project=review.data_from, dump=review.dump) if review and review.fills else None


def keyed(key: Output[str], value: Output[str]) -> Output[str]:
    """10 hexadecimal digits that change with the value, and may be read."""
    return Output.unsecret(Output.all(key, value).apply(lambda known: digests.keyed(*known)))
