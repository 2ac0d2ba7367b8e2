"""docs/RELIABILITY.md: the counts of all trials, and what the operator was told in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.trials.faults import FAULTS
from tools.trials.trial import Outcome, fault_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "RELIABILITY.md"
BEGIN, END = "<!-- {}: written by tools.trials -->\n", "<!-- end of what is written -->\n"
MESSAGE = 150


def text(outcomes: Sequence[Outcome]) -> str:
    """The part of the document that the trials write."""
    tried = [outcome for outcome in outcomes if not outcome.hit.startswith("not hit")]
    requests = sum(outcome.requests for outcome in tried)
    spared = [outcome for outcome in tried if not fault_of(outcome.plan).visitors_feel_it]
    lines = [
        f"{len(tried)} faults struck ({len(outcomes) - len(tried)} more had no deploy left to strike).",
        f"After the next run, {sum(outcome.is_right for outcome in tried)} servers were as if nothing had happened.",
        f"Of {requests} requests, {sum(outcome.failed for outcome in tried)} failed:"
        f" {sum(outcome.failed for outcome in spared)} of them under a fault that visitors need not feel.",
        f"{sum(outcome.lost for outcome in tried)} acknowledged entries were lost.",
        *_never_struck(outcomes, tried),
        "",
        "| fault | struck in | deploys that ended well all the same | failed requests | longest away | right after |",
        "|---|---|---|---|---|---|",
        *(_row(name, of_it) for name, of_it in _grouped(tried).items()),
        "",
        "## What the operator was told",
        "",
        "The first error of the deploy that the fault struck, once for each fault and step.",
        "",
        *_messages(tried),
        "",
    ]
    if wrong := [outcome for outcome in tried if not outcome.is_right]:
        lines += ["## What was not right", "", *map(_not_right, wrong), ""]
    return "\n".join(lines)


def _never_struck(outcomes: Iterable[Outcome], tried: Iterable[Outcome]) -> list[str]:
    """A phase that no fault has struck is one that nobody sees any more: its sign in PHASES is out of date."""
    unseen = {outcome.plan.phase for outcome in outcomes} - {outcome.plan.phase for outcome in tried}
    return [f"**No fault struck in:** {', '.join(sorted(unseen))}."] if unseen else []


def _grouped(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    found = defaultdict[str, list[Outcome]](list)
    for outcome in outcomes:
        found[outcome.plan.fault].append(outcome)
    return {fault.name: found[fault.name] for fault in FAULTS if fault.name in found}


def _row(name: str, outcomes: Sequence[Outcome]) -> str:
    steps = sorted({outcome.hit or "the end" for outcome in outcomes})
    well = sum(outcome.code == 0 for outcome in outcomes)
    failed = f"{sum(outcome.failed for outcome in outcomes)} of {sum(outcome.requests for outcome in outcomes)}"
    away = max(outcome.away for outcome in outcomes)
    right = sum(outcome.is_right for outcome in outcomes)
    count = len(outcomes)
    return f"| {name} | {', '.join(steps)} | {well} of {count} | {failed} | {away:g} s | {right} of {count} |"


def _messages(outcomes: Iterable[Outcome]) -> list[str]:
    seen: dict[tuple[str, str], str] = {}
    for outcome in outcomes:
        if outcome.code:
            seen.setdefault((outcome.plan.fault, outcome.hit), outcome.message or "(nothing: Pulumi itself was ended)")
    return [f"* {fault}, in {step or 'the end'}: `{_quiet(message)}`" for (fault, step), message in seen.items()]


def _quiet(message: str) -> str:
    short = message.replace("`", "'")
    return short if len(short) <= MESSAGE else f"{short[:MESSAGE]}…"


def _not_right(outcome: Outcome) -> str:
    after = "reverted" if outcome.plan.reverted else "repeated"
    facts = [f"{outcome.failed} requests failed"] * bool(outcome.failed) + [f"{outcome.lost} lost"] * bool(outcome.lost)
    facts += [f"the next run ended with {outcome.again}: {outcome.again_message}"] * bool(outcome.again)
    facts += outcome.wrong[:3]
    return f"* {outcome.plan.fault} in {outcome.hit or 'the end'}, {after}: {_quiet('; '.join(facts))}"


def write(outcomes: Sequence[Outcome]) -> None:
    """Put the outcomes of all trials into the document."""
    put("faults", text(outcomes).splitlines())


def put(part: str, lines: Iterable[str]) -> None:
    """Write one part of the document again."""
    begin = BEGIN.format(part)
    head, _, rest = DOCUMENT.read_text().partition(begin)
    DOCUMENT.write_text("".join([head, begin, *(f"{line}\n" for line in lines), END, rest.partition(END)[2]]))
