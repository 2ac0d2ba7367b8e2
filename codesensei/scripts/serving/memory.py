"""What the project's processes take of the server's memory, so that a preview can tell what more of them will take."""

from __future__ import annotations

import contextlib
import re

from codesensei.scripts.base import host
from codesensei.scripts.serving.live import Live
from codesensei.wire import paths
from codesensei.wire.steps import Memory


def of_project(live: Live) -> Memory | None:
    """Of each unit of the live manifest whose processes run; None where nothing is live."""
    if live.manifest is None:
        return None
    sizes = {name: _each(name) for name in live.units}
    return Memory(available=host.available_memory(), each={name: size for name, size in sizes.items() if size})


def _each(unit: str) -> int:
    """Bytes of one process on average; 0 where none runs."""
    try:
        pids = (paths.SERVER.cgroups / "system.slice" / unit / "cgroup.procs").read_text().split()
    except OSError:
        return 0
    sizes = [size for pid in pids if (size := _size(pid))]
    return sum(sizes) // len(sizes) if sizes else 0


def _size(pid: str) -> int:
    """Bytes of a process, its share of those that others use as well included; 0 for one that has ended."""
    with contextlib.suppress(OSError):
        # A worker that was forked has most of its pages in common with its parent.
        told = (paths.SERVER.processes / pid / "smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB$", told, re.MULTILINE)
        return 1024 * int(found[1]) if found else 0
    return 0
