"""The one way in which data crosses the connection or is kept by root: frozen dataclasses as JSON.

A field `keep_releases` has the key `keepReleases`. A field with a default is left out where it has that value. A key
that is unknown, missing, or of another type is an error that names it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

from codesensei.wire.text import MARK

D = TypeVar("D")

# The first line of a step's data: a preview shows a change of text as a line diff, and of JSON alone it would show all.
HEAD = "--- data of the step"
LINES = "lines"
# The mark of Pulumi's colors as JSON may have it.
COLORLESS = f"\\u{ord(MARK[0]):04x}{MARK[1:]}"


class WireError(Exception):
    """Data that does not have the form that its reader knows; `key` is where."""

    def __init__(self, what: str, key: str, cause: str) -> None:
        super().__init__(f"{what}: {key or 'the whole'}: {cause}")
        self.what, self.key, self.cause = what, key, cause


def to_text(data: object) -> str:
    """The data of a step as it travels: JSON with one key, and one line of every text, per line."""
    text = json.dumps(_in_lines(encode(data)), indent=1, sort_keys=True, ensure_ascii=False)
    # A preview shows it, and JSON may spell each letter in another way.
    return f"{HEAD}\n{text.replace(MARK, COLORLESS)}\n"


def plain(text: str) -> Any:
    """The JSON in a step's data; longer texts are lists of their lines. ValueError for anything else."""
    body = text.partition("\n")[2] if text.startswith("---") else text
    return json.loads(body) if body.strip() else {}


def from_text(kind: type[D], text: str, what: str) -> D:
    """What `to_text` made. WireError, about `what`, for anything else."""
    try:
        data = plain(text)
    except ValueError as error:
        raise WireError(what, "", f"it is not JSON ({error})") from None
    return decode(kind, data, what)


def encode(value: object, *, whole: bool = False) -> Any:
    """Dataclasses, tuples and maps as JSON has them; the `whole` of them has every key, also of a default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            key_of(field.name): encode(found, whole=whole)
            for field in dataclasses.fields(value)
            if (found := getattr(value, field.name)) != _default(field) or whole
        }
    if isinstance(value, Mapping):
        return {str(name): encode(inner, whole=whole) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encode(inner, whole=whole) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be sent")


def decode(kind: type[D], data: object, what: str, *, kept: bool = False) -> D:
    """The dataclass that `data` stands for. WireError, about `what`, where it does not.

    `kept`: root wrote it, maybe with an earlier version of the program: keys that are unknown now mean nothing.
    """
    found: D = _decoded(kind, data, what, "", kept)
    return found


def _decoded(kind: Any, data: Any, what: str, key: str, kept: bool) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, data, what, key, kept)
    if origin in (Union, types.UnionType):
        (other,) = (argument for argument in arguments if argument is not type(None))
        return None if data is None else _decoded(other, data, what, key, kept)
    if origin is tuple:
        _need(isinstance(data, list), what, key, "a list")
        return tuple(_decoded(arguments[0], inner, what, f"{key}[{at}]", kept) for at, inner in enumerate(data))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _need(isinstance(data, dict), what, key, "a map")
        return {name: _decoded(arguments[1], inner, what, f"{key}.{name}", kept) for name, inner in data.items()}
    return _scalar(kind, data, what, key)


def _scalar(kind: Any, data: Any, what: str, key: str) -> Any:
    if typing.get_origin(kind) is Literal:
        allowed = typing.get_args(kind)
        _need(data in allowed, what, key, f"one of {', '.join(map(str, allowed))}")
        return data
    if kind is str and isinstance(data, dict) and set(data) == {LINES}:
        return "\n".join(data[LINES])
    fits = isinstance(data, int | float if kind is float else kind)
    _need(fits and (kind is bool or not isinstance(data, bool)), what, key, f"of type {kind.__name__}")
    return data


def _dataclass(kind: Any, data: Any, what: str, key: str, kept: bool) -> Any:
    _need(isinstance(data, dict), what, key, "a map")
    wanted = _fields(kind)
    if (unknown := sorted(set(data) - set(wanted))) and not kept:
        raise WireError(what, _inner(key, unknown[0]), "it is not known")
    values = {}
    for name, (field, hint) in wanted.items():
        if name in data:
            values[field.name] = _decoded(hint, data[name], what, _inner(key, name), kept)
        elif _default(field) is dataclasses.MISSING:
            raise WireError(what, _inner(key, name), "it is missing")
    return kind(**values)


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[dataclasses.Field[Any], Any]]:
    """By key, the fields of a dataclass and their types, which take long to find: a step reads many small files."""
    hints = typing.get_type_hints(kind)
    return {key_of(field.name): (field, hints[field.name]) for field in dataclasses.fields(kind)}


def _inner(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _need(holds: bool, what: str, key: str, wanted: str) -> None:
    if not holds:
        raise WireError(what, key, f"it is not {wanted}")


def key_of(name: str) -> str:
    """The key of a field: `keepReleases` for `keep_releases`."""
    head, *others = name.split("_")
    return head + "".join(other.capitalize() for other in others)


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def _in_lines(value: Any) -> Any:
    if isinstance(value, str) and "\n" in value:
        return {LINES: value.split("\n")}
    if isinstance(value, dict):
        return {key: _in_lines(inner) for key, inner in value.items()}
    return [_in_lines(inner) for inner in value] if isinstance(value, list) else value
