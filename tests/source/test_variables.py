"""Which variables the settings read, as each package's own calls are written; nothing that may be set is missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.source import SourceError
from tests.source.conftest import Repository
from tests.source.test_needs import Deploy, deploy_of

PACKAGES = {"requirements.txt": "django\npsycopg\ndjango-environ\nenvirons\npython-decouple\npython-dotenv\n"}
DECOUPLE = "from decouple import config\n"
ENVIRON = "import environ\nenv = environ.Env()\n"
ENVIRONS = "from environs import Env\nenv = Env()\nenv.read_env()\n"
OWN = {"config/more.py": "import os\ndef env(name, default=None):\n    return os.environ.get(name, default)\n"}


@pytest.fixture
def deploy(repository: Repository, tmp_path: Path) -> Deploy:
    return deploy_of(repository, tmp_path)


@pytest.mark.proves("preview.readers")
@pytest.mark.parametrize(
    "text",
    [
        f"{DECOUPLE}A, B = config('WANTED', 'a'), config('OTHER', False, cast=bool)\n",
        f"{DECOUPLE}A = config('WANTED', 'a', str)\n",
        f"{ENVIRON}A, B = env.cache('WANTED', 'locmemcache://'), env.email_url('OTHER', 'consolemail://')\n",
        f"{ENVIRON}A, B = env('WANTED', bool, False), env.list('OTHER', str, ['a'])\n",
        "import environ\nTYPES = {}\nenv = environ.Env(**TYPES)\nA = env('WANTED')\n",
        f"{ENVIRONS}A, B = env('WANTED', 'a'), env.list('OTHER', ['a'])\n",
        "from environs import Env\nenv = Env(eager=False)\nA = env.str('WANTED')\n",
        "from environs import env\nA = env.log_level('WANTED', 'INFO')\n",
        "from os import getenv as env\nA = env('WANTED')\n",
        "from os import environ as values\nA = values.get('WANTED')\n",
        "from config.more import env\nA = env('WANTED')\n",
        "from config.more import *\nA = env('WANTED')\n",
        f"{ENVIRON}from config.more import env\nA = env('WANTED')\n",
        f"{ENVIRON}def env(name):\n    return ''\nA = env('WANTED')\n",
        "from shop_settings import env\nA = env('WANTED')\n",
        "from config.more import getenv\nA = getenv('WANTED')\n",
    ],
)
def test_what_has_a_default_or_may_be_no_reader_needs_nothing(deploy: Deploy, text: str) -> None:
    files = {**PACKAGES, **OWN, "requirements.txt": f"{PACKAGES['requirements.txt']}shop-settings\n"}
    assert deploy(text, files, env={"NAME": "a"}).warnings == ()


@pytest.mark.proves("preview.readers")
@pytest.mark.parametrize(
    "text",
    [
        f"{DECOUPLE}A = config('WANTED', cast=int)\n",
        f"{ENVIRON}A = env('WANTED', bool)\n",
        f"{ENVIRON}A = env.list('WANTED', str)\n",
        f"{ENVIRON}A = env.cache('WANTED')\n",
        f"{ENVIRONS}A = env.int('WANTED')\n",
        "import environs as given\nenv = given.Env(expand_vars=True)\nA = env('WANTED')\n",
        "from environs import env\nA = env('WANTED')\n",
        "from os import environ\nA = environ['WANTED']\n",
        "from config.base import *\nA = env('WANTED')\n",
        "from .base import env as values\nA = values('WANTED')\n",
    ],
)
def test_what_each_package_fails_without_is_told(deploy: Deploy, text: str) -> None:
    with pytest.raises(SourceError, match="the settings need the variable WANTED, which nothing sets"):
        deploy(text, {**PACKAGES, "config/base.py": ENVIRON}, env={"NAME": "a"})


@pytest.mark.proves("preview.readers")
def test_a_cache_s_usual_variable(deploy: Deploy) -> None:
    text = f"{ENVIRON}CACHES = {{'default': env.cache()}}\nDATABASES = {{'default': env.db()}}\n"
    with pytest.raises(SourceError, match="need the variable CACHE_URL, which nothing sets"):
        deploy(text, PACKAGES)
    assert deploy(text, PACKAGES, env={"CACHE_URL": "locmemcache://"}).warnings == ()


@pytest.mark.proves("preview.readers")
def test_a_getenv_of_the_project_s_own_is_not_empty(deploy: Deploy) -> None:
    text = "from config.more import getenv\nINSTALLED_APPS = ['django.contrib.staticfiles']\n"
    files = {"config/more.py": "def getenv(name):\n    return '/srv/static'\n"}
    assert deploy(f"{text}STATIC_ROOT = getenv('STATIC_ROOT')\n", files, env={"NAME": "a"}).warnings == ()
