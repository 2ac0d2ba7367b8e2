"""Runs on a server, from standard input: imports modules that came along as texts, and writes no file there."""

from __future__ import annotations

import base64
import importlib
import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType


class Brought(MetaPathFinder, InspectLoader):
    """Finds the modules of `texts`, which has them by their files' names."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """How to import it; None for another one."""
        return spec_from_loader(name, self) if self._file(name) in self._texts else None

    def is_package(self, name: str) -> bool:
        """Whether others may be in it."""
        return self._file(name).endswith("/__init__.py")

    def get_source(self, name: str) -> str:
        """Its text."""
        return self._texts[self._file(name)]

    def _file(self, name: str) -> str:
        stem = name.replace(".", "/")
        package = f"{stem}/__init__.py"
        return package if package in self._texts else f"{stem}.py"


def run(packed: str, module: str, function: str, *words: str) -> None:
    """Call a function of a module that is in `packed`."""
    sys.meta_path.insert(0, Brought(json.loads(zlib.decompress(base64.b64decode(packed)))))
    getattr(importlib.import_module(module), function)(*words)
