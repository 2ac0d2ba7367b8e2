"""What is counted of the visitors of a site that changes, and how the document tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.trials import report
from tools.trials.continuity import CHANGES, Seen, table
from tools.trials.crowd import Answer


def seen(change: str, *seconds: float, problem: str = "", closed: int = 0) -> Seen:
    return Seen(change, 10.0, [Answer("read", 0.0, each, problem) for each in seconds], closed)


def test_a_change_is_held_against_the_rests() -> None:
    quiet, busy = [0.01] * 99 + [0.02], [0.02] * 98 + [0.06, 0.3]
    rows = table([seen("a rest", *quiet), seen("a commit", *busy, closed=1)])
    assert rows[0] == "| a rest | 10.0 | 100 | 0 | 10 ms | 10 ms | 20 ms | 1.0 | 0 |"
    assert rows[1] == "| a commit | 10.0 | 100 | 0 | 20 ms | 60 ms | 300 ms | 6.0 | 1 |"


def test_what_failed_is_counted_and_uploads_have_no_time_of_their_own() -> None:
    failed = seen("a variable", 0.01, problem="status 502")
    upload = Seen("a variable", 20.0, [Answer("upload", 0.0, 9.0)], 2)
    (_, row) = table([seen("a rest", 0.01), failed, upload])
    assert row == "| a variable | 15.0 | 2 | 1 | 10 ms | 10 ms | 10 ms | 1.0 | 2 |"


def test_changes_have_names_that_differ() -> None:
    assert len(set(CHANGES.values())) == len(CHANGES)


def test_a_part_of_the_document_is_written_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    text = report.DOCUMENT.read_text()
    page.write_text(text)
    monkeypatch.setattr(report, "DOCUMENT", page)
    report.put("continuity", ["one", "two"])
    report.put("continuity", ["three"])
    before, _, rest = text.partition(report.BEGIN.format("continuity"))
    assert (
        page.read_text()
        == f"{before}{report.BEGIN.format('continuity')}three\n{report.END}{rest.partition(report.END)[2]}"
    )
