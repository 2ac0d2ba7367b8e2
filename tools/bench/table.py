"""What is written of a run, as tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from tools.bench.tool import CASES, Tool
from tools.bench.turns import Found, Sample

PRODUCT = "codesensei"
TITLES = {"blank": "first, blank server", "visited": "code, with visitors"}
Samples = Mapping[str, Mapping[str, Sequence[Sample]]]


def tables(found: Found, tools: Sequence[Tool], command: str) -> str:
    """All tables, what was run for them, and which tools are missing."""
    names = [tool.name for tool in tools]
    parts = [
        f"Written by `{command}`. Seconds: median (shortest to longest) of each tool's runs, as many as `runs` says.\n",
        seconds(found.samples, names),
        "\n".join(f"{name}: {cause}" for name, cause in absences(found)) + "\n" if found.absent else "",
        ratios(found.samples, [tool.name for tool in tools if not tool.floor]),
        beyond(found.samples, [tool.name for tool in tools if tool.floor]),
        visits(found.samples, names),
        phases(found.samples.get(PRODUCT, {})),
        commands(tools),
    ]
    return "\n".join(part for part in parts if part)


def absences(found: Found) -> list[tuple[str, str]]:
    """Which tools have no turns, or no more of them, each with the first line of the cause."""
    return [(f"**{name}** has no more turns", cause.strip().splitlines()[0]) for name, cause in found.absent.items()]


def seconds(samples: Samples, names: Sequence[str]) -> str:
    """How long the operator waits, for each case and tool."""
    rows = []
    for case in ("blank", *CASES):
        found = [samples.get(name, {}).get(case, []) for name in names]
        if any(found):
            runs = max(map(len, found))
            load = statistics.median(sample.load for each in found for sample in each)
            rows.append([TITLES.get(case, case), str(runs), *map(_spread, found), f"{load:.1f}"])
    return _table(["case", "runs", *names, "load"], rows)


def ratios(samples: Samples, names: Sequence[str]) -> str:
    """The product's medians, as multiples of each peer's."""
    peers = [name for name in names if name != PRODUCT]
    rows = []
    for case in CASES:
        own = samples.get(PRODUCT, {}).get(case, [])
        theirs = [samples.get(name, {}).get(case, []) for name in peers]
        if own and any(theirs):
            rows.append(
                [TITLES.get(case, case), *(f"{_median(own) / _median(each):.1f}" if each else "" for each in theirs)]
            )
    return _table([f"{PRODUCT} as a multiple of", *peers], rows) if rows else ""


def beyond(samples: Samples, floors: Sequence[str]) -> str:
    """How many seconds the product's medians are above those of what deploys nothing."""
    rows = []
    for case in CASES:
        own = samples.get(PRODUCT, {}).get(case, [])
        found = [samples.get(name, {}).get(case, []) for name in floors]
        if own and any(found):
            rows.append(
                [TITLES.get(case, case), *(f"{_median(own) - _median(each):.1f}" if each else "" for each in found)]
            )
    return _table([f"seconds of {PRODUCT} beyond", *floors], rows) if rows else ""


def visits(samples: Samples, names: Sequence[str]) -> str:
    """What visitors noticed while the code was changed."""
    rows = []
    for name in names:
        found = [sample.visits for sample in samples.get(name, {}).get("visited", []) if sample.visits]
        if found:
            slowest = max(each.slowest for each in found)
            rows.append(
                [
                    name,
                    str(sum(each.requests for each in found)),
                    str(sum(each.failed for each in found)),
                    f"{slowest:.2f}",
                ]
            )
    return _table(["code, with visitors", "requests", "failed", "slowest, seconds"], rows) if rows else ""


def phases(samples: Mapping[str, Sequence[Sample]]) -> str:
    """What the product's median deploy did on the server."""
    rows = []
    for case in ("blank", *CASES):
        ordered = sorted(samples.get(case, []), key=lambda each: each.seconds)
        if ordered and (found := ordered[len(ordered) // 2].phases):
            parts = ", ".join(f"{name} {taken:g}" for name, taken in found.items() if taken >= 0.1)
            rows.append([TITLES.get(case, case), parts])
    return _table([PRODUCT, "on the server, seconds"], rows) if rows else ""


def commands(tools: Sequence[Tool]) -> str:
    """What is in the clock."""
    return _table(["tool", "in the clock"], [[tool.name, tool.command] for tool in tools])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples)


def _spread(samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    ordered = sorted(sample.seconds for sample in samples)
    return f"{_median(samples):.1f} ({ordered[0]:.1f} to {ordered[-1]:.1f})"
