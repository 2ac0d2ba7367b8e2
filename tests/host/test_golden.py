"""docs/golden.md: what the real command shows of eleven changes, against a server on which the example is deployed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import pytest

from codesensei.remote.dns import NO_RECORD, NOT_KNOWN
from tests.host.debians import each_debian
from tools.sandbox import Server
from tools.trials.stack import CHECKOUT, Run, Stack

pytestmark = [pytest.mark.host, pytest.mark.proves("story.told")]

PAGE = CHECKOUT / "docs" / "golden.md"
REWRITE = os.environ.get("CODESENSEI_REWRITE_GOLDEN") == "1"
MOST_LINES = 25
FIRST = "The first deploy"
UNIT = "/etc/systemd/system/guestbook.service"
MODELS = "entries/models.py"
MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entries", "0001_initial")]
    operations = [{operation}]
"""
# What is another text in each run, and how it is written in the page, so that the same one is the same there.
MEMORY = re.compile(r"about \d+ MB more for processes, and [\d.]+ [MG]B")
CHANGING = re.compile(r"\b[0-9a-f]{7}\b|(?<=digest )[0-9a-f]{4}|(?<=-> )[0-9a-f]{4}(?=\))")


ROW = re.compile(r" [+~-]  \S+:\S+:\S+ ")


def migrate(stack: Stack, name: str, operation: str, subject: str) -> str:
    """A commit with one more migration."""
    text = MIGRATION.format(operation=operation)
    return stack.commit({f"entries/migrations/{name}.py": text}, "main~2", subject)


def commit(stack: Stack) -> None:
    stack.use("main")


def additive(stack: Stack) -> None:
    operation = 'migrations.AddField("entry", "language", models.CharField(max_length=2, null=True))'
    stack.set("project.source.revision", migrate(stack, "0002_language", operation, "Note an entry's language"))


def destructive(stack: Stack) -> None:
    operation = 'migrations.RemoveField("entry", "name")'
    stack.set("project.source.revision", migrate(stack, "0002_drop_name", operation, "Forget names"))


def packages(stack: Stack) -> None:
    text = (stack.repository / "requirements.txt").read_text()
    changed = re.sub(r"celery==[\d.]+", "celery==5.6.0", text) + "httpx\n"
    stack.set("project.source.revision", stack.commit({"requirements.txt": changed}, "main~2", "Ask others"))


def variable(stack: Stack) -> None:
    stack.set("env.GREETING", "Good evening")


def secret(stack: Stack) -> None:
    stack.set_secret("codesensei:secretEnv.API_TOKEN", "another-token-of-this-stack")


def workers(stack: Stack) -> None:
    stack.set("project.workers.worker", "celery -A config worker -l info --concurrency 2")
    stack.set("project.workers.beat", {"command": "celery -A config beat", "singleton": True})


def domain(stack: Stack) -> None:
    stack.set("domains", ["guestbook.example", "www.guestbook.example"])
    stack.set("tls", "selfSigned")


def drift(stack: Stack) -> None:
    stack.server.console(f"sed -i 's/^Restart=always$/Restart=no/' {UNIT}; systemctl stop guestbook-worker")


CHANGES: dict[str, Callable[[Stack], None]] = {
    "Two commits": commit,
    "A commit that adds a column": additive,
    "A commit that drops a column": destructive,
    "A package upgrade": packages,
    "A plain variable": variable,
    "A secret": secret,
    "Workers": workers,
    "A hostname, and HTTPS": domain,
    "Changes by hand": drift,
}
ROLLBACK = "A rollback"


def shown(run: Run, host: str) -> str:
    """What a person sees; the engine's line of dots, and the addresses and hashes of this run are written otherwise."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], sha256(str(len(names)).encode()).hexdigest()[: len(found[0])])

    lines = [line.rstrip() for line in run.output.splitlines() if not line.startswith("@")]
    # The engine lists what does not depend on each other in any order.
    groups = groupby(lines, lambda line: bool(ROW.match(line)))
    lines = [line for is_row, group in groups for line in (sorted(group) if is_row else group)]
    lines = [MEMORY.sub("about 60 MB more for processes, and 1.4 GB", line) for line in lines]
    text = "\n".join(lines).strip().replace(host, "203.0.113.7").replace(f"({NOT_KNOWN})", f"({NO_RECORD})")
    return re.sub(r"\n{2,}", "\n\n", CHANGING.sub(name, text))


def sections(page: str) -> Iterator[tuple[str, str]]:
    """The title and the preview of each section."""
    for title, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        if block := re.search(r"```text\n(.*?)\n```", body, re.DOTALL):
            yield title, block[1]


def compare(found: dict[str, str]) -> None:
    """Hold previews against the page, or write them there."""
    page = PAGE.read_text()
    if REWRITE:
        for title, text in found.items():
            begin = page.index(f"## {title}\n")
            begin = page.index("```text\n", begin) + len("```text\n")
            page = page[:begin] + text + page[page.index("\n```", begin) :]
        PAGE.write_text(page)
    kept = dict(sections(page))
    assert {title: kept.get(title) for title in found} == found


@pytest.mark.full
@each_debian(13)
def test_each_preview_is_as_the_page_has_it(stack: Stack) -> None:
    found: dict[str, str] = {}
    before = stack.file.read_text()
    for title, change in CHANGES.items():
        change(stack)
        found[title] = shown(stack.preview(), stack.server.host)
        stack.file.write_text(before)
    stack.use("main~1")
    stack.up()
    stack.use("main~2")
    found[ROLLBACK] = shown(stack.preview(), stack.server.host)
    assert {title: text for title, text in found.items() if text.count("\n") >= MOST_LINES} == {}
    compare(found)


@pytest.mark.parametrize("debian", [13])
def test_the_preview_of_a_first_deploy(fresh: Callable[[int], Server], place: Path, debian: int) -> None:
    server = fresh(debian)
    # As on bought ones; with a part of it, the preview says that not all was checked.
    server.console("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install python3 >/dev/null")
    stack = Stack(server, place / f"golden-{debian}").create()
    compare({FIRST: shown(stack.preview(), server.host)})
