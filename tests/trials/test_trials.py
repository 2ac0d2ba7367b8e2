"""What a run of faults tries, how two servers are compared, and what the document says of it."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools.sandbox.errors import SandboxError
from tools.trials import report
from tools.trials.faults import EVERYWHERE, FAULTS, PHASES, Deploy
from tools.trials.picture import Picture, wrong
from tools.trials.trial import Outcome, Plan, first_error, plan

PAIRS = {(fault.name, phase) for fault in FAULTS for phase in fault.phases}
RIGHT = Outcome(
    plan=Plan(0, "step killed", "migrate", reverted=False),
    hit="prepare",
    code=1,
    message="error: wait: remote command exited without exit status",
    again=0,
    again_message="",
    requests=100,
    failed=0,
    away=0.0,
    lost=0,
    wrong=(),
    seconds=40.0,
)


def test_the_faults_have_names_of_their_own_and_known_phases() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {phase for fault in FAULTS for phase in fault.phases} == set(EVERYWHERE) == set(PHASES)


def test_a_seed_chooses_the_same_trials_each_time() -> None:
    assert plan(7, 50) == plan(7, 50)
    assert plan(7, 50) == plan(7, 80)[:50]
    assert plan(7, 50) != plan(8, 50)


def test_every_fault_strikes_in_every_phase_before_one_comes_again() -> None:
    first, second = plan(3, len(PAIRS)), plan(3, 2 * len(PAIRS))[len(PAIRS) :]
    assert {(trial.fault, trial.phase) for trial in first} == PAIRS
    assert {(trial.fault, trial.phase) for trial in second} == PAIRS
    assert {trial.reverted for trial in first} == {True, False}


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, True),
        ({"failed": 1}, False),
        ({"failed": 1, "plan": Plan(0, "nginx stopped", "switch", reverted=False)}, True),
        ({"lost": 1}, False),
        ({"again": 1}, False),
        ({"wrong": ("units: …",)}, False),
    ],
)
def test_what_counts_as_right(change: dict[str, object], right: bool) -> None:
    assert dataclasses.replace(RIGHT, **change).is_right is right  # type: ignore[arg-type]


ROOT = "/srv/codesensei/guestbook"
SEEN = Picture({f"{ROOT}/current": ("releases/a", "0o120777", 0, 0)}, {"schema": "one", "units": "web active"})


def test_like_servers_do_not_differ() -> None:
    assert wrong(SEEN, SEEN) == []


@pytest.mark.parametrize("path", [f"{ROOT}/releases/b/manage.py", f"{ROOT}/env/b.env", f"{ROOT}/previous"])
def test_a_release_that_does_not_serve_may_be_there(path: str) -> None:
    more = Picture({**SEEN.files, path: ("", "0o100644", 0, 0)}, SEEN.rest)
    assert wrong(SEEN, more) == []
    assert wrong(more, SEEN) != []


def test_what_differs_is_named() -> None:
    other = Picture(
        {f"{ROOT}/current": ("releases/b", "0o120777", 0, 0), "/etc/nginx/left": ("", "0o100644", 0, 0)},
        {"schema": "two", "units": "web failed"},
    )
    found = wrong(SEEN, other, also=Picture({}, {"schema": "two"}))
    assert [line.partition(":")[0] for line in found] == ["/etc/nginx/left", f"{ROOT}/current", "units"]


def test_the_line_that_says_what_went_wrong() -> None:
    output = "  warning: something\n  guestbook-switch: x\n    error: release a on s: no answer\n    fix: look\n"
    assert first_error(output) == "error: release a on s: no answer"
    engine = "error: update failed\nerror: Process exited with status 1: running x:\n"
    assert first_error(f"{engine}  error: release a on s: no answer\n") == "error: release a on s: no answer"
    assert first_error(engine) == "error: update failed"
    assert first_error("warning: alone\n") == "warning: alone"
    assert first_error("Duration: 1s") == ""


def test_the_document_counts_and_names_what_was_not_right() -> None:
    bad = dataclasses.replace(RIGHT, hit="switch", failed=3, lost=1, wrong=("units: failed instead of active",))
    missed = dataclasses.replace(RIGHT, hit="not hit: it was not so within 300 s")
    text = report.text([RIGHT, bad, missed])
    assert "2 faults struck (1 more had no deploy left to strike)" in text
    assert "Of 200 requests, 3 failed: 3 of them under a fault that visitors need not feel." in text
    assert "| step killed | prepare, switch | 0 of 2 | 3 of 200 | 0 s | 1 of 2 |" in text
    assert "* step killed in switch, repeated: 3 requests failed; 1 lost; units: failed instead of active" in text
    assert "What was not right" not in report.text([RIGHT])
    assert "No fault struck in" not in text
    blind = dataclasses.replace(missed, plan=dataclasses.replace(RIGHT.plan, phase="static"))
    assert "**No fault struck in:** static." in report.text([RIGHT, blind])


def test_processes_of_the_program_are_killed_and_where_there_are_none_it_is_told(tmp_path: Path) -> None:
    stack: Any = SimpleNamespace(program=tmp_path)
    deploy = Deploy(stack, process=Any, relay=Any)  # type: ignore[arg-type]
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as asleep:
        with pytest.raises(SandboxError, match="no process of the program"):
            deploy.kill_children("start.py command")
        deploy.kill_children("^sleep 60")
        assert asleep.wait(10) == -signal.SIGKILL
