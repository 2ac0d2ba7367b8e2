"""Names that stand for a reader of variables of the environment, and which variable an expression reads by one.

Nothing is run. os.environ, django-environ, environs and python-decouple are read; of others only running tells.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from codesensei.source.syntax import dotted, walk
from codesensei.wire.quick import dataclass

# What a reader is from: packages by the name that is imported, and what is in os.
DECOUPLE, ENVIRON, ENVIRONS, MAPPING, GETENV = "decouple", "environ", "environs", "os.environ", "os.getenv"
_TAKEN = {
    ("decouple", "config"): DECOUPLE,
    ("environs", "env"): ENVIRONS,
    ("os", "environ"): MAPPING,
    ("os", "getenv"): GETENV,
}
_CLASSES = ("Env", "FileAwareEnv")
# With one of these, a reader reads other variables than those that are named.
_MOVES = ("prefix", "scheme", "ENVIRON")
# Methods of django-environ that give the text as it is, and those that make something of it.
_TEXTS, _MADE = ("str", "path"), ("bool", "int", "float", "json", "url", "bytes", "unicode")
# These are given a type second, and the default third.
_OF_ITEMS = ("list", "tuple", "dict")
# What they read where no variable is named.
_OF_URLS = {
    **dict.fromkeys(("db", "db_url"), "DATABASE_URL"),
    **dict.fromkeys(("cache", "cache_url"), "CACHE_URL"),
    **dict.fromkeys(("email", "email_url"), "EMAIL_URL"),
    "search_url": "SEARCH_URL",
    "channels_url": "CHANNELS_URL",
}
_CSV = ("Csv", "decouple.Csv")
_OF_ENVIRONS = (
    *("", "str", "bool", "int", "float", "decimal", "list", "dict", "json", "datetime", "date", "time", "timedelta"),
    *("path", "log_level", "uuid", "url", "enum", "dj_db_url", "dj_email_url", "dj_cache_url"),
)


@dataclass(frozen=True)
class Reader:
    """What a name reads with. `by_file`: the variable may have its value in a file that another one names."""

    package: str
    by_file: bool = False


Readers = Mapping[str, Reader]
# The readers of the module that is taken from; None for one that the project does not have.
Taken = Callable[[ast.ImportFrom], "Readers | None"]


@dataclass(frozen=True)
class Reading:
    """A variable that an expression reads. `default` is what stands for one that is not set, None for an error.

    `plain`: the variable's text is the expression's value. `splits`: what is between its commas; a `cast` is given the
    text, or else the default. `file` is the variable that may name a file with the value instead.
    """

    name: str
    default: ast.expr | None
    plain: bool
    splits: bool = False
    cast: ast.Lambda | None = None
    file: str = ""


def _from_no_module(node: ast.ImportFrom) -> Readers | None:
    return None


def readers_in(tree: ast.Module, taken: Taken = _from_no_module) -> dict[str, Reader]:
    """The names that stand for a reader, and for nothing else, wherever in the module they are set."""
    classes, found, others = _classes_in(tree), dict[str, Reader](), set[str]()
    made: dict[int, Reader | None] = {}
    for node in walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            reader = _made(node.value, classes)
            made |= {id(target): reader for target in getattr(node, "targets", [getattr(node, "target", None)])}
        for name, one in _bound(node, made, taken):
            if one is None or found.setdefault(name, one) != one:
                others.add(name)
    return {name: reader for name, reader in found.items() if name not in others}


def readers_of(
    trees: Mapping[str, ast.Module], taken_from: Callable[[str, ast.ImportFrom], str | None]
) -> dict[str, Readers]:
    """The same by file; `taken_from` says which file of the project a file's import takes names from."""
    found: dict[str, Readers] = {}

    def of(file: str) -> Readers:
        if file not in found:
            # A file that comes back to itself has nothing more from there.
            found[file] = {}
            found[file] = readers_in(trees[file], lambda node: taken(file, node))
        return found[file]

    def taken(file: str, node: ast.ImportFrom) -> Readers | None:
        other = taken_from(file, node)
        return None if other is None else of(other) if other in trees else {}

    return {file: of(file) for file in trees}


def _classes_in(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Names of modules and classes that readers are made with: package and class, empty for the module itself."""
    found: dict[str, tuple[str, str]] = {}
    for node in walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname or each.name: (each.name, "") for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {each.asname or each.name: (str(node.module), each.name) for each in node.names}
    return found


def _made(call: ast.Call, classes: Mapping[str, tuple[str, str]]) -> Reader | None:
    """`environ.Env(DEBUG=(bool, False))`; None where what it is given decides what it reads."""
    first, _, method = dotted(call.func).partition(".")
    package, name = classes.get(first, ("", ""))
    name = name or method
    if name not in _CLASSES or (method and method != name):
        return None
    words = [word.arg for word in call.keywords]
    # The types of django-environ; environs may wait with its errors, or read with a prefix.
    knows = {ENVIRON: None not in words, ENVIRONS: {*words} <= {"expand_vars"}}.get(package, False)
    return Reader(package, name == "FileAwareEnv") if knows and not call.args else None


def _bound(node: ast.AST, made: Mapping[int, Reader | None], taken: Taken) -> Iterator[tuple[str, Reader | None]]:
    """Names that a node sets, each with the reader that it stands for, None for anything else."""
    if isinstance(node, ast.ImportFrom):
        readers = taken(node)
        for alias in node.names:
            if alias.name == "*":
                yield from ((name, one) for name, one in (readers or {}).items() if not name.startswith("_"))
                continue
            package = _TAKEN.get((str(node.module), alias.name)) if readers is None and not node.level else None
            own = (readers or {}).get(alias.name)
            yield alias.asname or alias.name, Reader(package) if package else own
    elif isinstance(node, ast.Import):
        yield from ((alias.asname, None) for alias in node.names if alias.asname)
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id, made.get(id(node))
    elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and node.attr in _MOVES:
        yield dotted(node.value), None
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name, None
    elif isinstance(node, ast.arg):
        yield node.arg, None


def is_environ(node: ast.expr, readers: Readers) -> bool:
    """Whether an expression is os.environ."""
    name = dotted(node)
    return name == "os.environ" or (name in readers and readers[name].package == MAPPING)


def reader_of(node: ast.expr, readers: Readers) -> str:
    """The package with which a call reads; empty for others."""
    first = dotted(node.func).partition(".")[0] if isinstance(node, ast.Call) else ""
    return readers[first].package if first in readers else ""


def reading(node: ast.AST, readers: Readers) -> Reading | None:
    """Which variable an expression reads; None for others."""
    if isinstance(node, ast.Subscript) and is_environ(node.value, readers):
        name = _text(node.slice)
        return Reading(name, None, plain=True) if name and isinstance(node.ctx, ast.Load) else None
    if not isinstance(node, ast.Call) or any(isinstance(given, ast.Starred) for given in node.args):
        return None
    owner, _, method = dotted(node.func).partition(".")
    reader, words = readers.get(owner), {str(word.arg): word.value for word in node.keywords}
    if isinstance(node.func, ast.Attribute) and method.rpartition(".")[2] == "get":
        return _of_os(node, words) if is_environ(node.func.value, readers) else None
    if (owner, method) == ("os", "getenv") or (reader and reader.package == GETENV and not method):
        return _of_os(node, words)
    found = _READ[reader.package](node, method, words) if reader and reader.package in _READ else None
    if found and reader and reader.by_file:
        return Reading(found.name, found.default, found.plain, found.splits, found.cast, f"{found.name}_FILE")
    return found


def _of_os(call: ast.Call, words: Mapping[str, ast.expr]) -> Reading | None:
    name, default = _argument(call, 0), words.get("default", ast.Constant(None))
    return Reading(_text(name), _argument(call, 1) or default, plain=True) if name and _text(name) else None


def _of_decouple(call: ast.Call, method: str, words: Mapping[str, ast.expr]) -> Reading | None:
    """`config(name, default, cast)`."""
    name = _text(_argument(call, 0))
    if method or not name or not {*words} <= {"default", "cast"}:
        return None
    cast = words.get("cast") or _argument(call, 2)
    own = cast if isinstance(cast, ast.Lambda) else None
    splits = isinstance(cast, ast.Call) and not (cast.args or cast.keywords) and dotted(cast.func) in _CSV
    return Reading(name, words.get("default") or _argument(call, 1), cast is None, splits, own)


def _of_environ(call: ast.Call, method: str, words: Mapping[str, ast.expr]) -> Reading | None:
    """`env(name, cast, default)`, `env.list` the same, `env.str(name, default)`, and `env.db()` of a usual name."""
    named = _argument(call, 0)
    name = _text(named) if named else _OF_URLS.get(method, "") if not words else ""
    if not name or not {*words} <= {"default", "cast"} or method not in ("", *_TEXTS, *_MADE, *_OF_ITEMS, *_OF_URLS):
        return None
    third = not method or method in _OF_ITEMS
    cast = (words.get("cast") or _argument(call, 1)) if third else None
    default = words.get("default") or _argument(call, 2 if third else 1)
    if not method and cast is None:
        # Without a type, it takes the default's.
        is_text = default is None or isinstance(getattr(default, "value", None), str)
        return Reading(name, default, is_text, isinstance(default, (ast.List, ast.Tuple)))
    splits = cast is None if method in ("list", "tuple") else not method and _is_list(cast)
    return Reading(name, default, method in _TEXTS, splits)


def _of_environs(call: ast.Call, method: str, words: Mapping[str, ast.expr]) -> Reading | None:
    """`env(name, default)`, and the same for each of its methods."""
    name, more = _text(_argument(call, 0)), {*words} - {"default"}
    if not name or method not in _OF_ENVIRONS or not more <= {"subcast", "validate", "delimiter"}:
        return None
    splits = method == "list" and not more and len(call.args) < 3
    return Reading(name, words.get("default") or _argument(call, 1), method in ("", *_TEXTS), splits)


_READ: Mapping[str, Callable[[ast.Call, str, Mapping[str, ast.expr]], Reading | None]] = {
    DECOUPLE: _of_decouple,
    ENVIRON: _of_environ,
    ENVIRONS: _of_environs,
}


def _argument(call: ast.Call, place: int) -> ast.expr | None:
    return call.args[place] if len(call.args) > place else None


def _is_list(node: ast.expr | None) -> bool:
    """Whether django-environ is told to make a list."""
    return isinstance(node, ast.Name) and node.id in ("list", "tuple")


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
