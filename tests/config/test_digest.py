"""The digest of a stack: every change of its file, or of a plain value from elsewhere, is another one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pulumi.runtime import set_all_config

from codesensei.config import load
from tests.config.engine import EXAMPLE, config_of, load_text, project_of

pytestmark = pytest.mark.proves("review.whole")


def digest_of(directory: Path, text: str, given: str | None = None, file: str | None = None) -> str:
    """The digest for the text of the engine's config, and of the stack file where that is another."""
    with project_of(directory, text if file is None else file):
        set_all_config(*config_of(given or text))
        return load().digest


def test_the_same_file_has_the_same(tmp_path: Path) -> None:
    found = {load_text(tmp_path, EXAMPLE.read_text()).digest for _ in range(2)}
    assert [len(digest) for digest in found] == [64]


@pytest.mark.parametrize("line", ["  codesensei:adopt: true\n", "# a comment\n"])
def test_every_other_text_has_another(tmp_path: Path, line: str) -> None:
    text = EXAMPLE.read_text()
    assert digest_of(tmp_path, text) != digest_of(tmp_path, text + line)


def test_a_secret_that_was_set_again_has_another(tmp_path: Path) -> None:
    """The value is the same; the ciphertext is all that may be seen of it."""
    text = EXAMPLE.read_text()
    again = text.replace("v1:AAAAAAAAAAAAAAAA:", "v1:AAAAAAAAAAAAAAAB:")
    assert again != text
    assert digest_of(tmp_path, text) != digest_of(tmp_path, text, file=again)


def test_a_plain_value_from_elsewhere_counts(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    given = f"{text}\n  codesensei:adopt: true\n"
    assert digest_of(tmp_path, text) != digest_of(tmp_path, text, given) != ""


def test_a_secret_from_elsewhere_has_none(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    given = f'{text}\n  codesensei:digestKey: {{secure: "clear:{"k" * 32}"}}\n'
    assert digest_of(tmp_path, text, given) == ""
    assert digest_of(tmp_path, given) != ""
    assert load_text(tmp_path, text, with_file=False).digest == ""
