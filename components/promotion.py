"""`promoteFrom`: this stack serves only code that another stack has served."""

from __future__ import annotations

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.source import Code
from codesensei.wire import policy
from codesensei.wire.names import code_of
from codesensei.wire.steps import Finding

RULE = "promotion"


def require(stack: Stack, code: Code, access: remote.Access) -> str:
    """Since when the other stack serves or served this code, in words; empty where none is asked.

    Raises RunError where it has not and this is production, unless that is waived; otherwise it is a warning.
    """
    name, waived = stack.config.promote_from, RULE in stack.config.waive
    if name == pulumi.get_stack():
        raise pulumi.RunError("codesensei:promoteFrom: it is this stack itself\nfix: name the one that is tried first")
    own = {code_of(release) for release in access.look.served}
    if not name or code.id[:7] in own:
        # What this stack has served itself is gone back to, not promoted.
        if waived and not name:
            remote.warn(policy.unused(RULE))
        return ""
    try:
        served = remote.served_by(name)
    except remote.RemoteError as error:
        return _unless_waived(stack, policy.finding(RULE, error.fix, stack=name, why=error.cause))
    found = next((release for release in served if code_of(release) == code.id[:7]), None)
    if found:
        if waived:
            remote.warn(policy.unused(RULE))
        verb = "serves" if found == next(iter(served)) else "served"
        return f"{name} {verb} this code, from {served[found]} on"
    latest = next(iter(served))
    why = f"its latest is {latest}, since {served[latest]}"
    fix = f"deploy {code.checkout.short} there first, with the same hooks and packages: pulumi up --stack {name}"
    return _unless_waived(stack, policy.finding(RULE, fix, stack=name, why=why))


def _unless_waived(stack: Stack, finding: Finding) -> str:
    if RULE in stack.config.waive:
        return f"not promoted: {finding.cause}"
    if stack.config.production:
        way_out = f"{finding.fix}; or give your reason: {policy.waiver([RULE])}"
        raise pulumi.RunError(f"codesensei:promoteFrom: {finding.cause}\nfix: {way_out}")
    remote.warn(f"codesensei:promoteFrom: {finding.cause}\nfix: {finding.fix}")
    return ""
