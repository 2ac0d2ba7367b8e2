"""The settings that a project starts with by itself, where its own files name them."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from codesensei.source.archive import Checkout
from codesensei.source.settings import Modules
from codesensei.source.syntax import syntax_if_read, walk

_VARIABLE = "DJANGO_SETTINGS_MODULE"
# What starts a project, the likeliest to be meant for a server first.
_STARTS = ("manage.py", "wsgi.py", "asgi.py", "__main__.py", "__init__.py")
# Settings there are for something else than the site.
_ASIDE = {"test", "tests", "testing", "example", "examples", "demo", "docs"}


def started_with(checkout: Checkout, directory: str) -> str:
    """The settings module that manage.py in `directory`, or a package below it, sets; empty where none does plainly."""
    near = "" if directory == "." else f"{directory}/"
    files = [name for name in checkout.files if name.startswith(near) and posixpath.basename(name) in _STARTS]
    files = [name for name in files if name == f"{near}manage.py" or _is_in_package(checkout, name)]
    files.sort(key=lambda name: (_is_aside(name.removeprefix(near).split("/")), *_rank(name)))
    trees = filter(None, (syntax_if_read(checkout, name) for name in files if checkout.tree.is_file(name)))
    found = [module for tree in trees for module in _set(tree)]
    return min(found, key=lambda module: _is_aside(module.split(".")), default="")


def find_module(checkout: Checkout, directory: str, module: str) -> tuple[str, str]:
    """The folder that a module is imported from, manage.py's or one above it, and its file; both empty for none."""
    for root in (directory, *map(str, PurePosixPath(directory).parents)):
        if file := Modules(checkout, root).find(module):
            return root, file
    return "", ""


def _is_in_package(checkout: Checkout, name: str) -> bool:
    return checkout.tree.is_file(posixpath.join(posixpath.dirname(name), "__init__.py"))


def _is_aside(names: list[str]) -> bool:
    return not _ASIDE.isdisjoint(names)


def _rank(name: str) -> tuple[int, int, str]:
    return _STARTS.index(posixpath.basename(name)), name.count("/"), name


def _set(tree: ast.Module) -> Iterator[str]:
    """What the variable is set to: by setdefault or an assignment, and by a name where that has a text before."""
    texts: dict[str, str] = {}
    for node in walk(tree):
        given = list[tuple[ast.expr, ast.expr]]()
        if isinstance(node, ast.Call) and len(node.args) == 2:
            given = [(node.args[0], node.args[1])]
        elif isinstance(node, ast.Assign):
            given = [(target.slice, node.value) for target in node.targets if isinstance(target, ast.Subscript)]
            for target in node.targets:
                if isinstance(target, ast.Name):
                    texts.setdefault(target.id, _text(node.value))
        for name, value in given:
            text = texts.get(value.id, "") if isinstance(value, ast.Name) else _text(value)
            if _text(name) == _VARIABLE and text:
                yield text


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
