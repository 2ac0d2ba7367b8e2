"""What the first steps would refuse: for a preview, their checks travel with the look, and leave nothing there."""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from collections.abc import Iterable
from pathlib import Path

from codesensei.remote.scripts import members
from codesensei.render import shell
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.steps import FORESEEN, Foreseen, Preflight

LOADER, RUN, SCRIPT = (Path(__file__).with_name(name) for name in ("from_memory.py", "run_checks.py", "foresee.sh"))
CHECKS = "codesensei.scripts.checks.everything"
# What the checks import.
_ROOMS = ("scripts/base", "scripts/checks", "scripts/postgres", "webservers", "wire")
ROOMS = tuple(f"codesensei/{room}/" for room in _ROOMS)
PACKAGES = ("codesensei/__init__.py", "codesensei/scripts/__init__.py")
# Less than the look itself may take.
SECONDS = 8
END = "=== end of the checks"
# Begins the line that says with which status they have ended early.
UNTOLD = "codesensei-unforeseen:"
PARTIAL, TOO_LONG, NO_PYTHON = 3, 124, 127
INSTALLS = "pulumi up installs python3 first, and makes them before anything else"
WHY = {
    PARTIAL: f"its Python is a part of one, python3-minimal; {INSTALLS}",
    NO_PYTHON: f"it has no Python yet; {INSTALLS}",
    TOO_LONG: f"they took longer than {SECONDS} s; pulumi up makes them first, and waits for them",
}
_WHAT = "what a deploy would refuse there (other sites, ports, disks and more)"
UNASKED = f"{_WHAT} is not looked for, because codesensei:drift is false; pulumi up makes the checks first"


def question(wanted: Preflight) -> str:
    """Lines of shell that ask whether the server would let the stack have all that it wants."""
    texts = {name: text for name, text in members().items() if name.startswith(ROOMS) or name in PACKAGES}
    packed = base64.b64encode(zlib.compress(json.dumps(texts).encode(), 9)).decode()
    words = ", ".join(map(repr, (packed, CHECKS, "foresee", codec.to_text(wanted))))
    program = f"{LOADER.read_text()}\n\nrun({words})\n"
    call = shell.join(["foresee", str(SECONDS), RUN.read_text(), UNTOLD])
    return f"{SCRIPT.read_text()}\n{call} <<'{END}'\n{program}{END}\n"


def answer(lines: Iterable[str]) -> Foreseen:
    """What the server has said, all in one, and whether it could not say all."""
    found = []
    for line in lines:
        if line.startswith(UNTOLD):
            found.append(Foreseen(warnings=(_untold(line.removeprefix(UNTOLD)),)))
        with contextlib.suppress(ValueError, WireError):
            if line.startswith(FORESEEN):
                found.append(codec.decode(Foreseen, json.loads(line.removeprefix(FORESEEN)), "foreseen", kept=True))
    refused = tuple(dict.fromkeys(one for part in found for one in part.refused))
    return Foreseen(refused=refused, warnings=tuple(dict.fromkeys(one for part in found for one in part.warnings)))


def _untold(status: str) -> str:
    """What a preview does not know, why, and when it will be known."""
    why = f"they ended with status {status}; pulumi up makes them first"
    if status.isdigit():
        why = WHY.get(int(status), why)
    return f"not all checks of {_WHAT} were made: {why}"
