"""How long a deploy takes when one thing grows: files, migrations, workers, other projects, the way to the server."""

from __future__ import annotations

import argparse
import base64
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.bench import document
from tools.bench.source import BASE, PAGE
from tools.bench.tool import ToolError
from tools.bench.turns import FAILURES
from tools.demo.history import git
from tools.sandbox import Relay, Sandbox, Server
from tools.trials.stack import Stack

PLACE = Path(".codesensei/growth")
FOLDER = 100
MEGABYTE = 1 << 20
VALUE = "x" * 1024
# Below this nobody can tell it from the noise of two runs.
LEAST = 0.05
# Lines of the deploys that another one repeats; the last one is what serves.
FORGE = """
import pathlib
file = pathlib.Path("/var/lib/codesensei/{slug}/history.jsonl")
lines = file.read_text().splitlines()
file.write_text("\\n".join([lines[0]] * ({deploys} - len(lines)) + lines) + "\\n")
"""


@dataclass
class Growing(Stack):
    """A stack behind a relay, whose project grows; destroying it leaves nothing behind."""

    relay: Relay | None = None
    base: str = BASE
    others: list[Stack] = field(default_factory=list)
    marks: int = 0

    def first_config(self, history: Any) -> dict[str, Any]:
        """What the stack starts with."""
        config = super().first_config(history) | {"codesensei:onDestroy": {"database": "drop", "media": "drop"}}
        if self.relay:
            config["codesensei:server"] |= {"host": self.relay.host, "port": self.relay.port}
        return config

    def add(self, files: Mapping[str, str]) -> None:
        """Have each later commit stand on one with these files, too."""
        self.base = self.commit(dict(files), base=self.base, subject="Grow")
        self.set("project.source.revision", self.base)

    def mark(self) -> str:
        """Aim at a commit that changes one line of the page; returns that."""
        self.marks += 1
        mark = f"grown {self.marks}"
        page = git(self.repository, "show", f"{self.base}:{PAGE}")
        revision = self.commit({PAGE: f"{page}<!-- {mark} -->\n"}, base=self.base, subject=mark)
        self.set("project.source.revision", revision)
        return mark


def files(stack: Growing, size: int) -> None:
    """Small files in the repository."""
    stack.add({f"data/{number // FOLDER}/{number}.txt": f"{number}\n" * 20 for number in range(size)})


def megabytes(stack: Growing, size: int) -> None:
    """What does not shrink, in files of ten megabytes."""
    stack.add({f"large/{number}.txt": _noise(min(10, size)) for number in range(max(1, size // 10))})


def _noise(size: int) -> str:
    return base64.b64encode(os.urandom(size * MEGABYTE * 3 // 4)).decode()


def migrations(stack: Growing, size: int) -> None:
    """Migrations that change nothing in the database, each after the one before."""
    listed = git(stack.repository, "ls-tree", "--name-only", stack.base, "entries/migrations/").split()
    last = max(Path(name).stem for name in listed if Path(name).stem[0].isdigit())
    made = {}
    for number in range(int(last[:4]) + 1, size + 1):
        name = f"{number:04}_options"
        made[f"entries/migrations/{name}.py"] = (
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            f'    dependencies = [("entries", "{last}")]\n'
            f'    operations = [migrations.AlterModelOptions("entry", {{"verbose_name": "{number}"}})]\n'
        )
        last = name
    stack.add(made)


def workers(stack: Growing, size: int) -> None:
    """Celery workers with a process each."""
    line = "celery -A config worker -l info --concurrency 1 -n {}@%h"
    stack.set("project.workers", {f"worker{number}": line.format(number) for number in range(size)})


def variables(stack: Growing, size: int) -> None:
    """Variables of a kilobyte. Linux lets the engine hand over 128 KiB of config, and not more."""
    for number in range(size):
        stack.set(f"env.GROWN_{number}", VALUE)


def deploys(stack: Growing, size: int) -> None:
    """Deploys that the server remembers."""
    script = FORGE.format(slug=stack.slug, deploys=size)
    stack.server.console("python3 -", input=script.encode())


def projects(stack: Growing, size: int) -> None:
    """Projects on the server, each with a web process and a worker."""
    while len(stack.others) < size - 1:
        name = f"other{len(stack.others)}"
        other = Growing(stack.server, stack.directory.with_name(name), name, hostname=f"{name}.example")
        other.create()
        other.up()
        stack.others.append(other)


def milliseconds(stack: Growing, size: int) -> None:
    """A way to the server that takes so long, there and back."""
    assert stack.relay
    stack.relay.delay(size / 2000)


def kilobits(stack: Growing, size: int) -> None:
    """A way to the server that takes so much a second, in each direction of each connection; the source has 5 MB."""
    assert stack.relay
    if not stack.relay.rate:
        megabytes(stack, 5)
    stack.relay.slow(size * 1000 / 8)


@dataclass(frozen=True)
class Kind:
    """One thing that grows, to each of `sizes`; `each` is the number by which a slope is told, 0 for none."""

    title: str
    grow: Callable[[Growing, int], None]
    sizes: tuple[int, ...]
    each: int


KINDS = {
    kind.grow.__name__: kind
    for kind in (
        Kind("files in the repository", files, (1000, 5000, 20_000), 1000),
        Kind("migrations", migrations, (10, 100, 500), 100),
        Kind("workers", workers, (1, 4, 10), 1),
        Kind("variables of 1 KiB", variables, (1, 20, 100), 10),
        Kind("deploys so far", deploys, (10, 100, 1000), 100),
        Kind("ms to the server and back", milliseconds, (1, 50, 100), 10),
        Kind("kbit/s to the server, for 5 MB of source", kilobits, (100_000, 10_000, 2000), 0),
        Kind("megabytes in the repository", megabytes, (10, 100, 1000), 100),
        Kind("projects on the server", projects, (1, 4, 16), 1),
    )
}


@dataclass(frozen=True)
class Grown:
    """The seconds that an operator waits at one size, and how many resources the stack has."""

    size: int
    preview: float
    code: float
    resources: int


def measure(server: Server, place: Path, kind: Kind, rounds: int) -> list[Grown]:
    """Deploy a new stack, let it grow, and measure it at each size; the medians of so many rounds."""
    found = []
    with ExitStack() as ends:
        relay = ends.enter_context(Relay(server.host, server.port))
        stack = Growing(server, place / kind.grow.__name__, relay=relay)
        stack.create()
        ends.callback(stack.destroy)
        stack.set("project.source.revision", stack.revision(BASE))
        stack.up()
        for size in kind.sizes:
            kind.grow(stack, size)
            stack.up()
            samples = [_sample(stack) for _ in range(rounds)]
            preview, code = (statistics.median(each) for each in zip(*samples, strict=True))
            found.append(Grown(size, preview, code, len(stack.resources())))
            print(f"{size} {kind.title}: preview {preview:.1f} s, code {code:.1f} s", flush=True)
        for other in stack.others:
            other.destroy()
    return found


def _sample(stack: Growing) -> tuple[float, float]:
    began = time.monotonic()
    stack.preview("--expect-no-changes")
    seen = time.monotonic()
    mark = stack.mark()
    aimed = time.monotonic()
    stack.up()
    done = time.monotonic()
    page = stack.site.get()
    if f"<!-- {mark} -->" not in page.body:
        raise ToolError(f"the page has status {page.status} and lacks {mark}")
    return seen - began, done - aimed


def slope(found: Sequence[Grown], part: str, each: int) -> float:
    """The seconds that `each` more cost, by the line that fits best."""
    sizes = [one.size for one in found]
    return statistics.linear_regression(sizes, [getattr(one, part) for one in found]).slope * each


def table(found: Mapping[str, Sequence[Grown]]) -> str:
    """What was measured, a row for each thing that has grown."""
    lines = ["| what grows | sizes | preview, seconds | code, seconds | resources | what more of it costs |"]
    lines.append("|" + "---|" * 6)
    for name, grown in found.items():
        kind = KINDS[name]
        columns = [[f"{one.size:,}" for one in grown], [f"{one.preview:.1f}" for one in grown]]
        columns += [[f"{one.code:.1f}" for one in grown], sorted({str(one.resources) for one in grown})]
        told = _costs(grown, kind) if kind.each and len(grown) > 1 else ""
        lines.append(f"| {kind.title} | {' | '.join(' · '.join(column) for column in columns)} | {told} |")
    return "\n".join(lines) + "\n"


def _costs(grown: Sequence[Grown], kind: Kind) -> str:
    found = {part: slope(grown, part, kind.each) for part in ("preview", "code")}
    words = [f"{part} {seconds:.2f} s" for part, seconds in found.items() if seconds >= LEAST]
    more = f"{kind.each:,} more: " if kind.each > 1 else "each: "
    return f"{more}{', '.join(words)}" if words else f"{more}nothing"


def written(head: str, found: Mapping[str, Sequence[Grown]], why_not: Mapping[str, str]) -> str:
    """What is written down of a run: the table, and why a kind is not in it."""
    lacking = "".join(
        f"\n**{KINDS[name].title}** was not measured: {why.splitlines()[0]}\n" for name, why in why_not.items()
    )
    return f"Written by {head}.\n\n{table(found)}{lacking}"


def renewed(was: str, head: str, found: Mapping[str, Sequence[Grown]]) -> str:
    """The part of the document with the rows of what was measured alone, each in the place of the one before."""
    lines = was.rstrip().splitlines()
    for name, grown in found.items():
        title, row = KINDS[name].title, table({name: grown}).splitlines()[-1]
        lines = [line for line in lines if not line.startswith((f"**{title}** was", f"{title}: by "))]
        # What a title says of the kind after a comma is no part of its name.
        places = [place for place, line in enumerate(lines) if line.startswith(f"| {title.partition(',')[0]}")]
        last = max(place for place, line in enumerate(lines) if line.startswith("|"))
        if places:
            lines[places[0]] = row
        else:
            lines.insert(last + 1, row)
        lines += ["", f"{title}: by {head}"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def main() -> int:
    """Run the command line; returns how many kinds could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--debian", type=int, choices=(12, 13), default=13)
    parser.add_argument(
        "--only", nargs="*", default=[], choices=list(KINDS), help="let this grow; the other rows of the document stay"
    )
    arguments = parser.parse_args()
    sandbox, load = Sandbox(PLACE), os.getloadavg()[0]
    sandbox.down_all()
    was = document.read(document.GROWTH)
    found, why_not = dict[str, list[Grown]](), dict.fromkeys(arguments.only or KINDS, "the run ended before")
    words = f"ROUNDS={arguments.rounds} DEBIAN={arguments.debian}"
    words += f" ONLY='{' '.join(arguments.only)}'" if arguments.only else ""
    head = f"`make growth {words}`, with a load of {load:.1f} before it"
    try:
        server = sandbox.up(f"growth-{arguments.debian}", arguments.debian)
        for name in list(why_not):
            try:
                found[name] = measure(server, PLACE.resolve(), KINDS[name], arguments.rounds)
                del why_not[name]
            except FAILURES as error:
                why_not[name] = str(error)
                print(f"{name}: {error}", file=sys.stderr, flush=True)
            # After each, so that a run that is cut off keeps what it has measured.
            text = written(head, found, why_not)
            if arguments.only:
                text = renewed(was, head, found)
            document.write(document.GROWTH, text)
    finally:
        sandbox.down_all()
    sys.stdout.write(written(head, found, why_not))
    return len(why_not)


if __name__ == "__main__":
    sys.exit(main())
