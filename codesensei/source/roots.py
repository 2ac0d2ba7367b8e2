"""Import roots beside manage.py's own folder: what the stack config names, and what its own files add to sys.path."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Sequence

from codesensei.config.project import ProjectConfig
from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError
from codesensei.source.models import Words
from codesensei.source.places import ROOT, inside
from codesensei.source.settings import Modules, read_all, text_of
from codesensei.source.syntax import syntax_if_read
from codesensei.source.tree import join

_MODULE = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(\w+)", re.MULTILINE)


def import_roots(project: Checkout, config: ProjectConfig, directory: str) -> tuple[str, ...]:
    """Folders relative to the source's root that Python is to look in, in its order. SourceError for one that is none.

    What manage.py, wsgi.py and asgi.py add to sys.path counts where the project needs it: for its settings, for an
    app, or for an import.
    """
    for path in config.python_path:
        if not project.tree.is_directory(path):
            cause, fix = f"there is no such folder in commit {project.short}", "name it relative to the source's root"
            raise SourceError(f"project.pythonPath: {path}", cause, fix)
    own = Modules(project, directory, config.python_path)
    packages = config.settings_module.split(".")[:-1]
    above = [".".join(packages[:depth]) for depth in range(len(packages), 0, -1)]
    modules = (own.find(f"{package}.{kind}") for package in above for kind in ("wsgi", "asgi"))
    files = filter(None, (join(directory, "manage.py"), *modules))
    found = dict.fromkeys(root for file in files for root in _added(project, directory, file))
    added = [root for root in found if root not in own.roots and project.tree.is_directory(root)]
    return (*config.python_path, *(root for root in added if _is_needed(own, root, config.settings_module)))


def added_by_settings(modules: Modules, settings_module: str) -> tuple[str, ...]:
    """Further folders that the settings add to sys.path: whatever they name is looked for there, too."""
    files = read_all(modules, settings_module).files
    found = dict.fromkeys(root for file in files for root in _added(modules.project, modules.roots[0], file))
    return tuple(root for root in found if root not in modules.roots and modules.project.tree.is_directory(root))


def _is_needed(own: Modules, root: str, settings_module: str) -> bool:
    """Whether the project names a module by the way that only this root makes."""
    project, beside = own.project, Modules(own.project, root)

    def only_there(module: str) -> bool:
        return own.find(module) is None and beside.find(module) is not None

    if only_there(settings_module):
        return True
    words = Words(own)
    if file := own.find(settings_module):
        words.read(settings_module, file)
    # `users.apps.UsersConfig` is the app `users`, too.
    if any(only_there(word.partition(".apps.")[0]) for word in words.words if _MODULE.fullmatch(word)):
        return True
    python = (name for name in project.files if name.endswith(".py") and project.tree.is_file(name))
    tops = {top for name in python for top in _IMPORT.findall(project.tree.beginning(name))}
    return any(only_there(top.decode()) for top in tops)


def _added(project: Checkout, directory: str, file: str) -> list[str]:
    """What a file adds to sys.path, as far as it says so plainly."""
    tree = syntax_if_read(project, file)
    reader = _Reader(f"{ROOT}/{directory}", {"__file__": f"{ROOT}/{file}"})
    if tree:
        reader.visit(tree)
    places = (inside(place) for place in reader.found)
    return [place for place in places if place]


class _Reader(ast.NodeVisitor):
    """Follows the names of a file from top to bottom."""

    def __init__(self, directory: str, known: dict[str, str | None]) -> None:
        self._directory, self._known, self.found = directory, known, list[str]()

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._known[target.id] = text_of(node.value, self._known)
            elif ast.unparse(target).startswith("sys.path["):
                self._add(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if ast.unparse(node.target) == "sys.path":
            self._add(node.value)

    def visit_For(self, node: ast.For) -> None:
        for item in node.iter.elts if isinstance(node.iter, (ast.List, ast.Tuple)) else ():
            if isinstance(node.target, ast.Name):
                self._known[node.target.id] = text_of(item, self._known)
            for statement in node.body:
                self.visit(statement)

    def visit_Call(self, node: ast.Call) -> None:
        if ast.unparse(node.func) in ("sys.path.insert", "sys.path.append", "sys.path.extend", "site.addsitedir"):
            self._add(node.args[-1] if node.args else ast.Constant(None))
        self.generic_visit(node)

    def _add(self, node: ast.expr) -> None:
        items: Sequence[ast.expr] = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
        texts = (text_of(item, self._known) for item in items)
        self.found += [posixpath.join(self._directory, text) for text in texts if text]
