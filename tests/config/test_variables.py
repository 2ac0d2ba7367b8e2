"""Which names a variable may have: what the program, the loader or a shell sets is not the project's to set."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from codesensei.config import BadConfig
from codesensei.wire.envfile import MAX_VALUE_BYTES
from tests.config.bad import OWN_ENV
from tests.config.engine import changed, load_text

OWNED = (
    "PATH HOME VIRTUAL_ENV DJANGO_SETTINGS_MODULE PYTHONUNBUFFERED PYTHONHOME LISTEN_FDS LISTEN_PID LISTEN_FDNAMES "
    "NOTIFY_SOCKET LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT BASH_ENV ENV IFS EXIT_CODE"
)
SET = "PATH HOME VIRTUAL_ENV DJANGO_SETTINGS_MODULE PYTHONUNBUFFERED"


def load_with(tmp_path: Path, name: str, place: str) -> None:
    """Load the example with one more variable."""
    line = {"env": (OWN_ENV, f"    {name}: x\n{OWN_ENV}"), "secretEnv": ("  codesensei:secretEnv:\n", "")}[place]
    if place == "secretEnv":
        line = (line[0], f"{line[0]}    {name}: {{secure: 'clear:canary'}}\n")
    load_text(tmp_path, changed(*line))


@pytest.mark.proves("env.owned")
@pytest.mark.parametrize("place", ["env", "secretEnv"])
@pytest.mark.parametrize("name", OWNED.split())
def test_names_of_the_program_are_refused(name: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        load_with(tmp_path, name, place)
    assert [problem.rule for problem in caught.value.problems] == ["variable-owned"]
    why = "is set by the program itself" if name in SET.split() else "changes how shells and programs start"
    assert f"codesensei:{place}.{name}: {name} {why}" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["PYTHONPATH", "LISTENER", "LDAP_URI", "MY_PATH", "ENVIRONMENT", "path", "LANG", "TZ"])
def test_names_beside_them_are_taken(name: str, tmp_path: Path) -> None:
    load_with(tmp_path, name, "env")


@pytest.mark.proves("env.refused-types")
@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ("1.50", "1.5"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("+5", "5"),
    ],
)
def test_a_number_that_comes_through_changed_is_told_as_it_was_written(
    written: str, becomes: str, tmp_path: Path
) -> None:
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, changed(OWN_ENV, f"    RATE: {written}\n{OWN_ENV}"))
    assert [str(problem.rule) for problem in caught.value.problems] == ["env-number-form"]
    assert f"env.RATE: unquoted {written} becomes {becomes}" in str(caught.value)
    assert f'quote it: "{written}"' in str(caught.value)


@pytest.mark.proves("source.bounds")
@pytest.mark.parametrize(
    "part", ["x", "x.", "a-", "a://", "a@", ":", "/", " ", "=", '"', "aB3", "x=y;", "$", "[{", "%41"]
)
@pytest.mark.slow
def test_a_long_value_is_read_as_soon_as_a_short_one(tmp_path: Path, part: str) -> None:
    value = f"a{part * (MAX_VALUE_BYTES // len(part) - 1)}"
    began = time.process_time()
    load_text(tmp_path, changed(OWN_ENV, f"    BLOB: {json.dumps(value)}\n{OWN_ENV}"))
    assert time.process_time() - began < 3
