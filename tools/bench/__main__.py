"""Deploy the example project to sandbox servers with codesensei and its peers, and write down how long each takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tools.bench import document
from tools.bench.floors import EngineAlone, RestartAlone
from tools.bench.peers.peer import Ansible, Bash, BashWithUv, Pyinfra
from tools.bench.product import Product
from tools.bench.source import Source
from tools.bench.table import PRODUCT, tables
from tools.bench.tool import Tool
from tools.bench.turns import Found, measure, one_case
from tools.sandbox import Sandbox, Server

PLACE = Path(".codesensei/bench")
PEERS = {tool.slug: tool for tool in (Bash, BashWithUv, Pyinfra, Ansible)}
NAMES = [PRODUCT, *PEERS]


def make(names: Sequence[str], boot: Callable[[str], Server], source: Source, program: Path | None) -> list[Tool]:
    """The tools of these names; the product and all peers have a server each."""
    place = PLACE.resolve()
    made: list[Tool] = []
    if PRODUCT in names:
        product = Product(boot("bench"), place / "stack", source.path, program)
        made += [product, EngineAlone(place / "empty", product.stack), RestartAlone(product)]
    peers = [PEERS[name] for name in names if name in PEERS]
    server = boot("peers") if peers else None
    return made + [peer(server, place / "peers", source.path) for peer in peers if server]


def blank(tools: Sequence[Tool], source: Source, found: Found) -> None:
    """Measure the product's first deploy to a server that has nothing, which the peers leave to their users."""
    for tool in tools:
        if tool.name == PRODUCT:
            found.add(tool.name, "blank", one_case(tool, "first", source.wanted("blank", "Hello"))[0])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--debian", type=int, choices=(12, 13), default=13)
    parser.add_argument("--tool", action="append", choices=NAMES, help="measure this one; writes no document")
    parser.add_argument("--program", type=Path, help="another checkout to measure; writes no document")
    arguments = parser.parse_args()
    sandbox = Sandbox(PLACE)
    sandbox.down_all()
    source, found = Source(PLACE.resolve() / "source").create(), Found()
    try:
        boot = partial(up, sandbox, arguments.debian)
        tools = make(arguments.tool or NAMES, boot, source, arguments.program)
        blank(tools, source, found)
        measure(tools, source, arguments.rounds, found)
    finally:
        sandbox.down_all()
    is_whole = not arguments.program and not arguments.tool
    command = "make bench ROUNDS={rounds} DEBIAN={debian}" if is_whole else "tools.bench --rounds {rounds}"
    text = tables(found, tools, command.format(**vars(arguments)))
    sys.stdout.write(text)
    if is_whole and PRODUCT not in found.absent:
        document.write(document.BENCH, text)
    return 1 if PRODUCT in found.absent else 0


def up(sandbox: Sandbox, debian: int, name: str) -> Server:
    """A new server."""
    return sandbox.up(f"{name}-{debian}", debian)


if __name__ == "__main__":
    sys.exit(main())
