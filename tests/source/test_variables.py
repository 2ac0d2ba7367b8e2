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


READ = "A = os.environ['WANTED']\n"
DOTENV = (
    "from pathlib import Path\nfrom dotenv import dotenv_values, load_dotenv\nBASE = Path(__file__).parent.parent\n"
)


@pytest.mark.proves("preview.set-by-files")
@pytest.mark.parametrize(
    "text",
    [
        f"{DOTENV}load_dotenv(BASE / 'conf' / 'variables')\n{READ}",
        f"{DOTENV}load_dotenv(dotenv_path='conf/variables')\n{READ}",
        f"{DOTENV}def load():\n    load_dotenv(BASE / '.env.dist')\nload()\n{READ}",
        f"{ENVIRON}env.read_env('conf/variables')\nA = env('WANTED')\n",
        "from decouple import Config, config\nconfig = Config(made())\nA = config('WANTED')\n",
        "env = 1\nfrom environs import env\nA = env('WANTED')\n",
        f"import config.start\n{READ}",
    ],
)
def test_what_the_project_s_own_files_set_is_not_told(deploy: Deploy, text: str) -> None:
    files = {"conf/variables": "WANTED=1\n", ".env.dist": "WANTED=1\n", "config/start.py": "import os\n"}
    files["config/start.py"] += "os.environ.setdefault('WANTED', '1')\n"
    assert deploy(text, {**PACKAGES, **files}, env={"NAME": "a"}).warnings == ()
    with pytest.raises(SourceError):
        deploy(READ, {**PACKAGES, **files})


@pytest.mark.proves("preview.set-by-files")
@pytest.mark.parametrize(
    "file", ["manage.py", "config/__init__.py", "config/wsgi.py", "config/asgi.py", "config/set.py"]
)
def test_what_is_loaded_before_the_settings_may_set_some(deploy: Deploy, file: str) -> None:
    set_there = "import os\nos.environ.setdefault('WANTED', '1')\n"
    files = {"config/__init__.py": "from config.set import *\n", "config/set.py": "", file: set_there}
    assert deploy(READ, files).warnings == ()
    with pytest.raises(SourceError, match="WANTED"):
        deploy(READ, {"config/__init__.py": "", "config/wsgi.py": "", "config/asgi.py": "", "manage.py": ""})


@pytest.mark.proves("preview.set-by-files")
@pytest.mark.parametrize(
    "text",
    [
        "import json\nos.environ.update(json.loads(made()))\n",
        "os.environ.update(**made())\n",
        "for name, value in made():\n    os.environ[name] = value\n",
        "for name, value in made():\n    os.environ.setdefault(name, value)\n",
        "os.environ |= made()\n",
        f"{DOTENV}load_dotenv(Path.home() / '.shop')\n",
        f"{DOTENV}load_dotenv('/etc/shop/variables')\n",
        f"{DOTENV}load_dotenv(made())\n",
        f"{DOTENV}load_dotenv(BASE / 'conf' / 'missing')\n",
    ],
)
def test_what_may_be_set_elsewhere_is_a_warning(deploy: Deploy, text: str) -> None:
    [warning] = deploy(f"{text}{READ}", PACKAGES).warnings
    assert "the settings need the variable WANTED, which nothing sets" in warning


@pytest.mark.proves("preview.set-by-files")
@pytest.mark.parametrize(
    "text",
    [
        f"{DOTENV}load_dotenv()\n",
        f"{DOTENV}load_dotenv(dotenv.find_dotenv())\n",
        f"{DOTENV}load_dotenv(BASE / '.env')\n",
        "os.environ['OTHER'] = made()\n",
        "os.environ.update({'OTHER': '1'}, ANOTHER='1')\n",
    ],
)
def test_what_sets_only_others_leaves_it_certain(deploy: Deploy, text: str) -> None:
    with pytest.raises(SourceError, match="the settings need the variable WANTED"):
        deploy(f"{text}{READ}", {**PACKAGES, "conf/variables": "WANTED=1\n"})


@pytest.mark.proves("preview.set-by-files")
def test_a_variable_that_names_a_file_with_the_value(deploy: Deploy) -> None:
    text = "import environ\nenv = environ.FileAwareEnv()\nA = env('WANTED')\n"
    assert deploy(text, PACKAGES, env={"WANTED_FILE": "/etc/shop/wanted"}).warnings == ()
    with pytest.raises(SourceError, match="need the variable WANTED"):
        deploy(text, PACKAGES)


@pytest.mark.proves("preview.set-by-files")
def test_a_file_that_a_variable_names_is_read_for_what_it_sets(deploy: Deploy) -> None:
    text = "from split_settings.tools import include\ninclude(f\"places/{os.environ['PLACE']}.py\")\n"
    files = {"config/places/a.py": f"import os\nos.environ['WANTED'] = '1'\n{READ}"}
    packages = {"requirements.txt": "django\ndjango-split-settings\n"}
    assert deploy(text, {**packages, **files}, env={"PLACE": "a"}).warnings == ()
