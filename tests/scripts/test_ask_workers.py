"""What a worker's line shows before it runs; only what is certain counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.scripts.serving import ask_workers


@pytest.mark.proves("workers.proof")
@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("no-such-program --loud", "there is no program no-such-program"),
        ("env X=y no-such-program", "there is no program no-such-program"),
        ("X=y exec no-such-program | cat", "there is no program no-such-program"),
        ("./no-such-file", "there is no program ./no-such-file"),
        ('echo "never closed', "its command is not a line that bash can read"),
        ("while true; do sleep 1", "its command is not a line that bash can read"),
    ],
)
def test_a_line_that_cannot_run(line: str, cause: str) -> None:
    problem = ask_workers.problem_of(line)
    assert problem is not None
    assert problem["cause"] == cause


@pytest.mark.parametrize(
    "line",
    [
        "sleep 60",
        "env X=y sleep 60",
        "env -u X no-such-program",
        "PATH=/elsewhere no-such-program",
        "$PROGRAM --loud",
        "cd /tmp && no-such-program",
        "while true; do no-such-program; done",
        "for x in 1 2; do echo $x; done",
        "exec sleep 60 > /dev/null 2>&1",
        "(cd /; sleep 1)",
        "# only a comment\nno-such-program",
    ],
)
def test_a_line_that_may_run(line: str) -> None:
    assert ask_workers.problem_of(line) is None


@pytest.mark.parametrize(
    ("arguments", "app"),
    [
        ("-A config worker", "config"),
        ("--app config beat", "config"),
        ("--app=config", "config"),
        ("-Aconfig", "config"),
        ("worker", None),
        ("worker -A", None),
    ],
)
def test_the_application_of_celery(arguments: str, app: str | None) -> None:
    assert ask_workers.option(arguments.split(), "-A", "--app") == app


def test_a_project_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "celery").write_text("#!/bin/sh\n")
    (tmp_path / "celery").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    problem = ask_workers.problem_of("celery -A config worker -l info")
    assert problem is not None
    assert problem["cause"] == "celery -A config worker cannot load the project"
    assert "ModuleNotFoundError" in problem["log"]
