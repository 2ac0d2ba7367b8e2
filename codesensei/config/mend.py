"""A usable stand-in for a config with bad keys, so that rules about several keys can speak in the same run."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from codesensei.config.stack import StackConfig
from codesensei.config.translate import location, path_of

_NEEDED: dict[tuple[int | str, ...], object] = {
    ("server", "host"): "server.invalid",
    ("server", "hostKey"): "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43,
    ("project", "slug"): "placeholder",
    ("project", "settingsModule"): "placeholder",
    ("project", "source"): {"path": "placeholder", "revision": "placeholder"},
}


def mended(public: Mapping[str, object], error: ValidationError) -> tuple[StackConfig | None, frozenset[str]]:
    """The config without what `error` complains of, and the paths that were left out or made up.

    Only rules that look at none of these paths may be asked about the result.
    """
    data: dict[str, Any] = copy.deepcopy(dict(public))
    failed = set()
    for entry in error.errors(include_url=False, include_input=False):
        loc = location(entry["loc"], ())
        failed.add(path_of(loc))
        if entry["type"] != "missing":
            _drop(data, loc)
        elif loc not in _NEEDED and len(loc) > 1:
            failed.add(path_of(loc[:-1]))
            _drop(data, loc[:-1])
    for (top, key), value in _NEEDED.items():
        data.setdefault(str(top), {}).setdefault(key, value)
    try:
        return StackConfig.model_validate(data), frozenset(failed)
    except ValidationError:
        return None, frozenset(failed)


def _drop(data: Any, loc: tuple[int | str, ...]) -> None:
    """Remove the place; of a list the whole of it, and all of what is no map where one was expected."""
    for part, following in zip(loc, (*loc[1:], None), strict=True):
        if not isinstance(data, dict) or part not in data:
            return
        if not isinstance(following, str) or not isinstance(data[part], dict):
            del data[part]
            return
        data = data[part]


def touches(failed: frozenset[str], paths: tuple[str, ...]) -> bool:
    """True where one of the paths is, contains or is part of a failed one."""
    return any(_related(one, other) for one in failed for other in paths)


def _related(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or longer.startswith((f"{shorter}.", f"{shorter}["))
