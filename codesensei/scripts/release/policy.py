"""The policy, decided for a release before it is prepared: all findings at once, each waived, told or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import checks
from codesensei.scripts.release.record import Facts
from codesensei.scripts.release.release import Release, redactor
from codesensei.wire import policy
from codesensei.wire.said import shortened
from codesensei.wire.steps import Build, Finding

# More of them are a project's own, and only counted.
MOST = 50
UNASKED = (
    "an earlier version of codesensei built it: what manage.py check --deploy finds is not known; set project.rebuild"
)


class Refused(Failure):
    """All findings at once, however many lines they need."""

    most_lines = 3 * MOST


def decide(release: Release, facts: Facts, data: Build, others: Mapping[str, Finding | None]) -> list[str]:
    """Warnings about a release. Failure where production refuses it.

    `others` are rules that were looked at apart from Django's settings, with what they have found.
    """
    clean, found = redactor(release.project, release.name).clean, _once(_findings(facts, release, data, others))
    told = [
        Finding(thing=name, cause=shortened(clean(one.cause)), fix=shortened(clean(one.fix)))
        for name, one in found.items()
        if name not in data.waived
    ]
    if data.production and told:
        raise _refusal(release, told)
    # What serves with DEBUG is told by the switch.
    warnings = [policy.sentence(one) for one in told if one.thing != "debug"]
    if facts.checks is None and data.production:
        warnings.append(f"release {release.name}: {UNASKED}")
    unused = (name for name in data.waived if name not in found and _was_judged(name, facts, others))
    return [*warnings, *map(policy.unused, unused)]


def _was_judged(name: str, facts: Facts, others: Mapping[str, Finding | None]) -> bool:
    if name == "secretKey" or name.startswith(policy.CHECK):
        return facts.checks is not None
    return name in {"debug", "allowedHosts", *others}


def _findings(facts: Facts, release: Release, data: Build, others: Mapping[str, Finding | None]) -> Iterator[Finding]:
    module = facts.settings_module or release.settings_module
    if facts.debug:
        yield checks.debug(facts, release)
    if "*" in facts.allowed_hosts:
        yield policy.finding("allowedHosts", module=module)
    yield from (one for one in others.values() if one)
    for check in facts.checks or ():
        name = policy.of_check(check.id)
        # DEBUG is told with what overrides it.
        if name != "debug" and not policy.is_moot(name, plain_http=data.plain_http):
            hint = "" if name in policy.RULES else " ".join(check.hint.split())
            yield policy.finding(name, hint, module=module, message=" ".join(check.message.split()).rstrip("."))


def _once(findings: Iterator[Finding]) -> dict[str, Finding]:
    """By rule; a rule that has found several things says so."""
    found: dict[str, list[Finding]] = {}
    for one in findings:
        found.setdefault(one.thing, []).append(one)
    return {name: _first(several) for name, several in found.items()}


def _first(several: Sequence[Finding]) -> Finding:
    first, more = several[0], len(several) - 1
    return first if not more else Finding(thing=first.thing, cause=f"{first.cause} (and {more} more)", fix=first.fix)


def _refusal(release: Release, told: Sequence[Finding]) -> Refused:
    count = "1 finding" if len(told) == 1 else f"{len(told)} findings"
    lines = [f"{policy.sentence(one)}" for one in told[:MOST]]
    lines += [f"and {len(told) - MOST} more"] if len(told) > MOST else []
    cause = f"codesensei:production is true, and the policy has {count}"
    fix = "correct them in the project, or waive what this site may have in the stack file, each with your reason:"
    waiver = policy.waiver(one.thing for one in told)
    return Refused(f"release {release.name}", "\n".join([cause, *lines]), f"{fix}\n{waiver}")
