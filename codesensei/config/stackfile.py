"""What only the stack file itself can tell: which values are encrypted, and how a number was written.

The engine decrypts and converts before the program sees anything: of a map it says only that *something* inside was
encrypted, and `0123` has become 83.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from codesensei.config.problems import NAMESPACE

Place = tuple[str, ...]


@dataclass(frozen=True)
class StackFile:
    """Places (key and keys below it, without the namespace) of a stack file's values."""

    sealed: frozenset[Place]
    plain: dict[Place, str | None]
    """Scalars; the text is there where it stands without quotes, else None."""

    def covers(self, place: Place) -> bool:
        """True where the file has something at the place, so that it can be asked about it."""
        return any(known[: len(place)] == place for known in (*self.sealed, *self.plain))

    def is_sealed(self, place: Place) -> bool:
        """True where the value, or all that it is part of, is encrypted."""
        return any(place[: len(sealed)] == sealed for sealed in self.sealed)

    def is_of(self, raw: Mapping[str, object]) -> bool:
        """Whether the config of this run is from this file: not where `--config-file` names another one."""
        keys = {place[0] for place in (*self.sealed, *self.plain)}
        return keys <= set(raw) and all(_has(raw, place) for place in (*self.sealed, *self.plain))


def _has(raw: object, place: Place) -> bool:
    for key in place:
        if isinstance(raw, Mapping) and key in raw:
            raw = raw[key]
        elif isinstance(raw, list) and key.isdigit() and int(key) < len(raw):
            raw = raw[int(key)]
        else:
            return False
    return True


def find_stack_file(root: Path, stack: str) -> StackFile | None:
    """Read the file of a stack below the directory of Pulumi.yaml; None where it is not there or cannot be read."""
    try:
        project = yaml.safe_load((root / "Pulumi.yaml").read_text())
        directory = project.get("stackConfigDir") or "." if isinstance(project, dict) else "."
        return read_stack_file((root / directory / f"Pulumi.{stack}.yaml").read_text())
    except (OSError, UnicodeError, yaml.YAMLError):
        return None


def read_stack_file(text: str) -> StackFile:
    """Read the text of a stack file."""
    sealed: set[Place] = set()
    plain: dict[Place, str | None] = {}
    for place, node in _values(yaml.compose(text, Loader=yaml.SafeLoader)):
        if node is None:
            sealed.add(place)
        else:
            plain[place] = None if node.style in {"'", '"', "|", ">"} else str(node.value)
    return StackFile(frozenset(sealed), plain)


def _values(root: yaml.Node | None) -> Iterator[tuple[Place, yaml.ScalarNode | None]]:
    """Scalars with their places; None for what is encrypted."""
    if not isinstance(root, yaml.MappingNode):
        return
    for key, value in root.value:
        if key.value == "config" and isinstance(value, yaml.MappingNode):
            for name, node in value.value:
                if str(name.value).startswith(NAMESPACE):
                    yield from _below((str(name.value).removeprefix(NAMESPACE),), node)


def _below(place: Place, node: yaml.Node) -> Iterator[tuple[Place, yaml.ScalarNode | None]]:
    if isinstance(node, yaml.ScalarNode):
        yield place, node
    elif isinstance(node, yaml.MappingNode) and [key.value for key, _ in node.value] == ["secure"]:
        yield place, None
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _below((*place, str(key.value)), value)
    else:
        for index, value in enumerate(node.value):
            yield from _below((*place, str(index)), value)
