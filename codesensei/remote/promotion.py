"""What another stack of this project has served, as its own state has it; its server is not asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from codesensei.remote.errors import RemoteError
from codesensei.remote.state import ask_engine, full_name, lines_of
from codesensei.remote.step import answer_of
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.manifest import Switched
from codesensei.wire.steps import SWITCH

LONGEST = 200
# What the engine says of a name in its own backends.
_NO_STACK = re.compile(r"unknown stack|no stack named|not found", re.IGNORECASE)


def served_by(name: str) -> Mapping[str, str]:
    """The releases that the stack has served, each with the time since when it did, the latest first.

    Raises RemoteError for a stack that is not there, or that has deployed nothing.
    """
    full = full_name(name)
    try:
        if not ask_engine("readStackOutputs", name=full):
            raise RemoteError(f"stack {name}", "it has deployed nothing yet", f"pulumi up --stack {name}")
        found = ask_engine("readStackResourceOutputs", stackName=full)
    except RemoteError:
        raise
    except Exception as error:  # noqa: BLE001  # the SDK has no class of its own for it
        if _NO_STACK.search(str(error)):
            fix = "name one that `pulumi stack ls` shows, or pulumi login where it is"
            raise RemoteError(f"stack {name}", "there is no such stack in this backend", fix) from None
        fix = "give both stacks one passphrase or key, so that this run can read the other's state, too"
        raise RemoteError(f"stack {name}", f"its state cannot be read: {_shortened(str(error))}", fix) from None
    for words, outputs in lines_of(found):
        if words[0] == SWITCH.name:
            return _of_switch(name, answer_of(outputs.get("stdout") or "", outputs.get("stderr")))
    raise RemoteError(f"stack {name}", "its state has no switch that has ended", f"pulumi up --stack {name}")


def _shortened(text: str) -> str:
    """The engine's last words, on one line."""
    return " ".join(text.split())[-LONGEST:]


def _of_switch(name: str, answer: str) -> Mapping[str, str]:
    try:
        said = codec.decode(Switched, json.loads(answer), f"answer of the switch of {name}", kept=True)
    except (ValueError, WireError):
        said = None
    if said is None or not said.served:
        cause = "an earlier version of codesensei has deployed it, which does not say what was served when"
        raise RemoteError(f"stack {name}", cause, f"pulumi up --stack {name}, with a commit or a rebuild")
    return dict(sorted(said.served.items(), key=lambda one: one[1], reverse=True))
