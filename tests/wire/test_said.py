"""The last line of a step: whole where it fits, and shorter than the SSH provider's buffer in any case."""

from __future__ import annotations

import json

import pytest

from codesensei.wire import codec
from codesensei.wire.quick import dataclass
from codesensei.wire.said import LINE_BYTES, Said, to_line
from codesensei.wire.steps import AcmeSaid

REASON = (
    "no valid certificate for {}.example, and browsers refuse it: "
    + "the authority says é\n" * 30
    + "\nfix: open port 80"
)


def read(said: Said) -> tuple[str, ...]:
    line = to_line(said)
    assert len(line.encode()) <= LINE_BYTES < 64 * 1024
    assert line.isascii()
    assert len(line.splitlines()) == 1
    return codec.decode(AcmeSaid, json.loads(line), "acme").warnings


def test_what_fits_arrives_whole() -> None:
    warnings = ("first\nfix: do", "a line\u2028separator, é, \x85 and \\")
    assert read(AcmeSaid(warnings=warnings)) == (warnings[0], r"a line\u2028separator, é, \x85 and" + " \\")
    assert read(AcmeSaid()) == ()


@pytest.mark.proves("errors.line")
@pytest.mark.parametrize("count", [90, 91, 5_000])
@pytest.mark.slow
def test_warnings_without_room_are_counted(count: int) -> None:
    warnings = [REASON.format(number) for number in range(count)]
    *told, last = read(AcmeSaid(warnings=tuple(warnings)))
    assert told == warnings[: len(told)]
    assert len(told) > 40
    assert last.startswith(f"{count - len(told)} more warnings are left out here")
    assert "\nfix: " in last


@pytest.mark.proves("errors.line")
def test_a_long_warning_keeps_what_failed_and_what_to_do() -> None:
    (told,) = read(AcmeSaid(warnings=(f"hook failed: {'x' * 100_000}; see /log\nfix: that",)))
    assert told.startswith("hook failed: xxx")
    assert told.endswith("xxx; see /log\nfix: that")
    assert " characters left out) " in told
    assert len(told) < 2_100


@dataclass(frozen=True, kw_only=True)
class _Other(Said):
    release: str


def test_other_fields_stay() -> None:
    said = _Other(release="abc", warnings=("x" * 1_000,) * 100)
    assert codec.decode(_Other, json.loads(to_line(said)), "other").release == "abc"
