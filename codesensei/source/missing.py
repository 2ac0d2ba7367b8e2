"""Modules that the project loads when it starts, and that neither the commit nor the requirements have."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator

from codesensei.source import ignored
from codesensei.source.closure import Closure
from codesensei.source.errors import SourceError, Told
from codesensei.source.loaded import Import, Loaded
from codesensei.source.settings import Modules, Settings
from codesensei.source.tree import join
from codesensei.source.values import parts

# Of Pythons that are newer or older than the operator's; what is gone from the server's is told elsewhere.
_STANDARD = sys.stdlib_module_names | set(
    "annotationlib aifc asynchat asyncore audioop cgi cgitb chunk compression crypt distutils imghdr imp mailcap msilib"
    " nis nntplib ossaudiodev pathlib pipes smtpd sndhdr spwd sunau telnetlib tomllib uu xdrlib".split()
)
_BUILT = (".so", ".pyd", ".pyx", ".pyc")
# Distributions of which the name does not tell what they bring, and widespread ones that bring others.
_BRING = {
    name: set(modules.split())
    for name, modules in {
        "django": "asgiref sqlparse",
        "amqp": "vine",
        "attrs": "attr",
        "beautifulsoup4": "bs4 soupsieve",
        "boto3": "botocore s3transfer dateutil",
        "celery": "kombu billiard amqp vine click dateutil tzdata pytz",
        "channels": "asgiref",
        "coreapi": "requests jinja2 uritemplate",
        "daphne": "twisted autobahn zope asgiref",
        "django_activity_stream": "actstream",
        "django_admin_interface": "admin_interface colorfield",
        "django_allauth": "requests oauthlib requests_oauthlib jwt",
        "django_autocomplete_light": "dal dal_select2 dal_queryset_sequence queryset_sequence",
        "django_bootstrap_v5": "bootstrap5",
        "django_celery": "djcelery celery kombu billiard",
        "django_celery_beat": "celery timezone_field crontab cron_descriptor kombu",
        "django_celery_results": "celery kombu",
        "django_ckeditor": "ckeditor ckeditor_uploader js_asset",
        "django_cms": "cms menus treebeard sekizai classytags formtools",
        "django_compressor": "compressor appconf rcssmin rjsmin",
        "django_extra_fields": "drf_extra_fields",
        "django_hyperkitty": "hyperkitty",
        "django_money": "djmoney moneyed",
        "django_oauth_toolkit": "oauth2_provider oauthlib requests",
        "django_rest_swagger": "rest_framework_swagger",
        "django_rq": "rq redis",
        "django_two_factor_auth": "two_factor django_otp formtools",
        "djangorestframework": "rest_framework pytz",
        "djangorestframework_simplejwt": "jwt rest_framework",
        "dramatiq": "prometheus_client",
        "drf_extensions": "rest_framework_extensions",
        "drf_nested_routers": "rest_framework_nested",
        "drf_yasg": "yaml inflection uritemplate",
        "gdal": "osgeo",
        "gitpython": "git gitdb",
        "google_api_python_client": "googleapiclient google",
        "google_cloud_storage": "google",
        "httpx": "httpcore certifi idna anyio h11 sniffio",
        "hyperkitty": "django_mailman3 mailmanclient rest_framework haystack compressor paintstore django_gravatar"
        " django_extensions networkx robot_detection django_q allauth",
        "jinja2": "markupsafe",
        "mailman": "mailmanclient",
        "mysqlclient": "MySQLdb",
        "opencv_contrib_python": "cv2",
        "opencv_contrib_python_headless": "cv2",
        "opencv_python": "cv2",
        "opencv_python_headless": "cv2",
        "pandas": "numpy dateutil pytz",
        "postorius": "django_mailman3 mailmanclient allauth",
        "pycryptodome": "Crypto",
        "pymongo": "bson gridfs",
        "pymupdf": "fitz",
        "pytelegrambotapi": "telebot",
        "requests": "urllib3 certifi idna charset_normalizer",
        "rq": "redis click",
        "scikit_image": "skimage numpy",
        "scikit_learn": "sklearn numpy scipy joblib",
        "setuptools": "pkg_resources distutils",
        "social_auth_app_django": "social_core requests oauthlib jwt",
        "wagtail": "modelcluster taggit treebeard rest_framework django_filters PIL bs4 requests willow openpyxl"
        " permissionedforms draftjs_exporter anyascii telepath laces l18n",
    }.items()
}
# What a setting may name, the modules of which it needs one, and the package that brings that.
_CLIENTS = (
    (r"django\.(contrib\.gis\.)?db\.backends\.post(gresql|gis)\w*", "psycopg psycopg2", "psycopg[binary]"),
    (r"django\.(contrib\.gis\.)?db\.backends\.mysql", "MySQLdb pymysql", "mysqlclient"),
    (r"django\.core\.cache\.backends\.redis\.RedisCache", "redis", "redis"),
    (r"django\.core\.cache\.backends\.memcached\.PyMemcacheCache", "pymemcache", "pymemcache"),
    (r"django\.core\.cache\.backends\.memcached\.PyLibMCCache", "pylibmc", "pylibmc"),
    (r"haystack\.backends\.whoosh_backend\.\w+", "whoosh", "whoosh"),
    (r"haystack\.backends\.elasticsearch\w*\.\w+", "elasticsearch", "elasticsearch"),
    (r"haystack\.backends\.solr_backend\.\w+", "pysolr", "pysolr"),
    (r"storages\.backends\.s3(boto3)?\.\w+", "boto3", "django-storages[s3]"),
    (r"storages\.backends\.gcloud\.\w+", "google", "django-storages[google]"),
    (r"huey\.contrib\.(djhuey\.)?stats", "peewee", "peewee"),
    (r"huey\.(\w+\.)?(Priority)?Redis(Expire)?Huey", "redis", "redis"),
    (r"dramatiq\.brokers\.redis\.\w+", "redis", "dramatiq[redis]"),
    (r"dramatiq\.brokers\.rabbitmq\.\w+", "pika", "dramatiq[rabbitmq]"),
    (r"huey\.contrib\.sql_huey\.\w+", "peewee", "peewee"),
)
# Packages that have another name than what is imported.
_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "PIL": "pillow",
    "allauth": "django-allauth",
    "bs4": "beautifulsoup4",
    "corsheaders": "django-cors-headers",
    "crispy_forms": "django-crispy-forms",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "debug_toolbar": "django-debug-toolbar",
    "decouple": "python-decouple",
    "django_filters": "django-filter",
    "dotenv": "python-dotenv",
    "environ": "django-environ",
    "import_export": "django-import-export",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "oauth2_provider": "django-oauth-toolkit",
    "pkg_resources": "setuptools<81",
    "psycopg2": "psycopg2-binary",
    "rest_framework": "djangorestframework",
    "sklearn": "scikit-learn",
    "social_django": "social-auth-app-django",
    "split_settings": "django-split-settings",
    "storages": "django-storages",
    "taggit": "django-taggit",
    "yaml": "pyyaml",
}
_NAMES_ALL = {"__getattr__", "__path__"}


def missing(loaded: Loaded, settings: Settings, closure: Closure, *, hooks: bool) -> Iterator[Told]:
    """What Python will not find. `hooks`: some run before Django loads its URLs, and may make modules.

    Certain is a gap in a package that the commit has; what a package of the requirements brings with it only
    installing tells.
    """
    modules = loaded.modules
    needed = [(one.module, one, f"imports {one.module}") for one in loaded.imports]
    needed += [(f"{one.module}.{name}", one, f"imports {name} from {one.module}") for one, name in _taken(loaded)]
    certain = not (closure.in_place or closure.roots)
    told = set[str]()
    for module, one, words in needed:
        gap = _gap(modules, module)
        if gap and gap not in told:
            told.add(gap)
            file = one.place.rpartition(":")[0]
            yield _absent(modules, one.place, words, gap, certain and (file in loaded.early or not hooks))
    for named in loaded.named:
        gap = _gap(modules, named.path)
        # The last part may be a class or an application of a module.
        gap = gap and (_gap(modules, named.path.rpartition(".")[0]) or _gap_beside(loaded, named.path))
        if gap and gap not in told:
            told.add(gap)
            sure = certain and named.certain and not hooks
            yield _absent(modules, named.place, f"{named.setting} names {named.path}", gap, sure)
    yield from _not_required(loaded, closure)
    yield from _without_client(settings, closure)


def _taken(loaded: Loaded) -> Iterator[tuple[Import, str]]:
    """Names that are taken from a package of the project, and are nothing that it sets: submodules, then."""
    for one in loaded.imports:
        file = loaded.modules.find(one.module) or ""
        if file.endswith("/__init__.py") and (tree := loaded.trees.get(file)):
            names = _names(tree)
            if not names & _NAMES_ALL and "*" not in one.names:
                yield from ((one, name) for name in one.names if name not in names and name[:2] != "__")


def _names(tree: ast.Module) -> set[str]:
    """Every name that a module may set; `__path__` among them where it takes names from everywhere."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names | ({"__path__"} if names & {"*", "globals", "setattr", "vars"} else set())


def _gap(modules: Modules, module: str) -> str:
    """The file that would have to be in the commit for a module to be found; empty where that is not certain."""
    project, (top, *below) = modules.project, module.split(".")
    tree = project.tree
    folder = next((join(root, top) for root in modules.roots if tree.is_file(join(root, f"{top}/__init__.py"))), "")
    beside = any(tree.is_file(join(root, f"{top}.py")) for root in modules.roots)
    for name in below if folder and not beside else ():
        if _NAMES_ALL & _words(modules, f"{folder}/__init__.py"):
            return ""
        place = f"{folder}/{name}"
        if tree.is_file(f"{place}.py") or any(
            file.startswith(f"{place}.") and file.endswith(_BUILT) for file in project.files
        ):
            return ""
        if not tree.is_directory(place):
            return f"{place}.py"
        if not tree.is_file(f"{place}/__init__.py"):
            return ""
        folder = place
    return ""


def _gap_beside(loaded: Loaded, path: str) -> str:
    """The file of a module of which a setting names something, where its package has nothing of that name."""
    package, _, name = path.rpartition(".")
    file = loaded.modules.find(package) or ""
    tree = loaded.parse(file) if file.endswith("/__init__.py") else None
    names = _names(tree) if tree else {"__path__"}
    return "" if name in names or names & _NAMES_ALL else _gap(loaded.modules, path)


def _words(modules: Modules, file: str) -> set[str]:
    return set(re.findall(r"\w+", modules.project.read(file))) if modules.project.tree.is_file(file) else set()


def _absent(modules: Modules, place: str, words: str, file: str, certain: bool) -> Told:
    project = modules.project
    cause = f"{words}, and there is no {file} in commit {project.short}"
    left_out = ignored.by_line(project, file)
    fix = "commit it" if not left_out else "commit it, with variables of codesensei:secretEnv for its secrets"
    return Told(SourceError(place, cause, f"{fix}{left_out}; or remove that line"), certain)


def _not_required(loaded: Loaded, closure: Closure) -> Iterator[Told]:
    """Packages that no line of the requirements seems to bring."""
    modules, seen = loaded.modules, set[str]()
    wanted = [(one.module, one.place, "is imported") for one in loaded.imports]
    wanted += [(one.path, one.place, f"is named in {one.setting}") for one in loaded.named]
    for path, place, how in wanted:
        top = path.partition(".")[0]
        if top in seen or top in _STANDARD or _is_there(modules, top):
            continue
        seen.add(top)
        if not brings(closure, top):
            fix = f"add {_PACKAGES.get(top, 'its package')} to {closure.edited}"
            unless = "" if closure.resolved else ", unless a package there depends on it"
            cause = f"{top} {how}, and no line of the requirements seems to bring it"
            yield Told(SourceError(place, cause, f"{fix}{unless}"), False)


def _is_there(modules: Modules, top: str) -> bool:
    tree = modules.project.tree
    return any(tree.is_directory(join(root, top)) or tree.is_file(join(root, f"{top}.py")) for root in modules.roots)


def brings(closure: Closure, module: str) -> bool:
    """Whether a distribution of the requirements may bring a module of this name, as far as names tell."""
    if closure.unknown or any(module in _BRING.get(name, ()) for name in closure.names):
        return True
    words = [word for word in module.lower().split("_") if word not in ("", "django")]
    whole = module.lower().replace("_", "")
    for name in closure.names:
        plain = name.replace("_", "")
        if whole in plain or (plain in whole and len(whole) - len(plain) <= 2):
            return True
        if len(words) > 1 or "django" in module:
            parts_of = [word for word in words if len(word) > 2]
            if parts_of and all(word in plain for word in parts_of):
                return True
    return False


def _without_client(settings: Settings, closure: Closure) -> Iterator[Told]:
    """Settings that name what needs a package of its own."""
    for name, setting in settings.found.items():
        texts = {text for _, text in parts(setting.value)} if setting.certain and name.isupper() else set()
        for pattern, needed, package in _CLIENTS:
            asks = next((text for text in sorted(texts) if re.fullmatch(pattern, text)), "")
            if asks and not _any(closure, needed.split()):
                cause = f"{name} names {asks}, which needs the package {package.partition('[')[0]}"
                fix = f"add {package} to {closure.edited}, unless a package there depends on it"
                yield Told(SourceError(setting.place, cause, fix), False)


def _any(closure: Closure, modules: Iterable[str]) -> bool:
    return any(brings(closure, module) for module in modules)
