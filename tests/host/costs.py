"""What a deploy costs, in numbers that are the same on a slow machine and on a fast one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tools.trials.stack import Run, Stack

SETTINGS = "config/settings/base.py"
# Each process that imports the settings says so in the journal, which is open to confined ones too.
MARK = "guestbook-settings"
SAYING = f"""
import syslog  # noqa: E402

syslog.openlog({MARK!r})
syslog.syslog("imported")
syslog.closelog()
"""
# An acknowledgement more or less, or a longer hash, is no other way to deploy.
TOLERANCE = 0.1
LOOK = """
journalctl --sync
journalctl -q -b --no-pager -o cat -t sshd -t sshd-session | grep -c 'Accepted publickey'
journalctl -q -b --no-pager -o cat -t {mark} | wc -l
cat /sys/class/net/host0/statistics/rx_bytes
sed -n 's/.*"step": *"\\([^"]*\\)".*/\\1/p' /var/lib/codesensei/{slug}/steps.jsonl
"""


@dataclass(frozen=True)
class Cost:
    """One deploy: connections to the server, steps by name, processes that started Django, kilobytes received."""

    connections: int
    steps: list[str]
    starts: int
    kilobytes: float


def cost(stack: Stack, deploy: Callable[[], Run]) -> Cost:
    """Deploy, and count what that took on the server."""
    before = _look(stack)
    deploy()
    after = _look(stack)
    connections, starts, received = (later - earlier for later, earlier in zip(after[0], before[0], strict=True))
    return Cost(connections, sorted(after[1][len(before[1]) :]), starts, round(received / 1000, 1))


def _look(stack: Stack) -> tuple[tuple[int, int, int], list[str]]:
    said = stack.server.console(LOOK.format(mark=MARK, slug=stack.slug)).stdout.split()
    return (int(said[0]), int(said[1]), int(said[2])), said[3:]


def differences(found: Mapping[str, Cost], kept: Mapping[str, Any]) -> list[str]:
    """Where the costs are not those that are kept, in words; all but the kilobytes must be the same."""
    wrong = [f"{case} is not kept" for case in found if case not in kept]
    wrong += [f"{case} is kept and was not measured" for case in kept if case not in found]
    for case in found.keys() & kept.keys():
        for name, value in asdict(found[case]).items():
            was = kept[case][name]
            same = abs(value - was) <= TOLERANCE * was if name == "kilobytes" else value == was
            if not same:
                wrong.append(f"{case}: {name} {was} became {value}")
    return sorted(wrong)


def to_text(found: Mapping[str, Cost]) -> str:
    """The file that is kept."""
    lines = (f"  {json.dumps(case)}: {json.dumps(asdict(each))}" for case, each in found.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
