"""From pydantic's errors to problems: the user's path, our words, and never the input."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from codesensei.config.errors import Problem
from codesensei.config.server import KEYSCAN
from codesensei.config.stack import StackConfig
from codesensei.config.types import show

_KINDS = {
    "string_type": ("text", 'write it in quotes: "…"'),
    "tuple_type": ("a list", "write it with brackets: [one, two]"),
    "dict_type": ("a map", "write keys and values: {name: value}"),
    "model_type": ("a map", "write keys and values: {name: value}"),
    "model_attributes_type": ("a map", "write keys and values: {name: value}"),
}
_MISSING = {
    "hostKey": ("is missing: without it anybody between could be the server", KEYSCAN),
    "revision": ("is missing: a deploy is of one commit", "name a commit or a tag: v1.4.0"),
    "server": ("is missing", "take it from stacks/Pulumi.example.yaml"),
    "project": ("is missing", "take it from stacks/Pulumi.example.yaml"),
    "settingsModule": (
        "is missing",
        "name the module of your production settings: config.settings.production",
    ),
    "slug": ("is missing", "choose a short name for the project: shop"),
}
# Keys of the file that are no part of the config, because they hold secrets.
SECRET_KEYS = ("sshPrivateKey", "digestKey", "secretEnv")
_UNION_TAGS = {"off", "selfSigned", "files", "acme"}


def problems_of(error: ValidationError, secret_names: tuple[str, ...]) -> list[Problem]:
    """All of pydantic's errors as problems."""
    return [_problem(entry, secret_names) for entry in error.errors(include_url=False, include_input=False)]


def _problem(entry: Mapping[str, Any], secret_names: tuple[str, ...]) -> Problem:
    kind, context = entry["type"], entry.get("ctx", {})
    loc = location(entry["loc"], secret_names)
    path = path_of(loc)
    if "fix" in context:
        return Problem(kind, path, context["message"], context["fix"])
    if kind == "missing":
        message, fix = _MISSING.get(str(loc[-1]), ("is missing", "add it"))
        return Problem("missing-host-key" if loc[-1] == "hostKey" else "missing-key", path, message, fix)
    if kind == "extra_forbidden":
        return Problem("unknown-key", path, "there is no such key", _did_you_mean(loc))
    if kind == "literal_error":
        return Problem("choice", path, "is none of the words allowed here", f"write one of: {_words(context)}")
    if kind == "too_short":
        return Problem("empty-list", path, "is empty", "list at least one, or remove the line for the default")
    if loc == ("secretEnv",):
        kind = "dict_type"
    what, fix = _KINDS.get(kind, ("of another kind", "see stacks/Pulumi.example.yaml"))
    return Problem("wrong-type", path, f"must be {what}", fix)


def _words(context: Mapping[str, Any]) -> str:
    return str(context["expected"]).replace("'", "").replace(" or ", ", ")


def location(loc: tuple[int | str, ...], secret_names: tuple[str, ...]) -> tuple[int | str, ...]:
    """The place in the user's file: without pydantic's own marks."""
    parts = [part for part in loc if part != "[key]"]
    if len(parts) > 1 and parts[0] == "tls" and parts[1] in _UNION_TAGS:
        del parts[1]
    if len(parts) > 1 and parts[0] == "secretEnv" and isinstance(parts[1], int):
        parts[1] = secret_names[parts[1]] if secret_names else parts[1]
    return tuple(parts)


def path_of(loc: tuple[int | str, ...]) -> str:
    """`("project", "hooks", "afterMigrate", 0)` as `project.hooks.afterMigrate[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _did_you_mean(loc: tuple[int | str, ...]) -> str:
    known = known_keys(loc[:-1])
    lowered = {key.lower(): key for key in known}
    word = str(loc[-1]).lower().replace("_", "").replace("-", "")
    near = difflib.get_close_matches(word, lowered, n=1, cutoff=0.7)
    if near:
        return f"did you mean {show(lowered[near[0]])}?"
    return f"known here: {', '.join(sorted(known))}" if known else "remove it"


def known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a place of the file."""
    if loc == ("tls",):
        return ["acme", "certificate", "key"]
    models: list[type[BaseModel]] = [StackConfig]
    for part in loc:
        fields = [field for model in models for field in model.model_fields.values()]
        below = [model for field in fields if field.alias == part for model in _models(field.annotation)]
        models = below or models  # a part that is no field is a key of a map, such as a worker's name
    keys = [field.alias for model in models for field in model.model_fields.values() if field.alias]
    return keys + [key for key in SECRET_KEYS if not loc and key not in keys]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in typing.get_args(annotation) for model in _models(part)]
