"""A step on the server as a resource: one short stable line, and data on standard input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pulumi
from pulumi_command import remote

from codesensei.remote.access import Access
from codesensei.render import shell
from codesensei.wire.codec import to_text
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import DESTROY, REPAIR, RESULT, Destroy, StepKind

# A step writes its progress to standard output, and why it failed to standard error; the engine's error has that
# already, so it need not be shown twice.
PROGRESS = remote.Logging.STDOUT
# Runs a program with its arguments where it is.
IF_THERE = 'if test -e "$1"; then exec "$@"; fi; echo nothing is left'
D = TypeVar("D")


def remote_step(
    name: str,
    access: Access,
    step: StepKind[D],
    *,
    args: Sequence[pulumi.Input[str]] = (),
    data: pulumi.Input[D],
    opts: pulumi.ResourceOptions,
) -> remote.Command:
    """Run `step` for the project with `args` in its line and `data` on standard input.

    A secret step shows nothing of its data: it is a secret input, and nothing is logged or kept.
    """
    secret = step.secret
    stdin: pulumi.Output[str] = pulumi.Output.from_input(data).apply(to_text)
    hidden: pulumi.Output[str] = pulumi.Output.secret(stdin)
    own = pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"] if secret else None)
    return remote.Command(
        name,
        connection=access.connection,
        create=pulumi.Output.all(*args).apply(lambda words: line_of(access, step, words)),
        stdin=hidden if secret else stdin,
        add_previous_output_in_env=False,
        logging=remote.Logging.NONE if secret else PROGRESS,
        opts=pulumi.ResourceOptions.merge(opts, own),
    )


def answer_of(stdout: str, stderr: str | None) -> str:
    """What a step told the program, among the words of banners and shells.

    Before version 1.0 it was the last line of standard output.
    """
    told = [line.removeprefix(RESULT) for line in (stderr or "").splitlines() if line.startswith(RESULT)]
    return (told or stdout.splitlines() or [""])[-1]


def teardown_step(
    name: str, access: Access, *, data: pulumi.Input[Destroy], opts: pulumi.ResourceOptions
) -> remote.Command:
    """The step that runs when the resource is deleted, and never before.

    `pulumi destroy` runs no program, so there is no agent of ours then: this connection alone carries the key. With
    neither create nor update, a new key or new data is stored and runs nothing.
    """
    return remote.Command(
        name,
        connection=access.connection_with_key,
        delete=_teardown_line(access),
        stdin=pulumi.Output.from_input(data).apply(to_text),
        add_previous_output_in_env=False,
        logging=PROGRESS,
        opts=opts,
    )


def _teardown_line(access: Access) -> str:
    """The delete's line; a repeated destroy finds neither the launcher nor anything to remove.

    A login shell may be fish or tcsh, so every line is one command with plain words.
    """
    # Without a number: the state says of no delete what its line was, so a number would be gone in the next run.
    words = [str(ProjectPaths(access.slug).launcher), DESTROY.name, str(DESTROY.format)]
    return f"{access.sudo}sh -c {shell.quote(IF_THERE)} sh {shell.join(words)}"


def line_of(access: Access, step: StepKind[D], args: Sequence[str]) -> str:
    """`run <step> <format> [args] [repair=<n>]`."""
    words = [step.name, str(step.format), *args, *repair_words(access, step.name)]
    return f"{access.launcher} {shell.join(words)}"


def repair_words(access: Access, step: str) -> list[str]:
    """The number of a step's line, where it has one."""
    number = access.look.repair(step)
    return [f"{REPAIR}{number}"] if number else []
