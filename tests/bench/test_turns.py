"""The turns that tools take, and what is written of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools.bench import document, table
from tools.bench.source import PAGE, Source
from tools.bench.table import tables
from tools.bench.tool import Tool, ToolError, Wanted
from tools.bench.turns import Found, Sample, Visits, measure
from tools.demo.history import git


class Recorder(Tool):
    """A tool that deploys at once, to a page of its own."""

    cases = ("first", "code", "rollback", "variable", "nothing")

    def __init__(
        self, name: str, log: list[str], fails_at: str = "", restarts: bool = False, floor: bool = False
    ) -> None:
        self.name, self.command, self.log, self.floor = name, f"`{name}`", log, floor
        self.fails_at, self.restarts = fails_at, restarts
        self.page = ""
        self.started = 1

    def prepare(self) -> None:
        if self.fails_at == "prepare":
            raise ToolError("it cannot be installed: the index is away\nmore words")

    def wipe(self) -> None:
        self.log.append(self.name)

    def aim(self, case: str, wanted: Wanted) -> None:
        self.wanted = wanted

    def run(self, case: str) -> str:
        if case == self.fails_at:
            raise ToolError(f"{case} failed")
        if case != "nothing" or self.restarts:
            self.started += 1
        if self.fails_at != f"lost {case}":
            self.page = f'<p class="greeting">{self.wanted.greeting}</p><!-- {self.wanted.mark} -->'
        return ""

    def processes(self) -> list[str]:
        return [str(self.started)]

    @property
    def site(self) -> Any:
        return SimpleNamespace(get=lambda: SimpleNamespace(status=200, body=self.page))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source").create()


def test_another_tool_begins_each_round(source: Source) -> None:
    log: list[str] = []
    found = Found()
    measure([Recorder(name, log) for name in "abc"], source, 2, found)
    assert log == ["a", "b", "c", "b", "c", "a"]
    assert not found.absent
    assert {case: len(each) for case, each in found.samples["b"].items()} == dict.fromkeys(Recorder.cases, 2)


@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        ({"fails_at": "prepare"}, "the index is away"),
        ({"fails_at": "variable"}, "variable failed"),
        ({"fails_at": "lost code"}, "lacks.*new 0"),
        ({"fails_at": "lost variable"}, "lacks.*Good evening 0"),
        ({"restarts": True}, "nothing was to change"),
    ],
)
def test_a_tool_that_fails_is_named_and_the_others_go_on(source: Source, flaw: dict[str, Any], cause: str) -> None:
    log: list[str] = []
    tools = [Recorder("codesensei", log), Recorder("flawed", log, **flaw), Recorder("bash", log)]
    found = Found()
    measure(tools, source, 2, found)
    assert log.count("flawed") <= 1
    assert log.count("codesensei") == log.count("bash") == 2
    assert list(found.absent) == ["flawed"]
    with pytest.raises(ToolError, match=cause):
        raise ToolError(found.absent["flawed"])
    first_line = found.absent["flawed"].splitlines()[0]
    assert f"**flawed** has no more turns: {first_line}\n" in tables(found, tools, "make bench")


def test_all_tools_deploy_the_same_commit(source: Source) -> None:
    one, other = source.wanted("a mark", "Hello"), source.wanted("a mark", "Good evening")
    assert one.revision == other.revision
    assert git(source.path, "diff", "--name-only", "main~1", one.revision).split() == [PAGE]
    assert "<!-- a mark -->" in git(source.path, "show", f"{one.revision}:{PAGE}")


def test_the_tables_have_medians_spread_ratios_and_visits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = Found()
    for seconds in (30.0, 10.0, 20.0):
        found.add("codesensei", "code", Sample(seconds, {"switch web": seconds / 10, "claim": 0.01}, load=1.0))
        found.add("bash", "code", Sample(seconds / 4, {}, load=2.0))
        found.add("bash", "visited", Sample(1.0, {}, 0.0, Visits(100, 3, seconds / 100)))
    found.add("the engine alone", "code", Sample(1.5, {}, load=1.0))
    tools = [Recorder("codesensei", []), Recorder("bash", []), Recorder("the engine alone", [], floor=True)]
    text = tables(found, tools, "make bench ROUNDS=3")
    lines = text.splitlines()
    assert "`make bench ROUNDS=3`" in lines[0]
    assert "| code | 3 | 20.0 (10.0 to 30.0) | 5.0 (2.5 to 7.5) | 1.5 (1.5 to 1.5) | 1.0 |" in lines
    # It is no peer.
    assert lines[lines.index("| codesensei as a multiple of | bash |") + 2] == "| code | 4.0 |"
    assert lines[lines.index("| seconds of codesensei beyond | the engine alone |") + 2] == "| code | 18.5 |"
    assert "| bash | 300 | 9 | 0.30 |" in lines
    assert "| code | switch web 2 |" in lines
    assert "| bash | `bash` |" in lines
    page = tmp_path / "SPEED.md"
    page.write_text(f"before\n{document.BENCH}old\n{document.END}after\n")
    monkeypatch.setattr(document, "DOCUMENT", page)
    document.write(document.BENCH, text)
    assert page.read_text() == f"before\n{document.BENCH}{text}{document.END}after\n"


def test_a_case_that_only_some_tools_have_leaves_the_others_empty() -> None:
    samples = {"bash": {"first": [Sample(2.0, {}, 0.0)]}, "codesensei": {"preview": [Sample(1.0, {}, 0.0)]}}
    assert table.seconds(samples, ["codesensei", "bash"]).splitlines()[2:] == [
        "| first | 1 |  | 2.0 (2.0 to 2.0) | 0.0 |",
        "| preview | 1 | 1.0 (1.0 to 1.0) |  | 0.0 |",
    ]
