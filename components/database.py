"""The database and its role, where the project's data is on the server itself."""

from __future__ import annotations

import pulumi

from codesensei import remote
from codesensei.config import DatabasePlan, Stack, StackConfig
from codesensei.render import digest
from components.server import Server


class Database(pulumi.ComponentResource):
    """A role and a database of its own, made on the first deploy and never dropped but by `onDestroy`.

    The step stages a changed password as a verifier; the switch alone puts it into force. `password` is None where
    the program knows none; `password_digest` shows that a password changed and tells nothing about it.
    """

    password: pulumi.Output[str] | None
    password_digest: pulumi.Output[str] | None
    account: dict[str, object] | None

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        server: Server,
        password: pulumi.Output[str] | None,
        digest_key: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        plan = stack.database
        self.plan = plan
        self.made_here = plan.kind in ("generated", "local")
        super().__init__("codesensei:index:Database", name, _shown(plan), opts)
        self.password = password
        self.password_digest = None
        self.account = None
        if self.made_here:
            # A role that logs in over the socket under its own name has no password.
            known = password if password is not None else pulumi.Output.secret("")
            self.password_digest = keyed(digest_key, known)
            self.account = {**account(plan), "digest": self.password_digest}
            remote.remote_step(
                f"{name}-database",
                server.access,
                "database",
                data={**step_data(plan, stack.config), "password": known, "digest": self.password_digest},
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"name": plan.name, "role": plan.role})


def step_data(plan: DatabasePlan, config: StackConfig) -> dict[str, object]:
    """What the step gets beside the password."""
    return {
        **account(plan),
        "host": plan.host,
        "user": config.project.user,
        "extensions": list(config.database.extensions),
        "adopt": config.adopt,
    }


def account(plan: DatabasePlan) -> dict[str, object]:
    """Which database is used under which role; only the password of an account changes."""
    return {"name": plan.name, "role": plan.role, "port": plan.port}


def _shown(plan: DatabasePlan) -> dict[str, object]:
    return {"kind": plan.kind, "name": plan.name, "role": plan.role, "host": plan.host, "port": plan.port}


def keyed(key: pulumi.Output[str], value: pulumi.Output[str]) -> pulumi.Output[str]:
    """10 hexadecimal digits that change with the value, and may be read."""
    both = pulumi.Output.all(key, value)
    return pulumi.Output.unsecret(both.apply(lambda known: digest.keyed(known[0], known[1])))
