"""What the switch is given of the processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from codesensei.config import StackConfig
from codesensei.config.load import Secrets, Stack
from codesensei.render.programs import program
from codesensei.source import Checkout, Closure, Code, SettingsFacts
from codesensei.webservers import SERVERS
from codesensei.wire.manifest import Candidate, File, Unit
from components.processes import Processes, web_workers
from tests.source.test_code import HOST_KEY


class Nothing(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(args.token)


def config(env: dict[str, str] | None = None, secret: tuple[str, ...] = (), **project: Any) -> StackConfig:
    source = {"path": ".", "revision": "main"}
    return StackConfig.model_validate(
        {
            "server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
            "project": {"slug": "shop", "source": source, "settingsModule": "config.settings", **project},
            "env": env or {},
            "secretEnv": secret,
        }
    )


def code(server: str) -> Code:
    settings = SettingsFacts(
        asgi_application=None,
        wsgi_application="config.wsgi:application",
        settings_file="config/settings.py",
        interface=SERVERS[server].interfaces[0],
        application="config.wsgi:application",
        django_directory="backend",
        static_url="/static/",
        media_url="/media/",
        unsure=(),
    )
    checkout = Checkout("a" * 40, "Sell more", None, Path("x.tar"), "b" * 64)
    closure = Closure(("requirements.txt",), "d" * 64, False, ())
    return Code(checkout, settings, closure, (), SERVERS[server], "c" * 64, "9" * 64)


def processes(server: str, given: StackConfig) -> Processes:
    mocks.set_mocks(Nothing(), preview=False)
    made: list[Processes] = []
    # Database, broker and names are none of its business.
    stack = Stack(given, Secrets({}), None, None, None, ())  # type: ignore[arg-type]

    def declare() -> None:
        made.append(Processes("shop", stack=stack, code=code(server)))

    run: Callable[[], None] = mocks.test(declare)  # type: ignore[no-untyped-call]
    run()
    return made[0]


@pytest.mark.proves("web.unit", "workers.unit")
def test_all_that_runs() -> None:
    made = processes("gunicorn", config(workers={"mail": {"command": "celery -A x worker", "singleton": True}}))
    assert made.homes == ("web", "mail")
    assert made.units == [
        Unit(name="shop.socket", kind="socket", stop_timeout=40),
        Unit(name="shop.service", kind="web", stop_timeout=40),
        Unit(name="shop-mail.service", kind="worker", stop_timeout=600, singleton=True, command="celery -A x worker"),
    ]
    found = {file.path: file for file in made.files}
    assert set(found) == {
        *(f"/etc/systemd/system/shop{name}" for name in (".socket", ".service", "-mail.service")),
        *(f"/etc/codesensei/shop/programs/{name}" for name in ("gunicorn_conf.py", "stop_worker.sh")),
        "/etc/codesensei/shop/workers/mail.sh",
        "/etc/logrotate.d/codesensei-shop",
    }
    for path, renews in (
        ("/etc/codesensei/shop/programs/gunicorn_conf.py", "shop.service"),
        ("/etc/codesensei/shop/programs/stop_worker.sh", ""),
        ("/etc/codesensei/shop/workers/mail.sh", "shop-mail.service"),
    ):
        file = found[path]
        assert file == File(path=path, content=file.content, mode="0640", group="deploy", renews=renews)
    assert (
        "WorkingDirectory=/srv/codesensei/shop/current/backend\n" in found["/etc/systemd/system/shop.service"].content
    )


def test_a_candidate_also_runs_with_what_is_refused_of_a_live_process() -> None:
    made = processes("gunicorn", config())
    live = next(file.content for file in made.files if file.path.endswith("gunicorn_conf.py"))
    assert live == program("gunicorn_conf.py")
    path = "/run/codesensei-candidate/shop.programs/gunicorn_conf.py"
    text = live + program("gunicorn_candidate.py")
    assert made.candidate == Candidate(unit=made.candidate.unit, files=(File(path=path, content=text),), workers=3)
    assert " --workers @workers@ " in made.candidate.unit


@pytest.mark.proves("web.workers", "asgi.uvicorn")
@pytest.mark.parametrize(
    ("server", "env", "secret", "count"),
    [
        ("gunicorn", {}, (), 3),
        ("gunicorn", {"GUNICORN_WORKERS": "5"}, (), 5),
        ("gunicorn", {"GUNICORN_WORKERS": "'5'"}, (), 5),
        ("gunicorn", {"WEB_CONCURRENCY": "auto"}, (), 3),
        ("gunicorn", {}, ("GUNICORN_WORKERS",), None),
        ("daphne", {"GUNICORN_WORKERS": "5", "WEB_CONCURRENCY": "5"}, (), None),
        ("uvicorn", {"GUNICORN_WORKERS": "5"}, (), 1),
        ("uvicorn", {"WEB_CONCURRENCY": "2"}, (), 2),
        ("uvicorn", {}, ("WEB_CONCURRENCY",), None),
    ],
)
def test_how_many_serve(server: str, env: dict[str, str], secret: tuple[str, ...], count: int | None) -> None:
    given = config(env, secret)
    assert web_workers(given, SERVERS[server]) == count
    assert processes(server, given).candidate.workers == count


@pytest.mark.parametrize("value", ["", "0", "-1", "auto", "2.0", "'\"3\"'", "٣"])
def test_what_is_no_number_ends_in_one_line(value: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        web_workers(config({"WEB_CONCURRENCY": value}), SERVERS["uvicorn"])
    assert str(caught.value) == ('codesensei:env.WEB_CONCURRENCY: is not a whole number from 1\n    write it like "2"')
