"""The policy as far as the stack file alone tells: what it has found, and which waivers have no use."""

from __future__ import annotations

from collections.abc import Iterator

from codesensei.config.plans import DatabasePlan
from codesensei.config.problems import NAMESPACE, Problem
from codesensei.config.stack import StackConfig
from codesensei.config.variables import looks_secret
from codesensei.wire import policy
from codesensei.wire.policy import PLAIN_SECRET
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import MADE_HERE, Finding


@dataclass(frozen=True)
class Judged:
    """What production refuses, and sentences for the user; none holds a value of a variable."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def judge(config: StackConfig, database: DatabasePlan) -> Judged:
    """Hold a stack file against the policy."""
    found = {one.thing: (path, one) for path, one in _findings(config)}
    problems, warnings = [], []
    for name, (path, one) in found.items():
        if name in config.waive:
            continue
        fix = f"{one.fix}; or give your reason: {policy.waiver([name])}"
        # Without a database here, there may be no data to back up.
        if config.production and (name != "backup" or database.kind in (*MADE_HERE, "sqlite")):
            problems.append(
                Problem(
                    f"policy-{name.partition('.')[0]}", path, f"{one.cause}, and {NAMESPACE}production is true", fix
                )
            )
        else:
            warnings.append(f"{NAMESPACE}{path}: {one.cause}; {fix}")
    unused = (name for name in config.waive if name not in found and _is_of_file(config, name))
    return Judged(tuple(problems), (*warnings, *map(policy.unused, unused)))


def _findings(config: StackConfig) -> Iterator[tuple[str, Finding]]:
    """With the place in the stack file."""
    for variable, value in config.env.items():
        if looks_secret(variable, value):
            yield f"env.{variable}", policy.finding(f"{PLAIN_SECRET}{variable}", variable=variable)
    if config.production and config.backups is None:
        yield "backups", policy.finding("backup")


def _is_of_file(config: StackConfig, name: str) -> bool:
    """Whether the stack file alone tells what this rule finds; the server tells of the others."""
    return name.startswith(PLAIN_SECRET) or (name == "backup" and config.backups is None)


def waived_on_server(config: StackConfig) -> tuple[str, ...]:
    """The rules that the server need not follow."""
    return tuple(sorted(name for name in config.waive if not _is_of_file(config, name) and name != "promotion"))
