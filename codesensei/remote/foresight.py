"""What the first steps would refuse: for a preview, their checks travel with the look, and leave nothing there."""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from collections.abc import Iterable
from pathlib import Path

from codesensei.remote.scripts import members
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.steps import FORESEEN, Foreseen, Preflight

LOADER = Path(__file__).with_name("from_memory.py")
CHECKS = "codesensei.scripts.checks.everything"
# What the checks import.
_ROOMS = ("scripts/base", "scripts/checks", "scripts/postgres", "webservers", "wire")
ROOMS = tuple(f"codesensei/{room}/" for room in _ROOMS)
PACKAGES = ("codesensei/__init__.py", "codesensei/scripts/__init__.py")
# Less than the look itself may take. A server that needs longer, or has no such Python, tells nothing.
SECONDS = 8
END = "=== end of the checks"


def question(wanted: Preflight) -> str:
    """Lines of shell that ask whether the server would let the stack have all that it wants."""
    texts = {name: text for name, text in members().items() if name.startswith(ROOMS) or name in PACKAGES}
    packed = base64.b64encode(zlib.compress(json.dumps(texts).encode(), 9)).decode()
    words = ", ".join(map(repr, (packed, CHECKS, "foresee", codec.to_text(wanted))))
    program = f"{LOADER.read_text()}\n\nrun({words})\n"
    python = f"timeout {SECONDS} /usr/bin/python3 -I -B -X utf8 -"
    return f"{python} 2>/dev/null <<'{END}' || true\n{program}{END}\n"


def answer(lines: Iterable[str]) -> Foreseen:
    """What the server has said, all in one."""
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, WireError):
            if line.startswith(FORESEEN):
                found.append(codec.decode(Foreseen, json.loads(line.removeprefix(FORESEEN)), "foreseen", kept=True))
    refused = tuple(dict.fromkeys(one for part in found for one in part.refused))
    return Foreseen(refused=refused, warnings=tuple(dict.fromkeys(one for part in found for one in part.warnings)))
