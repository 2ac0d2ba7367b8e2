"""Every command that the documents print is run by a test, and every part of a stack file is one that is taken."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from codesensei.config.check import known_keys
from codesensei.config.problems import NAMESPACE
from tests.config.engine import load_text
from tests.config.test_good import SMALLEST
from tests.config.test_schema import SCHEMA, faults
from tests.docs.pages import CHECKOUT, PAGES, blocks, commands, parse, read
from tests.docs.table import MAKE, NOT_RUN, RUN_BY

# What is printed to be read, not to be typed.
SHOWN = {"text"}
MAPS = {"env", "secretEnv", "workers"}
_KEY = re.compile(rf"{NAMESPACE}([A-Za-z_.]+)")
_SETTING = re.compile(rf"{NAMESPACE}[A-Za-z]+: .+")


def lines() -> set[str]:
    """Everything that is typed, line by line."""
    return {line.strip() for block in blocks("sh").values() for line in block.text.splitlines()}


@pytest.mark.proves("docs.commands")
def test_every_block_has_a_test_that_runs_it() -> None:
    rows = RUN_BY.keys() | NOT_RUN.keys()
    assert sorted(blocks("sh", "python").keys() - rows) == [], "give these a row in tests/docs/table.py"
    assert sorted(rows - blocks("sh", "python", "yaml").keys()) == [], "the documents print no such blocks"
    assert RUN_BY.keys().isdisjoint(NOT_RUN)
    assert all(reason.strip() for reason in NOT_RUN.values())


@pytest.mark.proves("docs.commands")
@pytest.mark.parametrize("test", sorted({*RUN_BY.values()} - {MAKE}))
def test_the_tests_of_the_table_run_all_that_it_gives_them(test: str) -> None:
    """By `Reader.ends`, which compares what was typed with the table."""
    file, _, name = test.partition("::")
    function = (CHECKOUT / file).read_text().partition(f"\ndef {name}(")[2].partition("\ndef ")[0]
    assert "reader.ends()" in function


@pytest.mark.proves("docs.commands")
@pytest.mark.parametrize("page", PAGES)
def test_no_block_escapes(page: str) -> None:
    found = read(page)
    assert {block.language for block in found.blocks} <= {"sh", "yaml", "python", *SHOWN}
    assert found.indented == (), "fence these lines"


@pytest.mark.proves("docs.commands")
def test_a_command_in_a_sentence_is_one_that_a_block_prints() -> None:
    missing = [
        command
        for command in commands()
        if not command.startswith("make ") and not any(f"{line} ".startswith(f"{command} ") for line in lines())
    ]
    assert missing == [], "no block begins a line with these: print them in one, with a row in tests/docs/table.py"


@pytest.mark.proves("docs.commands")
@pytest.mark.parametrize("command", sorted(found for found in lines() | commands() if found.startswith("make ")))
def test_targets(command: str) -> None:
    """The target is in the help, and make finds all that it needs."""
    words = command.partition("#")[0].split()
    makefile = (CHECKOUT / "Makefile").read_text()
    for word in words[1:]:
        name, is_variable, _ = word.partition("=")
        assert re.search(rf"^{name} \?=" if is_variable else rf"^{name}:.*## ", makefile, re.M), word
    done = subprocess.run(["make", "-n", *words[1:]], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.proves("docs.commands")
@pytest.mark.parametrize("place", blocks("yaml"))
def test_a_part_of_a_stack_file_is_taken(place: str, tmp_path: Path) -> None:
    check_part(tmp_path, blocks("yaml")[place].text)


def test_a_setting_in_a_sentence_is_taken(tmp_path: Path) -> None:
    for span in {span for page in PAGES for span in read(page).spans if _SETTING.fullmatch(span) and "…" not in span}:
        check_part(tmp_path, span)


def check_part(directory: Path, text: str) -> None:
    """The program and an editor take a smallest stack file with this in it, and no key stands twice."""
    mapping = yaml.compose(text)
    assert isinstance(mapping, yaml.MappingNode)
    keys = [key.value for key, _ in mapping.value]
    assert len(keys) == len(set(keys))
    # A sentence about production says nothing of backups.
    smallest = {**SMALLEST, "domains": ["shop.example.com"], "waive": {"backup": "a test"}}
    base = {f"{NAMESPACE}{key}": value for key, value in smallest.items()}
    whole = {"config": {**base, **yaml.safe_load(text)}}
    load_text(directory, yaml.safe_dump(whole))
    assert faults(whole, SCHEMA) == []


@pytest.mark.proves("docs.commands")
def test_every_key_that_is_named_is_one() -> None:
    spans = {span for page in PAGES for span in read(page).spans}
    named = {key[1].rstrip(".") for text in spans | lines() for key in _KEY.finditer(text)}
    assert len(named) > 15
    assert [key for key in sorted(named) if not known(key.split("."))] == []


def known(parts: list[str]) -> bool:
    """Whether a key of this path may stand in a stack file."""
    for index, part in enumerate(parts):
        if index and parts[index - 1] in MAPS:
            return True
        if part not in known_keys(tuple(parts[:index])):
            return False
    return True


PAGE = """# Page
Run `pulumi up`, not `pulumi
destroy`, in `.venv`.

## Two words: here!

```sh
make x
```

* an item

  ```yaml
  a:
    b: c
  ```

    indented
"""


def test_what_a_page_prints() -> None:
    found = parse("x.md", PAGE)
    assert [(block.place, block.language, block.text) for block in found.blocks] == [
        ("x.md#two-words-here", "sh", "make x\n"),
        ("x.md#two-words-here.2", "yaml", "a:\n  b: c\n"),
    ]
    assert found.spans == ("pulumi up", "pulumi destroy", ".venv")
    assert found.indented == ("    indented",)
