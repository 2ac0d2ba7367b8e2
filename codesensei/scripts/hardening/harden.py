"""The three parts together: each converges alone and says what it did."""

from __future__ import annotations

from codesensei.scripts.base import register
from codesensei.scripts.base.step import Step
from codesensei.scripts.hardening import blank, firewall, ssh, updates
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Hardening


@dataclass(frozen=True)
class Plan:
    """What is to be done, decided before anything is installed."""

    wanted: bool
    required: bool = False
    updates: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        found = ("nftables",) if self.wanted else ()
        return (*found, updates.PACKAGE) if self.updates else found


def plan(step: Step[object], hardening: Hardening) -> Plan:
    """What this stack wants, and for `auto` what its server was when it was found."""
    # Asked whatever is wanted: after the first deploy, nobody could know it any more.
    found = blank.found_blank(step, off=hardening == "off")
    if hardening == "off":
        _say_what_is_closed(step)
    if hardening == "off" or (hardening == "auto" and not found):
        return Plan(wanted=False)
    by_hand = updates.by_hand()
    if by_hand:
        step.say("security updates: apt installs them already, so that is left as it is")
    return Plan(wanted=True, required=hardening == "on", updates=not by_hand)


def apply(step: Step[object], plan: Plan) -> tuple[str, ...]:
    """Close what is open, and return what could not be closed, as warnings."""
    if not plan.wanted:
        return ()
    if plan.updates:
        updates.switch_on(step)
    # SSH before the firewall: what fails then has closed no port.
    found = [ssh.close(step, required=plan.required), firewall.close(step, required=plan.required)]
    return tuple(text for text in found if text)


def say_what_stays(step: Step[object]) -> None:
    """Name what the last project leaves: it protects the server, not the project."""
    if not register.entries():
        blank.forget()
        _say_what_is_closed(step)


def _say_what_is_closed(step: Step[object]) -> None:
    if kept := blank.ours():
        fix = f"to open the firewall, on the server: systemctl disable --now {firewall.UNIT}"
        step.say(f"kept, because it protects the server: {', '.join(map(str, kept))}; {fix}")
