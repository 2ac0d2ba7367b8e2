"""Runs inside the project's own Python, as the app user: say which workers could not start. Takes no work.

Only what is certain counts: the first command of a line, where it is a plain one.
"""

from __future__ import annotations

import importlib
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
    """The words of the first command, without what is before its program; empty where that is not certain."""
    text = line.strip()
    if "\n" in text:
        return []
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= OPERATORS:
                break
            words.append(word)
    except ValueError:
        return []
    return without_prefix(words)


def without_prefix(words: list[str]) -> list[str]:
    rest = list(words)
    while rest and (ASSIGNMENT.match(rest[0]) or rest[0] in ("exec", "env")):
        # Another PATH finds other programs, and options of env are not followed.
        if rest[0].startswith("PATH=") or (rest[0] in ("exec", "env") and rest[1:2] and rest[1].startswith("-")):
            return []
        rest.pop(0)
    return rest


def unloadable(words: list[str]) -> Problem | None:
    """What of the project this command would load at its start, and cannot be."""
    program = os.path.basename(words[0])
    if re.fullmatch(r"python[\d.]*", program) and words[1:3] == ["-m", "celery"]:
        program, words = "celery", words[2:]
    try:
        if program == "celery":
            return celery_problem(words[1:])
        if program == "manage.py":
            return command_problem(words[1:])
        if re.fullmatch(r"python[\d.]*", program) and words[1:2] == ["manage.py"]:
            return command_problem(words[2:])
    except Exception:  # noqa: BLE001  # whatever the project raises is what the worker would end with
        return {"cause": f"{' '.join(words[:4])} cannot load the project", "log": traceback.format_exc()}
    return None


def celery_problem(arguments: list[str]) -> Problem | None:
    name = option(arguments, "-A", "--app")
    if name is None or COMPUTED.search(name):
        return None
    importlib.import_module("celery.app.utils").find_app(name)
    return None


def command_problem(arguments: list[str]) -> Problem | None:
    if not arguments or COMPUTED.search(arguments[0]) or arguments[0].startswith("-"):
        return None
    importlib.import_module("django").setup()
    if arguments[0] not in importlib.import_module("django.core.management").get_commands():
        return {"cause": f"manage.py has no command {arguments[0]}", "log": ""}
    return None


def option(arguments: list[str], short: str, long: str) -> str | None:
    for number, word in enumerate(arguments):
        if word in (short, long):
            return arguments[number + 1] if number + 1 < len(arguments) else None
        if word.startswith(f"{long}="):
            return word.partition("=")[2]
        if word.startswith(short) and not word.startswith("--") and len(word) > len(short):
            return word[len(short) :]
    return None


if __name__ == "__main__":
    main()
