"""Which kills of backups are tried, and what the document says of them."""

from __future__ import annotations

import dataclasses

from tools.trials import backups
from tools.trials.backups import ACTIONS, KILLS, Outcome, Plan, plan

RIGHT = Outcome(Plan(0, "restore", "restic", 0.25, deploys=False), hit=True, said="error: x", wrong=(), seconds=9.0)


def test_every_kill_strikes_every_action_before_any_comes_again() -> None:
    plans = plan(7, 40)
    pairs = [(trial.action, trial.kill) for trial in plans]
    assert set(pairs[:18]) == set(pairs[18:36]) == {(action, kill) for action in ACTIONS for kill in KILLS}
    assert pairs[:18] != pairs[18:36]
    assert plans == plan(7, 40) != plan(8, 40)
    assert [trial.number for trial in plans] == [*range(40)]
    assert all(0 <= trial.moment < 1 for trial in plans)
    assert {trial.deploys for trial in plans} == {True, False}


def test_the_document_counts_kills_and_names_what_was_wrong() -> None:
    missed = dataclasses.replace(RIGHT, hit=False)
    bad = dataclasses.replace(RIGHT, plan=Plan(2, "check", "the power", 0.5, deploys=True), wrong=("a row is gone",))
    lines = backups.text([RIGHT, missed, bad])
    assert lines[:2] == [
        "3 trials; in 2 of them the kill found what it was to kill.",
        "After the next run, 2 were right.",
    ]
    assert "| restic | 0 of 0 right, 0 hit | 0 of 0 right, 0 hit | 2 of 2 right, 1 hit |" in lines
    assert "| the power | 0 of 0 right, 0 hit | 0 of 1 right, 1 hit | 0 of 0 right, 0 hit |" in lines
    assert lines[-1] == "* the power after 50% of a check, then pulumi up: a row is gone"
    assert "What was not right:" not in backups.text([RIGHT])


def test_an_outcome_is_told_in_a_few_lines() -> None:
    bad = dataclasses.replace(RIGHT, hit=False, wrong=("left: x",))
    assert backups.described(bad).splitlines() == [
        "WRONG 0: restic after 25% of a restore, which was over, then again; 9.0 s",
        "    error: x",
        "    wrong: left: x",
    ]
    assert backups.described(RIGHT).startswith("right 0: restic after 25% of a restore, then again;")
