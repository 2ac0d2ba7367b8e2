"""What more processes will take of the server's memory, judged by those that run now."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codesensei.wire.manifest import Manifest
from codesensei.wire.steps import Memory
from codesensei.wire.text import size

# How a line of these programs says how many processes do its work.
_ASKED = {
    "celery": re.compile(r"\s(?:-c\s*|--concurrency[=\s]|--autoscale[=\s])(\d+)"),
    "dramatiq": re.compile(r"\s(?:-p\s*|--processes[=\s])(\d+)"),
}
# Celery's pools of threads have no processes.
_OTHER_POOL = re.compile(r"\s(?:-P\s*|--pool[=\s])(?!prefork|processes)")
_MEGABYTE = 1 << 20


def more(was: Manifest, wanted: Manifest, memory: Memory | None) -> Iterator[str]:
    """One line where there will be more processes, or another worker; nothing where nobody knows."""
    taken = _taken(was, wanted, memory) if memory else 0
    if memory is None or taken < _MEGABYTE:
        return
    told = f"memory: about {size(taken)} more for processes, and {size(memory.available)} are available"
    short = "; the kernel ends processes of a server that runs out of it" if taken > memory.available else ""
    yield told + short


def _taken(was: Manifest, wanted: Manifest, memory: Memory) -> int:
    """Bytes that the wanted processes take beyond those that run."""
    before = {unit.name: _count(was, unit.name) for unit in was.units}
    stay = {unit.name for unit in wanted.units}
    gone = [unit for unit in was.units if unit.kind == "worker" and unit.name not in stay]
    # A worker that is only called another has the size that it had.
    sizes = {unit.command: memory.each[unit.name] for unit in gone if unit.name in memory.each}
    taken = -sum((before[unit.name] or 1) * memory.each.get(unit.name, 0) for unit in gone)
    for unit in wanted.units:
        now, asked = before.get(unit.name), _count(wanted, unit.name)
        if unit.kind == "worker" and unit.name not in before and memory.each:
            # One of the project, and so it loads what the others have loaded.
            average = sum(memory.each.values()) // len(memory.each)
            taken += (asked or 1) * sizes.get(unit.command, average)
        elif now and asked:
            taken += (asked - now) * memory.each.get(unit.name, 0)
    return taken


def _count(manifest: Manifest, name: str) -> int | None:
    """How many processes do a unit's work; None where its line does not say."""
    unit = next(unit for unit in manifest.units if unit.name == name)
    return manifest.candidate.workers if unit.kind == "web" else _asked(unit.command)


def _asked(command: str) -> int | None:
    for program, option in _ASKED.items():
        found = option.search(command)
        if found and program in command and not _OTHER_POOL.search(command):
            return int(found[1])
    return None
