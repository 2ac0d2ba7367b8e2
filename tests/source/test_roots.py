"""Import roots: those of the stack config, and what manage.py adds where the project needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from codesensei.source import Checkout, SourceError, read_settings
from codesensei.source.roots import import_roots
from tests.source.conftest import asked

Made = Callable[[Mapping[str, str]], Checkout]
START = {
    "config/settings.py": 'INSTALLED_APPS = ["django.contrib.auth", "users"]\n',
    "config/wsgi.py": "",
    "apps/users/__init__.py": "",
}
HEAD = "import os, site, sys\nfrom os import path\nfrom pathlib import Path\n"


@pytest.mark.proves("config.python-path")
@pytest.mark.parametrize(
    "lines",
    [
        'sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps"))',
        'def main():\n    here = Path(__file__).parent.resolve()\n    sys.path.append(str(here / "apps"))\nmain()',
        'BASE_DIR = Path(__file__).resolve().parent\nsys.path.extend(["/opt/libs", f"{BASE_DIR}/apps"])',
        'sys.path += [os.path.join(os.path.dirname(__file__), "apps")]',
        'sys.path[0:0] = ["apps"]',
        'for folder in ("none", "apps"):\n    sys.path.insert(0, os.path.join(os.path.dirname(__file__), folder))',
        'site.addsitedir(path.join(path.dirname(__file__), "apps"))',
        'if __name__ == "__main__":\n    sys.path.insert(1, str(Path(__file__).parent.joinpath("apps")))',
    ],
)
def test_what_manage_py_adds(project_of: Made, lines: str) -> None:
    assert import_roots(project_of({**START, "manage.py": HEAD + lines}), asked(), ".") == ("apps",)


@pytest.mark.proves("config.python-path")
def test_a_root_above_manage_py(project_of: Made) -> None:
    add = "sys.path.append(path.dirname(path.dirname(path.abspath(__file__))))"
    files = {"web/manage.py": HEAD + add, "web/config/settings.py": "import shared.names", "shared/names.py": ""}
    assert import_roots(project_of({**files, "shared/__init__.py": ""}), asked(directory="web"), "web") == (".",)


@pytest.mark.proves("config.python-path")
def test_what_wsgi_py_adds(project_of: Made) -> None:
    add = "sys.path.append(path.join(path.dirname(path.dirname(path.abspath(__file__))), 'apps'))"
    project = project_of({**START, "manage.py": "", "config/wsgi.py": HEAD + add})
    assert import_roots(project, asked(), ".") == ("apps",)


@pytest.mark.proves("config.python-path")
@pytest.mark.parametrize(
    ("files", "needed"),
    [
        ({"config/settings.py": 'INSTALLED_APPS = ["users.apps.UsersConfig"]'}, True),
        ({"config/settings.py": "", "config/urls.py": "from users import views"}, True),
        ({"config/settings.py": "from config.base import *", "config/base.py": 'APPS = ["users"]'}, True),
        ({"config/settings.py": 'INSTALLED_APPS = ["apps.users"]'}, False),
        ({"users/__init__.py": ""}, False),
    ],
)
def test_a_root_that_nothing_needs_changes_no_process(project_of: Made, files: dict[str, str], needed: bool) -> None:
    project = project_of({**START, "manage.py": f'{HEAD}sys.path.append("apps")', **files})
    assert import_roots(project, asked(), ".") == ("apps",) * needed


@pytest.mark.proves("config.python-path", "preview.settings")
def test_settings_and_applications_of_a_src_layout(project_of: Made) -> None:
    """manage.py beside src, or in a folder of its own."""
    add = 'sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))'
    files = {"tools/manage.py": HEAD + add, "src/config/settings.py": "", "src/config/wsgi.py": ""}
    facts = read_settings(project_of(files), asked(directory="tools"))
    assert (facts.python_path, facts.settings_file) == (("src",), "src/config/settings.py")
    assert facts.application == "config.wsgi:application"


@pytest.mark.proves("config.python-path")
def test_the_stack_config_names_what_manage_py_computes(project_of: Made) -> None:
    files = {**START, "src/config/settings.py": "", "src/config/wsgi.py": "", "manage.py": "import paths"}
    del files["config/settings.py"]
    project = project_of(files)
    with pytest.raises(SourceError, match=r"found src/config/settings.py: set project.pythonPath: \[src\]"):
        read_settings(project, asked())
    assert read_settings(project, asked(python_path=("src",))).settings_file == "src/config/settings.py"
    with pytest.raises(SourceError, match=r"project.pythonPath: scr: there is no such folder"):
        read_settings(project, asked(python_path=("scr",)))


@pytest.mark.proves("config.python-path")
def test_what_the_settings_add_is_read_and_given_to_no_process(project_of: Made) -> None:
    """They add it before anything else is imported, so the folder needs no variable."""
    add = f'{HEAD}sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "apps"))\n'
    files = {**START, "manage.py": "", "apps/users/urls.py": "", "config/base.py": add}
    project = project_of({**files, "config/settings.py": "from .base import *\nfrom users.urls import *\n"})
    facts = read_settings(project, asked())
    assert (facts.python_path, facts.added_roots, facts.roots) == ((), ("apps",), ("apps",))
