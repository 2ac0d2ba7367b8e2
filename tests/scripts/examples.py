"""Data of steps as the operator's side would send it for a small project, to be changed where a test needs it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from codesensei.scripts.base.units import UnitState
from codesensei.scripts.release.record import DatabaseFacts, Facts
from codesensei.wire import steps
from codesensei.wire.manifest import Candidate, HealthCheck, Manifest, RolePassword, Unit
from codesensei.wire.steps import DatabaseAccount

STACK, IDENTITY = "org/codesensei/prod", "id1"
REVISION = "1234567" + "0" * 33
NAME = "1234567-89abcde"

FACTS = Facts(
    django="5.2",
    databases={},
    allowed_hosts=("*",),
    debug=False,
    installed_staticfiles=True,
    media_root="",
    media_url="",
    static_root="static",
    static_url="/static/",
    asgi_application="",
    wsgi_application="config.wsgi.application",
    places=(),
)
PREFLIGHT = steps.Preflight(
    stack=STACK,
    identity=IDENTITY,
    slug="shop",
    user="deploy",
    login_user="root",
    units=("shop.service", "shop-worker.service"),
    hostnames=("shop.example.com",),
    ports=(80, 443),
    broker_numbers=(0,),
    database=steps.DatabasePlace(kind="generated", name="shop", role="shop", host="127.0.0.1", port=5432),
    share_user=False,
    adopt=False,
    allow_unsupported=False,
)
PACKAGES = steps.Packages(packages=("libmagic1",), postgresql=True, port=None, extensions=(), python="", certbot=False)
APP_USER = steps.Account(user="deploy", media_serving="none")
BROKER = steps.Broker(config="appendonly yes\n", version=1, needed=True, adopt=False)
ACME = steps.Acme(hostnames=("a.example",), directory="https://acme.example/dir", email="", root_certificate="")
BUILD = steps.Build(
    user="deploy",
    source=steps.SourceArchive(tar="source.tar", sha256="0" * 64),
    directory=".",
    settings_module="config.settings",
    requirements="requirements.txt",
    install_from=".",
    in_place=False,
    venv_id="abcdef012345",
    python="",
    installer="pip",
    server=steps.WebServerPackage(name="gunicorn", version="23.0.0"),
    asgi_declared=None,
    wsgi_declared=None,
    static="serve",
    static_url="/static/",
    media_url=None,
    database=steps.BuildDatabase(kind="none", name="", role="", variables={}),
    hooks=steps.Hooks(),
    lock_timeout=5,
)
ACCOUNT = DatabaseAccount(name="shop", role="shop", port=5432, digest="d1")
DATABASE = steps.Database(
    account=ACCOUNT, host="127.0.0.1", user="deploy", extensions=(), adopt=False, password="correct horse"
)


def facts(**changes: Any) -> Facts:
    """Facts that differ from FACTS."""
    return replace(FACTS, **changes)


def database_facts(engine: str, name: str = "", user: str = "") -> DatabaseFacts:
    """An entry of DATABASES."""
    return DatabaseFacts(engine=engine, name=name, user=user, host="", port="")


MANIFEST = Manifest(
    slug="shop",
    user="deploy",
    directory=".",
    settings_module="config.settings",
    files=(),
    units=(
        Unit(name="shop.socket", kind="socket", stop_timeout=40),
        Unit(name="shop.service", kind="web", stop_timeout=40),
    ),
    homes=("web",),
    candidate=Candidate(unit="[Service]\n", files=(), workers=3),
    health=HealthCheck(path="/", timeout=60, accept=("2xx",), hosts=("shop.example.com",), scheme="http"),
    database=RolePassword(role="shop", digest="d1"),
    url="http://shop.example.com/",
    keep_releases=5,
    after_switch=(),
    tls=None,
    acme=False,
    default_tls=None,
)


def each(show: Callable[[str], UnitState]) -> Callable[[Collection[str]], dict[str, UnitState]]:
    """In place of `units.show_all`: what `show` says of each unit."""
    return lambda names: {name: show(name) for name in names}
