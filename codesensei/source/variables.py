"""Variables of the environment that the settings read: which have no value, and what is used for those without one.

Nothing is run. os.environ, django-environ and python-decouple are read; of others only running tells.
"""

from __future__ import annotations

import ast
import copy
import fnmatch
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from codesensei.source import bounds
from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError, Told, listing
from codesensei.source.syntax import syntax_if_read, walk
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
# Readers of django-environ that give the text as it is, and those that make something of it.
_TEXTS, _MADE = ("str", "path"), ("bool", "int", "float", "list", "tuple", "dict", "json", "url", "bytes", "unicode")
# What a reader may do to a part of a list beside splitting it: interpolate, unquote, begin a comment.
_NOT_PLAIN = re.compile(r"[$\\'\"#(\[{]")
_OF_URLS = ("db", "db_url", "cache", "cache_url", "email", "email_url", "search_url", "channels", "channels_url")
# Of python-dotenv and django-environ.
_LOADERS = ("load_dotenv", "read_env")
_DATABASE = re.compile(r"(^|_)(DB|DATABASE|POSTGRES|POSTGRESQL|PG)(_|$|NAME|USER|PASS|HOST|PORT)|^PG[A-Z]+$")
_BROKER = re.compile(r"(^|_)(REDIS|BROKER|CELERY|VALKEY)(_|$)|^CACHE_URL$")


@dataclass(frozen=True)
class Given:
    """What the stack gives: each variable's text, None where it is secret or only the program knows it.

    `others` are set by the project itself, or have a default where all are declared. `complete`: nothing else sets any.
    """

    texts: Mapping[str, str | None]
    others: frozenset[str] = frozenset()
    complete: bool = True

    def is_unset(self, name: str) -> bool:
        """Whether certainly nothing sets it."""
        return not (name in self.texts or name in self.others or _USUAL.fullmatch(name))


@dataclass(frozen=True)
class Reading:
    """A variable that an expression reads. `default` is what stands for one that is not set, None for an error.

    `plain`: the variable's text is the expression's value. `splits`: what is between its commas; a `cast` is given the
    text, or else the default.
    """

    name: str
    default: ast.expr | None
    plain: bool
    splits: bool = False
    cast: ast.Lambda | None = None


def given(project: Checkout, files: Collection[str], texts: Mapping[str, str | None]) -> Given:
    """What is set when the settings in `files` are loaded."""
    others, complete = set[str](), True
    trees = [tree for file in files if (tree := syntax_if_read(project, file))]
    for node in (node for tree in trees for node in walk(tree)):
        others |= set(_set_by(node))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ELSEWHERE.fullmatch(node.value):
            complete = False
    for file in _files_of_variables(project):
        others |= set(_LINE.findall(project.read(file)))
    return Given(texts, frozenset(others), complete)


def _set_by(node: ast.AST) -> Iterator[str]:
    """Variables that a statement sets, or declares with a default."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and _is_environ(node.value):
        yield _text(node.slice)
    if not isinstance(node, ast.Call):
        return
    if ast.unparse(node.func).rpartition(".")[2] in ("Env", "FileAwareEnv"):
        yield from (word.arg for word in node.keywords if word.arg)
    elif isinstance(node.func, ast.Attribute) and _is_environ(node.func.value):
        if node.func.attr == "setdefault" and node.args:
            yield _text(node.args[0])
        elif node.func.attr == "update":
            keys = [key for given in node.args if isinstance(given, ast.Dict) for key in given.keys if key]
            yield from (*map(_text, keys), *(word.arg for word in node.keywords if word.arg))


def _is_environ(node: ast.expr) -> bool:
    return ast.unparse(node) in ("os.environ", "environ")


def _files_of_variables(project: Checkout) -> Iterator[str]:
    for file in project.files:
        name = posixpath.basename(file)
        is_one = any(fnmatch.fnmatch(name, pattern) for pattern in _FILES) and not _EXAMPLE.search(name)
        if is_one and project.tree.is_file(file) and project.tree.size(file) <= bounds.CODE_BYTES:
            yield file


def reading(node: ast.AST, readers: Mapping[str, str]) -> Reading | None:
    """Which variable an expression reads; `readers` are names that stand for `env` or `decouple`. None for others."""
    if isinstance(node, ast.Subscript) and _is_environ(node.value):
        name = _text(node.slice)
        return Reading(name, None, plain=True) if name and isinstance(node.ctx, ast.Load) else None
    if not isinstance(node, ast.Call) or not node.args or not (name := _text(node.args[0])):
        return None
    words = {word.arg: word.value for word in node.keywords}
    second = node.args[1] if len(node.args) > 1 else None
    if ast.unparse(node.func) in ("os.environ.get", "environ.get", "os.getenv", "getenv"):
        return Reading(name, second or words.get("default", ast.Constant(None)), plain=True)
    owner, _, method = ast.unparse(node.func).partition(".")
    kind, default = readers.get(owner), words.get("default")
    if {*words} <= {"default", "cast"} and kind == "decouple" and not method:
        cast = words.get("cast")
        own = cast if isinstance(cast, ast.Lambda) else None
        splits = cast is not None and ast.unparse(cast) in ("Csv()", "decouple.Csv()")
        return Reading(name, default, cast is None, splits, own)
    if {*words} <= {"default", "cast"} and kind == "env" and method in ("", *_TEXTS, *_MADE, *_OF_URLS):
        # env("X", str) casts; env.str("X", "a") has a default.
        by_place = second if method in (*_TEXTS, *_MADE) else None
        text = method in _TEXTS or (not method and second is None and "cast" not in words)
        splits = method in ("list", "tuple") and not (second and "default" in words) and "cast" not in words
        return Reading(
            name, default or by_place, text, splits or (not method and _is_list(second or words.get("cast")))
        )
    return None


def _is_list(node: ast.expr | None) -> bool:
    """Whether django-environ is told to make a list."""
    return isinstance(node, ast.Name) and node.id in ("list", "tuple")


def names_read(project: Checkout, files: Collection[str]) -> list[str]:
    """Every variable that these files read, each once; a reader of one may be taken from another by `import *`."""
    return _read_in(project, files, walk)


def names_assigned(project: Checkout, files: Collection[str], setting: str) -> list[str]:
    """Those of them whose value, and nothing made of it, a statement assigns to this name."""
    return _read_in(project, files, lambda tree: _assigned(tree, setting))


def _read_in(project: Checkout, files: Collection[str], nodes: Callable[[ast.Module], Iterable[ast.AST]]) -> list[str]:
    trees = [tree for file in files if (tree := syntax_if_read(project, file))]
    readers = {name: kind for tree in trees for name, kind in readers_in(tree).items()}
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


def readers_in(tree: ast.Module) -> dict[str, str]:
    """The names that stand for a reader of django-environ or python-decouple in a module."""
    found = dict[str, str]()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            is_decouple = node.module == "decouple"
            for alias in node.names:
                name = alias.asname or alias.name
                if is_decouple and alias.name == "config":
                    found[name] = "decouple"
                elif name.lower() == "env" and not is_decouple:
                    found[name] = "env"
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            if called in ("environ.Env", "Env", "environ.FileAwareEnv", "FileAwareEnv"):
                found |= {target.id: "env" for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Assign):
            # What a reader puts before each name.
            for target in node.targets:
                found.pop(ast.unparse(target).removesuffix(".prefix"), None)
    return found


def with_values(tree: ast.Module, variables: Given) -> ast.Module:
    """The module with what variables stand for in their place, where that is certain."""
    if variables.complete:
        _Values(readers_in(tree), variables).visit(tree)
    return tree


class _Values(ast.NodeTransformer):
    def __init__(self, readers: Mapping[str, str], variables: Given) -> None:
        self._readers, self._variables = readers, variables

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self._value(node) or self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return self._value(node) or self.generic_visit(node)

    def visit_With(self, node: ast.With) -> ast.AST:
        # with env.prefixed("SHOP_"):
        return node if any(".prefixed(" in ast.unparse(item) for item in node.items) else self.generic_visit(node)

    def _value(self, node: ast.expr) -> ast.expr | None:
        read = reading(node, self._readers)
        if read is None:
            return None
        text = self._variables.texts.get(read.name)
        if text is not None and read.name not in self._variables.others:
            return self._made(read, ast.copy_location(ast.Constant(text), node))
        if read.default is not None and self._variables.is_unset(read.name):
            default: ast.expr = self.visit(read.default)
            # Only python-decouple casts it, too.
            if isinstance(default, ast.Constant) and self._readers.get(_owner(node)) == "decouple":
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


def _owner(node: ast.expr) -> str:
    return ast.unparse(node.func).partition(".")[0] if isinstance(node, ast.Call) else ""


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
        readers = readers_in(tree)
        for node in (node for statement in tree.body for node in _always(statement)):
            read = reading(node, readers)
            if read and read.default is None and variables.is_unset(read.name):
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
            said = ast.unparse(call)
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
