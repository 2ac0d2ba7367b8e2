"""Settings without which a project is not deployed, or answers nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from codesensei.config import StackConfig
from codesensei.source import Code, SourceError, read_code
from tests.source.conftest import Repository
from tests.source.test_code import HOST_KEY
from tests.source.test_inspect import START

Deploy = Callable[..., Code]
STATIC = 'INSTALLED_APPS = ["django.contrib.staticfiles"]\n'
POSTGIS = 'DATABASES = {"default": {"ENGINE": "django.contrib.gis.db.backends.postgis", "NAME": os.environ["NAME"]}}\n'

POSTGIS_AFTER = """DATABASES = {"default": {"NAME": os.environ["NAME"]}}
DATABASES["default"]["ENGINE"] = "django.contrib.gis.db.backends.postgis"
"""


def deploy_of(repository: Repository, tmp_path: Path) -> Deploy:
    """What reads a commit with the settings' text and the files given, for a stack with the keys given."""

    def read(text: str, files: Mapping[str, str] | None = None, project: Any = None, **top: Any) -> Code:
        needed = {"requirements.txt": "django\npsycopg\n", "config/settings.py": f"import os\n{text}"}
        repository.commit({**START, **needed, **(files or {})})
        source = {"path": str(repository.directory), "revision": "main"}
        config = {
            "server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
            "project": {"slug": "shop", "source": source, "settingsModule": "config.settings", **(project or {})},
            **top,
        }
        return read_code(StackConfig.model_validate(config), tmp_path / "cache")

    return read


@pytest.fixture
def deploy(repository: Repository, tmp_path: Path) -> Deploy:
    return deploy_of(repository, tmp_path)


@pytest.mark.proves("preview.needs")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (STATIC, "config/settings.py:2: STATIC_ROOT is not set, so static files cannot be collected"),
        (f"{STATIC}STATIC_ROOT = os.environ.get('NOWHERE')\n", "config/settings.py:3: STATIC_ROOT is not set"),
        ("SECRET_KEY = os.environ.get('NOWHERE', '')\n", "config/settings.py:2: SECRET_KEY is empty"),
        ("ALLOWED_HOSTS = ['localhost', '.other.example']\n", "does not have shop.example.com, so Django answers 400"),
        ("DEBUG = False\nALLOWED_HOSTS = []\n", "ALLOWED_HOSTS does not have shop.example.com"),
        ("ALLOWED_HOSTS = 'shop.example.com'\n", "ALLOWED_HOSTS is one text, and Django takes a list or a tuple alone"),
        ("ALLOWED_HOSTS = os.environ.get('NOWHERE', '*')\n", "ALLOWED_HOSTS is one text"),
    ],
)
def test_what_stops_a_deploy_is_refused(deploy: Deploy, text: str, told: str) -> None:
    with pytest.raises(SourceError) as caught:
        deploy(text, domains=["shop.example.com"])
    assert told in str(caught.value)


@pytest.mark.proves("preview.needs")
@pytest.mark.parametrize(
    "text",
    [
        f"{STATIC}STATIC_ROOT = '/x'\n",
        f"{STATIC}if os.name:\n    STATIC_ROOT = 'x'\n",
        f"{STATIC}from django_heroku import *\n",
        f"from django_heroku import *\n{STATIC}",
        f"from split_settings.tools import include\n{STATIC}include(made())\n",
        "SECRET_KEY = os.environ.get('NOWHERE', '')\nif not SECRET_KEY:\n    SECRET_KEY = made()\n",
        "ALLOWED_HOSTS = ['.example.com']\n",
        "ALLOWED_HOSTS = ['*']\n",
        "ALLOWED_HOSTS = ['Shop.Example.com', 'tenants.example.com', '.tenants.example.com']\n",
        "ALLOWED_HOSTS = []\n",
    ],
)
def test_what_is_there_or_may_be_is_not(deploy: Deploy, text: str) -> None:
    files = {"requirements.txt": "django\ndjango-heroku\ndjango-split-settings\n"}
    assert deploy(text, files, domains=["shop.example.com"], env={"NAME": "shop"}).warnings == ()


@pytest.mark.proves("shared-paths.static")
def test_a_shared_folder_among_static_files(deploy: Deploy) -> None:
    """ephios answered, and its style sheets were 404."""
    text = f"{STATIC}STATIC_ROOT = os.path.join(os.path.dirname(os.path.dirname(__file__)), 'static')\n"
    with pytest.raises(SourceError, match=r"project\.sharedPaths: static/CACHE: it lies in STATIC_ROOT"):
        deploy(text, project={"sharedPaths": ["media", "static/CACHE"]})
    assert deploy(text, project={"sharedPaths": ["statics"]}).warnings == ()


@pytest.mark.proves("errors.all-at-once")
def test_a_python_that_does_not_fit_is_told_with_other_errors(deploy: Deploy) -> None:
    """A project of 2021 told of its settings first, and of its Django in the next preview."""
    files = {"requirements.txt": "Django==3.1.7\n"}
    with pytest.raises(SourceError, match="STATIC_ROOT") as caught:
        deploy(STATIC, files)
    assert "warning: requirements.txt: Django 3.1.7 does not run on Python 3.13 and newer" in str(caught.value)
    assert "(the Python of Debian 13)" in str(caught.value)
    with pytest.raises(SourceError, match=r"Django 3\.1\.7 does not run on Python 3\.13") as caught:
        deploy(STATIC, files, project={"python": "3.13"})
    assert "STATIC_ROOT" in str(caught.value)


@pytest.mark.proves("preview.needs")
@pytest.mark.parametrize("more", ["ALLOWED_HOSTS += made()\n", "more(globals())\n", "from django.more import *\n"])
def test_what_may_change_the_hosts_makes_it_a_warning(deploy: Deploy, more: str) -> None:
    """Mezzanine's settings end with set_dynamic_settings(globals())."""
    text = f"ALLOWED_HOSTS = ['localhost', '127.0.0.1']\n{more}"
    [warning] = deploy(text, domains=["shop.example.com"], env={"NAME": "shop"}).warnings
    assert "does not have shop.example.com, unless something changes it, so Django answers 400 there" in warning


SECURITY = 'MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]\n'


@pytest.mark.proves("preview.needs")
@pytest.mark.parametrize(
    ("text", "tls", "is_told"),
    [
        (f"{SECURITY}SECURE_SSL_REDIRECT = True\n", "off", True),
        (f"{SECURITY}SECURE_SSL_REDIRECT = True\n", "selfSigned", False),
        ("MIDDLEWARE = []\nSECURE_SSL_REDIRECT = True\n", "off", False),
        (f"{SECURITY}SECURE_SSL_REDIRECT = False\n", "off", False),
        (f"{SECURITY}SECURE_SSL_REDIRECT = made()\n", "off", False),
        (f"{SECURITY}SECURE_SSL_REDIRECT = True\nSECURE_REDIRECT_EXEMPT = ['.*']\n", "off", False),
    ],
)
def test_a_redirect_to_https_where_nothing_serves_it(deploy: Deploy, text: str, tls: str, is_told: bool) -> None:
    told = "SECURE_SSL_REDIRECT leads visitors to https, and this stack is served over http"
    warnings = deploy(text, domains=["shop.example.com"], tls=tls).warnings
    assert any(told in warning for warning in warnings) is is_told


@pytest.mark.proves("preview.needs")
def test_a_pattern_of_hostnames_needs_one(deploy: Deploy) -> None:
    with pytest.raises(SourceError, match=r"does not have \*\.example\.com"):
        deploy("ALLOWED_HOSTS = ['example.com']\n", domains=["*.example.com"])
    assert deploy("ALLOWED_HOSTS = ['.example.com']\n", domains=["*.example.com"]).warnings == ()


@pytest.mark.proves("preview.needs")
@pytest.mark.slow
def test_a_database_of_places(deploy: Deploy) -> None:
    env = {"NAME": "shop"}
    [warning] = deploy(POSTGIS, env=env).warnings
    assert "set codesensei:database.extensions: [postgis]" in warning
    assert deploy(POSTGIS, env=env, database={"extensions": ["postgis"]}).warnings == ()
    [warning] = deploy(POSTGIS_AFTER, env=env).warnings
    assert warning.startswith("config/settings.py:3: DATABASES names django.contrib.gis.db.backends.postgis, and a new")
    assert deploy(f"{POSTGIS_AFTER}DATABASES['default']['ENGINE'] = 'other'\n", env=env).warnings == ()
    assert deploy(POSTGIS_AFTER, env=env, database={"extensions": ["postgis"]}).warnings == ()
    elsewhere = {"DATABASE_URL": "postgis://a:b@db.example.com/shop"}
    assert deploy(POSTGIS, env={**env, **elsewhere}).warnings == ()


BOTH = ("shop.example.com", "www.example.com")
ENVIRON = "import environ\nenv = environ.Env()\n"
DECOUPLE = "from decouple import Csv, config\n"
# How settings read ALLOWED_HOSTS from the variable HOSTS.
READ = {
    "split": "ALLOWED_HOSTS = os.environ['HOSTS'].split(',')\n",
    "split with a default": "ALLOWED_HOSTS = os.environ.get('HOSTS', 'other.example').split(',')\n",
    "split at spaces": "ALLOWED_HOSTS = os.getenv('HOSTS', '').replace(',', ' ').split()\n",
    "stripped": "ALLOWED_HOSTS = [host.strip() for host in os.environ['HOSTS'].split(',') if host.strip()]\n",
    "by a name": "HOSTS = os.environ['HOSTS']\nALLOWED_HOSTS = HOSTS.split(',')\n",
    "with more": "ALLOWED_HOSTS = ['localhost'] + os.environ['HOSTS'].split(',')\n",
    "more": "ALLOWED_HOSTS = ['localhost']\nALLOWED_HOSTS += os.environ['HOSTS'].split(',')\n",
    "env.list": f"{ENVIRON}ALLOWED_HOSTS = env.list('HOSTS')\n",
    "env.list with a default": f"{ENVIRON}ALLOWED_HOSTS = env.list('HOSTS', default=['other.example'])\n",
    "env, as its default": f"{ENVIRON}ALLOWED_HOSTS = env('HOSTS', default=['other.example'])\n",
    "env as list": f"{ENVIRON}ALLOWED_HOSTS = env('HOSTS', cast=list)\n",
    "env, list": f"{ENVIRON}ALLOWED_HOSTS = env('HOSTS', list, default=['other.example'])\n",
    "Csv": f"{DECOUPLE}ALLOWED_HOSTS = config('HOSTS', cast=Csv())\n",
    "Csv with a default": f"{DECOUPLE}ALLOWED_HOSTS = config('HOSTS', default='other.example', cast=Csv())\n",
    "lambda": f"{DECOUPLE}ALLOWED_HOSTS = config('HOSTS', cast=lambda v: [s.strip() for s in v.split(',')])\n",
    "lambda with a default": f"{DECOUPLE}ALLOWED_HOSTS = config('HOSTS', default='a', cast=lambda v: v.split(','))\n",
}
# What is done there, only running tells.
UNKNOWN = "split at spaces"


@pytest.fixture
def warned(deploy: Deploy) -> Callable[..., list[str]]:
    def read(text: str, *names: str, **top: Any) -> list[str]:
        packages = {"requirements.txt": "django\npsycopg\ndjango-environ\npython-decouple\n", "config/more.py": ""}
        return list(deploy(text, packages, domains=names, **top).warnings)

    return read


@pytest.mark.proves("preview.hosts")
@pytest.mark.parametrize("name", [name for name in READ if name != UNKNOWN])
@pytest.mark.parametrize("hosts", ["shop.example.com", ".example.org,shop.example.com", "localhost"])
@pytest.mark.slow
def test_hosts_of_a_variable_are_held_against_the_names(warned: Any, name: str, hosts: str) -> None:
    with pytest.raises(SourceError) as caught:
        warned(READ[name], *BOTH, env={"HOSTS": hosts})
    lacks = "shop.example.com, www.example.com" if hosts == "localhost" else "www.example.com"
    assert f" does not have {lacks}, so Django answers 400 there" in str(caught.value)
    if name not in ("by a name", "more"):
        assert "ALLOWED_HOSTS, from the variable HOSTS, does not" in str(caught.value)
        assert "    add it to HOSTS in codesensei:env" in str(caught.value)


@pytest.mark.proves("preview.hosts")
@pytest.mark.parametrize("text", READ.values())
@pytest.mark.parametrize(
    "hosts",
    [
        "shop.example.com,www.example.com",
        " shop.example.com, www.example.com ",
        "Shop.Example.com,WWW.example.com",
        ".example.com",
        "*",
        "shop.example.com:8000,www.example.com:443",
    ],
)
@pytest.mark.slow
def test_hosts_of_a_variable_that_has_all_names(warned: Any, text: str, hosts: str) -> None:
    assert warned(text, *BOTH, env={"HOSTS": hosts}) == []


@pytest.mark.proves("preview.hosts")
@pytest.mark.parametrize("name", [name for name in READ if name.endswith("with a default")])
def test_a_default_that_lacks_a_name_says_which_variable_to_set(warned: Any, name: str) -> None:
    with pytest.raises(SourceError) as caught:
        warned(READ[name], *BOTH)
    assert "ALLOWED_HOSTS, from the variable HOSTS, does not have shop.example.com, www.example.com" in str(
        caught.value
    )
    assert "    set codesensei:env.HOSTS, with it" in str(caught.value)


@pytest.mark.proves("preview.hosts")
@pytest.mark.parametrize("text", READ.values())
def test_hosts_of_a_secret_variable_are_not_known(warned: Any, text: str) -> None:
    found = warned(text, *BOTH, secretEnv=("HOSTS",))
    assert all("unless something changes it" in warning for warning in found)
    assert bool(found) is (text == READ["more"])


@pytest.mark.proves("preview.hosts")
@pytest.mark.parametrize(
    "text",
    [
        "ALLOWED_HOSTS = os.environ['HOSTS'].split(',') + made()\n",
        "ALLOWED_HOSTS = [f'shop.{host}' for host in os.environ['HOSTS'].split(',')]\n",
        "ALLOWED_HOSTS = [name(host) for host in os.environ['HOSTS'].split(',')]\n",
        "ALLOWED_HOSTS = [host for host in os.environ['HOSTS'].split(',') if made(host)]\n",
        "os.environ['HOSTS'] = made()\nALLOWED_HOSTS = os.environ['HOSTS'].split(',')\n",
        f"{ENVIRON}ALLOWED_HOSTS = env.list('HOSTS', subcast=made)\n",
        f"{ENVIRON}with env.prefixed('SHOP_'):\n    ALLOWED_HOSTS = env.list('NAMES', default=['other.example'])\n",
        f"{ENVIRON}env.prefix = 'SHOP_'\nALLOWED_HOSTS = env.list('NAMES', default=['other.example'])\n",
        f"{DECOUPLE}ALLOWED_HOSTS = config('HOSTS', cast=Csv(delimiter=';'))\n",
        f"{DECOUPLE}ALLOWED_HOSTS = config('HOSTS', cast=lambda v, w=made(): made(v))\n",
        "HOSTS = ['other.example']\nif made():\n    HOSTS = ['another.example']\nALLOWED_HOSTS = HOSTS\n",
    ],
)
def test_hosts_that_only_running_tells_stop_nothing(warned: Any, text: str) -> None:
    env = {"HOSTS": "other.example", "SHOP_NAMES": "shop.example.com"}
    found = warned(f"from config.more import made, name\n{text}", *BOTH, env=env)
    assert all("unless something changes it" in warning for warning in found)
    assert bool(found) is text.endswith("ALLOWED_HOSTS = HOSTS\n")


@pytest.mark.proves("preview.hosts")
@pytest.mark.parametrize("hosts", ["$OTHER", "shop.'example'.com", "[shop.example.com]"])
def test_what_a_reader_makes_something_else_of_is_not_known(warned: Any, hosts: str) -> None:
    for name in ("env.list", "Csv"):
        assert warned(READ[name], *BOTH, env={"HOSTS": hosts}) == []


LOADED = (
    "from pathlib import Path\nfrom dotenv import load_dotenv\nload_dotenv(Path(__file__).parent.parent / '.env'{})\n"
)


@pytest.mark.proves("preview.overridden")
@pytest.mark.parametrize(
    ("text", "file", "is_told"),
    [
        (LOADED.format(", override=True"), ".env", True),
        ("import environ\nenviron.Env.read_env('.env', overwrite=True)\n", ".env", True),
        (LOADED.format(""), ".env", False),
        (LOADED.format(", override=False"), ".env", False),
        (LOADED.format(", override=True"), ".env.example", False),
        (LOADED.format(", override=True"), "local.env", False),
    ],
)
def test_a_file_of_the_commit_that_wins_over_the_stack(deploy: Deploy, text: str, file: str, is_told: bool) -> None:
    files = {
        "requirements.txt": "django\npsycopg\npython-dotenv\ndjango-environ\n",
        file: "MAIL=localhost\nOTHER=1\nKEY=a\n",
    }
    warnings = deploy(text, files, env={"MAIL": "mail.example.org", "PLAIN": "1"}, secretEnv=("KEY",)).warnings
    told = ".env in the commit wins over the stack's values of KEY, MAIL: remove it from the repository"
    assert any(told in warning for warning in warnings) is is_told


@pytest.mark.proves("preview.hosts")
@pytest.mark.parametrize(
    "text",
    [
        "ALLOWED_HOSTS = ['shop.example.com']\nif made():\n    ALLOWED_HOSTS = ['localhost']\n",
        "if made():\n    ALLOWED_HOSTS = ['shop.example.com']\nelse:\n    ALLOWED_HOSTS = ['localhost']\n",
        "ALLOWED_HOSTS = ['localhost']\nALLOWED_HOSTS.append('shop.example.com')\n",
        "ALLOWED_HOSTS = ['localhost']\nif made():\n    ALLOWED_HOSTS += ['.example.com']\n",
    ],
)
def test_a_host_that_a_condition_allows_is_not_told(warned: Any, text: str) -> None:
    assert warned(f"from config.more import made\n{text}", "shop.example.com") == []
    [warning] = warned(f"from config.more import made\n{text}", "other.example")
    assert "does not have other.example, unless something changes it" in warning


@pytest.mark.proves("preview.modules")
def test_apps_in_a_folder_that_the_settings_add_are_there(deploy: Deploy) -> None:
    add = "import sys\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
    add += "sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'apps'))\n"
    files = {"apps/goods/__init__.py": "", "apps/trade/__init__.py": ""}
    apps = "INSTALLED_APPS = ['goods', 'trade']\n"
    assert deploy(f"{add}{apps}", files).warnings == ()
    assert len(deploy(apps, files).warnings) == 2
