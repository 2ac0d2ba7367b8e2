"""What a release is built from, the name of that, and what serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from codesensei import webservers
from codesensei.config import validate
from codesensei.config.project import ProjectConfig
from codesensei.source import Closure, SettingsFacts, SourceError, read_code
from codesensei.source.code import code_id
from tests.source.conftest import Repository

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
START = {
    "manage.py": "",
    "requirements.txt": "django\n",
    "config/settings.py": "",
    "config/wsgi.py": "",
    "config/asgi.py": "",
}
ASGI = {"config/settings.py": 'ASGI_APPLICATION = "config.asgi.application"\n'}
UVICORN_WORKER = 'bind = "x"\nworker_class = "sync"\nworker_class = "uvicorn.workers.UvicornWorker"\n'
CLOSURE = Closure(("r.txt",), "d" * 64, False, ())
Read = Callable[..., Any]


@pytest.fixture
def read(repository: Repository, tmp_path: Path) -> Read:
    """A function that commits files, and reads them as a stack with these keys of `project` would."""

    def read(files: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None, **project: object) -> Any:
        revision = repository.commit({**START, **(files or {})})
        source = {"path": str(repository.directory), "revision": revision}
        known = {"slug": "shop", "source": source, "settingsModule": "config.settings", **project}
        raw = {"server": {"host": "203.0.113.7", "hostKey": HOST_KEY}, "project": known, "env": env or {}}
        return read_code(validate(raw), tmp_path / "cache")

    return read


def facts(interface: webservers.Interface = "wsgi") -> SettingsFacts:
    return SettingsFacts(None, None, "", interface, f"config.{interface}:application", ".", "/static/", "/media/", ())


def project(**given: object) -> ProjectConfig:
    source = {"path": "shop", "revision": "v1"}
    return ProjectConfig.model_validate(
        {"slug": "shop", "source": source, "settingsModule": "config.settings", **given}
    )


def identity(
    revision: str = "a" * 40,
    closure: Closure = CLOSURE,
    interface: webservers.Interface = "wsgi",
    server: str = "",
    **given: object,
) -> str:
    found = webservers.named(server) if server else webservers.default(interface)
    return code_id(revision, project(**given), closure, facts(interface), found)


def test_an_id_stays_from_one_version_of_the_product_to_the_next() -> None:
    assert identity() == "29b77f33e6a1ca0dc4b4e1c0ab7780d78c80386f8cc2ef1b897f5fee1cc28d92"


@pytest.mark.proves("words.code-id", "config.rebuild", "hooks.changed")
def test_everything_that_a_release_is_built_from_enters_its_id() -> None:
    ids = [
        identity(),
        identity("b" * 40),
        identity(directory="src"),
        identity(closure=Closure(("r.txt",), "e" * 64, False, ())),
        identity(python="3.12"),
        identity(installer="uv"),
        identity(rebuild="again"),
        identity(interface="asgi"),
        identity(interface="asgi", server="uvicorn"),
        identity(static="none"),
        identity(hooks={"beforeMigrate": ["a", "b"]}),
        identity(hooks={"beforeMigrate": ["a b"]}),
        identity(hooks={"afterMigrate": ["a", "b"]}),
        identity(hooks={"beforeCollectstatic": ["a", "b"]}),
        identity(hooks={"afterCollectstatic": ["a", "b"]}),
    ]
    assert len(set(ids)) == len(ids)
    assert all(len(name) == 64 for name in ids)


@pytest.mark.proves("words.release.outside")
def test_what_is_not_built_does_not_enter_it() -> None:
    assert identity(hooks={"afterSwitch": ["a"]}, workers={"w": "x"}, static="serve", server="") == identity()
    assert identity(server="gunicorn") == identity()


def test_packages_are_the_same_for_another_commit_or_hook_and_others_for_another_server(read: Read) -> None:
    first = read(ASGI)
    again = read({**ASGI, "README": "x"}, hooks={"beforeMigrate": ["true"]}, static="none")
    uvicorn = read(ASGI, server="uvicorn")
    assert first.packages_id == again.packages_id != uvicorn.packages_id
    assert len({first.id, again.id, uvicorn.id}) == 3


@pytest.mark.proves("deps.local")
def test_packages_from_the_repository_belong_to_their_commit(read: Read) -> None:
    code = read({"requirements.txt": "-e .\n", "setup.py": ""})
    assert code.packages_id == code.id


@pytest.mark.proves("asgi.server")
def test_what_serves(read: Read) -> None:
    assert read().server.name == "gunicorn"
    assert read(server="uvicorn", interface="asgi").server.name == "uvicorn"
    assert read(ASGI).server.name == "daphne"
    assert read(ASGI, server="gunicorn", interface="wsgi").server.name == "gunicorn"


@pytest.mark.proves("asgi.server")
@pytest.mark.parametrize(
    ("files", "given", "says"),
    [
        ({}, {"server": "uvicorn"}, "set project.interface to asgi, or project.server to gunicorn"),
        (
            {},
            {"server": "daphne", "interface": "wsgi"},
            "serves asgi alone, and this project is served by wsgi",
        ),
        (ASGI, {"server": "gunicorn"}, "set project.interface to wsgi, or project.server to daphne"),
    ],
)
def test_a_server_that_cannot_serve_the_project_is_refused(
    read: Read, files: Mapping[str, str], given: dict[str, object], says: str
) -> None:
    with pytest.raises(SourceError, match=says):
        read(files, **given)


def test_uvicorn_under_gunicorn_is_refused(read: Read) -> None:
    with pytest.raises(SourceError) as refused:
        read({"gunicorn.conf.py": UVICORN_WORKER})
    assert refused.value.thing == "gunicorn.conf.py"
    assert refused.value.cause == (
        "worker_class is uvicorn.workers.UvicornWorker, which loses requests when it ends and takes the visitor's "
        "address from what a visitor may write"
    )
    assert refused.value.fix == "remove that line and set project.server to uvicorn"


@pytest.mark.parametrize(
    ("files", "env"),
    [
        ({"gunicorn.conf.py": 'worker_class = "gthread"\n'}, {}),
        ({"gunicorn.conf.py": "worker_class = 'uvicorn.workers.UvicornWorker'\ndef\n"}, {}),
        ({"gunicorn.conf.py": UVICORN_WORKER}, {"GUNICORN_CMD_ARGS": "-c other.py"}),
        ({"gunicorn.conf.py": UVICORN_WORKER, **ASGI}, {}),
        ({"deploy/gunicorn.conf.py": UVICORN_WORKER}, {}),
    ],
)
def test_what_may_not_be_gunicorns_settings_is_left_to_the_server(
    read: Read, files: Mapping[str, str], env: Mapping[str, str]
) -> None:
    read(files, env)
