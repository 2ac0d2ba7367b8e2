"""A step on the server as a resource: one short stable line, and data on standard input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_command import remote

from codesensei.remote.access import Access
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
    "switch": 1,
    "destroy": 1,
}
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
    stdin: pulumi.Output[str] = pulumi.Output.from_input(dict(data)).apply(to_json)
    hidden: pulumi.Output[str] = pulumi.Output.secret(stdin)
    return remote.Command(
        name,
        connection=access.connection,
        create=_line(access, step, args, stdin),
        stdin=hidden if secret else stdin,
        add_previous_output_in_env=False,
        logging=remote.Logging.NONE if secret else remote.Logging.STDOUT_AND_STDERR,
        opts=options(access, opts, secret=secret),
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
        stdin=pulumi.Output.from_input(dict(data)).apply(to_json),
        add_previous_output_in_env=False,
        logging=remote.Logging.STDOUT_AND_STDERR,
        opts=opts,
    )


def _teardown_line(access: Access) -> str:
    """The delete's line; a destroy that is repeated finds neither the launcher nor anything to remove."""
    run = line_of(access, "destroy", [])
    return f"if {access.sudo}test -e {access.launcher.split()[-1]}; then {run}; else echo 'nothing is left'; fi"


def to_json(data: Mapping[str, Any]) -> str:
    """The data as it travels: one key per line, so that a preview shows a change as a line diff."""
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def digest_of(words: Sequence[str], stdin: str) -> str:
    """The identity of a step's inputs, the same as the server computes (without `mend=`)."""
    return hashlib.sha256((" ".join(words) + "\n" + stdin).encode()).hexdigest()


def line_of(access: Access, step: str, args: Sequence[str], mend: int = 0) -> str:
    """`run <step> <format> [args] [mend=<n>]`."""
    words = [step, str(FORMATS[step]), *args, *([f"mend={mend}"] if mend else [])]
    return f"{access.launcher} {shell.join(words)}"


def _line(
    access: Access, step: str, args: Sequence[pulumi.Input[str]], stdin: pulumi.Output[str]
) -> pulumi.Output[str]:
    number = access.look.mend_for_any(step)
    if number is not None:
        return pulumi.Output.all(*args).apply(lambda words: line_of(access, step, words, number))

    def line(known: Sequence[str]) -> str:
        text, *words = known
        digest = digest_of([step, str(FORMATS[step]), *words], text)
        return line_of(access, step, words, access.look.mend(step, digest))

    # The line tells one number of the data and nothing else, so it may be read although the data is secret.
    return pulumi.Output.unsecret(pulumi.Output.all(stdin, *args).apply(line))


def options(access: Access, opts: pulumi.ResourceOptions, *, secret: bool = False) -> pulumi.ResourceOptions:
    """`opts` with what every step needs."""
    return pulumi.ResourceOptions.merge(
        opts,
        pulumi.ResourceOptions(
            # Nobody could ask the server for its numbers: the line in the state stays, and no false difference shows.
            ignore_changes=None if access.look.reachable else ["create"],
            additional_secret_outputs=["stdout", "stderr"] if secret else None,
        ),
    )
