"""What a server would refuse, asked in a preview: the checks travel as text, and what they print comes back."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.remote import State, foresight
from codesensei.wire.steps import FORESEEN, Finding, Foreseen
from tests.remote.test_look import SERVER, looked
from tests.scripts.examples import PREFLIGHT

LOGIN = Finding(
    thing="user deploy",
    cause="codesensei logs in as this user, and the app user must have no such power",
    fix="choose another codesensei:project.user",
)


PYTHON = "/usr/bin/python3"
# Nothing can be imported that is not built in.
MINIMAL = "-I -S -c 'import sys; sys.path.clear(); exec(sys.argv[1])'"
# Something can be imported: in one of them it needs what cannot be, and in the other it is not enough.
PART = """-I -S -c 'import sys; open("tempfile.py", "w").write("%s"); sys.path[:] = ["."]; exec(sys.argv[1])'"""


def asked(script: str, folder: Path, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "HOME": str(folder)}
    return subprocess.run(
        [shell], input=script, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.proves("preview.foreseen")
@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.slow
def test_the_checks_run_where_nothing_of_ours_is(tmp_path: Path, shell: str) -> None:
    """As text on standard input, whatever is in it; nothing is left."""
    wanted = replace(PREFLIGHT, login_user="deploy", hostnames=("it's $HOME `id` \\ é",), units=("shop.service",))
    done = asked(foresight.question(wanted), tmp_path, shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert LOGIN in foresight.answer(done.stdout.splitlines()).refused
    assert [*tmp_path.iterdir()] == []


@pytest.mark.proves("preview.foreseen")
@pytest.mark.parametrize(
    ("python", "why"),
    [
        ("", "it has no Python yet; pulumi up installs python3 first"),
        (f'exec {PYTHON} {MINIMAL} "$6"', "its Python is a part of one, python3-minimal; pulumi up installs "),
        *(
            (
                f'cd "$TMPDIR"; exec {PYTHON} {PART % text} "$6"',
                "its Python is a part of one, python3-minimal; pulumi up ",
            )
            for text in ("os", "")
        ),
        ("exec sleep 60", "they took longer than 8 s; pulumi up makes them first, and waits for them"),
        ("exit 1", "they ended with status 1; pulumi up makes them first"),
    ],
)
@pytest.mark.slow
def test_a_server_that_cannot_run_them_says_why(tmp_path: Path, python: str, why: str) -> None:
    program = tmp_path / "python3"
    if python:
        program.write_text(f"#!/bin/sh\n{python}\n")
        program.chmod(0o755)
    script = foresight.question(PREFLIGHT).replace(PYTHON, str(program)).replace("foresee 8 ", "foresee 1 ")
    done = asked(script, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = foresight.answer(done.stdout.splitlines())
    assert told.refused == ()
    (warning,) = told.warnings
    assert warning.startswith("not all checks of what a deploy would refuse there")
    assert why in warning


@pytest.mark.proves("preview.foreseen")
@pytest.mark.slow
def test_a_server_that_has_run_them_says_nothing_of_it(tmp_path: Path) -> None:
    done = asked(foresight.question(PREFLIGHT), tmp_path)
    assert foresight.UNTOLD not in done.stdout


def line(**parts: Any) -> str:
    return f"\n{FORESEEN}{json.dumps(parts)}\n"


@pytest.mark.proves("preview.foreseen")
def test_what_is_said_is_taken_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one connection; only where the server is asked, it gets the checks."""
    ssh = tmp_path / "ssh"
    one = {"thing": "port 80", "cause": "taken", "fix": "free it"}
    said = "{}\n" + line(refused=[one]) + line(refused=[one], warnings=["w"]) + f"{FORESEEN}[\n" + line(other=1)
    (tmp_path / "out").write_text(said)
    ssh.write_text(f"#!/bin/sh\ncat >{tmp_path}/stdin\necho >>{tmp_path}/calls\ncat {tmp_path}/out\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    look = looked(state=State(), wanted=PREFLIGHT)
    assert look.refused == (Finding(**one),)
    assert look.warnings == (f"{SERVER.host}: w",)
    assert foresight.question(PREFLIGHT) in (tmp_path / "stdin").read_text()
    assert (tmp_path / "calls").read_text() == "\n"
    assert foresight.answer([]) == Foreseen()
    looked(state=State())
    assert "python3 -I -B -X utf8 -c" not in (tmp_path / "stdin").read_text()
