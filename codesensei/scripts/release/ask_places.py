"""Where a project's settings and variables lead outside its own folder, as far as the app user can write there.

A part of ask_django.py: runs in the project's Python as the app user. A unit keeps everything else read-only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

PROJECTS = "/srv/codesensei/"
DEEPEST, MOST = 6, 40
# Always there, and never to be opened as a whole.
_OTHERS = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp")
_HIDDEN = ("/home", "/root", "/run/user")


def places(settings: Any, variables: Mapping[str, str]) -> list[str]:
    """The folders, and files in folders of others; each once, at most 40."""
    own = "/".join(os.getcwd().split("/")[: len(PROJECTS.split("/"))])
    shared = os.path.join(own, "shared")
    named = [*_settings(settings), *variables.values()]
    with suppress(OSError):
        # A link in shared leads to a disk of its own.
        named += [entry.path for entry in os.scandir(shared) if entry.is_symlink()]
    found: dict[str, None] = {}
    for value in named:
        for text in _texts(value):
            with suppress(OSError, ValueError):
                place = _usable(os.path.realpath(text))
                if place and not _is_below(place, own, *_OTHERS):
                    found[place] = None
    return sorted(place for place in found if not _is_below(os.path.dirname(place), *found))[:MOST]


def sets_id(settings: Any) -> bool:
    """Whether uploads get a mode with a set-user-ID or set-group-ID bit, as 0o2775 of a folder that a group shares."""
    modes = (getattr(settings, f"FILE_UPLOAD_{of}PERMISSIONS", None) for of in ("", "DIRECTORY_"))
    return any(isinstance(mode, int) and mode & 0o6000 for mode in modes)


def _settings(settings: Any) -> Iterator[Any]:
    for name in dir(settings):
        if name.isupper():
            # One that cannot be read leads nowhere.
            with suppress(Exception):
                yield getattr(settings, name)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """The absolute paths in a setting, wherever in it they stand; that of a URL for a file too."""
    if depth > DEEPEST:
        return
    if isinstance(value, (str, os.PathLike)):
        text = str(value)
        text = text[text.find(":///") + 3 :] if ":///" in text else text
        if text.startswith("/") and "\0" not in text:
            yield "/" + text.lstrip("/")
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from _texts(inner, depth + 1)


def _usable(path: str) -> str:
    """What must be open for a path to be used: the folder in which it is or can be made, else the file itself.

    Empty where nothing can be written. What a unit hides is named where it can be read, too.
    """
    folder = path
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    if os.access(folder, os.W_OK | os.X_OK):
        return folder
    can_write = os.path.isfile(path) and os.access(path, os.W_OK)
    can_read = _is_below(path, *_HIDDEN) and os.access(path, os.R_OK)
    return path if can_write or can_read else ""


def _is_below(path: str, *folders: str) -> bool:
    """Whether it is one of the folders, or in one."""
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)
