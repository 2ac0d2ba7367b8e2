"""What grows, and what is written of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tools.bench import document, growth
from tools.bench.growth import KINDS, Growing, Grown
from tools.bench.source import BASE, PAGE
from tools.demo.history import git
from tools.sandbox import Server


@pytest.fixture
def stack(tmp_path: Path) -> Growing:
    """A stack whose source is there; its file says nothing yet."""
    stack = Growing(cast("Server", None), tmp_path)
    stack.make_history()
    stack.file.parent.mkdir(parents=True)
    stack.file.write_text("config: {}\n")
    return stack


@pytest.mark.parametrize(("grow", "folder", "count"), [(growth.files, "data", 250), (growth.megabytes, "large", 2)])
@pytest.mark.slow
def test_a_repository_grows(stack: Growing, grow: Callable[[Growing, int], None], folder: str, count: int) -> None:
    grow(stack, 250 if folder == "data" else 20)
    listed = git(stack.repository, "ls-tree", "-r", "--name-only", stack.base, f"{folder}/").split()
    assert len(listed) == count
    assert stack.config["codesensei:project"]["source"]["revision"] == stack.base


def test_each_commit_stands_on_what_has_grown(stack: Growing) -> None:
    growth.files(stack, 3)
    marks = [stack.mark(), stack.mark()]
    revision = stack.config["codesensei:project"]["source"]["revision"]
    assert len(set(marks)) == 2
    assert f"<!-- {marks[1]} -->" in git(stack.repository, "show", f"{revision}:{PAGE}")
    assert git(stack.repository, "show", f"{revision}:data/0/2.txt")


def test_migrations_stand_in_a_line(stack: Growing) -> None:
    for size in (10, 12):
        growth.migrations(stack, size)
    listed = git(stack.repository, "ls-tree", "--name-only", stack.base, "entries/migrations/").split()
    names = sorted(Path(name).stem for name in listed if Path(name).stem[0].isdigit())
    assert [int(name[:4]) for name in names] == [*range(1, 13)]
    for before, name in itertools.pairwise(names[1:]):
        text = git(stack.repository, "show", f"{stack.base}:entries/migrations/{name}.py")
        assert before in text


def test_the_base_has_migrations_already(stack: Growing) -> None:
    assert "0001_initial.py" in git(stack.repository, "ls-tree", "-r", "--name-only", BASE)


def test_the_stack_file_grows(stack: Growing) -> None:
    growth.workers(stack, 3)
    growth.variables(stack, 2)
    config: dict[str, Any] = stack.config
    assert len(config["codesensei:project"]["workers"]) == 3
    assert [len(value) for value in config["codesensei:env"].values()] == [1024] * 2


def test_what_more_of_it_costs() -> None:
    files = [Grown(1000, 2.0, 10.0, 30), Grown(5000, 2.1, 12.0, 30), Grown(20_000, 2.2, 19.5, 30)]
    assert growth.slope(files, "code", KINDS["files"].each) == pytest.approx(0.5)
    link = [Grown(100_000, 2.0, 10.0, 30), Grown(2000, 4.0, 20.0, 31)]
    _, _, first, second = growth.table({"files": files, "kilobits": link}).splitlines()
    assert first == (
        "| files in the repository | 1,000 · 5,000 · 20,000 | 2.0 · 2.1 · 2.2 | 10.0 · 12.0 · 19.5 | 30 |"
        " 1,000 more: code 0.50 s |"
    )
    assert (
        second
        == "| kbit/s to the server, for 5 MB of source | 100,000 · 2,000 | 2.0 · 4.0 | 10.0 · 20.0 | 30 · 31 |  |"
    )
    assert "each: nothing" in growth.table({"workers": [Grown(1, 2.0, 9.0, 30), Grown(4, 2.0, 9.1, 30)]})


def test_what_is_measured_alone_takes_its_own_row() -> None:
    grown = [Grown(1, 1.0, 2.0, 3)]
    first = growth.written("`a`", {"files": grown, "workers": grown}, {"kilobits": "the run ended before"})
    again = growth.renewed(first, "`b`", {"files": [Grown(1, 9.0, 9.0, 3)]})
    assert again.count("| files in the repository |") == 1
    assert "| files in the repository | 1 | 9.0 | 9.0 | 3 |  |\n| workers | 1 | 1.0 |" in again
    assert again.endswith("was not measured: the run ended before\n\nfiles in the repository: by `b`\n")
    older = again.replace("was not measured", "was measured").replace(
        "| workers", "| kbit/s to the server | x |\n| workers"
    )
    link = growth.renewed(older, "`c`", {"kilobits": grown})
    assert link.count("| kbit/s to the server") == 1
    assert growth.renewed(link, "`d`", {"kilobits": grown}).count(": by `c`") == 0
    assert "was not measured" not in growth.renewed(again, "`c`", {"kilobits": grown})


def test_a_kind_that_fails_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    written: list[str] = []

    class Nothing:
        def __init__(self, place: Path) -> None:
            del place

        def down_all(self) -> None:
            pass

        def up(self, name: str, debian: int) -> str:
            return f"{name}-{debian}"

    def measured(server: Server, place: Path, kind: growth.Kind, rounds: int) -> list[Grown]:
        del server, place, rounds
        if kind.grow is growth.workers:
            raise AssertionError("no memory\nmore words")
        return [Grown(1, 1.0, 2.0, 3)]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(growth, "Sandbox", Nothing)
    monkeypatch.setattr(growth, "measure", measured)
    monkeypatch.setattr(document, "read", lambda begin: "")
    monkeypatch.setattr(document, "write", lambda begin, text: written.append(begin + text))
    monkeypatch.setattr("sys.argv", ["growth"])
    assert growth.main() == 1
    first, *_, text = written
    assert len(written) == len(KINDS)
    assert first.count(" was not measured: the run ended before\n") == len(KINDS) - 1
    assert text.startswith(document.GROWTH)
    assert "**workers** was not measured: no memory\n" in text
    assert text.count("| 1.0 | 2.0 | 3 |") == len(KINDS) - 1
    assert "no memory" in capsys.readouterr().err


def test_what_was_not_measured_is_named() -> None:
    text = growth.written("a run", {"workers": [Grown(1, 2.0, 9.0, 30)]}, {"files": "the disk is full\nand more"})
    assert text.startswith("Written by a run.\n\n| what grows |")
    assert text.endswith("\n\n**files in the repository** was not measured: the disk is full\n")
