"""Values that are made once for a stack and kept in its state, or given in their place.

Never change an argument of a random resource: the engine would replace it, and its value with it.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_random as random
from pulumi import Output

from codesensei.config import Stack
from codesensei.wire.broker import FIRST_GIVEN


class Generated:
    """The stack's own values, declared before anything else.

    The teardown runs after `resources`, so if a destroy fails because the server cannot be reached, every generated
    value stays in the state.
    """

    def __init__(self, stack: Stack) -> None:
        name, given = stack.slug, stack.secrets
        self.resources: list[pulumi.Resource] = []
        self.digest_key = given.digest_key or self._password(f"{name}-digest-key")
        self.database_password = given.database_password or Output.secret("")
        if stack.database.kind == "generated":
            self.database_password = self._password(f"{name}-database-password")
        self.secrets = {key: self._password(f"{name}-{key}") for key in stack.config.generate_secrets}
        self.hostnames = self._hostnames(stack)
        # Names the stack's own broker, or its database of the shared one; 0 to 15 are left to URLs that people write.
        self.broker_number: Output[int] | None = None
        if stack.broker.variables:
            self.broker_number = self._kept(
                random.RandomInteger(f"{name}-broker-number", min=FIRST_GIVEN, max=1023)
            ).result
        self.broker_password = self._password(f"{name}-broker-password") if stack.broker.own else Output.secret("")

        self.backup_password: Output[str] | None = None
        if stack.config.backups is not None:
            self.backup_password = given.backup_password or self._password(f"{name}-backup-password")

    def _kept(self, made: Any) -> Any:
        self.resources.append(made)
        return made

    def _password(self, name: str) -> Output[str]:
        """64 letters and digits: nothing in them means anything to a URL, a shell or an env file."""
        return Output.secret(self._kept(random.RandomPassword(name, length=64, special=False)).result)

    def _hostnames(self, stack: Stack) -> list[pulumi.Input[str]]:
        """`domains`, then the generated name below `appsDomain`; with neither, the server's address."""
        names: list[pulumi.Input[str]] = [*stack.config.domains]
        apps = stack.config.apps_domain
        if apps is not None:
            label = self._kept(random.RandomUuid(f"{stack.slug}-hostname")).result
            names.append(label.apply(lambda known: f"{known}.{apps}"))
        return names or [stack.config.server.host]
