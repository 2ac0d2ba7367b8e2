"""A stack file is read in bounded time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.config.secrecy import STACK_FILE_BYTES, UnreadableStackFile, find_stack_file, read_stack_file

BOMB = "config:\n  codesensei:env:\n    a0: &a0 {x: 1}\n" + "".join(
    f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
# Each map has the keys of those before it.
TAKEN = "config:\n  codesensei:env:\n    a0: &a0 {k0: 1}\n" + "".join(
    f"    a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}], k{n}: 1}}\n" for n in range(1, 200)
)


@pytest.mark.proves("source.bounds")
def test_a_stack_file_without_end_is_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: x\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("# x\n" * (STACK_FILE_BYTES // 4 + 1))
    with pytest.raises(UnreadableStackFile, match=r"^Pulumi.dev.yaml: it has more than 2 MB"):
        find_stack_file(tmp_path, "dev")


@pytest.mark.slow
@pytest.mark.proves("source.bounds")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "more than 10000 values"),
        (BOMB.replace("{x: 1}", "[]"), "more than 10000 values"),
        (TAKEN, "more than 10000 values"),
        ("config:\n  codesensei:env: " + "[" * 50_000, "nested too deeply"),
    ],
    ids=["references", "references to nothing", "maps in maps", "deep"],
)
def test_few_lines_that_stand_for_much_are_refused(text: str, words: str) -> None:
    with pytest.raises(UnreadableStackFile, match=words):
        read_stack_file(text)
