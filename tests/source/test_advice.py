"""What reading the source tells before anything is installed; refused only where it is certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from codesensei.source import Code, SourceError, hold
from tests.source.conftest import Repository
from tests.source.test_code import read
from tests.source.test_inspect import START

Read = Callable[..., Code]
BASE = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
SHARED = "/srv/codesensei/shop/shared"
SHOP = {"shop/__init__.py": "", "shop/models.py": "", "shop/apps.py": ""}
APPS = 'INSTALLED_APPS = ["shop"]\n'
FROZEN = "asgiref==3.8\nDjango==5.2\nsqlparse==0.5\n"


@pytest.fixture
def project(repository: Repository, tmp_path: Path) -> Read:
    def make(files: Mapping[str, str], env: dict[str, str] | None = None, **changes: Any) -> Code:
        return read(repository, {**START, **files}, tmp_path, env or {}, **changes)

    return make


BROUGHT = (
    "django-autocomplete-light dal_select2",
    "django-money djmoney",
    "django-ckeditor ckeditor_uploader",
    "django-activity-stream actstream",
    "django-bootstrap-v5 bootstrap5",
    "drf-nested-routers rest_framework_nested",
    "drf-extensions rest_framework_extensions",
    "django-rest-swagger rest_framework_swagger",
    "django-celery djcelery",
    "django-extra-fields drf_extra_fields",
    "google-api-python-client googleapiclient",
    "pymongo bson",
    "pyTelegramBotAPI telebot",
    "GDAL osgeo",
    "opencv-contrib-python cv2",
    "django-admin-interface colorfield",
    "django-two-factor-auth django_otp",
)


def settings(text: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"config/settings.py": text, **(more or {})}


def refused(project: Read, files: Mapping[str, str], **changes: Any) -> str:
    with pytest.raises(SourceError) as caught:
        project(files, **changes)
    return str(caught.value)


# What stopped or spoiled a deploy of a public project, with its own lines: docs/projects.md.
STORAGES = 'STORAGES = {"default": {"BACKEND": "django_tenants.files.storage.TenantFileSystemStorage"}}\n'
LOGGING = (
    'import os\nBASE_DIR = os.path.dirname(os.path.abspath(__file__))\nLOGGING = {"handlers": {"file": {\n'
    '"level": "INFO", "class": "logging.handlers.WatchedFileHandler",\n'
    '"filename": os.path.join(BASE_DIR, "hyperkitty.log")}}}\ntry:\n    from settings_local import *\n'
    "except ImportError:\n    pass\n"
)
HUEY = 'INSTALLED_APPS = ["huey.contrib.djhuey", "huey.contrib.djhuey.stats"]\n'
PUBLIC = {
    "django-tenants": (
        settings(f'INSTALLED_APPS = ["django.contrib.staticfiles"]\n{STORAGES}'),
        "config/settings.py:2: STORAGES has no storage named staticfiles, which Django needs for static files",
    ),
    "django_dramatiq_example": (
        settings(
            'ROOT_URLCONF = "config.urls"\n',
            {"config/urls.py": "from django.conf.urls import url\n", "requirements.txt": "Django==4.2\n"},
        ),
        "config/urls.py:1: url of django.conf.urls is not in Django 4.0 and newer, which requirements.txt pins (4.2)\n"
        "    use django.urls.re_path",
    ),
    "BornHack Media Archive": (
        settings(
            "from .environment_settings import *\n",
            {".gitignore": "*.pyc\nenvironment_settings.py\n"},
        ),
        "config/settings.py:1: imports config.environment_settings, and there is no config/environment_settings.py in",
    ),
    "HyperKitty, its log": (
        settings(LOGGING),
        "config/settings.py:3: the file of the log handler file is config/hyperkitty.log inside the release:"
        f" a release is read-only\n    log to standard error, which the journal keeps, or set it to"
        f' "{SHARED}/logs/hyperkitty.log"; the settings also take what settings_local sets, which is not in the commit',
    ),
    "HyperKitty, its database": (
        settings(f'{BASE}DATABASES = {{"default": {{"ENGINE": "spatialite", "NAME": BASE_DIR / "x.db"}}}}'),
        "config/settings.py:3: the SQLite file of DATABASES['default'] is x.db inside the release: the next release"
        f' would start without its data\n    set its NAME to "{SHARED}/db.sqlite3"; or use the stack\'s own:'
        ' "default": dj_database_url.config()',
    ),
}  # fmt: skip
WARNED = {
    "huey, its statistics": (
        settings(HUEY, {"requirements.txt": "django\nhuey\npeewee\n"}),
        "config/settings.py:1: the file of huey's statistics is huey-stats.db inside the release: a release is"
        f' read-only: set HUEY_STATS = {{"filename": "{SHARED}/huey-stats.db"}}',
    ),
    "huey, its package": (
        settings(HUEY, {"requirements.txt": "django\nhuey\n"}),
        "config/settings.py:1: INSTALLED_APPS names huey.contrib.djhuey.stats, which needs the package peewee:"
        " add peewee to requirements.txt, unless a package there depends on it",
    ),
    "HyperKitty, its index": (
        settings(
            f'{BASE}HAYSTACK_CONNECTIONS = {{"default": {{"PATH": BASE_DIR / "fulltext_index"}}}}\n',
        ),
        "config/settings.py:3: HAYSTACK_CONNECTIONS.default.PATH is fulltext_index inside the release: a release is"
        f' read-only: set it to "{SHARED}/fulltext_index", or keep it by project.sharedPaths: [fulltext_index]',
    ),
    "HyperKitty, its style sheets": (
        settings('INSTALLED_APPS = ["compressor"]\n', {"requirements.txt": "django-compressor\n"}),
        "config/settings.py:1: django-compressor would write into the release while it answers: COMPRESS_OFFLINE is"
        " not on: set COMPRESS_OFFLINE = True, and project.hooks.afterCollectstatic: [python manage.py compress]",
    ),
    "BornHack Media Archive, an old package": (
        settings("import pkg_resources\n"),
        "config/settings.py:1: pkg_resources is imported, and no line of the requirements seems to bring it:"
        " add setuptools<81 to requirements.txt, unless a package there depends on it",
    ),
}


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(("files", "told"), PUBLIC.values(), ids=PUBLIC)
def test_what_stopped_public_projects_is_refused_in_preview(project: Read, files: dict[str, str], told: str) -> None:
    assert told in refused(project, files)


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(("files", "told"), WARNED.values(), ids=WARNED)
def test_what_may_stop_them_is_a_warning(project: Read, files: dict[str, str], told: str) -> None:
    assert told in project(files).warnings


@pytest.mark.proves("preview.python")
@pytest.mark.slow
def test_a_django_that_the_server_s_python_does_not_run(project: Read) -> None:
    """django-rq-talk, with its Django of 2019."""
    unfit = project({"requirements.txt": "Django==2.2\n"}).unfit
    with pytest.raises(SourceError, match=r"Django 2\.2 does not run on Python 3\.13 and newer.* the module cgi"):
        hold(unfit, "3.13")
    assert len(hold(unfit, "3.12")) == 1
    assert hold(unfit, "3.11") == []
    assert len(hold(unfit, "")) == 2
    with pytest.raises(SourceError, match=r"Django 6\.0 needs Python 3\.12"):
        hold(project({"requirements.txt": "Django==6.0\n"}).unfit, "3.11")
    assert hold(project({"requirements.txt": "Django==6.0\n"}).unfit, "3.13") == []


@pytest.mark.proves("preview.names")
def test_what_packages_of_other_names_bring(project: Read) -> None:
    packages, modules = zip(*(line.split() for line in BROUGHT), strict=True)
    text = "".join(f"import {module}\n" for module in modules)
    lines = "\n".join(packages)
    assert project(settings(text, {"requirements.txt": f"django\n{lines}\n"})).warnings == ()
    assert len(project(settings(text, {"requirements.txt": "django\n"})).warnings) == len(modules)


@pytest.mark.proves("preview.names")
@pytest.mark.parametrize(
    ("text", "is_written"),
    [
        ("TEMPLATE_DIR = 'templates'", False),
        ("EMAIL_TEMPLATE_DIR = 'emails'", False),
        ("LOGO_PATH = 'img/logo.png'", False),
        ("LOGIN_PATH = 'accounts/login'", False),
        ("BLOG_INDEX_FILE = 'blog/index.html'", False),
        ("STORAGES = {'a': {'BACKEND': 'django.S3Storage', 'OPTIONS': {'location': 'media'}}, **made()}", False),
        ("STORAGES = {'a': {'BACKEND': 'django.FileSystemStorage', 'OPTIONS': {'location': 'x'}}, **made()}", True),
        ("LOG_DIR = 'log'", True),
        ("APP_LOGS_DIR = 'log'", True),
        ("LOGGING_ROOT = 'log'", True),
        ("FILE_UPLOAD_TEMP_DIR = 'x'", True),
        ("CELERY_BEAT_SCHEDULE_FILENAME = 'x'", True),
        ("EMAIL_FILE_PATH = 'x'", True),
    ],
)
def test_names_of_what_is_written(project: Read, text: str, is_written: bool) -> None:
    assert len(project(settings(f"{text}\n")).warnings) == is_written


EXPORTED = 'django==5.2.19 ; python_full_version < "3.12"\ndjango==6.1.3 ; python_full_version >= "3.12"\n'
FORKED = """\
version = 1

[[package]]
name = "shop"
source = { virtual = "." }
dependencies = [{ name = "django", version = "5.2.19" }, { name = "django", version = "6.1.3" }]

[[package]]
name = "django"
version = "5.2.19"

[[package]]
name = "django"
version = "6.1.3"
"""


@pytest.mark.proves("preview.python")
@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": EXPORTED},
        {"requirements.txt": "\n".join(reversed(EXPORTED.splitlines()))},
        {"uv.lock": FORKED, "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["django"]\n'},
    ],
)
def test_versions_for_several_pythons_fit_any(project: Read, files: dict[str, str]) -> None:
    """As uv export writes them: Django 6 was refused for a Python that gets Django 5."""
    requirements = next(iter(files))
    for python in ("3.11", "3.13"):
        assert hold(project(files, requirements=requirements).unfit, python) == []


@pytest.mark.proves("preview.python")
def test_a_version_with_a_marker_of_its_own_counts(project: Read) -> None:
    files = {"requirements.txt": 'Django>=6,<7 ; python_version > "3"\npsycopg\n'}
    with pytest.raises(SourceError, match="needs Python 3"):
        hold(project(files).unfit, "3.11")


@pytest.mark.proves("preview.python")
def test_modules_that_python_no_longer_has(project: Read) -> None:
    code = project(
        settings("import cgi\nfrom imp import reload\ntry:\n    import asyncore\nexcept ImportError: pass\n")
    )
    assert hold(code.unfit, "3.11") == []
    warning = "config/settings.py:2: imp is not in Python 3.12 and newer: use importlib, or set project.python"
    [told] = hold(code.unfit, "3.12")
    assert told.startswith(warning)
    assert len(hold(code.unfit, "3.13")) == 2
    # Every Python of a supported server lacks these.
    with pytest.raises(SourceError, match=r"Mapping of collections is not in Python 3\.10"):
        hold(project(settings("from collections import Mapping\n")).unfit, "")


@pytest.mark.proves("preview.python")
def test_with_a_python_of_the_stack_s_own_everything_is_known_at_once(project: Read) -> None:
    files = settings("from collections import Mapping\n")
    assert "Mapping of collections" in refused(project, files, python="3.12")
    assert project({"requirements.txt": "Django==2.2\n"}, python="3.11").unfit == ()


@pytest.mark.proves("preview.modules")
@pytest.mark.parametrize(
    ("files", "cause"),
    [
        (settings("from config.local import *\n"), "imports config.local, and there is no config/local.py"),
        (settings("from . import local\n"), "imports local from config, and there is no config/local.py"),
        (settings("import config.deep.local\n"), "imports config.deep.local, and there is no config/deep.py"),
        (settings(APPS, {**SHOP, "shop/models.py": "from shop.keys import KEY\n"}), "imports shop.keys"),
        (settings('MIDDLEWARE = ["config.gone.Middleware"]\n'), "MIDDLEWARE names config.gone.Middleware"),
        (settings('A = ["config.gone"]\nINSTALLED_APPS = A + ["shop"]\n', SHOP), "INSTALLED_APPS names config.gone"),
        (
            settings('ROOT_URLCONF = "config.urls"\n', {"config/urls.py": "from config.views import home\n"}),
            "imports config.views, and there is no config/views.py",
        ),
    ],
)
def test_a_gap_in_the_project_s_own_packages(project: Read, files: dict[str, str], cause: str) -> None:
    assert cause in refused(project, files)


@pytest.mark.proves("preview.modules")
@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("local.py", "local.py"),
        ("/config/local.py", "/config/local.py"),
        ("*.py\n!/config/[!l]*.py", "*.py"),
        ("config/local*", "config/local*"),
        ("**/local.py", "**/local.py"),
        ("local.py\n!local.py", ""),
        ("other.py", ""),
    ],
)
def test_the_line_of_gitignore_is_told(project: Read, repository: Repository, lines: str, told: str) -> None:
    repository.write(START)
    repository.git("add", "--all")
    text = refused(project, settings("from .local import *\n", {".gitignore": f"# mine\n{lines}\n"}))
    kept_out = f", with variables of codesensei:secretEnv for its secrets; .gitignore keeps it out by the line {told}"
    assert text.endswith(f"commit it{kept_out if told else ''}; or remove that line")


@pytest.mark.parametrize(
    "files",
    [
        settings("try:\n    from .local import *\nexcept ImportError:\n    pass\n"),
        settings("import os\nif os.environ.get('X'):\n    from .local import *\n"),
        settings("from contextlib import suppress\nwith suppress(ImportError):\n    from .local import *\n"),
        settings("def late():\n    import config.local\n"),
        settings("from config import __name__, thing\n", {"config/__init__.py": "thing = 1\n"}),
        settings("from config import thing\n", {"config/__init__.py": "from os import *\n"}),
        settings("import config.made\n", {"config/made.cpython-313-x86_64-linux-gnu.so": ""}),
        settings("import config.other.part\n", {"config/__init__.py": "__path__.append('elsewhere')\n"}),
        settings("import plain.local\n", {"plain/data.txt": ""}),
        settings('MIDDLEWARE = ["config.mine.Mine"]\n', {"config/mine.py": ""}),
        settings('INSTALLED_APPS = ["shop.apps.ShopConfig"]\n', SHOP),
        settings('LOGIN_REDIRECT = "config.gone"\nFORMAT = "config.gone.x"\n'),
    ],
)
def test_what_may_be_there_is_no_gap(project: Read, files: dict[str, str]) -> None:
    assert project(files).warnings == ()


def test_what_a_hook_may_make_is_a_warning(project: Read) -> None:
    files = settings('ROOT_URLCONF = "config.urls"\n', {"config/urls.py": "import config.made\n"})
    code = project(files, hooks={"beforeMigrate": ["make"]})
    assert [warning.split(" in commit")[0] for warning in code.warnings] == [
        "config/urls.py:1: imports config.made, and there is no config/made.py"
    ]
    # The settings are loaded before any hook.
    assert "config/made.py" in refused(project, settings("import config.made\n"), hooks={"beforeMigrate": ["make"]})


@pytest.mark.proves("preview.modules")
@pytest.mark.parametrize(
    ("requirements", "text", "warned"),
    [
        ("django\n", "import environ\n", "add django-environ to requirements.txt, unless"),
        (FROZEN, "import environ\n", "add django-environ to requirements.txt"),
        ("django\ndjango-environ\n", "import environ\n", ""),
        ("django\ncelery\n", "from kombu import Queue\n", ""),
        ("django\ncelery\n", 'INSTALLED_APPS = ["django_celery_beat"]\n', "add its package"),
        ("django\ndjangorestframework\n", 'INSTALLED_APPS = ["rest_framework"]\n', ""),
        ("django\nsocial-auth-app-django\n", 'INSTALLED_APPS = ["social_django"]\n', ""),
        ("django\ndjango-filter\n", 'INSTALLED_APPS = ["django_filters"]\n', ""),
        ("django\ngit+https://example.com/x.git\n", "import anything\n", ""),
        ("django\n", "import tomllib, zoneinfo, distutils\n", ""),
        (
            "django\n",
            'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}\n',
            "add psycopg[binary] to requirements.txt, unless",
        ),
        ("django\npsycopg2-binary\n", 'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}\n', ""),
    ],
)
def test_packages_that_nothing_brings(project: Read, requirements: str, text: str, warned: str) -> None:
    warnings = project(settings(text, {"requirements.txt": requirements})).warnings
    assert len(warnings) == bool(warned)
    assert warned in "".join(warnings)


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(
    ("requirements", "certain"),
    [("Django==5.1\n", True), ("Django>=3.2\n", False), ("Django>=4.2\n", False), ("django\n", False),
     ("Django<4\n", None), ("Django~=3.2.1\n", None), ("Django==3.*\n", None), ("Django==3.2.25\n", None)],
)  # fmt: skip
def test_what_django_no_longer_has(project: Read, requirements: str, certain: bool | None) -> None:
    models = "from django.utils.translation import ugettext_lazy as _, gettext\n"
    files = settings(APPS, {**SHOP, "shop/models.py": models, "requirements.txt": requirements})
    words = "shop/models.py:1: ugettext_lazy of django.utils.translation is not in Django 4.0 and newer"
    if certain:
        assert words in refused(project, files)
    else:
        assert [warning.startswith(words) for warning in project(files).warnings] == [True] * (certain is False)


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from django.core.urlresolvers import reverse\n", "django.core.urlresolvers"),
        ("from django.utils import six\n", "django.utils.six"),
        ("from django.utils.six.moves import range\n", "django.utils.six"),
        ("from django.utils.encoding import force_text\n", "force_text of django.utils.encoding"),
        ("from django.db import models\nKEY = models.ForeignKey('x.Y')\n", "without on_delete"),
        ("from django.dispatch import Signal\nDONE = Signal(providing_args=['x'])\n", "Signal with providing_args"),
        ("from django.utils.timezone import utc, now\n", "utc of django.utils.timezone"),
    ],
)
def test_code_for_an_older_django(project: Read, text: str, words: str) -> None:
    files = settings(APPS, {**SHOP, "shop/models.py": text, "requirements.txt": "Django==5.2\n"})
    assert words in refused(project, files)
    # A file that nothing loads is no matter.
    assert project(settings(APPS, {**SHOP, "old/thing.py": text, "shop/models.py": ""})).warnings == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('STATICFILES_STORAGE = "x"\n', "STATICFILES_STORAGE is set, and Django 5.1 and newer"),
        ('MIDDLEWARE_CLASSES = []\n', "MIDDLEWARE_CLASSES is set"),
    ],
)  # fmt: skip
def test_settings_that_django_ignores(project: Read, text: str, words: str) -> None:
    [warning] = project(settings(text, {"requirements.txt": "Django==5.2\n"})).warnings
    assert words in warning
    assert project(settings(text, {"requirements.txt": "Django==1.9\n"})).warnings == ()


def test_origins_without_a_scheme(project: Read) -> None:
    files = settings('CSRF_TRUSTED_ORIGINS = ["shop.example"]\n', {"requirements.txt": "Django==5.2\n"})
    assert "write https://shop.example" in refused(project, files)


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(
    "text",
    [
        'CSRF_TRUSTED_ORIGINS = env.list("ORIGINS", default=[])',
        'CSRF_TRUSTED_ORIGINS = env.list("ORIGINS", default=["shop.example"])',
        'CSRF_TRUSTED_ORIGINS = config("ORIGINS", default="", cast=Csv())',
        'EMAIL_BACKEND = reader.str("BACKEND", default="django.core.mail.backends.smtp.EmailBackend")',
    ],
)
def test_a_variable_is_not_what_reads_it(project: Read, text: str) -> None:
    """vulnerablecode was refused with `write https://env.list`."""
    assert project(settings(f"{text}\n", {"requirements.txt": "Django==5.2\n"})).warnings == ()


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "c"}}',
         "the file cache CACHES['default'] is c"),
        ('HUEY = {"huey_class": "huey.SqliteHuey", "filename": str(BASE_DIR / "huey.db")}', "HUEY.filename is huey.db"),
        ('from huey import SqliteHuey\nHUEY = SqliteHuey(filename=BASE_DIR / "huey.db")', "HUEY.filename is huey.db"),
        ('CELERY_RESULT_BACKEND = "db+sqlite:///results.sqlite"', "CELERY_RESULT_BACKEND is results.sqlite"),
        ('SESSION_FILE_PATH = BASE_DIR / "sessions"', "SESSION_FILE_PATH is sessions"),
        ('LOGGING = {"handlers": {"f": {"filename": "a.log", "delay": True}}}', "the log handler f is a.log"),
        ('LOGGING = {"handlers": {"f": {"filename": "a.log"}}}\nLOGGING["handlers"]["f"] = {}',
         "the log handler f is a.log inside the release, unless something changes it"),
    ],
)  # fmt: skip
def test_what_would_be_written_into_the_release(project: Read, text: str, told: str) -> None:
    files = {"requirements.txt": "django\nhuey\n"}
    [warning] = project(settings(f"{BASE}{text}\n", files)).warnings
    assert told in warning
    assert SHARED in warning


@pytest.mark.parametrize(
    "text",
    [
        f'LOG_FILE = "{SHARED}/logs/a.log"',
        'LOG_FILE = "/var/log/a.log"',
        'LOG_FILE = os.environ.get("GIVEN", BASE_DIR / "a.log")',
        'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}',
        'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["GIVEN"]}}',
        'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x.db"}}\nDATABASES.update(more())',
        'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x.db"}}\nchange(locals())',
        'DATABASES = {"default": {"ENGINE": "spatialite", "NAME": "x.db"}}\nfrom django.conf.more import *',
        'if X:\n    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x.db"}}',
        'LOGGING_CONFIG = None\nLOGGING = {"handlers": {"f": {"filename": "a.log"}}}',
        'CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "c"}}',
        'UPLOAD_DIR = BASE_DIR / "var/uploads"',
        'INDEX_DIR = BASE_DIR / "config"',
        'TEMPLATES = [{"DIRS": [BASE_DIR / "templates"]}]',
    ],
)
def test_what_is_written_elsewhere_or_only_read_is_not_told(project: Read, text: str) -> None:
    code = project(settings(f"import os\n{BASE}{text}\n"), {"GIVEN": "/var/lib/a"}, sharedPaths=["var"])
    assert code.warnings == ()


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(
    ("text", "hooks", "told"),
    [
        ("COMPRESS_OFFLINE = True\n", [], "no hook compresses anything"),
        ("COMPRESS_OFFLINE = True\n", ["python manage.py compress"], ""),
        ("COMPRESS_ENABLED = False\n", [], ""),
        ("COMPRESS_OFFLINE = env('X')\n", [], ""),
    ],
)
def test_style_sheets_are_compressed_before(project: Read, text: str, hooks: list[str], told: str) -> None:
    files = settings(f'INSTALLED_APPS = ["compressor"]\n{text}', {"requirements.txt": "django-compressor\n"})
    warnings = project(files, hooks={"afterCollectstatic": hooks}).warnings
    assert len(warnings) == bool(told)
    assert told in "".join(warnings)


@pytest.mark.slow
def test_storages_that_may_be_completed_are_left_alone(project: Read) -> None:
    for text in ("STORAGES = {**BASE}\n", f"{STORAGES}STORAGES['staticfiles'] = x()\n", "STORAGES = storages()\n"):
        assert project(settings(text, {"requirements.txt": "django-tenants\n"})).warnings == ()
    [warning] = project(settings('STORAGES = {"staticfiles": {"BACKEND": "x"}}\n')).warnings
    assert "STORAGES has no storage named default" in warning


def test_a_text_that_may_be_no_module_is_never_refused(project: Read) -> None:
    [warning] = project(settings('SEARCH_ENGINE = "config.example"\n')).warnings
    assert "SEARCH_ENGINE names config.example" in warning


@pytest.mark.parametrize(
    "text",
    [
        'LOGGING_CONFIG = None\nLOGGING = {"handlers": {"f": {"class": "logging.Handler", "filename": "server.log"}}}',
        'CACHES = {"default": {"LOCATION": "cache.example", "KEY_PREFIX": "config.live"}}',
        'CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [("redis.example", 6379)]}}}',
        'STORAGES = {**BASE, "default": {"OPTIONS": {"bucket_name": "media.example"}}}',
    ],
)
def test_files_and_hosts_in_settings_are_no_modules(project: Read, text: str) -> None:
    assert project(settings(f"{text}\n", {"requirements.txt": "django\n"})).warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        'CACHES = {"default": {"BACKEND": "gone.Cache"}}',
        'CACHES = {"default": {"OPTIONS": {"CLIENT_CLASS": "gone.Client"}}}',
        'CHANNEL_LAYERS = {"default": {"BACKEND": "gone.Layer"}}',
        'TEMPLATES = [{"OPTIONS": {"context_processors": ["gone.name"]}}]',
        'REST_FRAMEWORK = {"DEFAULT_SCHEMA": "gone.Schema"}',
    ],
)
def test_modules_that_a_map_of_the_settings_names(project: Read, text: str) -> None:
    found = project(settings(f"{text}\n", {"requirements.txt": "django\n"})).warnings
    assert "gone is named in" in "".join(found)


@pytest.mark.proves("errors.all-at-once")
def test_errors_and_warnings_are_told_together(project: Read) -> None:
    text = refused(project, settings(f"import gone, config.local\n{LOGGING}{STORAGES}"))
    assert text.count("warning: ") == 3
    assert "config/local.py" in text
    assert "hyperkitty.log" in text


def test_too_many_warnings_are_counted(project: Read) -> None:
    warnings = project(settings("".join(f"import gone{number}\n" for number in range(30)))).warnings
    assert warnings[20:] == ("and 10 more like these",)


def test_a_project_that_cannot_be_parsed_is_read_as_far_as_it_goes(project: Read) -> None:
    deep = "x = " + "(" * 300 + ")" * 300
    assert project(settings(APPS, {**SHOP, "shop/models.py": "not Python", "shop/apps.py": deep})).warnings == ()


def test_a_package_that_cannot_be_parsed_may_have_what_a_setting_names(project: Read) -> None:
    """As one for Python 2 does: it is told where it runs, and nothing here ends in a traceback."""
    files = settings('MIDDLEWARE = ["old.Middleware"]\n', {"old/__init__.py": "print 'hello'\n"})
    assert not any("old" in warning for warning in project(files).warnings)


NEEDED = """\
import os
import environ
from decouple import config
env = environ.Env(DEBUG=(bool, False))
environ.Env.read_env(".env")
DEBUG = env("DEBUG")
SECRET_KEY = os.environ["SECRET_KEY"]
SITE = {"url": env.str("SITE_URL").rstrip("/"), "name": config("SITE_NAME", default="a")}
EMAIL = env.email_url("EMAIL_URL")
TOKEN = config("TOKEN", cast=str)
LEVEL = os.environ["LEVEL"] if "LEVEL" in os.environ else "INFO"
HOME = os.environ["HOME"]
os.environ.setdefault("ZONE", "UTC")
ZONE = os.environ["ZONE"]
if DEBUG:
    TOOLBAR = os.environ["TOOLBAR"]
"""
PACKAGES = {"requirements.txt": "django\ndjango-environ\npython-decouple\n"}


@pytest.mark.proves("preview.variables")
def test_all_variables_that_nothing_sets_are_told_at_once(project: Read) -> None:
    """ephios needs eight, and each deploy told of one."""
    told = refused(project, settings(NEEDED, PACKAGES), env={"SECRET_KEY": "x"})
    assert (
        "config/settings.py:9: the settings need the variables EMAIL_URL, SITE_URL, TOKEN, which nothing sets" in told
    )
    assert "set them in codesensei:env" in told
    given = {"SECRET_KEY": "x", "EMAIL_URL": "consolemail://", "SITE_URL": "https://shop.example", "TOKEN": "x"}
    assert project(settings(NEEDED, PACKAGES), env=given).warnings == ()


@pytest.mark.proves("preview.variables")
@pytest.mark.parametrize(
    ("name", "key"),
    [("POSTGRES_HOST", "codesensei:database.env gives POSTGRES_HOST"), ("REDIS_URL", "codesensei:broker.env gives")],
)
def test_what_gives_a_variable_is_named(project: Read, name: str, key: str) -> None:
    assert key in refused(project, settings(f'import os\nX = os.environ["{name}"]\n'))


WANTED = 'import os; X = os.environ["WANTED"]\n'


@pytest.mark.proves("preview.variables")
@pytest.mark.parametrize(
    "files",
    [
        {"config/.env": "export WANTED=1\n"},
        {".env.local": "WANTED=1\n"},
        {"settings.ini": "[settings]\nWANTED = 1\n"},
        {"config/settings.py": "from .other import *\n", "config/other.py": f"try:\n  {WANTED}except: pass\n"},
        {"config/settings.py": f"from contextlib import suppress\nwith suppress(KeyError):\n  {WANTED}"},
        {"config/settings.py": "try:\n    from .other import *\nexcept: pass\n", "config/other.py": WANTED},
    ],
)  # fmt: skip
def test_what_the_project_may_set_itself_is_not_told(project: Read, files: dict[str, str]) -> None:
    assert project({**settings(WANTED), **files}).warnings == ()


@pytest.mark.proves("preview.variables")
def test_a_file_of_variables_on_the_server_may_set_them(project: Read) -> None:
    """coldfront and vulnerablecode read one below /etc: that is a warning."""
    text = 'import os, environ\nenviron.Env.read_env("/etc/shop/shop.env")\nX = os.environ["WANTED"]\n'
    [warning] = project(settings(f'{text}LOG_FILE = os.environ.get("LOG", "a.log")\n', PACKAGES)).warnings
    assert "the settings need the variable WANTED, which nothing sets" in warning


@pytest.mark.proves("preview.variables")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('LOG_FILE = env.str("LOG_FILE", default=str(BASE_DIR / "a.log"))', "LOG_FILE is a.log"),
        ('LOG_FILE = env.str("LOG_FILE", os.path.join(BASE_DIR, "a.log"))', "LOG_FILE is a.log"),
        ('LOG_FILE = config("LOG_FILE", default="a.log")', "LOG_FILE is a.log"),
        ('LOG_FILE = os.path.join(os.getenv("LOGS", "logs"), "a.log")', "LOG_FILE is logs/a.log"),
        ('LOG_FILE = os.path.join(env("GIVEN"), "a.log")', "LOG_FILE is given/a.log"),
    ],
)
def test_what_stands_for_a_variable_is_read(project: Read, text: str, told: str) -> None:
    first = f"import os\nimport environ\nfrom decouple import config\nenv = environ.Env()\n{BASE}"
    [warning] = project(settings(f"{first}{text}\n", PACKAGES), env={"GIVEN": "given"}).warnings
    assert told in warning


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(
    "text",
    [
        "import django_on_heroku\ndjango_on_heroku.settings(locals())",
        "import django_heroku\ndjango_heroku.settings(locals(), logging=False)",
        'STATIC_ROOT = os.path.join(BASE_DIR, "staticfiles")\nos.makedirs(STATIC_ROOT, exist_ok=True)',
    ],
)
def test_the_folder_of_static_files_is_committed(project: Read, text: str) -> None:
    """It is made while the settings are imported, and collectstatic fills it later."""
    files = settings(f"import os\n{BASE}{text}\n", {"requirements.txt": "django-heroku\ndjango-on-heroku\n"})
    told = refused(project, files)
    assert "a folder that the settings make is staticfiles inside the release" in told
    assert "commit it, with an empty staticfiles/.gitkeep" in told
    assert "sharedPaths" not in told
    assert project({**files, "staticfiles/.gitkeep": ""}).warnings == ()


@pytest.mark.proves("preview.told")
@pytest.mark.parametrize(
    "text",
    [
        'os.makedirs(os.path.join(BASE_DIR, "data"), exist_ok=True)',
        '(BASE_DIR / "data").mkdir(exist_ok=True)',
        'DATA = BASE_DIR / "data"\nif not os.path.exists(DATA):\n    os.makedirs(DATA)',
    ],
)
def test_a_folder_that_the_settings_make_in_the_release(project: Read, text: str) -> None:
    """ephios makes five while its settings are imported."""
    files = settings(f"import os\n{BASE}{text}\n")
    assert "a folder that the settings make is data inside the release" in refused(project, files)
    assert project({**files, "data/.gitkeep": ""}).warnings == ()
    assert project(files, sharedPaths=["data"]).warnings == ()
