"""Read variables from a `.env` file, or from a JSON object as people paste it into deploy tools."""

from __future__ import annotations

import json
import re

from codesensei.wire.envfile import is_quoted_word

_NAME = re.compile(r"\s*(?:export\s+)?([^\s=#]+)\s*=[ \t]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class UnreadableError(Exception):
    """A text that holds no variables. Never repeats a value."""


def read_variables(text: str) -> dict[str, str]:
    """Names and the values that the config must hold for the project to read them. Raises UnreadableError.

    In JSON a value stands as the config wants it, quoted words included. In a `.env` file quotes belong to the file.
    """
    if text.lstrip().startswith("{"):
        return _from_json(text)
    return {name: _as_data(name, value) for name, value in _from_env(text).items()}


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"line {error.lineno}: this is not JSON ({error.msg})") from None
    variables = {}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise UnreadableError(f'{name}: is not text; write the value in quotes: "…"')
        variables[name] = str(value)
    return variables


def _from_env(text: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    rest = text.replace("\r\n", "\n")
    number = 1
    while rest:
        line, _, after = rest.partition("\n")
        if not line.strip() or line.lstrip().startswith("#"):
            rest, number = after, number + 1
            continue
        found = _NAME.match(line)
        if not found:
            raise UnreadableError(f"line {number}: this is not NAME=value")
        value, length = _value(rest[found.end() :], number)
        variables[found.group(1)] = value
        taken = rest[: found.end() + length]
        rest = rest[found.end() + length :].partition("\n")[2]
        number += taken.count("\n") + 1
    return variables


def _value(text: str, number: int) -> tuple[str, int]:
    """The value at the start of a text, and how long it is there; a quoted one may have line breaks."""
    quote = text[:1]
    if quote not in {"'", '"'}:
        line = text.partition("\n")[0]
        return re.sub(r"\s+#.*$", "", line).strip(), len(line)
    value, index = "", 1
    while index < len(text) and text[index] != quote:
        if quote == '"' and text[index] == "\\" and index + 1 < len(text):
            index += 1
            value += _ESCAPES.get(text[index], text[index] if text[index] in '\\"$`' else f"\\{text[index]}")
        else:
            value += text[index]
        index += 1
    after = text[index + 1 :].partition("\n")[0].strip()
    if index >= len(text) or (after and not after.startswith("#")):
        raise UnreadableError(f"line {number}: the quotes of this value do not end with it")
    return value, index + 1


def _as_data(name: str, value: str) -> str:
    """A value that would be read as a quoted word gets quotes around it, so that its own are kept."""
    if not is_quoted_word(value):
        return value
    for quote in ("'", '"'):
        if is_quoted_word(f"{quote}{value}{quote}"):
            return f"{quote}{value}{quote}"
    raise UnreadableError(f"{name}: has quotes around it and inside it, which cannot be told from a quoted word")
