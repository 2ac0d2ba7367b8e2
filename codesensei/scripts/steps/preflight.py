"""What is checked on the server before anything changes there; each refusal names the thing, its owner, the fix."""

from __future__ import annotations

from collections.abc import Sequence

from codesensei.scripts.base import limited, register
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.together import together
from codesensei.scripts.checks import everything
from codesensei.scripts.serving.live import Live
from codesensei.wire.said import Said
from codesensei.wire.steps import Preflight


def run(step: Step[Preflight]) -> None:
    """Check the machine, the app user and every name, tell all that is wrong; else claim the names in the register."""
    data, made = step.data, together()
    entry = register.entry(step.slug)
    if entry is None or entry.identity != data.identity:
        whose = f"it belongs to the stack {entry.stack} now" if entry else "the register does not know it"
        raise Failure(f"slug {step.slug}", whose, "run pulumi up again, with codesensei:adopt: true to take it over")
    wanted: dict[str, Sequence[str]] = {
        "units": list(data.units),
        "hostnames": list(data.hostnames),
        "brokers": [str(number) for number in data.broker_numbers],
    }
    for check in everything.checks(step, entry):
        with made:
            wanted |= check() or {}
    made.end()
    claimed = register.claim(step.slug, wanted, user=data.user, adopt=data.adopt, shares=data.shares)
    # What an earlier deploy claimed and never made live is freed; what is served stays until the switch ends it.
    live = Live.read(step.project).manifest
    served = {"units": [unit.name for unit in live.units], "hostnames": list(live.health.hosts)} if live else {}
    kept = {kind: {*wanted[kind], *served.get(kind, [])} for kind in ("units", "hostnames")}
    claimed = register.settle(step.slug, kept) or claimed
    if slow := limited.finding():
        step.result = Said(warnings=(f"{slow.thing}: {slow.cause}; {slow.fix}",))
    step.converge(claimed, f"names claimed for the stack {entry.stack}")
