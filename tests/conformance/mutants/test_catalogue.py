"""The catalogue of faulty stand-ins keeps up with the stand-ins and with the tests."""

from __future__ import annotations

import pytest

from tests.conformance.mutants.catalogue import MUTANTS, Mutant
from tests.conformance.mutants.test_mutants import TESTS
from tools.engine.plugins import SOURCES


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_applies(mutant: Mutant) -> None:
    """Its text is in the stand-in once, what replaces it is valid Python, and its test exists."""
    source = (SOURCES / "standin" / mutant.file).read_text()
    assert source.count(mutant.old) == 1
    compile(source.replace(mutant.old, mutant.new), mutant.file, "exec")
    file, _, name = mutant.test.partition("::")
    assert f"def {name}(" in (TESTS / file).read_text()
