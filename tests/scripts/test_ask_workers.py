"""What a worker's line shows before it runs; only what is certain counts."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from codesensei.scripts.serving import ask_workers


@pytest.mark.proves("workers.proof")
@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("no-such-program --loud", "there is no program no-such-program"),
        ("env X=y no-such-program", "there is no program no-such-program"),
        ("X=y exec no-such-program | cat", "there is no program no-such-program"),
        ("./no-such-file", "there is no program ./no-such-file"),
        ('echo "never closed', "its command is not a line that bash can read"),
        ("while true; do sleep 1", "its command is not a line that bash can read"),
    ],
)
def test_a_line_that_cannot_run(line: str, cause: str) -> None:
    problem = ask_workers.problem_of(line)
    assert problem is not None
    assert problem["cause"] == cause


@pytest.mark.parametrize(
    "line",
    [
        "sleep 60",
        "env X=y sleep 60",
        "env -u X no-such-program",
        "PATH=/elsewhere no-such-program",
        "$PROGRAM --loud",
        "cd /tmp && no-such-program",
        "while true; do no-such-program; done",
        "for x in 1 2; do echo $x; done",
        "exec sleep 60 > /dev/null 2>&1",
        "(cd /; sleep 1)",
        "# only a comment\nno-such-program",
    ],
)
def test_a_line_that_may_run(line: str) -> None:
    assert ask_workers.problem_of(line) is None


@pytest.mark.parametrize(
    ("arguments", "app"),
    [
        ("-A config worker", "config"),
        ("--app config beat", "config"),
        ("--app=config", "config"),
        ("-Aconfig", "config"),
        ("worker", None),
        ("worker -A", None),
    ],
)
def test_the_application_of_celery(arguments: str, app: str | None) -> None:
    assert ask_workers.option(arguments.split(), "-A", "--app") == app


def test_a_project_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "celery").write_text("#!/bin/sh\n")
    (tmp_path / "celery").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    problem = ask_workers.problem_of("celery -A config worker -l info")
    assert problem is not None
    assert problem["cause"] == "celery -A config worker cannot load the project"
    assert "ModuleNotFoundError" in problem["log"]


def no_answer(*_: object, **__: object) -> None:
    raise ConnectionError("Error 111 connecting to localhost:6380. Connection refused.")


async def hears_nothing(_: str) -> None:
    await asyncio.Event().wait()


async def gives_up(_: str) -> None:
    raise OSError("Timeout reading from localhost:6380")


class CeleryConnection(SimpleNamespace):
    def __enter__(self) -> CeleryConnection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def as_uri(self) -> str:
        return "redis://:**@localhost:6380/2"


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, object], None]:
    """A function that puts a module, and what it has, where the project's own would be."""
    monkeypatch.setattr(ask_workers, "bash", lambda *_: SimpleNamespace(returncode=0))

    def have(module: str, content: object) -> None:
        monkeypatch.setitem(sys.modules, module, content)

    have("django", SimpleNamespace(setup=lambda: None))
    have("django.core.management", SimpleNamespace(get_commands=lambda: ask_workers.MANAGED))
    return have


@pytest.mark.proves("workers.broker")
@pytest.mark.parametrize(
    ("line", "module", "content"),
    [
        ("python manage.py run_huey", "huey.contrib.djhuey", {"HUEY": SimpleNamespace(pending_count=no_answer)}),
        ("python manage.py qcluster", "django_q.brokers", {"get_broker": lambda: SimpleNamespace(ping=no_answer)}),
        ("python manage.py rqworker", "django_rq", {"get_connection": no_answer}),
        (
            "./manage.py rundramatiq -p 2",
            "dramatiq",
            {"get_broker": lambda: SimpleNamespace(client=SimpleNamespace(ping=no_answer))},
        ),
        (
            "python manage.py runworker work",
            "channels.layers",
            {"get_channel_layer": lambda _: SimpleNamespace(receive=gives_up)},
        ),
        (
            "huey_consumer jobs.huey",
            "huey.utils",
            {"load_class": lambda _: SimpleNamespace(pending_count=no_answer)},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broker_that_cannot_be_reached(
    libraries: Callable[[str, object], None], line: str, module: str, content: dict[str, object]
) -> None:
    libraries("django.conf", SimpleNamespace(settings=SimpleNamespace(RQ_QUEUES={"default": {}})))
    libraries(module, SimpleNamespace(**content))
    problem = ask_workers.problem_of(line)
    assert problem is not None
    assert problem["cause"] == f"{' '.join(line.split()[:4])} cannot connect to its broker"
    assert "localhost:6380" in problem["log"]
    assert problem["fix"] == ask_workers.BROKER_FIX


@pytest.mark.proves("workers.broker")
def test_celery_is_asked_for_its_broker_without_the_login(libraries: Callable[[str, object], None]) -> None:
    asked: list[object] = []

    def connect(url: object) -> CeleryConnection:
        asked.append(url)
        return CeleryConnection(ensure_connection=no_answer)

    app = SimpleNamespace(connection_for_read=connect)
    libraries("celery.app.utils", SimpleNamespace(find_app=lambda name: app if name == "shop" else None))
    problem = ask_workers.problem_of("celery -A shop worker -b redis://:hidden@localhost:6380/2")
    assert problem is not None
    assert problem["cause"].endswith("cannot connect to its broker at redis://localhost:6380/2")
    assert "hidden" not in str(problem)
    assert ask_workers.problem_of("celery -A shop beat") is not None
    assert asked == ["redis://:hidden@localhost:6380/2", None]


@pytest.mark.proves("workers.broker")
@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ('celery -A shop -b "${QUEUE_URL}" flower', ["redis://one:1/0?x=y"]),
        ("celery -A $NAME --broker=$QUEUE_URL worker", ["redis://one:1/0?x=y"]),
        ("celery -A shop -b redis://two:1/0?x=y worker", ["redis://two:1/0?x=y"]),
        ("QUEUE_URL=redis://three:1 celery -A shop -b $QUEUE_URL worker", ["redis://one:1/0?x=y"]),
        ("celery -A shop worker", [None]),
        # What only the shell knows.
        ("celery -A shop -b $NOWHERE worker", []),
        ("celery -A shop -b ${QUEUE_URL:-redis://four} worker", []),
        ("celery -A shop -b $(cat url) worker", []),
        ("celery -A $SEVERAL worker", []),
        ("celery -A ${NAME}_$NOWHERE worker", []),
        # Its modules are those of another folder.
        ("celery --workdir src -A other worker", []),
        ("celery --workdir=src -A other worker", []),
    ],
)
def test_celery_is_asked_for_the_broker_that_its_line_names(
    libraries: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch, line: str, asked: list[str | None]
) -> None:
    for name, value in {"QUEUE_URL": "redis://one:1/0?x=y", "NAME": "shop", "SEVERAL": "-l info"}.items():
        monkeypatch.setenv(name, value)
    found: list[str | None] = []

    def connect(url: str | None) -> CeleryConnection:
        found.append(url)
        return CeleryConnection(ensure_connection=lambda **_: None)

    app = SimpleNamespace(connection_for_read=connect)
    libraries("celery.app.utils", SimpleNamespace(find_app={"shop": app}.__getitem__))
    # Where a line has variables of its own, the words are those that another process gets.
    monkeypatch.setattr(ask_workers, "unable_with", lambda variables, words: ask_workers.unable(words))
    assert ask_workers.problem_of(line) is None
    assert found == asked


@pytest.mark.proves("workers.broker")
def test_celery_s_own_variable_is_asked_before_the_settings(
    libraries: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", "redis://one:1/0")
    found: list[str | None] = []

    def connect(url: str | None) -> CeleryConnection:
        found.append(url)
        return CeleryConnection(ensure_connection=lambda **_: None)

    app = SimpleNamespace(connection_for_read=connect)
    libraries("celery.app.utils", SimpleNamespace(find_app=lambda name: app))
    assert ask_workers.problem_of("celery -A shop worker") is None
    assert found == ["redis://one:1/0"]


class Broker(SimpleNamespace):
    def __init__(self, name: str, asked: list[str]) -> None:
        super().__init__(client=SimpleNamespace(ping=lambda: asked.append(name)))


@pytest.mark.proves("workers.broker")
@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("shop", ["default"]),
        ("shop:broker", ["shop's"]),
        ("shop:queues.other", ["other"]),
        ("shop:set_up", ["set up"]),
        ("shop:nothing", None),
    ],
)
def test_dramatiq_is_asked_for_the_broker_that_its_line_names(
    libraries: Callable[[str, object], None], name: str, asked: list[str] | None
) -> None:
    found: list[str] = []
    now = [Broker("default", found)]
    shop = SimpleNamespace(
        broker=Broker("shop's", found),
        queues=SimpleNamespace(other=Broker("other", found)),
        set_up=lambda: now.insert(0, Broker("set up", found)),
    )
    libraries("shop", shop)
    libraries("dramatiq", SimpleNamespace(get_broker=lambda: now[0]))
    problem = ask_workers.problem_of(f"dramatiq {name} -p 2")
    if asked is None:
        assert problem is not None
        assert problem["cause"] == "dramatiq shop:nothing -p 2 cannot load the project"
    else:
        assert (problem, found) == (None, asked)


@pytest.mark.proves("workers.broker")
@pytest.mark.slow
def test_a_silent_broker_does_not_hold_the_deploy(
    libraries: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_workers, "ANSWER_SECONDS", 1)
    silent = SimpleNamespace(ping=lambda: time.sleep(60))
    libraries("django_q.brokers", SimpleNamespace(get_broker=lambda: silent))
    problem = ask_workers.problem_of("python manage.py qcluster")
    assert problem is not None
    assert "no answer within 1 s" in problem["log"]


def test_a_channel_layer_that_hears_nothing_is_well(
    libraries: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_workers, "QUIET_SECONDS", 0.01)
    libraries("channels.layers", SimpleNamespace(get_channel_layer=lambda _: SimpleNamespace(receive=hears_nothing)))
    assert ask_workers.problem_of("python manage.py runworker work") is None


@pytest.mark.proves("workers.broker", "workers.override")
@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (
            "env BROKER=redis://x:y@other:1/2 celery -A shop worker",
            "celery -A shop worker cannot connect to its broker",
        ),
        ("BROKER=good celery -A shop worker", None),
        # Only the shell knows the value.
        ("BROKER=$OTHER celery -A shop worker", None),
    ],
)
def test_a_line_s_own_variables_reach_its_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, cause: str | None
) -> None:
    for file, text in {
        "celery": "#!/bin/sh\n",
        "lib/celery/__init__.py": "",
        "lib/celery/app/__init__.py": "",
        "lib/celery/app/utils.py": (
            "import os\nclass App:\n    def connection_for_read(self, url):\n"
            "        raise ConnectionError(os.environ['BROKER'])\n"
            "def find_app(name):\n    app = App()\n    if os.environ.get('BROKER') == 'good':\n"
            "        import contextlib, unittest.mock\n"
            "        app.connection_for_read = lambda url: contextlib.nullcontext(unittest.mock.Mock())\n"
            "    return app\n"
        ),
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    (tmp_path / "celery").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.syspath_prepend(tmp_path / "lib")
    problem = ask_workers.problem_of(line)
    assert (problem and problem["cause"]) == cause
    assert "x:y" not in str(problem)
