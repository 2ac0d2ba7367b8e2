"""Plans of migrations under writers and readers that never stop: what is told and refused, what fails, what is lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tools.demo.history import History, begin_history
from tools.sandbox import Server
from tools.trials.crowd import Crowd
from tools.trials.plans import MODELS, VIEWS, Change, Plan, name_of, written
from tools.trials.stack import Json, Run, Stack

PROJECT = Path(__file__).with_name("shop")
READY = "orders-are-there"
READERS, WRITERS = 3, 2
# Seconds: before and after what happens, and what nobody may wait longer for.
REST = 2.0
LOCK_TIMEOUT = 5
SQL = "cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 shop"
SEED = """
INSERT INTO orders_order (text, note, amount) SELECT 'seed ' || n, 'note ' || n, 1 FROM generate_series(1, {rows}) AS n;
INSERT INTO orders_mark (word) SELECT 'seed' FROM generate_series(1, 100);
VACUUM ANALYZE;
"""
WORST = ("safe", "unknown", "destructive")
TOLD = re.compile(r"orders\.\w+: .* (?:is|are) (DESTRUCTIVE|unknown|safe)\b")


class Shop(Stack):
    """A stack of the project whose orders are many: gunicorn and PostgreSQL, no worker."""

    def make_history(self) -> History:
        """The repository, with one commit."""
        return begin_history(self.repository, PROJECT, "Take orders")

    def first_config(self, history: History) -> Json:
        """What the stack starts with."""
        config = super().first_config(history)
        del config["codesensei:broker"]
        project = config["codesensei:project"]
        del project["workers"]
        project |= {"name": "Shop", "settingsModule": "shop.settings", "static": "none", "stopTimeout": {"web": 10}}
        return config | {
            "codesensei:env": {"WEB_CONCURRENCY": "4"},
            "codesensei:database": {"lockTimeout": LOCK_TIMEOUT},
        }


@dataclass
class Customers(Crowd):
    """They read, order, and change old orders; `rows` is how many of those there are."""

    rows: int = 0

    def habits(self) -> Iterator[Callable[[], None]]:
        """What each of them does."""
        for _ in range(READERS):
            yield self._read
        for number in range(WRITERS):
            yield partial(self._order, number)
        yield self._change

    def longest(self, *kinds: str) -> float:
        """Seconds of the slowest request of these kinds."""
        return max((answer.seconds for answer in self.answers if answer.kind in kinds), default=0.0)

    def _read(self) -> None:
        while self.goes_on():
            self.get("read", "/")
            self.get("read", "/marks")

    def _order(self, number: int) -> None:
        while self.goes_on():
            text = f"customer {number} at {time.time_ns()}"
            if not self.post("write", "/orders", {"text": text}).problem:
                self.acknowledged.append(text)

    def _change(self) -> None:
        number = 0
        while self.goes_on():
            number = number % self.rows + 97
            self.post("change", "/changes", {"number": str(number)})


@dataclass(frozen=True)
class Outcome:
    """What a plan showed. `told` is its verdict in preview, `wrong` what is not as it should be; waits in seconds."""

    plan: str
    told: str
    refused: bool
    deploys: int
    requests: int
    failed: int
    acknowledged: int
    found: int
    reader: float
    writer: float
    wrong: tuple[str, ...]
    seconds: float


@dataclass
class Tried:
    """What one plan has shown so far."""

    told: str = ""
    refused: bool = False
    deploys: int = 0
    wrong: list[str] = field(default_factory=list)


class Ground:
    """A server with the deployed shop and its orders, put back before each plan."""

    def __init__(self, server: Server, directory: Path, rows: int) -> None:
        """Deploy the shop, and fill it."""
        self.server, self.rows = server, rows
        self.stack = Shop(server, directory, slug="shop", hostname="shop.example")
        self.stack.create()
        self.stack.up()
        server.console(SQL, input=SEED.format(rows=rows).encode(), timeout=600)
        self.first = self.stack.config["codesensei:project"]["source"]["revision"]
        self.files = {name: (PROJECT / name).read_text() for name in (MODELS, VIEWS)}
        self.stack.keep(READY)
        server.snapshot(READY)

    def run(self, plan: Plan) -> Outcome:
        """Put the server back, and let the plan come as somebody would write it, and then in the way that is safe."""
        began, tried = time.monotonic(), Tried()
        self.server.restore(READY)
        self.stack.put_back(READY)
        self.server.console("systemctl is-system-running --wait", check=False)
        # The first request starts the web process.
        self.stack.site.get()
        with Customers(self.server, self.stack.hostname, rows=self.rows) as crowd:
            crowd.goes_on(REST)
            self._go_through(plan, tried)
            crowd.goes_on(REST)
        there = set(self._sql(f"SELECT text FROM {plan.table}").splitlines())
        found = sum(text in there for text in crowd.acknowledged)
        wrong = [*tried.wrong, *_not_right(crowd, found)]
        return Outcome(
            plan.name,
            tried.told,
            tried.refused,
            tried.deploys,
            len(crowd.answers),
            len(crowd.failed),
            len(crowd.acknowledged),
            found,
            round(crowd.longest("read"), 2),
            round(crowd.longest("write", "change"), 2),
            tuple(wrong),
            round(time.monotonic() - began, 1),
        )

    def _sql(self, query: str) -> str:
        return self.server.console(SQL, input=query.encode(), timeout=120).stdout

    def _go_through(self, plan: Plan, tried: Tried) -> None:
        served = self.stack.serving()
        self._ask_for(plan.change, self.first, 2)
        tried.told = verdict(self.stack.preview().output)
        if tried.told != plan.verdict:
            tried.wrong.append(f"the preview tells {tried.told or 'nothing'}, not {plan.verdict}")
        done = self._deploy()
        tried.refused = bool(done.code) and "nothing was migrated" in done.output
        if not plan.way:
            tried.deploys += 1
            tried.wrong += [*_failure(done)]
            return
        if not tried.refused:
            tried.wrong.append(f"it was not refused: {said(done)}")
        if self.stack.serving() != served:
            tried.wrong.append("another release serves after the refusal")
        base, number, files = self.first, 2, dict(self.files)
        for change in plan.way:
            base = self._ask_for(change, base, number, files)
            done = self._deploy()
            tried.deploys += 1
            if wrong := [*_failure(done)]:
                tried.wrong += wrong
                return
            number += len(change.migrations)

    def _ask_for(self, change: Change, base: str, number: int, files: dict[str, str] | None = None) -> str:
        """Commit a change on top of another, and write it into the stack file; `files` become what they are then."""
        texts = written(change, files or self.files, number)
        if files is not None:
            files.update({name: text for name, text in texts.items() if name in files})
        revision = self.stack.commit(texts, base)
        count = len(change.migrations) if change.acknowledged else 0
        self.stack.set("project.source.revision", revision)
        names = [f"orders.{name_of(each)}" for each in range(number, number + count)]
        self.stack.set("project.acknowledgeMigrations", names)
        return revision

    def _deploy(self) -> Run:
        return self.stack.finish(*self.stack.start("up", "--yes", "--skip-preview"))


def verdict(preview: str) -> str:
    """The worst that a preview tells of the orders' migrations; empty where it tells nothing."""
    found = [match[1].lower() for match in TOLD.finditer(preview)]
    return max(found, key=WORST.index, default="")


def said(done: Run) -> str:
    """How a deploy has ended, in a line."""
    error = next((line for line in done.output.splitlines() if "error: " in line), "")
    return f"status {done.code} {error.strip()[:300]}".strip()


def _failure(done: Run) -> Iterator[str]:
    if done.code:
        yield f"the deploy failed: {said(done)}"


def _not_right(crowd: Customers, found: int) -> Iterator[str]:
    if failed := crowd.failed:
        yield f"{len(failed)} requests failed, the first {failed[0].kind}: {failed[0].problem}"
    if lost := len(crowd.acknowledged) - found:
        yield f"{lost} acknowledged orders are gone"
    if not crowd.acknowledged:
        yield "nothing was written"
    if (longest := crowd.longest("read")) > LOCK_TIMEOUT:
        yield f"a reader waited {longest:.1f} s"


def described(outcome: Outcome) -> str:
    """One outcome in a few lines."""
    lines = [
        f"{'WRONG' if outcome.wrong else 'right'} {outcome.plan}: {outcome.told},"
        f" {'refused, then ' if outcome.refused else ''}{outcome.deploys} deploys;"
        f" {outcome.failed} of {outcome.requests} requests failed, {outcome.found} of {outcome.acknowledged} orders"
        f" found; readers waited up to {outcome.reader} s, writers up to {outcome.writer} s; {outcome.seconds} s",
        *(f"    wrong: {text}" for text in outcome.wrong),
    ]
    return "\n".join(lines)


def text(outcomes: Sequence[Outcome]) -> list[str]:
    """The part of docs/RELIABILITY.md that tells of them."""
    requests, failed = sum(one.requests for one in outcomes), sum(one.failed for one in outcomes)
    acknowledged = sum(one.acknowledged for one in outcomes)
    lost = acknowledged - sum(one.found for one in outcomes)
    lines = [
        f"{len(outcomes)} plans, {sum(not one.wrong for one in outcomes)} of them right.",
        f"{failed} of {requests} requests failed, and {lost} of {acknowledged} acknowledged orders are lost.",
        f"The longest wait of a reader was {max((one.reader for one in outcomes), default=0.0):.2f} s.",
        "",
        "| plan | told in the preview | refused | deploys | requests | failed | orders acknowledged, found"
        " | longest wait of a reader | of a writer |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_row, outcomes),
    ]
    if wrong := [outcome for outcome in outcomes if outcome.wrong]:
        lines += ["", "What was not right:", "", *(f"* {one.plan}: {'; '.join(one.wrong[:3])}" for one in wrong)]
    return lines


def _row(outcome: Outcome) -> str:
    refused = "yes" if outcome.refused else "no"
    return (
        f"| {outcome.plan} | {outcome.told} | {refused} | {outcome.deploys} | {outcome.requests} | {outcome.failed}"
        f" | {outcome.acknowledged}, {outcome.found} | {outcome.reader:.2f} s | {outcome.writer:.2f} s |"
    )
