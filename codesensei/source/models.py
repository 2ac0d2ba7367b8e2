"""Apps of the project that have models and no migrations, found by reading: `migrate` would make no tables for them."""

from __future__ import annotations

import ast
import fnmatch
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from codesensei.source import bounds
from codesensei.source.errors import listing
from codesensei.source.settings import Modules
from codesensei.source.syntax import dotted, syntax_if_read, walk
from codesensei.source.tree import join

_BASES = {"AbstractBaseUser", "AbstractUser"}
_OTHER_MODELS = {"pydantic", "sqlmodel", "ninja", "mongoengine", "peewee", "torch", "msgspec"}
_NO_TABLE = {("abstract", True), ("managed", False), ("proxy", True)}


def without_migrations(modules: Modules, settings_module: str) -> list[str]:
    """A sentence for each such app that the settings install; none where they say where migrations are."""
    settings = Words(modules)
    if file := modules.find(settings_module):
        settings.read(settings_module, file)
    if settings.moves_migrations:
        return []
    files = modules.project.files
    found = []
    for folder, app in sorted(set(_apps(modules))):
        if not any(word == app or word.startswith(f"{app}.apps.") for word in settings.words):
            continue
        migrations = [name for name in fnmatch.filter(files, f"{folder}/migrations/*.py") if "__init__" not in name]
        if not migrations and (models := _models(modules, folder)):
            label = app.rpartition(".")[2]
            found.append(
                f"{app} has no migrations in commit {modules.project.short}, so no tables are made for its models"
                f" ({listing(models)}): run manage.py makemigrations {label} and commit them{_ignored(modules)}"
            )
    return found


def _apps(modules: Modules) -> Iterator[tuple[str, str]]:
    """Folders that have a module `models`, and the names that each can be imported by."""
    for name in modules.project.files:
        folder, _, rest = name.rpartition("/models")
        if rest in (".py", "/__init__.py"):
            for root in modules.roots:
                if root == "." or folder.startswith(f"{root}/"):
                    yield folder, (folder if root == "." else folder.removeprefix(f"{root}/")).replace("/", ".")


def _models(modules: Modules, folder: str) -> list[str]:
    """The models in a folder that certainly have a table."""
    files = [f"{folder}/models.py", *fnmatch.filter(sorted(modules.project.files), f"{folder}/models/*.py")]
    trees = [tree for file in files if (tree := syntax_if_read(modules.project, file)) and _imports_django(tree)]
    classes = {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}

    others = {name for tree in trees for name in _from_elsewhere(tree)}
    bases = {
        name: {ast.unparse(base).rpartition(".")[2] for base in node.bases if _top(dotted(base)) not in _OTHER_MODELS}
        for name, node in classes.items()
    }
    found = {base for names in bases.values() for base in names - classes.keys() - others if _is_base(base)}
    # A class may stand in a file before that of its base.
    for _ in trees:
        for name, names in bases.items():
            if names & found:
                found.add(name)
    return [name for name, node in classes.items() if name in found and _has_table(node)]


def _from_elsewhere(tree: ast.Module) -> Iterator[str]:
    """Classes of packages whose models are none of Django's."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and _top(str(node.module)) in _OTHER_MODELS:
            yield from (alias.asname or alias.name for alias in node.names)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _is_base(name: str) -> bool:
    return name in _BASES or name.endswith("Model")


def _has_table(model: ast.ClassDef) -> bool:
    metas = [node for node in model.body if isinstance(node, ast.ClassDef) and node.name == "Meta"]
    said = {
        (target.id, statement.value.value)
        for meta in metas
        for statement in meta.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    return not said & _NO_TABLE


def _imports_django(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and str(node.module).startswith("django.") for node in tree.body)


def _ignored(modules: Modules) -> str:
    """Where git is told to leave migrations out."""
    for file in sorted(name for name in modules.project.files if posixpath.basename(name) == ".gitignore"):
        for line in modules.project.read(file).splitlines():
            if "migrations" in line and not line.startswith(("#", "!")):
                return f"; {file} keeps them out by the line {line.strip()}"
    return ""


@dataclass
class Words:
    """Every text in the settings, and in the project's modules that they take names from."""

    modules: Modules
    words: set[str] = field(default_factory=set)
    moves_migrations: bool = False
    seen: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)

    def read(self, name: str, file: str) -> None:
        if file in self.seen or len(self.seen) >= bounds.MODULES:
            return
        self.seen.add(file)
        if (tree := syntax_if_read(self.modules.project, file)) is None:
            return
        for node in walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.words.add(node.value)
                for included in self._included(file, node.value):
                    self.read(name, included)
            elif isinstance(node, ast.ImportFrom) and (target := self.modules.target(name, file, node)):
                if other := self.modules.find(target):
                    self.read(target, other)
            elif isinstance(node, ast.Name) and node.id == "MIGRATION_MODULES":
                self.moves_migrations = True

    def _included(self, file: str, text: str) -> Iterator[str]:
        """Files that django-split-settings reads as part of this one."""
        if text.endswith(".py") and "/" not in text[:1] and len(self.patterns) < bounds.MODULES:
            self.patterns.add(text)
            pattern = join(posixpath.dirname(file), text)
            yield from sorted(fnmatch.filter(self.modules.project.files, pattern))
