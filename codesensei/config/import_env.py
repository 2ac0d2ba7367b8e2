"""Put the variables of a `.env` file or a JSON object into a stack.

    .venv/bin/python -m codesensei.config.import_env .env              show what would be done
    .venv/bin/python -m codesensei.config.import_env .env --set        do it, for the selected stack

Secrets are told by their names and by passwords in URLs, encrypted by Pulumi, and travel on standard input only.
`--secret NAME` and `--plain NAME` decide otherwise. The file may be `-`, for standard input.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic_core import PydanticCustomError

from codesensei.config.dotenv import UnreadableError, decode, read_variables
from codesensei.config.problems import NAMESPACE, Problem
from codesensei.config.types import show, variable_name
from codesensei.config.variables import held, looks_secret, owned_variable
from codesensei.wire.envfile import Written, meaning


def sort_out(
    variables: Mapping[str, Written], secret: Iterable[str] = (), plain: Iterable[str] = ()
) -> tuple[dict[str, Written], dict[str, Written], list[str]]:
    """Plain variables, secret ones, and a sentence for each that cannot be taken. No sentence holds a value."""
    taken: tuple[dict[str, Written], dict[str, Written]] = ({}, {})
    refused = []
    for name, value in variables.items():
        try:
            held(value)
            owned_variable(variable_name(name))
        except PydanticCustomError as error:
            problem = Problem.of(error, name)
            refused.append(f"{show(name)} is left out: {problem.message}; {problem.fix}")
            continue
        is_secret = name in secret or (name not in plain and looks_secret(name, meaning(value)))
        taken[is_secret][name] = value
    return *taken, refused


def command(name: str, secret: bool, stack: str | None) -> list[str]:
    """The command that sets one variable from its standard input."""
    kind = ["--secret"] if secret else ["--type", "string"]
    place = f"{NAMESPACE}{'secretEnv' if secret else 'env'}.{name}"
    where = ["--stack", stack] if stack else []
    return ["pulumi", "config", "set", "--non-interactive", "--raw", *where, *kind, "--path", place]


def main(arguments: list[str] | None = None) -> int:
    """Run the importer; returns its exit code, which is not 0 where a variable is left out."""
    options = _options(arguments)
    try:
        content = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
        plain, secret, refused = sort_out(read_variables(decode(content)), options.secret, options.plain)
    except OSError as error:
        print(f"{options.file} cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    except UnreadableError as error:
        print(f"{options.file} cannot be imported:\n{error}", file=sys.stderr)
        return 1
    for sentence in refused:
        print(sentence, file=sys.stderr)
    for names, kind in ((plain, "plain"), (secret, "secret")):
        print(f"{kind}: {', '.join(names) or 'none'}")
    if not options.set:
        print("nothing was set; run this again with --set (to decide otherwise: --secret NAME, --plain NAME)")
        return 1 if refused else 0
    for name, value in {**plain, **secret}.items():
        if code := _set(command(name, name in secret, options.stack), value):
            print(f"{name} was not set, and none after it", file=sys.stderr)
            return code
    return 1 if refused else 0


def _set(argv: list[str], value: str) -> int:
    try:
        return subprocess.run(argv, input=value.encode(), check=False).returncode
    except FileNotFoundError:
        print("pulumi is not on the PATH", file=sys.stderr)
        return 127


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m codesensei.config.import_env", description="Import variables."
    )
    parser.add_argument("file", help="a .env file or a JSON object; - for standard input")
    parser.add_argument("--set", action="store_true", help="set the variables in the stack")
    parser.add_argument("--stack", help="the stack; default: the selected one")
    parser.add_argument("--secret", action="append", default=[], metavar="NAME", help="treat NAME as a secret")
    parser.add_argument("--plain", action="append", default=[], metavar="NAME", help="treat NAME as plain")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
