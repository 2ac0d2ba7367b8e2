"""Write the commit that a branch, a tag or a part of a commit names into a stack file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from codesensei.config.project import SourceConfig
from codesensei.console.errors import CommandError
from codesensei.source import SourceError, checkout_of
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

# As Pulumi.yaml says.
FOLDER = Path("stacks")
PLACE = ("config", "codesensei:project", "source", "revision")
LONGEST = 72


@dataclass(frozen=True)
class Pinned:
    """What a stack file names now, and what it named before."""

    stack: str
    revision: str
    subject: str
    was: str
    changed: bool


def pin(stack: str, revision: str) -> Pinned:
    """Write it, with the commit's subject as a comment. Nothing is connected to but the project's repository."""
    file = file_of(stack)
    try:
        text = file.read_bytes().decode()
        node = _node(yaml.compose(text))
    except FileNotFoundError:
        raise CommandError(
            str(file), "it is not there", "name the stack (--stack); pulumi stack ls lists them"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(str(file), f"it cannot be read: {str(error).splitlines()[0]}", "correct it") from None
    if node is None:
        fix = "write source: {path: …, revision: …} into it; stacks/Pulumi.example.yaml explains both"
        raise CommandError(str(file), "it has no revision in source of codesensei:project", fix)
    found = _commit(_source(yaml.safe_load(text)), revision)
    written = _replaced(text, node, found.revision, printable(found.subject)[:LONGEST])
    if not _is_read(written, found.revision):
        cause = "its revision is on several lines, or an anchor or a reference (&, *), and cannot be replaced alone"
        raise CommandError(str(file), cause, f'write it there: revision: "{found.revision}"')
    if written != text:
        _write(file, written)
    return Pinned(stack, found.revision, found.subject, node.value, written != text)


def file_of(stack: str) -> Path:
    """The stack file, by the stack's name alone."""
    return FOLDER / f"Pulumi.{stack}.yaml"


def _node(root: yaml.Node | None) -> yaml.ScalarNode | None:
    """Where the revision stands."""
    found = root
    for name in PLACE:
        if not isinstance(found, yaml.MappingNode):
            return None
        found = next((value for key, value in found.value if key.value == name), None)
    return found if isinstance(found, yaml.ScalarNode) else None


def _source(whole: Any) -> dict[str, Any]:
    source = whole
    for name in PLACE[:-1]:
        source = source[name]
    return dict(source)


def _is_read(text: str, revision: str) -> bool:
    """Whether the text is a stack file that names this revision."""
    try:
        return bool(_source(yaml.safe_load(text))[PLACE[-1]] == revision)
    except (yaml.YAMLError, KeyError, TypeError):
        return False


def _commit(source: dict[str, Any], revision: str) -> Any:
    try:
        return checkout_of(SourceConfig.model_validate({**source, "revision": revision}))
    except ValidationError:
        fix = "pulumi preview tells what is wrong in project.source; a revision is a commit, a tag or a branch"
        raise CommandError(f"revision {printable(revision)}", "it cannot be one of that source", fix) from None
    except SourceError as error:
        raise CommandError(error.thing, error.cause, error.fix) from None


def _replaced(text: str, node: yaml.ScalarNode, revision: str, subject: str) -> str:
    """The text with another revision; a comment behind it gives way to the subject, anything else stays."""
    start, end = node.start_mark.index, node.end_mark.index
    behind = text[end:].partition("\n")[0].rstrip("\r")
    line_end = end + len(behind)
    if not behind.strip() or behind.lstrip().startswith("#"):
        behind = f"  # {subject}" if subject else ""
    gap = " " if start == end and text[start - 1] == ":" else ""
    # In quotes: digits alone would be a number.
    return f'{text[:start]}{gap}"{revision}"{behind}{text[line_end:]}'


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(text.encode())
    new.chmod(file.stat().st_mode & 0o777)
    os.replace(new, file)
