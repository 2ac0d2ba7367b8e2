"""What the components share: a type named after the class, and steps that run one after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import pulumi
from pulumi import Output, ResourceOptions
from pulumi.output import Unknown

from codesensei import remote
from codesensei.wire import codec
from codesensei.wire.said import Said
from codesensei.wire.steps import StepKind
from codesensei.wire.text import encodable

D = TypeVar("D")
S = TypeVar("S", bound=Said)


class Component(pulumi.ComponentResource):
    """A component. Never rename one: the engine knows it by the name of its class.

    `shown` is what a preview shows of it; `before` is what its next step waits for.
    """

    def __init__(self, name: str, shown: Mapping[str, Any], opts: ResourceOptions | None) -> None:
        super().__init__(f"codesensei:index:{type(self).__name__}", name, _shown(shown), opts)
        self.before: list[pulumi.Resource] = []

    def step(
        self, access: remote.Access, kind: StepKind[D], data: pulumi.Input[D], *args: pulumi.Input[str]
    ) -> Output[str]:
        """Run a step after the previous one, as a child with its name. Returns what it tells the program."""
        opts = ResourceOptions(parent=self, depends_on=self.before)
        name = f"{self.pulumi_resource_name}-{kind.name}"
        made = remote.remote_step(name, access, kind, args=args, data=data, opts=opts)
        self.before = [made]
        return Output.all(made.stdout, made.stderr).apply(lambda said: remote.answer_of(said[0], said[1]))


def _shown(value: Any) -> Any:
    """The value with every text as the engine may print it."""
    if isinstance(value, Mapping):
        return {key: _shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(inner) for inner in value]
    return encodable(value) if isinstance(value, str) else value


def if_known(value: Any) -> Output[Any]:
    """The value, or None in a preview where only the update makes it."""
    wanted: Output[Any] = Output.from_input(value)
    return wanted.apply(lambda known: None if isinstance(known, Unknown) else known, run_with_unknowns=True)


def read_answer(kind: type[S], answer: str, step: str) -> S:
    """The answer of a step, which an earlier version of the program may have run. Shows its warnings."""
    said = codec.decode(kind, json.loads(answer), step, kept=True)
    for warning in said.warnings:
        remote.warn(warning)
    return said


def warn_of(answer: str, step: str) -> None:
    """Show the warnings of a step that has an answer only where it has some; its other words are for people."""
    if answer.startswith("{"):
        read_answer(Said, answer, step)
