"""A step on the server as a resource: one short stable line, and data on standard input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_command import remote

from codesensei.remote.access import Access
from codesensei.remote.state import MEND
from codesensei.render import shell

# Raise a step's number when its script makes something else from the same data, and what is on the servers must be made
# anew. Not for a script that is only faster, clearer or better at failing: the next real change will run it anyway.
FORMATS = {
    "preflight": 1,
    "packages": 1,
    "account": 1,
    "proxy": 1,
    "broker": 1,
    "database": 1,
    "environment": 1,
    "build": 1,
    "prepare": 1,
    "tls": 1,
    "acme": 1,
    "switch": 1,
    "destroy": 1,
}
# A step writes its progress to standard output, and why it failed to standard error: that stands in the engine's error,
# with everything else, and need not be shown twice.
PROGRESS = remote.Logging.STDOUT
HEAD = "--- data of the step"
SECRET_STEPS = frozenset({"database", "environment", "tls"})


def remote_step(
    name: str,
    access: Access,
    step: str,
    *,
    args: Sequence[pulumi.Input[str]] = (),
    data: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
) -> remote.Command:
    """Run `step` for the project with `args` in its line and `data` (which may hold Outputs) on standard input.

    The steps in SECRET_STEPS show nothing of their data: it is a secret input, and nothing is logged or kept.
    """
    secret = step in SECRET_STEPS
    stdin: pulumi.Output[str] = pulumi.Output.from_input(dict(data)).apply(to_text)
    hidden: pulumi.Output[str] = pulumi.Output.secret(stdin)
    return remote.Command(
        name,
        connection=access.connection,
        create=pulumi.Output.all(*args).apply(lambda words: line_of(access, step, words)),
        stdin=hidden if secret else stdin,
        add_previous_output_in_env=False,
        logging=remote.Logging.NONE if secret else PROGRESS,
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"] if secret else None)
        ),
    )


def teardown_step(
    name: str, access: Access, *, data: Mapping[str, Any], opts: pulumi.ResourceOptions
) -> remote.Command:
    """The step that runs when the resource is deleted, and never before.

    `pulumi destroy` runs no program, so there is no agent of ours then: this connection alone carries the key. With
    neither create nor update, a new key or new data is stored and runs nothing.
    """
    return remote.Command(
        name,
        connection=access.connection_with_key,
        delete=_teardown_line(access),
        stdin=pulumi.Output.from_input(dict(data)).apply(to_text),
        add_previous_output_in_env=False,
        logging=PROGRESS,
        opts=opts,
    )


def _teardown_line(access: Access) -> str:
    """The delete's line; a destroy that is repeated finds neither the launcher nor anything to remove."""
    run = line_of(access, "destroy", [])
    return f"if {access.sudo}test -e {access.launcher.split()[-1]}; then {run}; else echo 'nothing is left'; fi"


def to_text(data: Mapping[str, Any]) -> str:
    """The data as it travels: JSON with one key, and one line of every text, per line.

    A preview shows a change of it as a line diff with two lines around it. Of JSON alone it would show everything that
    did not change, so the first line makes it something else.
    """
    return f"{HEAD}\n{json.dumps(_in_lines(data), indent=1, sort_keys=True, ensure_ascii=False)}\n"


def _in_lines(value: Any) -> Any:
    if isinstance(value, str) and "\n" in value:
        return {"lines": value.split("\n")}
    if isinstance(value, Mapping):
        return {key: _in_lines(inner) for key, inner in value.items()}
    return [_in_lines(inner) for inner in value] if isinstance(value, list | tuple) else value


def line_of(access: Access, step: str, args: Sequence[str]) -> str:
    """`run <step> <format> [args] [mend=<n>]`."""
    return f"{access.launcher} {shell.join([step, str(FORMATS[step]), *args, *mend_words(access, step)])}"


def mend_words(access: Access, step: str) -> list[str]:
    """The number of a step's line, where it has one."""
    number = access.look.mend(step)
    return [f"{MEND}{number}"] if number else []
