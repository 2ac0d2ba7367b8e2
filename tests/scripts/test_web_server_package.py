"""What serves is installed where the project does not bring it, and what that lacks beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import files
from codesensei.scripts.release import install
from codesensei.scripts.release.builder import Builder
from codesensei.scripts.release.jobs import JobResult
from codesensei.webservers import SERVERS

SOCKETS = "websockets==16.0"


class Recording(Builder):
    """Runs nothing; a package is there when the test says so."""

    there: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()

    def run(self, title: str, argv: Sequence[str], *, lines: int = 0) -> JobResult:
        object.__setattr__(self, "ran", (*self.ran, title))
        is_question = title.startswith("look for")
        found = not is_question or set(argv) & set(self.there)
        return JobResult(0 if found else 1, "Django==5.2\n", Path("log"), "", "")


@pytest.mark.proves("deps.server-missing")
@pytest.mark.parametrize(
    ("server", "programs", "there", "installed"),
    [
        ("gunicorn", [], (), ["gunicorn==23.0.0"]),
        ("gunicorn", ["gunicorn"], (), []),
        ("daphne", [], (), ["daphne==4.1.2"]),
        ("uvicorn", [], (), ["uvicorn==0.54.0", SOCKETS]),
        # Without a library for them, WebSockets would fail unheard.
        ("uvicorn", ["uvicorn"], (), [SOCKETS]),
        ("uvicorn", ["uvicorn"], ("wsproto",), []),
        ("uvicorn", [], ("websockets",), ["uvicorn==0.54.0"]),
    ],
)
def test_what_is_missing(
    make_step: Any,
    server: str,
    programs: list[str],
    there: tuple[str, ...],
    installed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    monkeypatch.setattr(files, "write_file", lambda path, text, *_: written.append(text))
    for name in programs:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).touch()

    class Release:
        name, user = "1234567-89abcde", "deploy"

    builder = Recording(make_step("build"), Release(), tmp_path)  # type: ignore[arg-type]
    object.__setattr__(builder, "there", there)
    install._web_server(builder, SERVERS[server].package)
    assert [title for title in builder.ran if title.startswith("install ")] == [f"install {name}" for name in installed]
    # Under the project's own versions.
    assert written == ["Django==5.2\n"] * len(installed)
