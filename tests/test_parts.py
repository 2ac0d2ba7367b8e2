"""A run that is split leaves no test out, and runs none twice."""

from __future__ import annotations

import pytest

from tests.parts import part


@pytest.mark.parametrize("count", [0, 1, 7, 8, 554])
@pytest.mark.parametrize("parts", [1, 2, 8, 13])
def test_each_is_in_one_part(count: int, parts: int) -> None:
    found = [place for number in range(parts) for place in part(f"{number + 1}/{parts}", count)]
    assert found == list(range(count))


@pytest.mark.parametrize("text", ["", "2", "0/8", "9/8", "1/0", "a/b", "1/2/3", "-1/8"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(pytest.UsageError, match="such as 2/8"):
        part(text, 10)
