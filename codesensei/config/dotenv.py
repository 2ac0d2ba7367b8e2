"""Read variables from a `.env` file or a JSON object.

What python-dotenv, Docker Compose and shells read alike is read so; where they differ, the line is refused.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from codesensei.wire.envfile import Written, is_quoted_word

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([^\s=#]+)[ \t]*=[ \t]*")
_NAMES = re.compile(_NAME.pattern, re.MULTILINE)
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_REFERENCE = re.compile(
    r"\$(?:\{(?P<name>[A-Za-z_]\w*)(?::?-(?P<default>[^}$]*))?\}|(?P<bare>[A-Za-z_]\w*)|(?P<other>[{(]))"
)
_ESCAPE_OR_REFERENCE = re.compile(rf"(?P<escape>{_ESCAPE.pattern})|{_REFERENCE.pattern}", re.DOTALL)
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class UnreadableError(Exception):
    """A text that holds no variables, one line for each reason. Never repeats a value."""


def decode(content: bytes) -> str:
    """The text of a file: UTF-8, or what its byte order mark says. Raises UnreadableError."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableError(f"line {line}: this is not UTF-8 text; save the file as UTF-8") from None


def read_variables(text: str) -> dict[str, Written]:
    """Names and the values that the config must hold for the project to read them. Raises UnreadableError.

    In JSON a value stands as the config wants it, quoted words included. In a `.env` file quotes belong to the file.
    """
    if text.lstrip().startswith("{"):
        return _from_json(text)
    return {name: _as_data(name, value) for name, value in _from_env(text.replace("\r\n", "\n")).items()}


def _from_json(text: str) -> dict[str, Written]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"line {error.lineno}: this is not JSON ({error.msg})") from None
    variables = {}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise UnreadableError(f'{name}: is not text; quote the value: "…"')
        variables[name] = Written(str(value))
    return variables


def _from_env(text: str) -> dict[str, str]:
    names = {found.group(1) for found in _NAMES.finditer(text)}
    variables: dict[str, str] = {}
    problems: list[str] = []
    lines: dict[str, int] = {}
    for number, assignment in _assignments(text):
        try:
            name, value = _variable(assignment, variables, names)
            if lines.setdefault(name, number) != number:
                raise UnreadableError(
                    f"{name} is set in line {lines[name]} already, and readers differ on which one counts; keep one"
                )
            variables[name] = value
        except UnreadableError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise UnreadableError("\n".join(problems))
    return variables


def _assignments(text: str) -> Iterator[tuple[int, str]]:
    """Each assignment with the number of its first line; a quoted value may have line breaks."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) % (len(text) + 1)
        if found := _NAME.match(text, start, end):
            quoted = (_SINGLE if text[found.end() : end].startswith("'") else _DOUBLE).match(text, found.end())
            end = text.find("\n", quoted.end() if quoted else end) % (len(text) + 1)
        line = text[start:end]
        if line.strip() and not line.lstrip().startswith("#"):
            yield text.count("\n", 0, start) + 1, line
        start = end + 1


def _variable(assignment: str, known: dict[str, str], names: set[str]) -> tuple[str, str]:
    """Name and value. `known` are the variables above it, `names` all of the file's."""
    found = _NAME.match(assignment)
    if not found:
        raise UnreadableError("this is not NAME=value")
    name, rest = found.group(1), assignment[found.end() :]

    def expand(reference: re.Match[str]) -> str:
        return _expand(reference, known, names)

    if re.search(r"=[ \t]+#", assignment[: found.end() + 1]):
        raise UnreadableError("only some readers take this for a comment; quote the value, or remove the comment")
    if not rest.startswith(("'", '"')):
        return name, _REFERENCE.sub(expand, re.sub(r"\s+#.*$", "", rest).strip())
    quoted = (_SINGLE if rest[0] == "'" else _DOUBLE).match(rest)
    after = rest[quoted.end() :].strip() if quoted else ""
    if not quoted or (after and not after.startswith("#")):
        raise UnreadableError("the quotes of this value do not end with it")
    return name, quoted.group(1) if rest[0] == "'" else _ESCAPE_OR_REFERENCE.sub(expand, quoted.group(1))


def _expand(found: re.Match[str], known: dict[str, str], names: set[str]) -> str:
    """What an escape or a reference to another variable stands for."""
    groups = found.groupdict()
    if groups.get("escape"):
        character = found.group(0)[1]
        return _ESCAPES.get(character, character if character in '\\"$`' else found.group(0))
    if name := groups["bare"]:
        if name in names:
            fix = f"write ${{{name}}}, or put a value that has a dollar sign in single quotes"
            raise UnreadableError(f"only some readers expand ${name}; {fix}")
        return found.group(0)
    if groups["other"]:
        raise UnreadableError(f"${groups['other']}… is for a shell to work out; write the result")
    name, default = groups["name"], groups["default"]
    if not known.get(name) and default is not None:
        return default
    if name not in known:
        raise UnreadableError(f"${{{name}}} is not set above it in this file; write its value")
    return known[name]


def _as_data(name: str, value: str) -> Written:
    """A value that would be read as a quoted word gets quotes around it, so that its own are kept."""
    if not is_quoted_word(value):
        return Written(value)
    for quote in ("'", '"'):
        if is_quoted_word(f"{quote}{value}{quote}"):
            return Written(f"{quote}{value}{quote}")
    raise UnreadableError(f"{name}: has quotes around it and inside it, which cannot be told from a quoted word")
