"""Runs in the project's own Python, as the app user: says which workers could not start. Takes no work.

Checks only what it can be sure of: the first command of a line, if that is a plain one.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import traceback

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
COMPUTED = re.compile(r"[$`*?\[{~]")
OPERATORS = set("();<>|&")

Problem = dict[str, str]


def main() -> None:
    sys.path.insert(0, os.getcwd())
    lines = json.loads(sys.argv[1])
    found = {name: problem for name, line in lines.items() if (problem := problem_of(line)) is not None}
    print("\ncodesensei-workers:" + json.dumps(found))


def problem_of(line: str) -> Problem | None:
    syntax = bash("-n", "-c", line)
    if syntax.returncode != 0:
        return {"cause": "its command is not a line that bash can read", "log": syntax.stderr}
    words = first_command(line)
    if not words or COMPUTED.search(words[0]):
        return None
    program = words[0]
    if bash("-c", 'type -- "$1"', "bash", program).returncode != 0:
        return {"cause": f"there is no program {program}", "log": f"PATH is {os.environ.get('PATH', '')}"}
    return unloadable(words)


def bash(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/bash", *arguments], capture_output=True, text=True, check=False)


def first_command(line: str) -> list[str]:
    """The words of the first command, from its program on; empty where they are not certain."""
    text = line.strip()
    if "\n" in text:
        return []
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        return without_prefix(list(itertools.takewhile(lambda word: not OPERATORS.issuperset(word), lexer)))
    except ValueError:
        return []


def without_prefix(words: list[str]) -> list[str]:
    while words and (ASSIGNMENT.match(words[0]) or words[0] in ("exec", "env")):
        # Another PATH finds other programs, and options of env are not followed.
        if words[0].startswith("PATH=") or (words[0] in ("exec", "env") and words[1:2] and words[1].startswith("-")):
            return []
        words = words[1:]
    return words


def unloadable(words: list[str]) -> Problem | None:
    """Load what this command would load of the project at its start; what kept that from loading."""
    python = re.fullmatch(r"python[\d.]*", os.path.basename(words[0]))
    if python and words[1:3] == ["-m", "celery"]:
        words, python = words[2:], None
    program, *arguments = words[1:] if python and words[1:2] == ["manage.py"] else words
    try:
        if os.path.basename(program) == "celery":
            name = application(arguments)
            if name is not None and not COMPUTED.search(name):
                importlib.import_module("celery.app.utils").find_app(name)
        elif os.path.basename(program) == "manage.py":
            return command_problem(arguments)
    except Exception:  # noqa: BLE001  # whatever the project raises would end the worker, too
        return {"cause": f"{' '.join(words[:4])} cannot load the project", "log": traceback.format_exc()}
    return None


def command_problem(arguments: list[str]) -> Problem | None:
    if not arguments or COMPUTED.search(arguments[0]) or arguments[0].startswith("-"):
        return None
    importlib.import_module("django").setup()
    if arguments[0] not in importlib.import_module("django.core.management").get_commands():
        return {"cause": f"manage.py has no command {arguments[0]}", "log": ""}
    return None


def application(arguments: list[str]) -> str | None:
    """The value of celery's option -A or --app."""
    for number, word in enumerate(arguments):
        if word in ("-A", "--app"):
            return arguments[number + 1] if number + 1 < len(arguments) else None
        if found := re.match("-A|--app=", word):
            return word[found.end() :]
    return None


if __name__ == "__main__":
    main()
