"""Programs of the system, and what is said of their end."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from codesensei.scripts.base import commands
from codesensei.scripts.base.step import Failure


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "sh ended with status 3"),
        ("kill -TERM $$", "sh was killed by signal 15"),
        ("kill -KILL $$", "sh was killed by signal 9, as the kernel does where memory runs out (journalctl -k tells)"),
    ],
)
def test_how_a_program_ended(script: str, said: str) -> None:
    with pytest.raises(Failure) as failure:
        commands.run(["sh", "-c", script])
    assert failure.value.cause == said


def test_a_failure_of_systemctl_says_what_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a socket that does not start it says "Job failed", and nothing more."""

    def failed(argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 1, "", 'Job failed. See "journalctl -xe" for details.\n')

    monkeypatch.setattr(subprocess, "run", failed)
    with pytest.raises(Failure) as failure:
        commands.systemctl("start", "shop.socket")
    assert failure.value.text().startswith("error: systemctl start shop.socket on ")
