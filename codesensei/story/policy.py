"""Waivers in force, for whoever reviews what is about to be deployed."""

from __future__ import annotations

from collections.abc import Mapping

from codesensei.story.section import Section, shortened
from codesensei.wire import steps


def of_policy(was: steps.Build | None, wanted: steps.Build, waived: Mapping[str, str]) -> Section:
    """Every one with its reason, and those that have gone. None is left out, however many there are."""
    gone = [f"- {name}" for name in (was.waived if was else ()) if name not in wanted.waived]
    return Section("policy", (*(shortened(f"{name} is waived: {waived[name]}") for name in waived), *gone))


def changes_policy(was: steps.Build | None, wanted: steps.Build) -> bool:
    """Whether other rules are waived on the server than before."""
    return was is not None and was.waived != wanted.waived
