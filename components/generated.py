"""What is made once for a stack and kept in its state: it never changes by itself, and ends with the stack.

No argument here may ever change: a random resource with another argument is replaced, and its value with it.
"""

from __future__ import annotations

import pulumi
import pulumi_random as random


class Generated:
    """Makes the stack's random values, all of them before anything else is declared.

    `resources` are what the teardown must come after: so a destroy that fails, because the server cannot be reached,
    leaves every generated value in the state.
    """

    def __init__(self) -> None:
        self.resources: list[pulumi.Resource] = []

    def password(self, name: str) -> pulumi.Output[str]:
        """64 letters and digits: nothing in them means anything to a URL, a shell or an env file."""
        made = random.RandomPassword(name, length=64, special=False)
        self.resources.append(made)
        return pulumi.Output.secret(made.result)

    def hostname(self, name: str) -> pulumi.Output[str]:
        """The label below `appsDomain`."""
        made = random.RandomUuid(name)
        self.resources.append(made)
        label: pulumi.Output[str] = made.result
        return label

    def broker_number(self, name: str) -> pulumi.Output[int]:
        """The stack's own database of the server's broker; 0 to 15 are left to URLs that people write."""
        made = random.RandomInteger(name, min=16, max=1023)
        self.resources.append(made)
        number: pulumi.Output[int] = made.result
        return number


def identity(name: str, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
    """The stack's identity, by which a server knows whose a project is, whatever the stack is called."""
    made: pulumi.Output[str] = random.RandomUuid(name, opts=opts).result
    return made
