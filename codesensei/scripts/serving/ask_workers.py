"""Runs in the project's own Python, as the app user: says which workers could not start. Takes no work.

Checks only what it can be sure of: the first command of a line, if that is a plain one. Where its queue library can be
asked, the broker must answer through the library's own client.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
COMPUTED = re.compile(r"[$`*?\[{~]")
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
# An address may have what would be a pattern elsewhere.
COMPUTED_ADDRESS = re.compile(r"[$`]")
OPERATORS = set("();<>|&")
LOGIN = re.compile(r"(?<=//)[^/@\s'\"]*@")
# Seconds in which a broker must have answered, and longer than any client of Redis waits for a socket by default.
ANSWER_SECONDS, QUIET_SECONDS = 15, 6
# What a proof is called where a name is needed; no worker listens to it.
OWN_NAME = "codesensei-proof"
BROKER_FIX = "check the broker's URL in the settings; codesensei:broker.env sets one for the broker of this server"

ANSWER = "codesensei-workers:"
# Seconds for which brokers were waited for: the rest is the project's own loading.
ASKED: list[float] = []

Problem = dict[str, str]
Ask = Callable[["list[str]"], object]


class NoConnection(Exception):
    """Why there is none to the broker at this address."""

    def __init__(self, address: str, why: object) -> None:
        super().__init__(str(why))
        self.address = address


class NoAnswer(BaseException):
    """A broker is silent. No Exception: the clients would try again."""


def main() -> None:
    sys.path.insert(0, os.getcwd())
    lines = json.loads(sys.argv[1])
    problems = {name: problem for name, line in lines.items() if (problem := problem_of(line)) is not None}
    print("\n" + ANSWER + json.dumps({"problems": problems, "asked": sum(ASKED)}))


def problem_of(line: str) -> Problem | None:
    syntax = bash("-n", "-c", line)
    if syntax.returncode != 0:
        return {"cause": "its command is not a line that bash can read", "log": syntax.stderr}
    variables, words = first_command(line)
    if not words or COMPUTED.search(words[0]):
        return None
    program = words[0]
    if bash("-c", 'type -- "$1"', "bash", program).returncode != 0:
        return {"cause": f"there is no program {program}", "log": f"PATH is {os.environ.get('PATH', '')}"}
    words = [program, *map(expanded, words[1:])]
    if not variables:
        return unable(words)
    if any(COMPUTED.search(value) for value in variables.values()):
        return unable(words, asks=False)
    return unable_with(variables, words)


def unable_with(variables: dict[str, str], words: list[str]) -> Problem | None:
    """The same in a process of its own: with other variables the project is another one."""
    again = [sys.executable, "-B", __file__, json.dumps({"": shlex.join(words)})]
    done = subprocess.run(again, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    said = [text for text in done.stdout.splitlines() if text.startswith(ANSWER)]
    if not said:
        return {"cause": "its proof did not end", "log": done.stdout + done.stderr}
    answer = json.loads(said[-1].removeprefix(ANSWER))
    ASKED.append(answer["asked"])
    problem: Problem | None = answer["problems"].get("")
    return problem


def bash(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/bash", *arguments], capture_output=True, text=True, check=False)


def first_command(line: str) -> tuple[dict[str, str], list[str]]:
    """The variables of the first command, and its words from its program on; no words where they are not certain."""
    text = line.strip()
    if "\n" in text:
        return {}, []
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.commenters, lexer.whitespace_split = "", True
    try:
        return without_prefix(list(itertools.takewhile(lambda word: not OPERATORS.issuperset(word), lexer)))
    except ValueError:
        return {}, []


def without_prefix(words: list[str]) -> tuple[dict[str, str], list[str]]:
    variables = {}
    while words and (ASSIGNMENT.match(words[0]) or words[0] in ("exec", "env")):
        # Another PATH finds other programs, and options of env are not followed.
        if words[0].startswith("PATH=") or (words[0] in ("exec", "env") and words[1:2] and words[1].startswith("-")):
            return {}, []
        if ASSIGNMENT.match(words[0]):
            name, _, value = words[0].partition("=")
            variables[name] = value
        words = words[1:]
    return variables, words


def expanded(word: str) -> str:
    """A word with the values of the variables in it; as it is where only the shell knows what becomes of it."""
    values = [os.environ.get(first or second, "") for first, second in VARIABLE.findall(word)]
    if not all(values) or any(value.split() != [value] for value in values):
        return word
    left = iter(values)
    return VARIABLE.sub(lambda _: next(left), word)


def unable(words: list[str], *, asks: bool = True) -> Problem | None:
    """What keeps this command from working: the project does not load, or its broker does not answer."""
    python = re.fullmatch(r"python[\d.]*", os.path.basename(words[0]))
    shown = LOGIN.sub("", " ".join(words[:4]))
    if python and words[1:3] == ["-m", "celery"]:
        words, python = words[2:], None
    program, *arguments = words[1:] if python and words[1:2] == ["manage.py"] else words
    ask = None
    try:
        if os.path.basename(program) == "manage.py":
            if missing := command_problem(arguments):
                return missing
            ask = MANAGED.get(arguments[0]) if arguments else None
        elif loader := LOADERS.get(os.path.basename(program)):
            ask = loader(arguments)
    except Exception:  # noqa: BLE001  # whatever the project raises would end the worker, too
        return {"cause": f"{shown} cannot load the project", "log": traceback.format_exc()}
    try:
        with at_most(ANSWER_SECONDS):
            if ask and asks:
                ask(arguments)
    except (Exception, NoAnswer) as error:  # noqa: BLE001  # as the client raises it
        log = LOGIN.sub("", traceback.format_exc())
        address = f" at {error.address}" if isinstance(error, NoConnection) else ""
        return {"cause": f"{shown} cannot connect to its broker{address}", "log": log, "fix": BROKER_FIX}
    return None


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise NoAnswer(f"no answer within {seconds} s")

    began = time.monotonic()
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        ASKED.append(time.monotonic() - began)


def command_problem(arguments: list[str]) -> Problem | None:
    if not arguments or COMPUTED.search(arguments[0]) or arguments[0].startswith("-"):
        return None
    importlib.import_module("django").setup()
    if arguments[0] not in importlib.import_module("django.core.management").get_commands():
        return {"cause": f"manage.py has no command {arguments[0]}", "log": ""}
    return None


def option(arguments: list[str], short: str, long: str) -> str | None:
    """The value of an option."""
    for number, word in enumerate(arguments):
        if word in (short, long):
            return arguments[number + 1] if number + 1 < len(arguments) else None
        if found := re.match(f"{short}|{long}=", word):
            return word[found.end() :]
    return None


def load_celery(arguments: list[str]) -> Ask | None:
    name = option(arguments, "-A", "--app")
    # In another folder the same name is another module, for the lines that follow as well.
    if name is None or COMPUTED.search(name) or any(word.startswith("--workdir") for word in arguments):
        return None
    app = importlib.import_module("celery.app.utils").find_app(name)

    def ask(arguments: list[str]) -> None:
        # Its command takes the address from this variable, too, and prefers both to the settings.
        address = option(arguments, "-b", "--broker") or os.environ.get("BROKER_URL") or None
        if address and COMPUTED_ADDRESS.search(address):
            return
        with app.connection_for_read(address) as connection:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0)
            except (Exception, NoAnswer) as error:
                raise NoConnection(LOGIN.sub("", connection.as_uri()), error) from error

    return ask


def load_huey(arguments: list[str]) -> Ask | None:
    if not arguments or arguments[0].startswith("-") or COMPUTED.search(arguments[0]):
        return None
    huey = importlib.import_module("huey.utils").load_class(arguments[0])
    return lambda _: huey.pending_count()


def load_dramatiq(arguments: list[str]) -> Ask | None:
    if not arguments or arguments[0].startswith("-") or COMPUTED.search(arguments[0]):
        return None
    module, _, name = arguments[0].partition(":")
    found: Any = importlib.import_module(module)
    if name:
        found = functools.reduce(getattr, name.split("."), found)
    if callable(found):
        found()
    elif name:
        return lambda _: ask_broker(found)
    return ask_dramatiq


def ask_dramatiq(_: list[str]) -> None:
    ask_broker(importlib.import_module("dramatiq").get_broker())


def ask_broker(broker: Any) -> None:
    if client := getattr(broker, "client", None):
        client.ping()
    else:
        getattr(broker, "connection", None)


def ask_huey(_: list[str]) -> None:
    importlib.import_module("huey.contrib.djhuey").HUEY.pending_count()


def ask_q(_: list[str]) -> None:
    importlib.import_module("django_q.brokers").get_broker().ping()


def ask_rq(arguments: list[str]) -> None:
    known = importlib.import_module("django.conf").settings.RQ_QUEUES
    for name in [word for word in arguments if word in known] or ["default"]:
        importlib.import_module("django_rq").get_connection(name).ping()


def ask_channels(arguments: list[str]) -> None:
    layers = importlib.import_module("channels.layers")
    layer = layers.get_channel_layer(option(arguments, "--layer", "--layer") or "default")
    if layer is not None:
        asyncio.run(listen(layer))


async def listen(layer: Any) -> None:
    """Wait for a message that nobody sends: some clients of Redis end a worker for that."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(layer.receive(OWN_NAME), QUIET_SECONDS)


LOADERS: dict[str, Callable[[list[str]], Ask | None]] = {
    "celery": load_celery,
    "dramatiq": load_dramatiq,
    "huey_consumer": load_huey,
    "huey_consumer.py": load_huey,
}
MANAGED: dict[str, Ask] = {
    "qcluster": ask_q,
    "rqscheduler": ask_rq,
    "rqworker": ask_rq,
    "rqworker-pool": ask_rq,
    "run_huey": ask_huey,
    "rundramatiq": ask_dramatiq,
    "runworker": ask_channels,
}

if __name__ == "__main__":
    main()
