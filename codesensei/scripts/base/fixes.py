"""Commands that an error proposes where the plain `pulumi up` would change nothing."""

from __future__ import annotations


def again(slug: str, *steps: str) -> str:
    """How to run steps of the project again that the stack's state takes for done."""
    return " ".join(["run it again: pulumi up", *(f"--replace '**{slug}-{step}'" for step in steps)])
