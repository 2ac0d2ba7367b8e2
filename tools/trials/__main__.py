"""Let faults strike deploys on a sandbox server, or visitors and writers go through them, and write down what came."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tools.sandbox import Sandbox
from tools.trials import backups, continuity, migrations, report
from tools.trials.plans import PLANS
from tools.trials.trial import Ground, Outcome, Plan, plan

PLACE = Path(".codesensei/trials")


def outcomes(path: Path) -> Iterator[Outcome]:
    """What earlier runs have found, as they wrote it down."""
    for line in path.read_text().splitlines() if path.exists() else []:
        found = json.loads(line)
        yield Outcome(**{**found, "plan": Plan(**found["plan"]), "wrong": tuple(found["wrong"])})


def faults(arguments: argparse.Namespace) -> int:
    """Run the trials that no earlier run with this seed has made; returns how many were not right."""
    path = PLACE / f"faults-{arguments.debian}-{arguments.seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {outcome.plan for outcome in outcomes(path)}
    trials = [
        trial
        for trial in plan(arguments.seed, arguments.count)
        if trial not in made and arguments.only in f"{trial.fault}@{trial.phase}"
    ]
    sandbox = Sandbox(PLACE)
    sandbox.down_all()
    ground = Ground(sandbox.up(f"trial-{arguments.debian}", arguments.debian), PLACE.resolve() / "stack")
    try:
        for trial in trials:
            outcome = ground.run(trial)
            with path.open("a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            sys.stdout.write(described(outcome) + "\n")
            sys.stdout.flush()
    finally:
        ground.close()
        sandbox.down_all()
    return sum(not outcome.is_right for outcome in outcomes(path))


def kills(arguments: argparse.Namespace) -> int:
    """Kill backups, checks and restores, and write down what came of it; returns how many trials were not right."""
    place, sandbox = PLACE / "backups", Sandbox(PLACE)
    place.mkdir(parents=True, exist_ok=True)
    sandbox.down_all()
    outcomes = []
    try:
        ground = backups.Ground(sandbox.up(f"backups-{arguments.debian}", arguments.debian), place.resolve() / "stack")
        for trial in backups.plan(arguments.seed, arguments.count):
            outcomes.append(ground.run(trial))
            sys.stdout.write(backups.described(outcomes[-1]) + "\n")
            sys.stdout.flush()
    finally:
        sandbox.down_all()
    head = f"Seed {arguments.seed}, Debian {arguments.debian}."
    report.put("backups", [head, *backups.text(outcomes)])
    return sum(bool(outcome.wrong) for outcome in outcomes)


def plans(arguments: argparse.Namespace) -> int:
    """Deploy plans of migrations under load, and write down what came of them; returns how many were not right."""
    place, sandbox = PLACE / "migrations", Sandbox(PLACE)
    place.mkdir(parents=True, exist_ok=True)
    sandbox.down_all()
    chosen = [one for one in PLANS if arguments.only in one.name]
    outcomes = []
    try:
        server = sandbox.up(f"plans-{arguments.debian}", arguments.debian)
        ground = migrations.Ground(server, place.resolve() / "stack", arguments.rows)
        for one in chosen:
            outcomes.append(ground.run(one))
            sys.stdout.write(migrations.described(outcomes[-1]) + "\n")
            sys.stdout.flush()
    finally:
        sandbox.down_all()
    if len(outcomes) == len(PLANS):
        head = f"Debian {arguments.debian}, {arguments.rows:,} rows, database.lockTimeout: {migrations.LOCK_TIMEOUT}."
        report.put("migrations", [head, *migrations.text(outcomes)])
    return sum(bool(outcome.wrong) for outcome in outcomes)


def write_report(_: argparse.Namespace) -> int:
    """Write docs/RELIABILITY.md from what all runs in this checkout have found."""
    report.write([outcome for path in sorted(PLACE.glob("faults-*.jsonl")) for outcome in outcomes(path)])
    return 0


def visitors(arguments: argparse.Namespace) -> int:
    """Let a crowd visit a site while it is changed; returns how many requests failed."""
    PLACE.mkdir(parents=True, exist_ok=True)
    return continuity.run(arguments.debian, arguments.rounds, PLACE / "continuity")


def described(outcome: Outcome) -> str:
    """One outcome in a few lines."""
    trial = outcome.plan
    word = "right" if outcome.is_right else "WRONG"
    after = "reverted" if trial.reverted else "repeated"
    lines = [
        f"{word} {trial.number}: {trial.fault} @ {trial.phase} (in {outcome.hit or 'nothing'}), {after}:"
        f" ended with {outcome.code}, then {outcome.again};"
        f" {outcome.failed} of {outcome.requests} requests failed within {outcome.away} s, {outcome.lost} entries lost;"
        f" {outcome.seconds} s",
        *(f"    {text}" for text in (outcome.message, outcome.again_message) if text),
        *(f"    wrong: {text}" for text in outcome.wrong[:12]),
    ]
    return "\n".join(lines)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.trials", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("faults", help="let faults strike deploys, and compare with an undisturbed one")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--count", type=int, default=200)
    command.add_argument("--debian", type=int, choices=(12, 13), default=13)
    command.add_argument("--only", default="", help="a part of FAULT@PHASE")
    command.set_defaults(run=faults)
    command = commands.add_parser("backups", help="kill backups, checks and restores, and run them again")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--count", type=int, default=40)
    command.add_argument("--debian", type=int, choices=(12, 13), default=13)
    command.set_defaults(run=kills)
    command = commands.add_parser("migrations", help="deploy plans of migrations while a crowd reads and writes")
    command.add_argument("--rows", type=int, default=200_000)
    command.add_argument("--debian", type=int, choices=(12, 13), default=13)
    command.add_argument("--only", default="", help="a part of a plan's name; then nothing is written down")
    command.set_defaults(run=plans)
    command = commands.add_parser("continuity", help="let a crowd visit a site while it is changed")
    command.add_argument("--rounds", type=int, default=3)
    command.add_argument("--debian", type=int, choices=(12, 13), default=13)
    command.set_defaults(run=visitors)
    command = commands.add_parser("report", help="write docs/RELIABILITY.md from all outcomes in this checkout")
    command.set_defaults(run=write_report)
    arguments = parser.parse_args()
    return 1 if arguments.run(arguments) else 0


if __name__ == "__main__":
    sys.exit(main())
