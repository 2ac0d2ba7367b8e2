"""What the project's files say about Django."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from codesensei.config.project import ProjectConfig
from codesensei.source import Checkout, SourceError, migrations, open_source, read_settings
from tests.source.conftest import Repository, asked

Make = Callable[[Mapping[str, str | bytes]], Checkout]
START = {
    "manage.py": "",
    "config/__init__.py": "",
    "config/settings.py": 'WSGI_APPLICATION = "config.wsgi.application"\n',
    "config/wsgi.py": "",
    "config/asgi.py": "",
}


def test_djangos_own_layout(project_of: Make) -> None:
    facts = read_settings(project_of(START), asked())
    assert facts.settings_file == "config/settings.py"
    assert (facts.interface, facts.application) == ("wsgi", "config.wsgi:application")
    assert (facts.wsgi_application, facts.asgi_application) == ("config.wsgi:application", None)
    assert (facts.django_directory, facts.unsure) == (".", ())


@pytest.mark.proves("asgi.daphne", "config.applications")
@pytest.mark.parametrize(
    ("settings", "asgi"),
    [
        ('ASGI_APPLICATION = "config.asgi.application"', "config.asgi:application"),
        ('ASGI_APPLICATION: str = "config.asgi.application"', "config.asgi:application"),
        ('NAME = "config"\nASGI_APPLICATION = f"{NAME}.asgi.application"', "config.asgi:application"),
        ('NAME = "config"\nASGI_APPLICATION = NAME + ".asgi" + ".application"', "config.asgi:application"),
        ('ASGI_APPLICATION = X = "config.asgi.application"', "config.asgi:application"),
        ('ASGI_APPLICATION = "no.such"\nASGI_APPLICATION = "config.asgi.app"', "config.asgi:app"),
        ('ASGI_APPLICATION = "config.asgi.application"\nASGI_APPLICATION = None', None),
        ('"""ASGI_APPLICATION = "config.asgi.application" """', None),
        ('# ASGI_APPLICATION = "config.asgi.application"', None),
        ('def f():\n    ASGI_APPLICATION = "config.asgi.application"', None),
        ('class A:\n    ASGI_APPLICATION = "config.asgi.application"', None),
        ('X = {"ASGI_APPLICATION": "config.asgi.application"}', None),
    ],
)
def test_asgi_in_the_settings(project_of: Make, settings: str, asgi: str | None) -> None:
    facts = read_settings(project_of({**START, "config/settings.py": settings}), asked())
    assert facts.asgi_application == asgi
    assert facts.interface == ("asgi" if asgi else "wsgi")
    assert facts.application == (asgi or "config.wsgi:application")
    assert facts.unsure == ()


ROUTING = {"config/routing.py": "", "config/settings.py": 'ASGI_APPLICATION = "config.routing.application"\n'}


@pytest.mark.proves("asgi.application")
@pytest.mark.parametrize(
    ("asgi", "application"),
    [
        ("from channels.routing import get_default_application", "config.asgi:application"),
        ("import django\ndjango.setup()\nfrom config.routing import application", "config.asgi:application"),
        ("from . import routing", "config.asgi:application"),
        ("import config.routing", "config.asgi:application"),
        # Django's own, without Channels: WebSockets would be lost in it.
        ("from django.core.asgi import get_asgi_application", "config.routing:application"),
        ("not Python", "config.routing:application"),
    ],
)
def test_a_routing_module_is_reached_by_the_asgi_module(project_of: Make, asgi: str, application: str) -> None:
    project = project_of({**START, **ROUTING, "config/asgi.py": asgi})
    assert read_settings(project, asked()).application == application
    given = asked(asgi_application="config.routing:application")
    assert read_settings(project, given).application == "config.routing:application"


def test_a_routing_module_without_an_asgi_module_is_what_it_is(project_of: Make) -> None:
    files = {name: text for name, text in START.items() if name != "config/asgi.py"}
    assert read_settings(project_of({**files, **ROUTING}), asked()).application == "config.routing:application"


@pytest.mark.parametrize(
    ("settings", "asgi", "doubt"),
    [
        (
            'if X:\n    ASGI_APPLICATION = "config.asgi.application"',
            "config.asgi:application",
            "config/settings.py:2: ASGI_APPLICATION is set under a condition, and taken as set",
        ),
        (
            'try:\n    import daphne\n    ASGI_APPLICATION = "config.asgi.application"\nexcept ImportError:\n    pass',
            "config.asgi:application",
            "config/settings.py:3: ASGI_APPLICATION is set under a condition, and taken as set",
        ),
        (
            'ASGI_APPLICATION = env("ASGI")',
            None,
            "config/settings.py:1: ASGI_APPLICATION is computed; set it in the stack config if this is wrong",
        ),
        ("x = (", None, "config/settings.py:1: cannot be parsed by the Python that runs Pulumi"),
        (
            "if X:\n    from .extra import *",
            "config.asgi:application",
            "config/settings.py:2: ASGI_APPLICATION is imported under a condition, and taken as set",
        ),
        (
            # coldfront appends those of its plugins.
            "FILES = ['extra.py']\nif X:\n    FILES.append(X)\ninclude(*FILES)",
            "config.asgi:application",
            "config/settings.py:4: includes files whose names are computed; what they set is not read here",
        ),
    ],
)
def test_what_only_running_would_tell(project_of: Make, settings: str, asgi: str | None, doubt: str) -> None:
    extra = 'ASGI_APPLICATION = "config.asgi.application"\n'
    facts = read_settings(project_of({**START, "config/settings.py": settings, "config/extra.py": extra}), asked())
    assert facts.asgi_application == asgi
    assert facts.unsure == (doubt,)


@pytest.mark.parametrize(
    "files",
    [
        {"config/settings/production.py": "from .base import *"},
        {"config/settings/production.py": "from config.settings.base import *"},
        {"config/settings/production.py": "from . import x\nfrom .base import ASGI_APPLICATION"},
        {"config/settings/production.py": "from ..other import *", "config/other.py": "from .settings.base import *"},
        {"config/settings/production.py": "from .base import OTHER as ASGI_APPLICATION"},
        {"config/settings/production.py": "from .middle import *", "config/settings/middle.py": "from .base import *"},
        {"config/settings/production/__init__.py": "from ..base import *"},
        {"config/settings/production.py": "include('base.py', optional('local_*.py'))"},
        {"config/settings/production.py": "FILES = ['base.py']\ninclude(*FILES)"},
        {
            "config/settings/production.py": "from .base import *\nfrom .loop import *",
            "config/settings/loop.py": "from .production import *",
        },
        {"config/settings/production.py": "from django.conf.global_settings import *\nfrom .base import *"},
    ],
)
def test_settings_in_several_files(project_of: Make, files: dict[str, str]) -> None:
    base = 'OTHER = ASGI_APPLICATION = "config.asgi.application"\n'
    layout = {**START, "config/settings/__init__.py": "", "config/settings/base.py": base, **files}
    del layout["config/settings.py"]
    facts = read_settings(project_of(layout), asked(settings_module="config.settings.production"))
    assert (facts.asgi_application, facts.unsure) == ("config.asgi:application", ())


def test_the_last_file_counts(project_of: Make) -> None:
    layout = {
        **START,
        "config/base.py": 'WSGI_APPLICATION = "config.other.application"\n',
        "config/settings.py": 'from .base import *\nWSGI_APPLICATION = "config.wsgi.application"\n',
    }
    assert read_settings(project_of(layout), asked()).application == "config.wsgi:application"
    layout["config/settings.py"] = 'WSGI_APPLICATION = "config.wsgi.application"\nfrom .base import *\n'
    with pytest.raises(SourceError, match=r"there is no module config.other"):
        read_settings(project_of(layout), asked())


@pytest.mark.proves("asgi.interface", "asgi.application", "config.applications")
@pytest.mark.parametrize(
    ("changes", "interface", "application"),
    [
        ({}, "wsgi", "config.wsgi:application"),
        ({"interface": "asgi"}, "asgi", "config.asgi:application"),
        ({"asgi_application": "config.asgi:app"}, "asgi", "config.asgi:app"),
        ({"asgi_application": "config.asgi:app", "interface": "wsgi"}, "wsgi", "config.wsgi:application"),
        ({"wsgi_application": "config.asgi:x"}, "wsgi", "config.asgi:x"),
        ({"server": "uvicorn"}, "asgi", "config.asgi:application"),
        ({"server": "gunicorn", "asgi_application": "config.asgi:app"}, "wsgi", "config.wsgi:application"),
    ],
)
def test_the_stack_config_decides(project_of: Make, changes: dict[str, str], interface: str, application: str) -> None:
    facts = read_settings(project_of(START), asked(**changes))  # type: ignore[arg-type]
    assert (facts.interface, facts.application) == (interface, application)


@pytest.mark.proves("config.applications")
@pytest.mark.parametrize(
    ("settings_module", "module", "found"),
    [
        ("config.settings", "config/wsgi.py", "config.wsgi:application"),
        ("config.settings.production", "config/wsgi.py", "config.wsgi:application"),
        ("config.settings.production", "wsgi.py", "wsgi:application"),
        ("settings", "wsgi.py", "wsgi:application"),
        ("a.b.c.settings", "a/b/wsgi.py", "a.b.wsgi:application"),
    ],
)
def test_an_application_that_nothing_declares(project_of: Make, settings_module: str, module: str, found: str) -> None:
    layout = {"manage.py": "", f"{settings_module.replace('.', '/')}.py": "", module: ""}
    assert read_settings(project_of(layout), asked(settings_module=settings_module)).application == found


@pytest.mark.proves("config.directory")
def test_a_directory(project_of: Make) -> None:
    project = project_of({f"backend/{name}": text for name, text in START.items()})
    facts = read_settings(project, asked(directory="backend"))
    assert (facts.settings_file, facts.django_directory) == ("backend/config/settings.py", "backend")


@pytest.mark.proves("preview.manage")
def test_a_manage_py_that_is_a_link_counts_as_where_it_leads(repository: Repository, tmp_path: Path) -> None:
    repository.write({f"src/shop/{name}": text for name, text in START.items()})
    (repository.directory / "manage.py").symlink_to("src/shop/manage.py")
    repository.commit()
    project = open_source(asked(), cache_dir=tmp_path / "cache", base=tmp_path)
    facts = read_settings(project, asked())
    assert (facts.django_directory, facts.settings_file) == ("src/shop", "src/shop/config/settings.py")


@pytest.mark.proves("preview.manage")
@pytest.mark.parametrize("target", ["nowhere.py", "manage.py"])
def test_a_manage_py_that_leads_nowhere(repository: Repository, tmp_path: Path, target: str) -> None:
    repository.write({name: text for name, text in START.items() if name != "manage.py"})
    (repository.directory / "manage.py").symlink_to(target)
    repository.commit()
    project = open_source(asked(), cache_dir=tmp_path / "cache", base=tmp_path)
    with pytest.raises(SourceError, match="is a link that leads out of the repository or nowhere"):
        read_settings(project, asked())


def _without(name: str, **more: str) -> dict[str, str | bytes]:
    return {**{key: text for key, text in START.items() if key != name}, **more}


@pytest.mark.proves("preview.manage", "preview.settings", "preview.application")
@pytest.mark.parametrize(
    ("files", "config", "text"),
    [
        (
            {"backend/manage.py": "", "a/b/c/manage.py": ""},
            asked(),
            "project.directory .: there is no manage.py in commit {short}\n"
            "    found manage.py in backend, a/b/c: set project.directory: backend",
        ),
        (
            {"README": ""},
            asked(directory="src"),
            "project.directory src: there is no src/manage.py in commit {short}\n"
            "    commit manage.py (django-admin startproject makes one)",
        ),
        (
            START,
            asked(settings_module="config.setings"),
            "project.settingsModule config.setings: there is no config/setings.py (or config/setings/__init__.py) "
            "in commit {short}\n    found config.settings: set project.settingsModule",
        ),
        (
            {"manage.py": "", "src/shop/config/settings.py": ""},
            asked(),
            "project.settingsModule config.settings: there is no config/settings.py (or config/settings/__init__.py) "
            "in commit {short}\n    found src/shop/config/settings.py: set project.pythonPath: [src/shop]",
        ),
        (
            {"manage.py": "", "backend/manage.py": "", "backend/config/settings.py": ""},
            asked(),
            "project.settingsModule config.settings: there is no config/settings.py (or config/settings/__init__.py) "
            "in commit {short}\n    found backend/config/settings.py: "
            "manage.py has to be in backend, see project.directory",
        ),
        (
            {**_without("config/wsgi.py"), "config/server/wsgi.py": ""},
            asked(),
            "the wsgi application config.wsgi:application: there is no module config.wsgi in . of commit {short}\n"
            "    found config.server.wsgi: set project.wsgiApplication: config.server.wsgi:application",
        ),
        (
            {**_without("config/wsgi.py"), "config/settings.py": "from squad.settings import *\n"},
            asked(),
            "the wsgi application config.wsgi:application: there is no module config.wsgi in . of commit {short}\n"
            "    set project.wsgiApplication to what WSGI_APPLICATION is in squad.settings, "
            "for example squad.wsgi:application",
        ),
        (
            _without("config/asgi.py"),
            asked(interface="asgi"),
            "the asgi application config.asgi:application: there is no module config.asgi in . of commit {short}\n"
            "    commit it, or set project.asgiApplication",
        ),
    ],
)
def test_what_is_not_there(project_of: Make, files: dict[str, str | bytes], config: ProjectConfig, text: str) -> None:
    project = project_of(files)
    with pytest.raises(SourceError) as caught:
        read_settings(project, config)
    assert str(caught.value) == text.format(short=project.short)


def test_migrations(project_of: Make) -> None:
    project = project_of(
        {
            "shop/migrations/0001_initial.py": "",
            "shop/migrations/0002_price.py": "",
            "shop/migrations/__init__.py": "",
            "shop/migrations/helpers.py": "",
            "src/apps/blog/migrations/0001_initial.py": "",
            "shop/migrations/0003_data.sql": "",
            "shop/tests/0001_x.py": "",
            "migrations/0001_x.py": "",
        }
    )
    assert migrations(project) == ["blog.0001_initial", "shop.0001_initial", "shop.0002_price"]


def test_nothing_of_the_project_is_run(project_of: Make, tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    read_settings(
        project_of({**START, "config/settings.py": trap, "manage.py": trap, "config/__init__.py": trap}),
        asked(),
    )
    assert not (tmp_path / "ran").exists()
