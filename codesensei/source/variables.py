"""Variables of the environment that the settings read: which have no value, and what is used for those without one."""

from __future__ import annotations

import ast
import copy
import fnmatch
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field

from codesensei.source import bounds
from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError, Told, listing
from codesensei.source.places import inside
from codesensei.source.readers import (
    DECOUPLE,
    ENVIRON,
    Reader,
    Readers,
    Reading,
    reader_of,
    readers_in,
    readers_of,
    reading,
)
from codesensei.source.syntax import as_written, dotted, syntax_if_read, walk
from codesensei.wire.quick import dataclass

# What systemd and a unit give every process.
_USUAL = re.compile(
    r"DJANGO_SETTINGS_MODULE|HOME|USER|LOGNAME|SHELL|PATH|PWD|LANG|LC_\w+|TZ|TERM|HOSTNAME|TMPDIR|VIRTUAL_ENV"
    r"|PYTHON\w+|INVOCATION_ID|JOURNAL_STREAM|DATABASE_URL"
)
# A file of variables that somebody may have put beside the release.
_ELSEWHERE = re.compile(r"[/~].*\.?env")
_FILES = (".env", ".env.*", "*.env", "settings.ini")
_EXAMPLE = re.compile(r"example|sample|template|dist")
# What is in them runs sometimes, or never.
_SOMETIMES = (
    # A `with` may suppress the error.
    *(ast.If, ast.For, ast.While, ast.Try, ast.With, ast.Match),
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=", re.MULTILINE)
# What a reader may do to a part of a list beside splitting it: interpolate, unquote, begin a comment.
_NOT_PLAIN = re.compile(r"[$\\'\"#(\[{]")
# Of python-dotenv and django-environ.
_LOADERS = ("load_dotenv", "read_env")
_NO_PATHS = {ast.dump(ast.parse(text, mode="eval").body) for text in ("None", "find_dotenv()", "dotenv.find_dotenv()")}
_PATHS = ("dotenv_path", "stream", "env_file", "path")
_READERS = ("decouple", "environ", "environs", "os")
_DATABASE = re.compile(r"(^|_)(DB|DATABASE|POSTGRES|POSTGRESQL|PG)(_|$|NAME|USER|PASS|HOST|PORT)|^PG[A-Z]+$")
_BROKER = re.compile(r"(^|_)(REDIS|BROKER|CELERY|VALKEY)(_|$)|^CACHE_URL$")


@dataclass(frozen=True)
class Given:
    """What the stack gives: each variable's text, None where it is secret or only the program knows it.

    `others` are set by the project itself, or have a default where all are declared. `complete`: nothing else sets any.
    `readers` are what stands for a reader in each of the settings' files.
    """

    texts: Mapping[str, str | None]
    others: frozenset[str] = frozenset()
    complete: bool = True
    readers: Mapping[str, Readers] = field(default_factory=dict)

    def is_unset(self, name: str) -> bool:
        """Whether certainly nothing sets it."""
        return not (name in self.texts or name in self.others or _USUAL.fullmatch(name))

    def is_missing(self, read: Reading) -> bool:
        """Whether certainly nothing sets what is read, nor names a file that has it."""
        return self.is_unset(read.name) and (not read.file or self.is_unset(read.file))


def given(
    project: Checkout,
    files: Collection[str],
    loads: Collection[str | None],
    texts: Mapping[str, str | None],
    taken_from: Callable[[str, ast.ImportFrom], str | None],
) -> Given:
    """What is set when the settings are loaded, and with them `files`.

    `loads` are the files of variables that they name, None where only running tells; `taken_from` is the project's file
    of an import in one.
    """
    trees = {file: tree for file in files if (tree := syntax_if_read(project, file))}
    nodes = [node for tree in trees.values() for node in walk(tree)]
    found = {name for node in nodes for name in _set_by(node)}
    elsewhere = any(isinstance(node, ast.Constant) and _ELSEWHERE.fullmatch(_text(node)) for node in nodes)
    places = [inside(load) if load else None for load in loads]
    # What is in the release and not in the commit is not there, where it has such a name.
    known = all(place and (project.tree.is_file(place) or _is_of_variables(place)) for place in places)
    named = {place for place in places if place and project.tree.is_file(place)}
    for file in sorted({*_files_of_variables(project), *named}):
        found |= {*_LINE.findall(project.tree.beginning(file).decode("utf-8", "replace"))}
    others = frozenset(name for name in found if name)
    return Given(texts, others, None not in found and not elsewhere and known, readers_of(trees, taken_from))


def loads_in(tree: ast.Module) -> Iterator[ast.expr]:
    """The paths that python-dotenv, django-environ and environs are told to read variables from."""
    for node in walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _LOADERS:
            words = [word.value for word in node.keywords if word.arg in (*_PATHS, None)]
            path = next(iter((*node.args, *words)), None)
            # Without a path, they look for .env around the file that asks.
            if path and ast.dump(path) not in _NO_PATHS:
                yield path


def _set_by(node: ast.AST) -> Iterator[str | None]:
    """Variables that a statement sets, or declares with a default; None for those that only running tells."""
    if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
        if isinstance(node, ast.Attribute):
            yield from [None] if _is_environ(node) else []
        elif _is_environ(node.value):
            yield _text(node.slice) or None
    if not isinstance(node, ast.Call):
        return
    if dotted(node.func).rpartition(".")[2] in ("Env", "FileAwareEnv"):
        yield from (word.arg for word in node.keywords if word.arg)
    elif isinstance(node.func, ast.Attribute) and _is_environ(node.func.value):
        if node.func.attr == "setdefault" and node.args:
            yield _text(node.args[0]) or None
        elif node.func.attr == "update":
            for given in node.args:
                yield from (
                    (_text(key) or None if key else None for key in given.keys)
                    if isinstance(given, ast.Dict)
                    else [None]
                )
            yield from (word.arg for word in node.keywords)


def _is_environ(node: ast.expr) -> bool:
    return dotted(node) in ("os.environ", "environ")


def _is_of_variables(file: str) -> bool:
    return any(fnmatch.fnmatch(posixpath.basename(file), pattern) for pattern in _FILES)


def _files_of_variables(project: Checkout) -> Iterator[str]:
    for file in project.files:
        is_one = _is_of_variables(file) and not _EXAMPLE.search(posixpath.basename(file))
        if is_one and project.tree.is_file(file) and project.tree.size(file) <= bounds.CODE_BYTES:
            yield file


def names_read(project: Checkout, files: Collection[str]) -> list[str]:
    """Every variable that these files seem to read, each once; what one takes from another as `env` may be a reader."""
    return _read_in(project, files, walk)


def names_assigned(project: Checkout, files: Collection[str], setting: str) -> list[str]:
    """Those of them whose value, and nothing made of it, a statement assigns to this name."""
    return _read_in(project, files, lambda tree: _assigned(tree, setting))


def _read_in(project: Checkout, files: Collection[str], nodes: Callable[[ast.Module], Iterable[ast.AST]]) -> list[str]:
    trees = [tree for file in files if (tree := syntax_if_read(project, file))]
    readers = {name: reader for tree in trees for name, reader in readers_in(tree, _guessed).items()}
    found = (reading(node, readers) for tree in trees for node in nodes(tree))
    return list(dict.fromkeys(read.name for read in found if read))


def _assigned(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    """What may become the value of a name; of `x or y` and `x if a else y` both x and y."""
    for node in walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        waiting = [getattr(node, "value", None)] if name in (getattr(one, "id", "") for one in targets) else []
        while waiting:
            value = waiting.pop()
            if isinstance(value, ast.BoolOp):
                waiting += value.values
            elif isinstance(value, ast.IfExp):
                waiting += [value.body, value.orelse]
            elif isinstance(value, ast.expr):
                yield value


def _guessed(node: ast.ImportFrom) -> Readers | None:
    return None if not node.level and node.module in _READERS else {"env": Reader(ENVIRON)}


def with_values(tree: ast.Module, file: str, variables: Given) -> ast.Module:
    """The module in `file` with what variables stand for in their place, where that is certain."""
    if variables.complete:
        _Values(variables.readers.get(file, {}), variables).visit(tree)
    return tree


class _Values(ast.NodeTransformer):
    def __init__(self, readers: Readers, variables: Given) -> None:
        self._readers, self._variables = readers, variables

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self._value(node) or self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return self._value(node) or self.generic_visit(node)

    def visit_With(self, node: ast.With) -> ast.AST:
        # with env.prefixed("SHOP_"):
        return node if any(".prefixed(" in as_written(item) for item in node.items) else self.generic_visit(node)

    def _value(self, node: ast.expr) -> ast.expr | None:
        read = reading(node, self._readers)
        if read is None:
            return None
        text = self._variables.texts.get(read.name)
        if text is not None and read.name not in self._variables.others and not read.file:
            return self._made(read, ast.copy_location(ast.Constant(text), node))
        if read.default is not None and self._variables.is_missing(read):
            default: ast.expr = self.visit(read.default)
            # Only python-decouple casts it, too.
            if isinstance(default, ast.Constant) and reader_of(node, self._readers) == DECOUPLE:
                return self._made(read, default) or default
            return default
        return None

    def _made(self, read: Reading, text: ast.Constant) -> ast.expr | None:
        """What a reader makes of a text, where that is certain."""
        if read.plain:
            return text
        if not isinstance(text.value, str):
            return None
        if read.cast is not None:
            return _applied(read.cast, text)
        if read.splits and not _NOT_PLAIN.search(text.value):
            parts = [ast.Constant(part.strip()) for part in text.value.split(",") if part.strip()]
            return ast.copy_location(ast.List([*parts], ast.Load()), text)
        return None


def _applied(function: ast.Lambda, value: ast.Constant) -> ast.expr | None:
    """The expression of a function of one argument, with the value in its place."""
    words = function.args
    names = [word.arg for word in (*words.posonlyargs, *words.args, *words.kwonlyargs)]
    if len(names) != 1 or words.vararg or words.kwarg:
        return None

    class Place(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.copy_location(ast.Constant(value.value), node) if node.id == names[0] else node

    body: ast.expr = Place().visit(copy.deepcopy(function.body))
    return body


def missing(trees: Mapping[str, ast.Module], variables: Given) -> Iterator[Told]:
    """Variables without which the settings do not load, all in one; `trees` are files that are certainly loaded."""
    places = dict[str, str]()
    for file, tree in trees.items():
        readers = variables.readers.get(file, {})
        for node in (node for statement in tree.body for node in _always(statement)):
            read = reading(node, readers)
            if read and read.default is None and variables.is_missing(read):
                places.setdefault(read.name, f"{file}:{getattr(node, 'lineno', 1)}")
    if not places:
        return
    names = sorted(places)
    plural = "s" if len(names) > 1 else ""
    fixes = [f"set {'them' if plural else 'it'} in codesensei:env"]
    fixes.append("a secret one with pulumi config set --secret --path codesensei:secretEnv.NAME")
    fixes.append("or have it made by codesensei:generateSecrets")
    if of_database := [name for name in names if _DATABASE.search(name)]:
        fixes.append(f"codesensei:database.env gives {listing(of_database)} what leads to the stack's database")
    if of_broker := [name for name in names if _BROKER.search(name)]:
        fixes.append(f"codesensei:broker.env gives {listing(of_broker)} what leads to its broker")
    cause = f"the settings need the variable{plural} {listing(names, limit=30)}, which nothing sets"
    yield Told(SourceError(places[names[0]], cause, "; ".join(fixes)), variables.complete)


def overridden(project: Checkout, trees: Mapping[str, ast.Module], variables: Given) -> Iterator[Told]:
    """Variables of the stack for which a file in the commit has other values, that settings let win."""
    for file, tree in trees.items():
        for call in (node for node in walk(tree) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name not in _LOADERS or not any(map(_wins, call.keywords)):
                continue
            said = as_written(call)
            for place in _files_of_variables(project):
                names = sorted({*_LINE.findall(project.read(place))} & {*variables.texts})
                if names and repr(posixpath.basename(place)) in said:
                    cause = f"{place} in the commit wins over the stack's values of {listing(names)}"
                    fix = "remove it from the repository, or load it without override=True"
                    yield Told(SourceError(f"{file}:{call.lineno}", cause, fix), False)


def _wins(word: ast.keyword) -> bool:
    return word.arg in ("override", "overwrite") and isinstance(word.value, ast.Constant) and word.value.value is True


def _always(node: ast.AST) -> Iterator[ast.AST]:
    """The expressions of a statement that run whenever it does."""
    if isinstance(node, _SOMETIMES):
        return
    yield node
    for inner in ast.iter_child_nodes(node):
        yield from _always(inner)


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
