"""The syntax trees of the project's Python files: whoever wrote them, reading one takes little time and memory."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator

from codesensei.source import bounds
from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError

_FIX = "move what is long or deep in it into another file (JSON, say), which the code reads"


def syntax_of(project: Checkout, file: str) -> ast.Module:
    """A file's tree. SourceError where it is too long or too deep, SyntaxError or ValueError where it is no Python."""
    length = project.tree.size(file)
    if length > bounds.CODE_BYTES:
        cause = f"has {bounds.size(length)}, and of Python files at most {bounds.size(bounds.CODE_BYTES)} are read"
        raise SourceError(file, cause, _FIX)
    try:
        with warnings.catch_warnings():
            # Of what its author may have meant otherwise.
            warnings.simplefilter("ignore")
            found = ast.parse(project.tree.read_bytes(file), file)
    except (RecursionError, MemoryError):
        raise _too_deep(file) from None
    _refuse_deep(file, found)
    return found


def syntax_if_read(project: Checkout, file: str) -> ast.Module | None:
    """The same; None for a file that is not there or cannot be read."""
    try:
        return syntax_of(project, file)
    except (FileNotFoundError, SourceError, SyntaxError, ValueError):
        return None


def walk(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes, each after those above it. As ast.walk, in a third of the time, which counts for long files."""
    level: list[ast.AST] = [tree]
    while level:
        yield from level
        level = _below(level)


def as_written(node: ast.AST) -> str:
    """The source of an expression; empty for one of which some Pythons cannot write it, as a text with parts may be."""
    try:
        return ast.unparse(node)
    except ValueError:
        return ""


def dotted(node: ast.AST) -> str:
    """A name, or an attribute of one, as it is written (`os.environ.get`); empty for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _below(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in nodes:
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [inner for inner in value if isinstance(inner, ast.AST)]
    return found


def _refuse_deep(file: str, tree: ast.Module) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(bounds.NESTING):
        level = _below(level)
    if level:
        raise _too_deep(file, getattr(level[0], "lineno", 0))


def _too_deep(file: str, line: int = 0) -> SourceError:
    return SourceError(
        f"{file}:{line}" if line else file, f"is nested deeper than {bounds.NESTING} levels, and is not read", _FIX
    )
