"""Every sentence of the contract has a test that says it proves it, and docs/CONTRACT.md shows them as they are."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from tools import contract
from tools.contract import CHECKOUT, Contract, ContractError, Proof

FOUND = contract.read_contract((CHECKOUT / contract.SENTENCES).read_text())


@functools.cache
def proofs() -> dict[str, set[Proof]]:
    """By sentence, the tests of this checkout that prove it: found once in each process, and not to collect tests."""
    return contract.find_proofs(CHECKOUT)


def test_every_sentence_has_a_test() -> None:
    missing = [name for name in FOUND.sentences if name not in proofs() and name not in FOUND.unproved]
    assert missing == [], "no test says @pytest.mark.proves of these"


def test_every_mark_names_a_sentence() -> None:
    unknown = {name: sorted(found) for name, found in proofs().items() if name not in FOUND.sentences}
    assert unknown == {}, "docs/contract.toml has no such id"


def test_reasons_are_given_for_sentences() -> None:
    for reasons in (FOUND.unproved, FOUND.unbroken):
        assert [name for name in reasons if name not in FOUND.sentences] == []
        assert [name for name, reason in reasons.items() if not reason.strip()] == []


def test_the_document_is_not_stale() -> None:
    shown = (CHECKOUT / contract.DOCUMENT).read_text()
    assert shown == contract.document(FOUND, proofs()), "run make contract"


@pytest.mark.parametrize("name", FOUND.sentences)
def test_ids_are_words_with_dots(name: str) -> None:
    assert re.fullmatch(r"[a-z]+[a-z0-9]*(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*", name)


READ = '''
import pytest

pytestmark = [pytest.mark.host, pytest.mark.proves("of.file")]
ROWS: list[object] = [pytest.param(1, marks=pytest.mark.proves("of.row")), pytest.param(2)]


@pytest.mark.proves("of.function", "of.more")
def test_one() -> None:
    """@pytest.mark.proves("of.text")"""


@pytest.mark.proves("of.class")
class TestTwo:
    pytestmark = pytest.mark.proves("of.class.body")

    @pytest.mark.parametrize("x", [pytest.param(1, marks=[pytest.mark.proves("of.method.row")])])
    async def test_three(self, x: int) -> None: ...
'''


def test_marks_are_found_wherever_they_may_stand() -> None:
    assert list(contract.marks(READ, "x.py")) == [
        ("", ["of.file"]),
        ("ROWS", ["of.row"]),
        ("test_one", ["of.function", "of.more"]),
        ("TestTwo", ["of.class"]),
        ("TestTwo", ["of.class.body"]),
        ("TestTwo.test_three", ["of.method.row"]),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("NAME = 'a'\n@pytest.mark.proves(NAME)\ndef test(): ...\n", "x.py:2: an id is written as a text"),
        ("@pytest.mark.proves(*IDS)\ndef test(): ...\n", "x.py:1: an id is written as a text"),
        ("def test(request):\n    request.node.add_marker(pytest.mark.proves('a'))\n", "x.py:2: a mark stands on"),
    ],
)
def test_a_mark_that_cannot_be_read_is_an_error(text: str, says: str) -> None:
    with pytest.raises(ContractError, match=re.escape(says)):
        list(contract.marks(text, "x.py"))


def test_tests_are_found_in_every_folder(tmp_path: Path) -> None:
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "tests" / "deep" / "test_a.py").write_text("@pytest.mark.proves('a', 'b')\ndef test_it(): ...\n")
    (tmp_path / "tests" / "rows.py").write_text("ROWS = [pytest.param(marks=pytest.mark.proves('a'))]\n")
    deep, rows = Proof("tests/deep/test_a.py", "test_it"), Proof("tests/rows.py", "ROWS")
    assert contract.find_proofs(tmp_path) == {"a": {deep, rows}, "b": {deep}}


def test_two_sentences_have_two_ids() -> None:
    with pytest.raises(ContractError, match="a: two sentences"):
        contract.read_contract('[One]\na = "A."\n[Two]\na = "B."\n')


def test_the_document_lists_sections_sentences_and_tests() -> None:
    known = Contract({"One": {"a": "A.", "b": "B."}}, {"b": "soon"}, {})
    text = contract.document(known, {"a": {Proof("tests/test_a.py", "test_it"), Proof("tests/a.py", "")}})
    assert text == (
        f"{contract.HEADER}\n## One\n\n- **a**: A.\n  - [a](../tests/a.py)\n  - [test_it](../tests/test_a.py)\n"
        "- **b**: B.\n  - no test yet: soon\n"
    )
