"""How settings are put together, as far as reading follows it; what it does not follow is never refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.source import SourceError, bounds
from tests.source.conftest import Repository
from tests.source.test_needs import STATIC, Deploy, deploy_of

HOSTS = ("shop.example.com",)


@pytest.fixture
def deploy(repository: Repository, tmp_path: Path) -> Deploy:
    return deploy_of(repository, tmp_path)


def components(count: int) -> dict[str, str]:
    """Files that each take names from two others, as those of large projects."""
    shared = "from config.paths import BASE\nfrom config.flags import ON\n"
    return {"config/paths.py": "BASE = '/srv'\n", "config/flags.py": "ON = True\n"} | {
        f"config/part{number}.py": f"{shared}PART{number} = BASE\n" for number in range(count)
    }


def taken(count: int) -> str:
    return STATIC + "".join(f"from config.part{number} import *\n" for number in range(count))


@pytest.mark.proves("preview.followed")
def test_a_file_that_many_take_names_from_is_read_once(deploy: Deploy) -> None:
    files = {**components(40), "config/web.py": "from config.flags import ON\nSTATIC_ROOT = ''\n"}
    assert deploy(f"{taken(40)}STATIC_ROOT = BASE\n", files).settings.unsure == ()
    with pytest.raises(SourceError, match=r"config/web\.py:2: STATIC_ROOT is not set"):
        deploy(f"{taken(40)}from config.web import *\n", files)


@pytest.mark.proves("preview.followed")
def test_what_more_files_than_are_read_may_set_is_not_known(deploy: Deploy) -> None:
    code = deploy(taken(bounds.MODULES), components(bounds.MODULES))
    assert code.settings.unsure == (
        f"the settings take names from more than {bounds.MODULES} files, of which the others are not read",
    )


@pytest.mark.proves("preview.followed")
def test_a_file_that_comes_back_to_another_has_what_that_has_set(deploy: Deploy) -> None:
    text = "ROOT = ''\nfrom config.web import *\n"
    web = {"config/web.py": f"from config.settings import ROOT\n{STATIC}STATIC_ROOT = ROOT\n"}
    with pytest.raises(SourceError, match=r"config/web\.py:3: STATIC_ROOT is not set"):
        deploy(text, web)
    assert deploy(text.replace("''", "'/srv/static'"), web).warnings == ()


@pytest.mark.proves("preview.followed")
@pytest.mark.parametrize(
    "text",
    [
        "import dynaconf\nsettings = dynaconf.DjangoDynaconf(__name__)\n",
        "from dynaconf import DjangoDynaconf\nsettings = DjangoDynaconf(__name__)\n",
        "import sys\nsys.modules[__name__].__dict__.update(made())\n",
        "import sys\nown = sys.modules[__name__]\nown.STATIC_ROOT = '/srv/static'\n",
    ],
)
def test_what_may_set_any_name_leaves_nothing_certain(deploy: Deploy, text: str) -> None:
    sqlite = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\n"
    code = deploy(f"{STATIC}{sqlite}{text}", {"requirements.txt": "django\ndynaconf\n"})
    assert code.warnings == ()
    with pytest.raises(SourceError):
        deploy(f"{STATIC}{sqlite}", {"config/other.py": text})


ELSEWHERE = {
    "requirements.txt": "django\nacme-settings\n",
    "config/empty.py": "def __getattr__(name):\n    return '/x'\n",
}


@pytest.mark.proves("preview.bound")
@pytest.mark.parametrize(
    "text",
    [
        "match made():\n    case 'here':\n        STATIC_ROOT = '/srv/static'\n    case _:\n        pass\n",
        "STATIC_URL, STATIC_ROOT = '/static/', '/srv/static'\n",
        "STATIC_URL, STATIC_ROOT = made()\n",
        "STATIC_URL, *STATIC_ROOT = '/static/', '/srv/static'\n",
        "from acme_settings.paths import STATIC_ROOT\n",
        "from config.empty import STATIC_ROOT\n",
        "def made():\n    global STATIC_ROOT\n    STATIC_ROOT = '/srv/static'\nmade()\n",
        "(STATIC_ROOT := made()).mkdir()\n",
        "STATIC_ROOT = None\nif (STATIC_ROOT := made()):\n    pass\n",
        "for STATIC_ROOT in made():\n    pass\n",
        "with open('root') as STATIC_ROOT:\n    pass\n",
        "from contextlib import suppress\nSTATIC_ROOT = '/a'\nwith suppress(OSError):\n    STATIC_ROOT = ''\n",
        "complete(INSTALLED_APPS)\n",
        "STATIC_ROOT = ''\nif os.environ.get('PLACE'):\n    from acme_settings.production import *\n",
    ],
)
def test_what_sets_a_name_in_another_way_is_seen(deploy: Deploy, text: str) -> None:
    assert deploy(f"{STATIC}{text}", ELSEWHERE, env={"NAME": "a"}).warnings == ()


@pytest.mark.proves("preview.bound")
@pytest.mark.parametrize(
    "text",
    [
        "STATIC_URL, STATIC_ROOT = '/static/', ''\n",
        "from pathlib import Path\nSTATIC_ROOT = os.environ.get('ROOT')\n",
        "with open('a') as file:\n    STATIC_ROOT = ''\n",
        "print(INSTALLED_APPS)\n",
        "match os.environ.get('PLACE'):\n    case _:\n        pass\n",
        "try:\n    from local_settings import *\nexcept ImportError:\n    pass\nSTATIC_ROOT = None\n",
    ],
)
def test_what_is_still_certain_is_refused(deploy: Deploy, text: str) -> None:
    with pytest.raises(SourceError, match="STATIC_ROOT is not set"):
        deploy(f"{STATIC}{text}", ELSEWHERE)


@pytest.mark.proves("preview.bound")
def test_an_address_that_several_names_are_set_with(deploy: Deploy) -> None:
    settings = deploy("STATIC_URL, MEDIA_URL = '/assets/', '/uploads/'\n").settings
    assert (settings.static_url, settings.media_url) == ("/assets/", "/uploads/")


SPLIT = "from split_settings.tools import include\nPLACE = made()\n"
COMMON = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\n"


@pytest.mark.proves("preview.followed")
def test_a_file_whose_name_is_computed_may_set_anything(deploy: Deploy) -> None:
    files = {"requirements.txt": "django\ndjango-split-settings\n", "config/parts/common.py": COMMON}
    with pytest.raises(SourceError, match="the SQLite file"):
        deploy(f"{SPLIT}include('parts/common.py')\n", files)
    code = deploy(f"{SPLIT}include('parts/common.py', f'places/{{PLACE}}.py')\n", files)
    assert code.warnings == ()
    assert "includes files whose names are computed" in "".join(code.settings.unsure)


@pytest.mark.proves("preview.followed")
def test_a_value_that_cannot_be_written_into_a_text_again(deploy: Deploy) -> None:
    """Python 3.11 and older write no backslash into the part of a text, and the preview ended in a traceback."""
    text = "A = f\"{os.environ['PATTERN']}x\".encode()\nB = f\"{os.environ['PATTERN']}x\".split(',')\n"
    assert deploy(text, env={"PATTERN": "a\\nb"}).warnings == ()


def test_a_number_of_any_length(deploy: Deploy) -> None:
    assert deploy(f"A = 0x{'f' * 9000}\n").warnings == ()


@pytest.mark.proves("preview.followed")
def test_what_python_warns_of_in_a_file_is_not_told(deploy: Deploy, recwarn: pytest.WarningsRecorder) -> None:
    deploy("import re\nA = re.compile('\\d+')\nB = 1 is 1\n")
    assert [str(one.message) for one in recwarn if issubclass(one.category, (SyntaxWarning, DeprecationWarning))] == []


@pytest.mark.proves("preview.followed")
def test_a_folder_that_must_be_there_is_the_same_place(deploy: Deploy) -> None:
    """As cookiecutter-django writes it."""
    base = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve(strict=True).parent.parent\n"
    with pytest.raises(
        SourceError, match=r"the SQLite file of DATABASES\['default'\] is db.sqlite3 inside the release"
    ):
        deploy(base + COMMON.replace("'db.sqlite3'", "BASE_DIR / 'db.sqlite3'"))


@pytest.mark.proves("preview.modules")
def test_an_application_that_only_djangos_own_server_loads(deploy: Deploy) -> None:
    text = "WSGI_APPLICATION = 'config.gone.application'\nASGI_APPLICATION = 'config.asgi.application'\n"
    assert deploy(text, {"requirements.txt": "django\ndaphne\n"}).warnings == ()


@pytest.mark.proves("preview.media")
@pytest.mark.parametrize(
    "text", ["import dynaconf\na = dynaconf.DjangoDynaconf(__name__)\n", "from acme_settings import *\n"]
)
def test_uploads_that_something_may_keep_elsewhere(deploy: Deploy, text: str) -> None:
    files = {"requirements.txt": "django\ndynaconf\nacme-settings\n"}
    with pytest.raises(SourceError, match="MEDIA_ROOT: it is uploads inside the release"):
        deploy("MEDIA_ROOT = 'uploads'\n", files)
    assert deploy(f"MEDIA_ROOT = 'uploads'\n{text}", files).warnings == ()


@pytest.mark.proves("preview.media")
def test_uploads_where_settings_of_one_machine_are_tried(deploy: Deploy) -> None:
    text = "MEDIA_ROOT = 'uploads'\ntry:\n    from local_settings import *\nexcept ImportError:\n    pass\n"
    with pytest.raises(SourceError, match="MEDIA_ROOT: it is uploads inside the release"):
        deploy(text)
