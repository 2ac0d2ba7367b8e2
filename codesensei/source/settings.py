"""Which text a settings module gives to a few names, found by reading its syntax tree; nothing is imported."""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from functools import partial

from codesensei.source import bounds
from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError
from codesensei.source.places import ROOT, inside, place
from codesensei.source.syntax import as_written, dotted, syntax_if_read, syntax_of, walk
from codesensei.source.tree import join
from codesensei.source.values import UNKNOWN, Value, value_of
from codesensei.source.variables import Given, given, loads_in, with_values
from codesensei.wire.quick import dataclass

# With one of these a file can set any name.
_SETS_ANYTHING = {"DjangoDynaconf", "exec", "globals", "locals", "setattr", "vars"}
_BRANCHES = (ast.If, ast.For, ast.While, ast.Try, getattr(ast, "TryStar", ast.Try))
# What is given a setting and leaves it as it is, and what a `with` may begin with that lets every error through.
_CHANGE_NOTHING = ("dictConfig", "print")
_OPENS = ("open", "prefixed")
_EXISTS = re.compile(r"^not .*\b(exists|isdir|is_dir)\(")


class Modules:
    """The project's modules, as Python finds them when manage.py is run in `directory`.

    `roots` are further directories that are on Python's path, because they are installed from the repository.
    """

    def __init__(
        self, project: Checkout, directory: str, roots: Sequence[str] = (), variables: Given | None = None
    ) -> None:
        self.project = project
        self.roots = (directory, *roots)
        self.variables = variables

    def knowing(self, module: str, texts: Mapping[str, str | None]) -> Modules:
        """The same, where the settings `module` are read with the variables that the stack gives them."""
        files: dict[str, str] = {}
        known = self
        while True:
            reader = _Reader(known, frozenset())
            waiting = [module, *self._before(module)]
            for one in waiting:
                if (file := known.find(one)) and file not in reader.files:
                    before = {*reader.files}
                    # One that is too long is told where it counts.
                    with suppress(SourceError):
                        reader.parse(one, file)
                    waiting += [
                        other for file in reader.files if file not in before for other in self._loads(reader, file)
                    ]
            # A variable may say which file is read.
            if reader.files.keys() <= files.keys():
                return known
            files |= reader.files
            variables = given(self.project, files, reader.loads, texts, partial(self._taken_from, files))
            known = Modules(self.project, self.roots[0], self.roots[1:], variables)

    def _loads(self, reader: _Reader, file: str) -> Iterator[str]:
        """What else a file imports beside what it takes names from."""
        tree = syntax_if_read(self.project, file)
        for node in walk(tree) if tree else ():
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and (target := self.target(reader.files[file], file, node)):
                yield from (f"{target}.{alias.name}" for alias in node.names)

    def _before(self, module: str) -> Iterator[str]:
        """What Python may load before a module of settings: the packages around it, and what starts a process."""
        names = module.split(".")[:-1]
        for depth in range(len(names), 0, -1):
            package = ".".join(names[:depth])
            yield from (package, f"{package}.wsgi", f"{package}.asgi")
        yield "manage"

    def _taken_from(self, files: Mapping[str, str], file: str, node: ast.ImportFrom) -> str | None:
        """The project's file from which one of `files`, each with its module's name, takes names."""
        target = self.target(files[file], file, node)
        return self.find(target) if target else None

    def find(self, module: str) -> str | None:
        """The file of a module of the project, or None."""
        path = module.replace(".", "/")
        return next((file for root in self.roots if (file := self._file(join(root, path)))), None)

    def comes_with(self, installed: frozenset[str], module: str) -> bool:
        """Whether a module that the project does not have may come with one of the `installed` distributions."""
        top = module.split(".", maxsplit=1)[0].lower()
        if any(self.project.tree.is_directory(join(root, top)) for root in self.roots):
            return False
        return any(name == top or name.startswith(f"{top}_") for name in installed)

    def mentions(self, file: str, wanted: set[str]) -> bool:
        """Whether a file of the project imports one of these modules, or a name from it."""
        tree = syntax_if_read(self.project, file)
        if tree is None:
            return False
        name = file.removeprefix(f"{self.roots[0]}/" if self.roots[0] != "." else "").removesuffix(".py")
        module = name.removesuffix("/__init__").replace("/", ".")
        for node in walk(tree):
            if isinstance(node, ast.Import):
                named = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (source := self.target(module, file, node)):
                named = {source, *(f"{source}.{alias.name}" for alias in node.names)}
            else:
                continue
            if wanted & named:
                return True
        return False

    def _file(self, stem: str) -> str | None:
        return next(filter(self.project.tree.is_file, (f"{stem}/__init__.py", f"{stem}.py")), None)

    def target(self, importer: str, importer_file: str, node: ast.ImportFrom) -> str | None:
        """The absolute name of the module that a `from … import` names."""
        if not node.level:
            return node.module
        package = importer.split(".")
        if not importer_file.endswith("/__init__.py"):
            package = package[:-1]
        package = package[: len(package) - (node.level - 1)] if node.level > 1 else package
        return ".".join([*package, *([node.module] if node.module else [])]) or None


@dataclass
class Names:
    """The last text that each name got, None where it got none, and what only running would tell.

    `elsewhere` are modules that the project does not have, from which all names are taken. `certain`: nothing else may
    set them, whatever their texts are.
    """

    values: dict[str, str | None]
    notes: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    certain: bool = True

    @property
    def unsure(self) -> tuple[str, ...]:
        """One sentence for each doubt, without repetition."""
        return tuple(dict.fromkeys(self.notes))


@dataclass(frozen=True)
class Setting:
    """What a name of the settings is set to, as far as that is written plainly, and where.

    `certain`: it is set under no condition, and nothing that can be read changes it afterwards.
    """

    value: Value
    place: str
    certain: bool = True


@dataclass(frozen=True)
class Settings:
    """Every name that the settings set; `files` are those that were read, each by its module's name.

    `absent` are modules of names that would have been taken too, had they been in the commit; each with its place.
    `sure` are the files that are loaded whatever happens, `made` the folders that loading them makes. `whole`: what is
    not found is not set.
    """

    found: dict[str, Setting]
    files: dict[str, str]
    absent: dict[str, str]
    sure: tuple[str, ...] = ()
    made: tuple[Setting, ...] = ()
    whole: bool = True


def read_all(modules: Modules, module: str) -> Settings:
    """Follow `module` as `read_names` does, for all names."""
    reader = _Reader(modules, frozenset())
    file = modules.find(module)
    found = reader.parse(module, file).settings if file else {}
    if reader.sets_anything:
        found = {name: replace(setting, certain=False) for name, setting in found.items()}
    whole = not (reader.sets_anything or reader.elsewhere or reader.notes)
    return Settings(found, reader.files, reader.absent, tuple(reader.sure), tuple(reader.made), whole)


def read_names(modules: Modules, module: str, wanted: Sequence[str]) -> Names:
    """Follow `module` and the project's modules that it takes names from; the last assignment counts."""
    return read_file_names(modules, modules.find(module), wanted, module)


def read_file_names(modules: Modules, file: str | None, wanted: Sequence[str], module: str = "") -> Names:
    """The same for a file, also one that is no module, as the settings of a server."""
    reader = _Reader(modules, frozenset(wanted))
    texts = reader.parse(module, file).texts if file else {}
    return Names({name: texts.get(name) for name in wanted}, reader.notes, reader.elsewhere, reader.is_certain)


class _Reader:
    def __init__(self, modules: Modules, wanted: frozenset[str]) -> None:
        self._modules = modules
        self._wanted = wanted
        self._open: dict[str, _Module] = {}
        self._done: dict[tuple[str, str, bool], _Module] = {}
        self._read = 0
        self.notes: list[str] = []
        self.elsewhere: list[str] = []
        self.absent: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.sure: dict[str, None] = {}
        self.made: list[Setting] = []
        self.loads: list[str | None] = []
        self.sets_anything = False
        self._certain = True
        self._tried = False
        self._tried_in_vain: set[str] = set()

    @property
    def is_certain(self) -> bool:
        """Whether nothing that is not read may set more."""
        return not (self.sets_anything or self.notes or {*self.elsewhere} - self._tried_in_vain)

    def parse(self, name: str, file: str, into: _Module | None = None) -> _Module:
        """Read a file, as part of another where `into` is given."""
        module = _Module(name, file) if into is None else replace(into, file=file)
        # Python loads a module once, and one that comes back to itself finds it as far as it is loaded.
        known = self._open.get(file) or (self._done.get((name, file, self._certain)) if into is None else None)
        if known:
            return known
        if self._read >= bounds.MODULES:
            self._stop()
            return module
        self._open[file] = module
        self._read += 1
        self.files[file] = name
        if self._certain:
            self.sure[file] = None
        try:
            tree = syntax_of(self._modules.project, file)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            self.notes.append(f"{file}{f':{line}' if line else ''}: cannot be parsed by the Python that runs Pulumi")
        else:
            self.sets_anything |= any(map(_sets_anything, walk(tree)))
            variables = self._modules.variables
            self._block(module, (with_values(tree, file, variables) if variables else tree).body, certain=True)
            base = f"{ROOT}/{self._modules.roots[0]}"
            texts = (text_of(path, module.known) for path in loads_in(tree))
            self.loads += [text and join(base, text) for text in texts]
            for one, line in _set_within(tree):
                self._unknown(module, one, line)
        del self._open[file]
        if into is None:
            self._done[name, file, self._certain] = module
        return module

    def _stop(self) -> None:
        """There are more files than are read, and any of them may set anything."""
        self.sets_anything = True
        self.loads.append(None)
        words = f"the settings take names from more than {bounds.MODULES} files, of which the others are not read"
        if words not in self.notes:
            self.notes.append(words)

    def _block(self, module: _Module, body: Iterable[ast.stmt], *, certain: bool) -> None:
        for statement in body:
            self._statement(module, statement, certain=certain)

    def _statement(self, module: _Module, node: ast.stmt, *, certain: bool) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(module, target, node.value, certain=certain)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(module, node.target, node.value, certain=certain)
        elif isinstance(node, (ast.AugAssign, ast.Delete)):
            self._change(module, node, certain=certain)
        elif isinstance(node, ast.ImportFrom):
            self._import(module, node, certain=certain)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            # DATABASES["default"].update(…)
            _doubt(module, node.value.func)
            self._split_settings(module, node.value)
            self._folder(module, node.value, certain=certain)
            self._given(module, node.value)
        elif isinstance(node, ast.With):
            for item in node.items:
                self._targets(module, item.optional_vars)
            self._block(module, node.body, certain=certain and all(map(_suppresses_nothing, node.items)))
        elif isinstance(node, ast.Match):
            for case in node.cases:
                self._block(module, case.body, certain=False)
        elif isinstance(node, _BRANCHES):
            self._branches(module, node, certain=certain)

    def _branches(self, module: _Module, node: ast.stmt, *, certain: bool) -> None:
        self._targets(module, getattr(node, "target", None))
        if isinstance(node, ast.If) and certain and _EXISTS.search(as_written(node.test)):
            # `if not os.path.exists(x): os.makedirs(x)` makes it where it is not there.
            for one in node.body:
                if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call):
                    self._folder(module, one.value, certain=True)
        before, self._tried = self._tried, self._tried or hasattr(node, "handlers")
        for block in ("body", "handlers", "orelse", "finalbody"):
            for inner in getattr(node, block, []):
                self._block(module, inner.body if isinstance(inner, ast.ExceptHandler) else [inner], certain=False)
        self._tried = before

    def _targets(self, module: _Module, target: ast.expr | None) -> None:
        """What a loop, or a `with`, sets: only running tells what."""
        for node in ast.walk(target) if target else ():
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self._unknown(module, node.id, node.lineno)

    def _unknown(self, module: _Module, name: str, line: int) -> None:
        """Something sets a name, in a way that is not followed."""
        place = f"{module.file}:{line}"
        module.settings[name] = Setting(UNKNOWN, place, False)
        if name in self._wanted:
            self.notes.append(f"{place}: {name} is computed; set it in the stack config if this is wrong")
        else:
            module.texts[name] = None

    def _given(self, module: _Module, call: ast.Call) -> None:
        """A function that is given a list or a map of the settings may change it."""
        if dotted(call.func).rpartition(".")[2] not in _CHANGE_NOTHING:
            for node in (*call.args, *(word.value for word in call.keywords)):
                if isinstance(node, ast.Name) and isinstance(module.values.get(node.id), (list, dict)):
                    _doubt(module, node)

    def _assign(self, module: _Module, target: ast.expr, value: ast.expr, *, certain: bool) -> None:
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id in self._wanted:
            self.notes.append(f"{module.file}:{target.lineno}: {target.value.id} is changed")
        if isinstance(target, (ast.Tuple, ast.List)):
            values = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
            if len(values) != len(target.elts) or any(isinstance(one, ast.Starred) for one in (*values, *target.elts)):
                self._targets(module, target)
                values = []
            for one, given in zip(target.elts, values, strict=False):
                self._assign(module, one, given, certain=certain)
            return
        if not isinstance(target, ast.Name):
            _doubt(module, target)
            return
        text = text_of(value, module.known)
        plain = value_of(value, module.values, partial(text_of, known=module.known))
        # What it is made of may be something else, too.
        sure = certain and all(module.is_certain(node.id) for node in ast.walk(value) if isinstance(node, ast.Name))
        module.settings[target.id] = Setting(plain, f"{module.file}:{target.lineno}", sure)
        if target.id in self._wanted:
            place = f"{module.file}:{target.lineno}"
            if text is None and not (isinstance(value, ast.Constant) and value.value is None):
                self.notes.append(f"{place}: {target.id} is computed; set it in the stack config if this is wrong")
                return
            if not certain:
                self.notes.append(f"{place}: {target.id} is set under a condition, and taken as set")
        module.texts[target.id] = text

    def _change(self, module: _Module, node: ast.AugAssign | ast.Delete, *, certain: bool) -> None:
        """`INSTALLED_APPS += […]`, or `del CACHES["x"]`."""
        if isinstance(node, ast.Delete):
            for target in node.targets:
                _doubt(module, target)
            return
        name = node.target.id if isinstance(node.target, ast.Name) else ""
        known = module.settings.get(name)
        more = value_of(node.value, module.values, partial(text_of, known=module.known))
        if known and certain and isinstance(known.value, list) and isinstance(more, list):
            module.settings[name] = replace(known, value=[*known.value, *more])
        else:
            _doubt(module, node.target)

    def _import(self, module: _Module, node: ast.ImportFrom, *, certain: bool) -> None:
        target = self._modules.target(module.name, module.file, node)
        file = self._modules.find(target) if target else None
        if target is None or file is None:
            self._taken_elsewhere(module, node)
            if target and any(alias.name == "*" for alias in node.names):
                self.elsewhere.append(target)
                if certain or not self._tried:
                    # A package of the requirements may have them all.
                    for name, setting in module.settings.items():
                        module.settings[name] = replace(setting, certain=False)
                else:
                    # Whoever deploys knows that it may not be there, and it is not in the commit.
                    self._tried_in_vain.add(target)
                if not certain:
                    self.absent[target] = f"{module.file}:{node.lineno}"
            return
        before, self._certain = self._certain, self._certain and certain
        other = self.parse(target, file)
        self._certain = before
        imported = other.texts
        for alias in node.names:
            if alias.name == "*":
                taken = {name: text for name, text in imported.items() if not name.startswith("_")}
                settings = {name: setting for name, setting in other.settings.items() if not name.startswith("_")}
            elif alias.name in imported:
                taken = {alias.asname or alias.name: imported[alias.name]}
                settings = {alias.asname or alias.name: other.settings[alias.name]}
            else:
                self._taken_elsewhere(module, node, alias.name)
                continue
            doubtful = [] if certain else sorted(self._wanted & taken.keys())
            place = f"{module.file}:{node.lineno}"
            self.notes += [f"{place}: {name} is imported under a condition, and taken as set" for name in doubtful]
            module.texts.update(taken)
            module.settings.update(
                {name: replace(found, certain=found.certain and certain) for name, found in settings.items()}
            )

    def _taken_elsewhere(self, module: _Module, node: ast.ImportFrom, only: str = "") -> None:
        """Settings, by their spelling, from a package of the requirements, or what is not seen to be set."""
        for alias in node.names:
            if (name := alias.asname or alias.name).isupper() and only in ("", alias.name):
                self._unknown(module, name, node.lineno)

    def _folder(self, module: _Module, call: ast.Call, *, certain: bool) -> None:
        """`os.makedirs(LOG_DIR)`, or `(BASE_DIR / "logs").mkdir()`."""
        called = dotted(call.func)
        node: ast.expr | None = None
        if called in ("django_heroku.settings", "django_on_heroku.settings"):
            # They set STATIC_ROOT to this folder, and make it.
            node = ast.parse("os.path.join(BASE_DIR, 'staticfiles')", mode="eval").body
        elif called in ("os.makedirs", "os.mkdir", "makedirs", "mkdir") and call.args:
            node = call.args[0]
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "mkdir":
            node = call.func.value
        text = text_of(node, module.known) if node is not None else None
        if text is not None:
            self.made.append(Setting(text, f"{module.file}:{call.lineno}", certain and self._certain))

    def _included(self, module: _Module, argument: ast.expr) -> Iterator[str | None]:
        """The names that an argument of `include` stands for; None for one that only running tells."""
        if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Name):
            setting = module.settings.get(argument.value.id)
            names = setting.value if setting else None
            if setting and isinstance(names, list):
                yield from (name if isinstance(name, str) else None for name in names)
                # Something is appended to it as well.
                yield from () if setting.certain else (None,)
                return
        inner = argument.args[0] if isinstance(argument, ast.Call) and argument.args else argument
        yield text_of(inner, module.known)

    def _split_settings(self, module: _Module, call: ast.Call) -> None:
        """`include("base.py", optional("local.py"))` of django-split-settings: files read as part of this one."""
        if not (isinstance(call.func, ast.Name) and call.func.id == "include"):
            return
        for text in (text for argument in call.args for text in self._included(module, argument)):
            self._read += 1
            if text is None or self._read > bounds.MODULES:
                words = "includes files whose names are computed; what they set is not read here"
                self.notes.append(f"{module.file}:{call.lineno}: {words}")
                self.sets_anything = True
                continue
            pattern = inside(join(f"{ROOT}/{posixpath.dirname(module.file)}", text)) or ""
            for file in sorted(fnmatch.filter(self._modules.project.files, pattern)):
                self.parse(module.name, file, module)


@dataclass
class _Module:
    name: str
    file: str
    texts: dict[str, str | None] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)

    @property
    def known(self) -> Mapping[str, str | None]:
        return ChainMap({"__file__": f"{ROOT}/{self.file}"}, self.texts)

    def is_certain(self, name: str) -> bool:
        """Whether nothing that can be read changes a name; true for those that are no settings."""
        setting = self.settings.get(name)
        return setting is None or setting.certain

    @property
    def values(self) -> Mapping[str, Value]:
        return _Values(self.settings)


class _Values(Mapping[str, Value]):
    """What the names of a module stand for, without a copy for each line that is read."""

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._settings = settings

    def __getitem__(self, name: str) -> Value:
        return self._settings[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)


def _set_within(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Names that functions, or expressions, set for the module, each with its line."""
    for node in walk(tree):
        if isinstance(node, ast.Global):
            yield from ((name, node.lineno) for name in node.names)
        elif isinstance(node, ast.NamedExpr):
            yield node.target.id, node.lineno


def _suppresses_nothing(item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in _OPENS


def _sets_anything(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return dotted(node.func).rpartition(".")[2] in _SETS_ANYTHING
    return isinstance(node, ast.Subscript) and dotted(node.value) == "sys.modules"


def _doubt(module: _Module, node: ast.expr) -> None:
    """Something is done with a setting beside setting it, as with LOGGING["handlers"] or DATABASES.update."""
    if not isinstance(node, (ast.Attribute, ast.Subscript, ast.Name)):
        return
    name = next((inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)), "")
    if name in module.settings:
        module.settings[name] = replace(module.settings[name], certain=False)


def text_of(node: ast.expr, known: Mapping[str, str | None]) -> str | None:
    """The text of an expression made of literals and names with known texts, else None."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _joined([text_of(node.left, known), text_of(node.right, known)])
    if isinstance(node, ast.JoinedStr):
        return _joined([text_of(part, known) for part in node.values])
    if isinstance(node, ast.Dict):
        return _backend(node, known)
    if isinstance(node, ast.FormattedValue) and node.conversion == -1 and node.format_spec is None:
        return text_of(node.value, known)
    return place(node, known)


def _backend(node: ast.Dict, known: Mapping[str, str | None]) -> str | None:
    """What a map as STORAGES uses by default: the text of `BACKEND`, in the map of `default`."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and key.value in ("default", "BACKEND"):
            return text_of(value, known)
    return None


def _joined(parts: Sequence[str | None]) -> str | None:
    texts = [part for part in parts if part is not None]
    whole = len(texts) == len(parts) and sum(map(len, texts)) <= bounds.TEXT_LENGTH
    return "".join(texts) if whole else None
