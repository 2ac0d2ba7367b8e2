"""What is refused before anything is changed, and what is claimed where nothing is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host, limited, register, sites
from codesensei.scripts.base.sites import Configuration, Listen, Site
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.checks import user
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.steps import preflight
from codesensei.wire import codec, paths
from codesensei.wire.said import Said
from codesensei.wire.steps import DatabasePlace, Finding
from tests.scripts.examples import IDENTITY, MANIFEST, PREFLIGHT, STACK

PLACE = DatabasePlace(kind="generated", name="shop", role="shop", host="127.0.0.1", port=5432)


@pytest.fixture
def fine(server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which everything is as it should be, and the claimed slug."""
    monkeypatch.setattr(host, "system", lambda: host.System("debian", "12", "Debian GNU/Linux 12 (bookworm)"))
    monkeypatch.setattr(host, "space", lambda path: host.Space(10**12, 10**9))
    monkeypatch.setattr(host, "available_memory", lambda: 10**10)
    monkeypatch.setattr(host, "listeners", lambda ports: [])
    monkeypatch.setattr(sites, "configuration", Configuration)
    monkeypatch.setattr(user, "check_power", lambda *words: None)
    monkeypatch.setattr(postgresql, "clusters", lambda: [])
    register.claim_slug("shop", STACK, IDENTITY)
    return server


@pytest.fixture
def check(fine: Path, make_step: Any) -> Any:
    def run(**changes: Any) -> Any:
        step = make_step("preflight", data=replace(PREFLIGHT, **changes))
        preflight.run(step)
        return step

    return run


def test_all_names_are_claimed_at_once_and_then_unchanged(check: Any) -> None:
    assert check().changes == 1
    entry = register.entries()["shop"]
    assert entry.user == "deploy"
    assert entry.names == {
        "units": ("shop-worker.service", "shop.service"),
        "hostnames": ("shop.example.com",),
        "brokers": ("0",),
        "databases": ("shop",),
        "roles": ("shop",),
    }
    assert check().changes == 0


@pytest.mark.proves("os.refused")
def test_an_unsupported_system_is_refused_by_name_unless_allowed(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "system", lambda: host.System("debian", "11", "Debian GNU/Linux 11 (bullseye)"))
    with pytest.raises(Failure, match=r"bullseye.*not supported"):
        check()
    check(allow_unsupported=True)


@pytest.mark.proves("os.port-80", "preflight.ports")
def test_a_port_that_another_program_has_is_refused(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    apache = host.Listener("0.0.0.0", 80, "apache2", 812)
    monkeypatch.setattr(host, "listeners", lambda ports: [apache] if 80 in ports else [])
    with pytest.raises(Failure, match=r"port 80: the process apache2 \(812\)"):
        check()
    check(ports=(443,))


def test_a_hostname_that_another_site_serves_names_the_file(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that serves nothing else gives way with `adopt`; what only an unknown host has found is never taken."""
    named = Site(str(paths.SERVER.nginx / "conf.d/old.conf"), ("shop.example.com",), (Listen("", 80),))
    nameless = Site(str(paths.SERVER.nginx / "conf.d/any.conf"), ("_",), (Listen("", 80),))
    for site, adopt in ((named, False), (nameless, False), (nameless, True)):
        monkeypatch.setattr(sites, "configuration", lambda site=site: Configuration((site,)))
        with pytest.raises(Failure, match=site.file):
            check(adopt=adopt)
    monkeypatch.setattr(sites, "configuration", lambda: Configuration((named,)))
    check(adopt=True)


@pytest.mark.proves("register.refused", "broker.number-refused")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user": "root", "login_user": "debian"}, "belongs to the system"),
        ({"units": ("shop.service", "ssh.service")}, "belongs to the system"),
        ({"database": replace(PLACE, name="postgres")}, "never a project's"),
        ({"database": replace(PLACE, kind="external", host="database.invalid")}, "cannot be resolved"),
        ({"broker_numbers": (3,)}, "broker database 3: it belongs to the stack org/codesensei/blog"),
        ({"hostnames": ("blog.example.com",)}, "it belongs to the stack org/codesensei/blog"),
    ],
)
def test_a_refusal_claims_nothing(check: Any, changes: dict[str, Any], said: str) -> None:
    register.claim_slug("blog", "org/codesensei/blog", "id2")
    register.claim("blog", {"brokers": ["3"], "hostnames": ["blog.example.com"]})
    with pytest.raises(Failure, match=said):
        check(**changes)
    assert register.entries()["shop"].names == {}


def test_a_slug_that_was_taken_over_meanwhile_is_refused(check: Any) -> None:
    register.claim_slug("shop", "org/codesensei/other", "id2", adopt=True)
    with pytest.raises(Failure, match="belongs to the stack org/codesensei/other now"):
        check()


def test_what_was_claimed_and_never_served_is_free_again(check: Any) -> None:
    check(units=("shop.service", "shop-mail.service"), hostnames=("old.example.com", "never.example.com"))
    served = replace(
        MANIFEST,
        units=(replace(MANIFEST.units[1], name="shop-mail.service"),),
        health=replace(MANIFEST.health, hosts=("old.example.com",)),
    )
    paths.ProjectPaths("shop").live.parent.mkdir()
    write_json(paths.ProjectPaths("shop").live, codec.encode(served))
    assert check().changes == 1
    entry = register.entries()["shop"]
    assert entry.names["units"] == ("shop-mail.service", "shop-worker.service", "shop.service")
    assert entry.names["hostnames"] == ("old.example.com", "shop.example.com")


def test_an_external_database_claims_no_name_here(check: Any) -> None:
    step = check(database=replace(PLACE, kind="external", host="database.example.com", port=None))
    assert "its URL names no port" in step.said[0]
    assert "databases" not in register.entries()["shop"].names
    check(database=None)
    assert "databases" not in register.entries()["shop"].names


@pytest.mark.proves("errors.all-at-once")
def test_everything_wrong_on_the_server_is_told_at_once(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    apache = host.Listener("0.0.0.0", 80, "apache2", 812)
    monkeypatch.setattr(host, "listeners", lambda ports: [apache])
    monkeypatch.setattr(host, "system", lambda: host.System("debian", "11", "Debian GNU/Linux 11 (bullseye)"))
    monkeypatch.setattr(host, "space", lambda path: host.Space(10, 10))
    site = Site(str(paths.SERVER.nginx / "conf.d/old.conf"), ("shop.example.com",), (Listen("", 80),))
    monkeypatch.setattr(sites, "configuration", lambda: Configuration((site,)))
    with pytest.raises(Failure) as caught:
        check(login_user="deploy", units=("ssh.service", "nginx.service"))
    text = caught.value.text()
    for words in ("bullseye", "MiB are needed", "apache2 (812)", "old.conf", "user deploy", "ssh.service", "nginx."):
        assert words in text
    assert not register.entries()["shop"].names


@pytest.mark.proves("look.limited")
def test_a_firewall_that_limits_the_connections_of_a_deploy_is_told(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check().result is None
    slow = Finding(thing="ufw", cause="it limits port 22", fix="let the program through")
    monkeypatch.setattr(limited, "finding", lambda: slow)
    assert check().result == Said(warnings=("ufw: it limits port 22; let the program through",))
