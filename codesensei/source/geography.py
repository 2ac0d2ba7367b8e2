"""Geographic fields, and a database whose ENGINE is none of GeoDjango's: the deploy would end in `migrate`.

Nothing is told where the engine may be another one: where any text of the settings, or any plain variable of the stack,
names one of GeoDjango's, or where only running tells which is used.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from codesensei.config import StackConfig
from codesensei.source.errors import SourceError, Told
from codesensei.source.loaded import Loaded
from codesensei.source.readers import ENVIRON, reader_of, reading
from codesensei.source.settings import Settings
from codesensei.source.syntax import dotted, syntax_if_read, walk
from codesensei.source.values import CALLED
from codesensei.source.written import full_name, names_in
from codesensei.wire.quick import dataclass

_URL = "DATABASE_URL"
_FIELD = re.compile(
    r"django\.contrib\.gis\.db\.models\.(fields\.)?"
    r"(Geometry|Point|LineString|Polygon|MultiPoint|MultiLineString|MultiPolygon|GeometryCollection|Raster)Field"
)
_MAKES = re.compile(r"django\.db\.migrations\.(\w+\.)*(CreateModel|AddField)")
_PLAIN = re.compile(r"django\.db\.backends\.(postgresql(_psycopg2)?|mysql|sqlite3|oracle)")
_NAMED = re.compile(r"contrib\.gis\.db\.backends|postgis|spatialite|mysqlgis|oraclegis", re.IGNORECASE)
# What dj-database-url and django-environ make an engine of that knows no geography.
_SCHEMES = frozenset("postgres postgresql pgsql psql mysql mysql2 sqlite sqlite3 oracle".split())
_CONFIG, _PARSE = ("dj_database_url.config",), ("dj_database_url.parse",)
_OF_ENV = ("db", "db_url", "dj_db_url")
EXTENSION = "set codesensei:database.extensions: [postgis], which installs GDAL and GEOS too"
_ENGINE = 'write after it in the settings: DATABASES["default"]["ENGINE"] = "django.contrib.gis.db.backends.postgis"'


@dataclass(frozen=True)
class ByUrl:
    """The engine follows from the scheme of the stack's database URL, and `fields` is where a model has its fields."""

    place: str
    fields: str
    certain: bool
    extension: bool


def told(loaded: Loaded, settings: Settings, config: StackConfig) -> Iterator[Told]:
    """What is plain from the source alone."""
    found = _Project(loaded, settings, config)
    engine = found.engine() if found.fields else None
    if isinstance(engine, str):
        yield _told(found.by_url(), f"DATABASES names {engine}")


def by_url(loaded: Loaded, settings: Settings, config: StackConfig) -> ByUrl | None:
    """What the scheme of the stack's database URL decides; None where it decides nothing."""
    found = _Project(loaded, settings, config)
    return found.by_url() if found.fields and found.engine() is ByUrl else None


def hold(found: ByUrl | None, scheme: str, *, made_here: bool = False) -> Iterator[str]:
    """A warning where a URL of this scheme does not fit, `made_here`: for a database that the deploy makes.

    SourceError where that is certain.
    """
    if found and made_here and scheme == "postgis" and not found.extension:
        cause = "DATABASES is made from a URL of postgis, and a new database has no extension postgis"
        yield Told(SourceError(found.place, cause, EXTENSION), False).sentence
    if found is None or scheme not in _SCHEMES:
        return
    one = _told(found, f"DATABASES is made from the stack's database URL, whose scheme is {scheme}")
    if one.certain:
        raise one.error
    yield one.sentence


def _told(found: ByUrl, how: str) -> Told:
    unless = "" if found.certain else ", unless something changes it"
    cause = f"{how}{unless}, and the geographic fields of {found.fields} need an ENGINE of GeoDjango's"
    more = "" if found.extension else ", and set codesensei:database.extensions: [postgis]"
    return Told(SourceError(found.place, cause, _ENGINE + more), found.certain)


class _Project:
    def __init__(self, loaded: Loaded, settings: Settings, config: StackConfig) -> None:
        self._loaded, self._settings, self._config = loaded, settings, config
        self._setting = settings.found.get("DATABASES")
        self.fields = next(_fields(loaded), "") if self._setting and not self._may_be_geographic() else ""

    def by_url(self) -> ByUrl:
        setting, found = self._setting, self._settings.found
        assert setting is not None
        alone = isinstance(setting.value, Mapping) and len(setting.value) == 1
        others = {"DATABASE_ROUTERS", "MIGRATION_MODULES"} & {*found}
        certain = setting.certain and alone and not others and _is_made(self._loaded)
        return ByUrl(setting.place, self.fields, certain, "postgis" in self._config.database.extensions)

    def engine(self) -> str | type[ByUrl] | None:
        """The engine that is named and knows no geography; ByUrl where the stack's URL decides, None for any other."""
        setting = self._setting
        if setting is None or not (setting.certain or self._is_kept()):
            return None
        entry = setting.value.get("default") if isinstance(setting.value, Mapping) else None
        if isinstance(entry, Mapping) and CALLED not in entry:
            named = entry.get("ENGINE")
            return named if isinstance(named, str) and _PLAIN.fullmatch(named) else None
        file, _, line = setting.place.rpartition(":")
        tree = syntax_if_read(self._loaded.modules.project, file)
        call = _default(tree, int(line)) if tree else None
        return self._called(call, tree, file) if call and tree else None

    def _called(self, call: ast.Call, tree: ast.Module, file: str) -> str | type[ByUrl] | None:
        words = {word.arg: word.value for word in call.keywords}
        name = full_name(call.func, names_in(tree))
        method = dotted(call.func).rpartition(".")[2]
        variables = self._loaded.modules.variables
        readers = variables.readers.get(file, {}) if variables else {}
        if "engine" in words or None in words:
            engine = getattr(words.get("engine"), "value", None)
            return engine if isinstance(engine, str) and _PLAIN.fullmatch(engine) else None
        given = call.args[0] if call.args else words.get("env", words.get("var"))
        if name in _PARSE:
            read = reading(given, readers) if given else None
            variable = read.name if read and read.plain else ""
        elif name in _CONFIG or (method in _OF_ENV and reader_of(call, readers) == ENVIRON):
            variable = str(getattr(given, "value", "")) if given else _URL
        else:
            return None
        return ByUrl if self._is_the_stack_s(variable) else None

    def _is_the_stack_s(self, variable: str) -> bool:
        """Whether a variable certainly has the URL of the stack's database."""
        variables, config = self._loaded.modules.variables, self._config
        if (
            variables is None
            or not variables.complete
            or variable in variables.others
            or config.database.kind == "none"
        ):
            return False
        if variable == _URL and config.database.env.get(_URL, "url") == "url":
            return not config.database.env or _URL in {*config.env, *config.secret_names, *config.database.env}
        return config.database.env.get(variable) == "url" and _URL not in {*config.env, *config.secret_names}

    def _may_be_geographic(self) -> bool:
        files = (syntax_if_read(self._loaded.modules.project, file) for file in self._settings.files)
        texts = (
            node.value
            for tree in files
            for node in (walk(tree) if tree else ())
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        return any(map(_NAMED.search, (*texts, *map(str, self._config.env.values()))))

    def _is_kept(self) -> bool:
        """Whether all that is done with DATABASES beside setting it once leaves the engine as it is."""
        if not self._settings.whole:
            return False
        trees = [syntax_if_read(self._loaded.modules.project, file) for file in self._settings.files]
        nodes = [node for tree in trees if tree for node in walk(tree)]
        named = [node for node in nodes if isinstance(node, ast.Name) and node.id == "DATABASES"]
        sets = [node for node in nodes if isinstance(node, ast.Assign) and len(node.targets) == 1]
        plain = [node for node in sets if _changes_other(node.targets[0])]
        whole = [
            node
            for tree in trees
            for node in (tree.body if tree else ())
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DATABASES"
        ]
        return len(whole) == 1 and len(named) == len(plain) + 1


def _changes_other(target: ast.expr) -> bool:
    """`DATABASES["default"]["CONN_MAX_AGE"]`"""
    found = re.fullmatch(r"DATABASES\['default'\]\['(\w+)'\]", ast.unparse(target))
    return found is not None and found[1] != "ENGINE"


def _default(tree: ast.Module, line: int) -> ast.Call | None:
    """What `DATABASES = {"default": …}` calls."""
    for node in walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.lineno == line and isinstance(node.value, ast.Dict):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "default":
                    return value if isinstance(value, ast.Call) else None
    return None


def _fields(loaded: Loaded) -> Iterator[str]:
    """Where the project's models have geographic fields."""
    for file, tree in loaded.trees.items():
        names = names_in(tree) if "/migrations/" not in file else {}
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for statement in (statement for node in classes for statement in node.body):
            value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
            if value is not None and _is_field(value, names):
                yield f"{file}:{statement.lineno}"


def _is_made(loaded: Loaded) -> bool:
    """Whether a migration certainly makes such a field in a database."""
    for file, tree in loaded.trees.items():
        names = names_in(tree)
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and "/migrations/" in file]
        for statement in (statement for node in classes for statement in node.body):
            made = statement.value if isinstance(statement, ast.Assign) else None
            for operation in made.elts if isinstance(made, ast.List) else ():
                nodes = [*ast.walk(operation)]
                # A model that Django does not manage has no table of its making.
                managed = not any(isinstance(node, ast.Constant) and node.value == "managed" for node in nodes)
                if managed and _is_making(operation, names) and any(_is_field(node, names) for node in nodes):
                    return True
    return False


def _is_making(node: ast.expr, names: Mapping[str, str]) -> bool:
    return isinstance(node, ast.Call) and _MAKES.fullmatch(full_name(node.func, names)) is not None


def _is_field(node: ast.AST, names: Mapping[str, str]) -> bool:
    return isinstance(node, ast.Call) and _FIELD.fullmatch(full_name(node.func, names)) is not None
