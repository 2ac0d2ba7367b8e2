"""Values of settings that are written plainly: texts, numbers, and lists and maps of them; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from codesensei.source import bounds
from codesensei.source.syntax import as_written


class _Unknown(Enum):
    UNKNOWN = "only running tells"


UNKNOWN: Final = _Unknown.UNKNOWN
# A text, a number, None, UNKNOWN, a list or a map of them; a key "**" stands for keys that only running tells. A call
# is a map of what it is given by name, with what is called under CALLED.
Value = Any
CALLED: Final = "()"


def value_of(node: ast.expr, names: Mapping[str, Value], text_of: Callable[[ast.expr], str | None]) -> Value:
    """What an expression stands for; `text_of` reads texts and paths, `names` are what names stand for."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        items = [item for element in node.elts for item in _items(element, names, text_of)]
        return items if len(items) <= bounds.ITEMS else UNKNOWN
    if isinstance(node, ast.Dict):
        return {
            "**" if key is None else value_of(key, names, text_of): value_of(value, names, text_of)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is None or isinstance(key, ast.Constant)
        }
    if isinstance(node, (ast.Constant, ast.Name)):
        return node.value if isinstance(node, ast.Constant) else names.get(node.id, UNKNOWN)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = (value_of(side, names, text_of) for side in (node.left, node.right))
        if isinstance(left, list) and isinstance(right, list):
            return [*left, *right] if len(left) + len(right) <= bounds.ITEMS else UNKNOWN
    text = text_of(node)
    if text is None and isinstance(node, (ast.Call, ast.ListComp)):
        return _made(node, names, text_of)
    return UNKNOWN if text is None else text


def _made(
    node: ast.Call | ast.ListComp, names: Mapping[str, Value], text_of: Callable[[ast.expr], str | None]
) -> Value:
    if isinstance(node, ast.ListComp):
        return _comprehension(node, names, text_of)
    return _called(node, names, text_of)


def _comprehension(node: ast.ListComp, names: Mapping[str, Value], text_of: Callable[[ast.expr], str | None]) -> Value:
    """`[host.strip() for host in hosts if host]`; of what else may be done with each, only running tells."""
    first, *others = node.generators
    among = value_of(first.iter, names, text_of)
    if others or not isinstance(first.target, ast.Name) or not isinstance(among, list):
        return UNKNOWN
    name, found = first.target.id, list[Value]()
    for item in among:
        *tests, made = (_of_one(one, name, item) for one in (*first.ifs, node.elt))
        if UNKNOWN in (*tests, made):
            return UNKNOWN
        if all(tests):
            found.append(made)
    return found


def _of_one(node: ast.expr, name: str, item: Value) -> Value:
    if isinstance(node, ast.Name) and node.id == name:
        return item
    is_stripped = isinstance(item, str) and as_written(node) == f"{name}.strip()"
    return item.strip() if is_stripped else UNKNOWN


def _items(node: ast.expr, names: Mapping[str, Value], text_of: Callable[[ast.expr], str | None]) -> Iterator[Value]:
    if isinstance(node, ast.Starred):
        inner = value_of(node.value, names, text_of)
        yield from inner if isinstance(inner, list) else [UNKNOWN]
    else:
        yield value_of(node, names, text_of)


def _called(node: ast.Call, names: Mapping[str, Value], text_of: Callable[[ast.expr], str | None]) -> Value:
    """`dict(…)` as a map, the parts of a text, and any other call as a map of what it is given by name."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("split", "strip") and not node.keywords:
        text = value_of(node.func.value, names, text_of)
        words = [value_of(word, names, text_of) for word in node.args]
        if not isinstance(text, str) or not all(isinstance(word, str) and word for word in words) or len(words) > 1:
            return UNKNOWN
        found = text.strip(*words) if node.func.attr == "strip" else text.split(*words)
        return found if len(found) <= bounds.ITEMS else UNKNOWN
    given = {word.arg or "**": value_of(word.value, names, text_of) for word in node.keywords}
    called = as_written(node.func)
    return given if called == "dict" and not node.args else {CALLED: called, **given} if given else UNKNOWN


def parts(value: Value) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text in a value, with the keys that lead to it; what several names share is told once.

    What is called is no text of the value: env.list names no module and no host.
    """
    return _parts(value, (), set(), 0)


def _parts(value: Value, way: tuple[str, ...], seen: set[int], depth: int) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield way, value
    elif id(value) not in seen and depth < bounds.NESTING:
        seen.add(id(value))
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key != CALLED:
                    yield from _parts(inner, (*way, str(key)), seen, depth + 1)
        elif isinstance(value, list):
            for inner in value:
                yield from _parts(inner, way, seen, depth + 1)
