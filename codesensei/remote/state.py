"""What the stack's own state says of each step: the number in its line, and the digest of what it was given.

The engine keeps the state and shows it to no program but by two questions of its own: the outputs of a stack, and those
of all its resources. The second one crashes the engine for a stack that has no state yet, so it is asked only where
there are outputs, which is from the end of the first whole deploy on.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import pulumi
from pulumi.runtime import invoke

from codesensei.remote.errors import RemoteError
from codesensei.wire import digests
from codesensei.wire.paths import SERVER
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import CLAIM, DESTROY, REPAIR

# What the engine says of a state that is just being written; seconds between the attempts to read it.
HALF_WRITTEN = "failed to load checkpoint"
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
_SERVER = "codesensei:index:Server"
_COMMAND, _COPY = "command:remote:Command", "command:remote:CopyToRemote"
# In the line that undoes everything.
_TEARDOWN = f"/run {DESTROY.name} "
_LAUNCHERS = re.compile(
    rf"(sudo -n )?({re.escape(str(SERVER.library))}/[a-z0-9-]+/run|sh -s (\.codesensei-\S+ )?[a-z0-9-]+) "
)


@dataclass(frozen=True)
class StepState:
    """A step that the state holds as done; `words` are those of its line without the number, `data` its input."""

    repair: int
    digest: str
    words: tuple[str, ...] = field(default=(), compare=False)
    data: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class State:
    """`whole` is False until a deploy has come to its end; `copy` is the number in the triggers of what is copied,
    `outputs` are the stack's, `identity` is how its server's register knows it, `destroy` is the data of its teardown.

    `steps` has the step's name alone as its key, because a stack has one server; with a second one the server's name
    belongs into the key, here and in `Look.repairs`.
    """

    whole: bool = False
    steps: Mapping[str, StepState] = field(default_factory=dict)
    copy: int = 0
    outputs: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""
    destroy: str = ""

    @classmethod
    def of(cls, resources: Mapping[str, Mapping[str, Any]]) -> State:
        """The state that the engine's answer means: type and outputs of each resource."""
        steps = {}
        copy, identity, destroy = 0, "", ""
        for resource in resources.values():
            outputs = resource["outputs"]
            if resource["type"] == _SERVER:
                identity = str(outputs.get("identity") or "")
            if resource["type"] == _COMMAND and _TEARDOWN in (outputs.get("delete") or ""):
                destroy = outputs.get("stdin") or ""
            if resource["type"] == _COPY:
                # A deploy may have ended between the two that are copied.
                copy = max(copy, int((outputs.get("triggers") or [0])[0]))
        for line, outputs in lines_of(resources):
            words, repair = parted(line)
            # What runs on its standard input is named by the hash in its line.
            stdin = "" if words[0] == CLAIM.name else outputs.get("stdin") or ""
            steps[words[0]] = StepState(repair, digests.of_step(words, stdin), tuple(words), stdin)
        return cls(True, steps, copy, identity=identity, destroy=destroy)


def lines_of(resources: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[list[str], Mapping[str, Any]]]:
    """The words of each step's line, and the outputs of its resource."""
    for resource in resources.values():
        outputs = resource["outputs"]
        found = _LAUNCHERS.match(outputs.get("create") or "") if resource["type"] == _COMMAND else None
        if found:
            yield shlex.split(outputs["create"][found.end() :]), outputs


def read_state() -> State:
    """Ask the engine. Nothing is connected to."""
    name = full_name(pulumi.get_stack())
    outputs = ask_engine("readStackOutputs", name=name)
    if not outputs:
        return State()
    return replace(State.of(ask_engine("readStackResourceOutputs", stackName=name)), outputs=outputs)


def full_name(stack: str) -> str:
    """A stack of this project as the engine calls it."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"


def ask_engine(question: str, **names: str) -> Any:
    """The engine's answer. A state in a folder is not written at one instant, so a half-written one is read again."""
    for pause in PAUSES:
        try:
            return invoke(f"pulumi:pulumi:{question}", names).value["outputs"]
        except Exception as error:  # the SDK has no class of its own for it
            if HALF_WRITTEN not in str(error):
                raise
            time.sleep(pause)
    raise RemoteError("the stack's state", "it cannot be read: it seems to be written all the time", "run pulumi again")


def parted(words: Sequence[str]) -> tuple[list[str], int]:
    """The words of a step's line without its number, and the number."""
    # `mend=` is what the number was called before version 1.0.
    numbers = [word for word in words if word.startswith((REPAIR, "mend="))]
    return [word for word in words if word not in numbers], int(numbers[0].partition("=")[2]) if numbers else 0
