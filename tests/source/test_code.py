"""What is built, and the ids that follow from it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei import source
from codesensei.config import ConfigError, Problem, StackConfig
from codesensei.config.project import ProjectConfig
from codesensei.config.types import LeftOut
from codesensei.source import Closure, Code, SourceError, ids, read_code
from codesensei.webservers import SERVERS, Interface
from components import with_source
from tests.source.conftest import Repository
from tests.source.test_inspect import START

CLOSURE = Closure(("requirements.txt",), "d" * 64, False, ())
REVISION = "a" * 40
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
HOOKS = ("beforeMigrate", "afterMigrate", "beforeCollectstatic", "afterCollectstatic")


def project(**changes: Any) -> ProjectConfig:
    given = {
        "slug": "shop",
        "source": {"path": ".", "revision": "main"},
        "settingsModule": "config.settings",
        **changes,
    }
    return ProjectConfig.model_validate(given)


def of(
    closure: Closure = CLOSURE, interface: Interface = "wsgi", server: str = "gunicorn", **changes: Any
) -> tuple[str, str]:
    return ids(REVISION, project(**changes), closure, interface, SERVERS[server])


@pytest.mark.proves("words.code-id", "config.rebuild", "words.release.outside", "hooks.changed")
def test_ids_are_what_they_were_where_nothing_new_is_given() -> None:
    """Another id would build every project again."""
    digest = hashlib.sha256()
    for text in (REVISION, ".", CLOSURE.digest, "", "pip", "", "wsgi"):
        digest.update(len(text).to_bytes(8, "big") + text.encode())
    packages = hashlib.sha256("\n".join((CLOSURE.digest, "", "pip", "", "wsgi")).encode()).hexdigest()
    assert of() == (digest.hexdigest(), packages)
    assert of()[0] == "29b77f33e6a1ca0dc4b4e1c0ab7780d78c80386f8cc2ef1b897f5fee1cc28d92"
    assert of()[1] == "dd11eb37fce917ae89196d48c093cc1e9141e030f191be6faf70acd50c5f388d"
    assert of(hooks={"afterSwitch": ["true"]}) == of()
    assert of(replace(CLOSURE, per_release=True)) == (of()[0], of()[0])


@pytest.mark.proves("words.code-id", "config.rebuild", "hooks.changed", "deps.extras")
def test_all_that_a_release_is_made_from_enters_its_id() -> None:
    other = replace(CLOSURE, digest="e" * 64)
    changed = [
        of(),
        ids("b" * 40, project(), CLOSURE, "wsgi", SERVERS["gunicorn"]),
        of(other),
        of(directory="src"),
        of(python="3.12"),
        of(installer="uv"),
        of(installer="pip"),
        of(rebuild="again"),
        of(extras=["prod"]),
        of(extras=["queue"]),
        of(extras=["prod", "queue"]),
        of(interface="asgi", server="daphne"),
        of(interface="asgi", server="uvicorn"),
        of(static="none"),
        of(sharedPaths=["media"]),
        of(sharedPaths=["media", "data"]),
        *(of(hooks={name: lines}) for name in HOOKS for lines in (["a"], ["b"], ["a", "b"], ["b", "a"])),
        of(hooks={"beforeMigrate": ["a"], "afterMigrate": ["b"]}),
        # What looks like the frame of another hook.
        of(hooks={"beforeMigrate": ["a", "afterMigrate", "1", "b"]}),
        of(hooks={"beforeMigrate": ["static", "none"]}, static="none"),
    ]
    assert len({code for code, _ in changed}) == len(changed)


@pytest.mark.proves("hooks.changed")
def test_packages_are_those_of_what_is_installed_alone() -> None:
    same = [
        of(),
        ids("b" * 40, project(), CLOSURE, "wsgi", SERVERS["gunicorn"]),
        of(directory="src"),
        of(static="none"),
        of(sharedPaths=["media"]),
        *(of(hooks={name: ["a"]}) for name in HOOKS),
    ]
    assert len({packages for _, packages in same}) == 1
    other = [
        of(extras=["prod"]),
        of(interface="asgi", server="daphne"),
        of(interface="asgi", server="uvicorn"),
        of(python="3.12"),
    ]
    assert len({packages for _, packages in (*other, of())}) == 5
    local = replace(CLOSURE, per_release=True)
    assert of(local)[1] == of(local, hooks={"beforeMigrate": ["a"]})[1] != of(local, directory="src")[1]


def read(repository: Repository, files: dict[str, str], tmp_path: Path, env: dict[str, str], **changes: Any) -> Code:
    repository.commit({**START, "requirements.txt": "django\n", **files})
    place = {"path": str(repository.directory), "revision": "main"}
    config = StackConfig.model_validate(
        {
            "server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
            "project": {"slug": "shop", "source": place, "settingsModule": "config.settings", **changes},
            "env": env,
        }
    )
    return read_code(config, tmp_path / "cache")


@pytest.mark.proves("asgi.daphne", "asgi.interface", "asgi.server")
@pytest.mark.parametrize(
    ("settings", "changes", "server", "application"),
    [
        ("", {}, "gunicorn", "config.wsgi:application"),
        ("ASGI_APPLICATION = 'config.asgi.application'", {}, "daphne", "config.asgi:application"),
        ("ASGI_APPLICATION = 'config.asgi.application'", {"interface": "wsgi"}, "gunicorn", "config.wsgi:application"),
        ("ASGI_APPLICATION = 'config.asgi.application'", {"server": "gunicorn"}, "gunicorn", "config.wsgi:application"),
        ("", {"server": "uvicorn"}, "uvicorn", "config.asgi:application"),
        ("", {"server": "daphne", "interface": "asgi"}, "daphne", "config.asgi:application"),
    ],
)
def test_what_serves(
    repository: Repository, tmp_path: Path, settings: str, changes: dict[str, str], server: str, application: str
) -> None:
    code = read(repository, {"config/settings.py": settings}, tmp_path, {}, **changes)
    assert (code.server.name, code.settings.application) == (server, application)
    assert (code.id, code.packages_id) == ids(
        code.checkout.revision, project(**changes), code.requirements, code.settings.interface, code.server
    )


UVICORN_WORKER = "worker_class = 'uvicorn.workers.UvicornWorker'\n"


@pytest.mark.proves("web.gunicorn-conf")
@pytest.mark.parametrize("line", [UVICORN_WORKER, "A = 'uvicorn_worker'\nworker_class = A + '.UvicornWorker'\n"])
def test_workers_that_lose_requests_are_refused(repository: Repository, tmp_path: Path, line: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(repository, {"gunicorn.conf.py": line}, tmp_path, {})
    assert str(caught.value).startswith("gunicorn.conf.py: worker_class is uvicorn")
    assert str(caught.value).endswith(
        "Worker, which loses requests when it ends and takes the visitor's address from what a visitor may write\n"
        "    remove that line and set project.server to uvicorn"
    )


@pytest.mark.parametrize(
    ("text", "env", "changes"),
    [
        ("worker_class = 'gthread'\n", {}, {}),
        ("import os\nworker_class = os.environ['X']\n", {}, {}),
        # Only running tells whether it is set.
        (f"import os\nif os.environ.get('X'):\n    {UVICORN_WORKER}", {}, {}),
        # Not the file that is read.
        (UVICORN_WORKER, {"GUNICORN_CMD_ARGS": "-c other.py"}, {}),
        (UVICORN_WORKER, {}, {"server": "uvicorn"}),
        ("not Python", {}, {}),
    ],
)
def test_other_settings_of_a_server_are_the_projects(
    repository: Repository, tmp_path: Path, text: str, env: dict[str, str], changes: dict[str, str]
) -> None:
    assert read(repository, {"gunicorn.conf.py": text}, tmp_path, env, **changes)


@pytest.mark.proves("errors.all-at-once")
def test_everything_wrong_in_the_source_is_told_at_once(repository: Repository, tmp_path: Path) -> None:
    files = {"requirements.txt": "-r base.txt\n-c /etc/pins.txt\n"}
    with pytest.raises(SourceError) as caught:
        read(repository, files, tmp_path, {}, settingsModule="config.gone")
    text = str(caught.value)
    assert text.count("requirements.txt:1: includes base.txt") == 1
    assert text.count("requirements.txt:2: includes /etc/pins.txt, outside the repository") == 1
    assert text.count("project.settingsModule config.gone") == 1
    assert len(caught.value.all) == 3


def test_a_project_with_an_asgi_module_alone_is_told_to_serve_it(repository: Repository, tmp_path: Path) -> None:
    files = {"sub/manage.py": "", "sub/plant/settings.py": "", "sub/plant/asgi.py": ""}
    with pytest.raises(SourceError, match=r"found plant\.asgi: set project\.interface: asgi"):
        read(repository, files, tmp_path, {}, directory="sub", settingsModule="plant.settings")


@pytest.mark.proves("errors.all-at-once")
def test_the_source_is_told_with_what_is_wrong_in_the_stack_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(config: object) -> None:
        raise SourceError("project.requirements x", "there is no such file", "commit one")

    def left_out(config: object) -> None:
        raise LeftOut("project")

    error = ConfigError((Problem("rule", "project.slug", "is missing", "choose one"),), None)  # type: ignore[arg-type]
    monkeypatch.setattr(source, "read_code", refuse)
    text = str(with_source(error))
    assert "codesensei:project.slug: is missing" in text
    assert text.endswith("and the project's source:\nproject.requirements x: there is no such file\n    commit one")
    monkeypatch.setattr(source, "read_code", left_out)
    assert with_source(error) is error
