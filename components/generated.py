"""What is made once for a stack and kept in its state: it never changes by itself, and ends with the stack.

No argument here may ever change: a random resource with another argument is replaced, and its value with it.
"""

from __future__ import annotations

import pulumi
import pulumi_random as random


def password(name: str, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
    """64 letters and digits: nothing in them means anything to a URL, a shell or an env file."""
    made = random.RandomPassword(name, length=64, special=False, opts=opts)
    return pulumi.Output.secret(made.result)


def identity(name: str, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
    """The stack's identity, by which a server knows whose a project is, whatever the stack is called."""
    made: pulumi.Output[str] = random.RandomUuid(name, opts=opts).result
    return made


def hostname(name: str) -> pulumi.Output[str]:
    """The label below `appsDomain`."""
    made: pulumi.Output[str] = random.RandomUuid(name).result
    return made


def broker_number(name: str) -> pulumi.Output[int]:
    """The stack's own database of the server's broker; 0 is left to URLs that people write."""
    made: pulumi.Output[int] = random.RandomInteger(name, min=1, max=1023).result
    return made
