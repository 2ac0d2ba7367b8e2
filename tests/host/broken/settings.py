"""Settings with which no release can work, and projects that cannot be imported."""

from tests.host.broken.case import Broken

PRODUCTION = "config/settings/production.py"
IMPORTS = "from config.settings.base import *  # noqa: F403\n"


def setting(line: str) -> dict[str, tuple[str, str]]:
    """The production settings with one more line, and the whole of it at their end."""
    return {PRODUCTION: ("LOGGING = {", f"{line}\n\nLOGGING = {{")}


def log_file(path: str) -> dict[str, tuple[str, str]]:
    """The production settings with a log file."""
    handler = f'{{"class": "logging.FileHandler", "filename": {path}}}'
    return {PRODUCTION: ('{"class": "logging.StreamHandler"}', handler)}


# Preview reads os.environ["NAME"] alone.
NEED = "def need(name):\n    return os.environ[name]\n\n\n"

CASES = (
    Broken(
        "SECRET_KEY is not set",
        replace={PRODUCTION: ('SECRET_KEY = os.environ["SECRET_KEY"]', f'{NEED}SECRET_KEY = need("SECRET_KEY")')},
        config={"generateSecrets": []},
        error="Django's settings (release RELEASE) on SERVER: SECRET_KEY is not set",
        fix="add it to codesensei:generateSecrets, or run pulumi config set --secret --path codesensei:secretEnv.SECRET_KEY",
        quick=True,
    ),
    Broken(
        "a variable is not set",
        replace=setting(f'{NEED}STRIPE_KEY = need("STRIPE_KEY")'),
        error="Django's settings (release RELEASE) on SERVER: the settings need the variable STRIPE_KEY, which is not set",
        fix="set it in codesensei:env; for a secret: pulumi config set --secret --path codesensei:secretEnv.STRIPE_KEY",
    ),
    Broken(
        "a variable is not set, and a helper says so",
        replace={
            PRODUCTION: (
                "DEBUG = False",
                "from django.core.exceptions import ImproperlyConfigured\n\n\n"
                "def env(name):\n    try:\n        return os.environ[name]\n    except KeyError:\n"
                '        raise ImproperlyConfigured(f"Set the {name} environment variable") from None\n\n\n'
                'SENTRY_DSN = env("SENTRY_DSN")\nDEBUG = False',
            )
        },
        error="Django's settings (release RELEASE) on SERVER: the settings need the variable SENTRY_DSN, which is not set",
        fix="set it in codesensei:env; for a secret: pulumi config set --secret --path codesensei:secretEnv.SENTRY_DSN",
    ),
    Broken(
        "a package is not in the requirements",
        replace={"config/settings/base.py": ('    "entries",', '    "corsheaders",\n    "entries",')},
        error="Django's settings (release RELEASE) on SERVER: the module corsheaders cannot be found",
        fix="add its package to the requirements file (its name may differ: environ is django-environ); if it is the project's own, commit it, and check project.directory and project.pythonPath",
    ),
    Broken(
        "the settings import a module that is not committed",
        replace={PRODUCTION: (IMPORTS, IMPORTS + "from config.settings.local import *  # noqa: F403\n")},
        preview=True,
        error="config/settings/production.py:8: imports config.settings.local, and there is no config/settings/local.py in commit COMMIT",
        fix="commit it; or remove that line",
    ),
    Broken(
        "the settings are incomplete",
        replace=setting('AUTH_USER_MODEL = "shop.User"'),
        error="Django's settings (release RELEASE) on SERVER: Django's settings are incomplete: AUTH_USER_MODEL refers to model 'shop.User' that has not been installed",
        fix="change what it names in the settings; if it is a variable, set it in codesensei:env or codesensei:secretEnv",
    ),
    Broken(
        "STATIC_URL is not set",
        replace={"config/settings/base.py": ('STATIC_URL = "/static/"\n', "")},
        error="STATIC_URL on SERVER: it is not set",
        fix='add STATIC_URL = "/static/" to the settings',
    ),
    Broken(
        "STATIC_URL is another one",
        replace=setting('STATIC_URL = "".join([os.environ.get("CDN", ""), "/assets/"])'),
        error="STATIC_URL on SERVER: Django says /assets/, and the proxy serves /static/",
        fix="write STATIC_URL as a plain string in the settings; with S3 or a CDN, set project.static to none",
    ),
    Broken(
        "STATIC_ROOT is not set",
        replace={"config/settings/base.py": ('STATIC_ROOT = BASE_DIR / "staticfiles"\n', "STATIC_ROOT = str()\n")},
        error="STATIC_ROOT on SERVER: it is not set, and collectstatic needs it",
        fix='add STATIC_ROOT = BASE_DIR / "staticfiles" to the settings, or set project.static to none',
    ),
    Broken(
        "STATIC_ROOT is outside",
        replace=setting('STATIC_ROOT = "/var/www/static"'),
        error="STATIC_ROOT on SERVER: /var/www/static lies outside the release; old and new releases would overwrite each other's files",
        fix='set STATIC_ROOT = BASE_DIR / "staticfiles" in the settings',
    ),
    Broken(
        "uploads would be lost",
        replace=setting('MEDIA_ROOT = BASE_DIR / "media"  # noqa: F405'),
        preview=True,
        error="MEDIA_ROOT: it is media inside the release; the next release would lose what people uploaded",
        fix='keep it by a line in the stack file, project.sharedPaths: [media]; or set MEDIA_ROOT = "/srv/codesensei/guestbook/shared/media" in the production settings',
    ),
    Broken(
        "uploads would be lost, as only Django knows",
        replace=setting('MEDIA_ROOT = os.path.join(*[BASE_DIR, "media"])  # noqa: F405'),
        error="MEDIA_ROOT on SERVER: /srv/codesensei/guestbook/releases/RELEASE/media lies inside the release; the next release would lose what people uploaded",
        fix='add media to project.sharedPaths, or set MEDIA_ROOT = "/srv/codesensei/guestbook/shared/media" in the production settings',
        quick=True,
    ),
    Broken(
        "a SQLite file would be lost",
        replace=setting(
            'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}'
        ),
        preview=True,
        error="config/settings/production.py:29: the SQLite file of DATABASES['default'] is db.sqlite3 inside the release: the next release would start without its data",
        fix='set its NAME to "/srv/codesensei/guestbook/shared/db.sqlite3"; or use the stack\'s own: "default": dj_database_url.config()',
    ),
    Broken(
        "a SQLite file would be lost, as only Django knows",
        replace=setting(
            'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(*[BASE_DIR, "db.sqlite3"])}}'
        ),
        error="DATABASES['default'] on SERVER: the SQLite file /srv/codesensei/guestbook/releases/RELEASE/db.sqlite3 lies inside the release; the next release would start without its data",
        fix='write in config.settings.production: DATABASES = {"default": dj_database_url.config()}  # from the package dj-database-url or, to keep SQLite, set DATABASE_URL to sqlite:////srv/codesensei/guestbook/shared/db.sqlite3 and read it in the settings',
    ),
    Broken(
        "the generated database is not used",
        replace=setting('DATABASES["default"]["NAME"] = "shop"'),
        error="DATABASES on SERVER: the settings do not use the generated database guestbook (default: postgresql shop)",
        fix='write in config.settings.production: DATABASES = {"default": dj_database_url.config()}  # from the package dj-database-url or map codesensei:database.env to the variables that the settings read, or set database.kind to none',
    ),
    Broken(
        "a log file has no folder",
        replace=log_file('os.path.join(*[BASE_DIR, "logs", "django.log"])'),
        error="Django's settings (release RELEASE) on SERVER: there is no logs/django.log in the release",
        fix="commit it; a folder for what the project writes belongs below shared, for example shared/logs",
    ),
    Broken(
        "a log file is in the release",
        replace=log_file('BASE_DIR / "django.log"'),
        preview=True,
        error="config/settings/production.py:29: the file of the log handler console is django.log inside the release: a release is read-only",
        fix='log to standard error, which the journal keeps, or set it to "/srv/codesensei/guestbook/shared/logs/django.log"',
    ),
    Broken(
        "a log file is in the release, as only Django knows",
        replace=log_file('os.path.join(*[BASE_DIR, "django.log"])'),
        error="Django's settings (release RELEASE) on SERVER: the project writes django.log into the release, which must not change",
        fix="let it write to shared/logs or shared/cache, for example; a folder that must only exist can be committed (.gitkeep)",
    ),
    Broken(
        "a library is not installed",
        replace=setting('DATABASES["default"]["ENGINE"] = "django.contrib.gis.db.backends.postgis"'),
        error="Django's settings (release RELEASE) on SERVER: the system library GDAL is missing",
        fix="name its packages in project.systemPackages, for example [gdal-bin, libgdal-dev] for GeoDjango",
    ),
    Broken(
        "the settings have a syntax error",
        replace={PRODUCTION: ("DEBUG = False", "DEBUG = = False")},
        error="Django's settings (release RELEASE) on SERVER: config/settings/production.py, line 9: SyntaxError: invalid syntax",
        fix="fix that line; if it runs on your machine, it needs a newer Python than this server's: set project.python",
        quick=True,
    ),
    Broken(
        "an import leads back to itself",
        replace={
            "entries/models.py": (
                "from django.db import models\n",
                "from django.db import models\n\nfrom entries.views import SHOWN\n",
            ),
        },
        error="Django's settings (release RELEASE) on SERVER: the import of entries.models leads back to itself (a circular import)",
        fix="import inside the function that needs it, or move what both modules share into a third",
    ),
    Broken(
        "models are imported before Django is ready",
        write={
            "config/asgi.py": "import os\n\nfrom django.core.asgi import get_asgi_application\n\n"
            "from entries.models import Entry\n\n"
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")\n\n'
            "application = get_asgi_application()\nMODELS = [Entry]\n"
        },
        config={"project.interface": "asgi"},
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: its process ended before it answered: a module imports models before Django is set up (AppRegistryNotReady)",
        fix="in asgi.py call get_asgi_application() before importing routing or consumers, and set project.asgiApplication to asgi.py's application",
    ),
)
