"""What strangers get decides: other sites of nginx, each hostname, the end of a redirect, the settings that serve."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codesensei.wire import codec
from tests.scripts.examples import database_facts, facts
from tests.scripts.machine import stack
from tests.scripts.machine.doors import Ended, run
from tests.scripts.machine.machine import Job, Machine
from tests.scripts.machine.nginx import Site
from tests.scripts.machine.processes import App
from tests.scripts.machine.scenarios import FIRST, HOST, MAIL, NEW_COMMIT, OTHER_HOST, Scenario, differences, look
from tests.scripts.machine.stack import WEB, Stack

ENABLED, AVAILABLE = "/etc/nginx/sites-enabled", "/etc/nginx/sites-available"
NEW = NEW_COMMIT.after
UNCHANGED = Scenario("unchanged", FIRST, FIRST)
SITE_ONLY = replace(FIRST, body_size="20m")
TRACEBACK = "Traceback (most recent call last):\n  File \"/srv/shop/views.py\", line 3, in get\nKeyError: 'greeting'\n"


def switch(machine: Machine, wanted: Stack, **changes: Any) -> Ended:
    """Run the switch with a manifest that has these changes, too."""
    return run(machine, "switch", wanted.release, wanted.revision, data={**stack.manifest(wanted), **changes})


def old_site(machine: Machine, *names: str, file: str = f"{ENABLED}/00-old.conf") -> None:
    """A site that somebody has made by hand; nginx has read it."""
    machine.write(file, f"server_name {' '.join(names)}; proxy_pass http://unix:{stack.SOCKET};\n")
    machine.nginx.read()


def words(ended: Ended) -> str:
    return " ".join(ended.error.split())


def refused(machine: Machine, wanted: Stack, *said: str, **changes: Any) -> Ended:
    """The switch fails with these words and changes nothing."""
    before = look(machine)
    processes = {name: unit.process for name, unit in machine.systemd.units.items()}
    ended = switch(machine, wanted, **changes)
    assert ended.code == 1
    for text in said:
        assert text in words(ended)
    assert differences(look(machine), before) == {}
    assert {name: machine.systemd.units[name].process for name in processes} == processes
    return ended


@pytest.mark.proves("register.sites")
@pytest.mark.parametrize("wanted", [FIRST, SITE_ONLY, NEW])
def test_another_site_with_the_hostname_is_refused_by_name(wanted: Stack) -> None:
    """Before anything changes, whatever the switch is about; also where it passes visitors on to the same process."""
    with replace(NEW_COMMIT, after=wanted, meanwhile=lambda machine: old_site(machine, HOST)).machine() as machine:
        named = f"hostname {HOST} on vm: the nginx site {ENABLED}/00-old.conf, which codesensei did not write"
        refused(machine, wanted, named, "or take the site's place with codesensei:adopt: true")


@pytest.mark.proves("register.sites", "register.adopt")
@pytest.mark.parametrize("wanted", [FIRST, SITE_ONLY, NEW])
@pytest.mark.parametrize("is_link", [True, False])
def test_adopt_disables_it(wanted: Stack, is_link: bool) -> None:
    with replace(NEW_COMMIT, after=wanted).machine() as machine:
        if is_link:
            machine.link(f"{ENABLED}/00-old.conf", "../sites-available/old")
        old_site(machine, HOST, file=f"{AVAILABLE}/old" if is_link else f"{ENABLED}/00-old.conf")
        assert machine.nginx.site(HOST) == machine.nginx.loaded["00-old.conf"]
        ended = switch(machine, wanted, adopt=True)
        assert ended.ok, ended.error
        assert f"{ENABLED}/00-old.conf disabled: this project has its hostnames now" in ended.said
        assert machine.nginx.site(HOST) == machine.nginx.loaded["codesensei-shop.conf"]
        assert machine.read(f"{ENABLED}/00-old.conf") is None
        kept = "old" if is_link else "00-old.conf.before-codesensei"
        assert HOST in str(machine.read(f"{AVAILABLE}/{kept}"))
        assert "unchanged" in switch(machine, wanted, adopt=True).said


@pytest.mark.proves("register.sites", "switch.all-or-nothing")
@pytest.mark.parametrize("is_link", [True, False])
def test_it_is_enabled_again_where_the_switch_fails(is_link: bool) -> None:
    with NEW_COMMIT.machine() as machine:
        if is_link:
            machine.link(f"{ENABLED}/00-old.conf", "../sites-available/old")
        old_site(machine, HOST, file=f"{AVAILABLE}/old" if is_link else f"{ENABLED}/00-old.conf")
        machine.apps[NEW.release] = App(workers={MAIL: 1.0})
        before = look(machine)
        assert not switch(machine, NEW, adopt=True).ok
        assert differences(look(machine), before) == {}


@pytest.mark.proves("register.sites")
def test_adopt_disables_no_site_that_serves_more() -> None:
    with NEW_COMMIT.machine() as machine:
        old_site(machine, HOST, OTHER_HOST)
        refused(machine, NEW, f"adopt cannot take its place: it serves {OTHER_HOST} too", adopt=True)


@pytest.mark.proves("switch.edge")
@pytest.mark.parametrize("wanted", [FIRST, NEW])
def test_an_answer_that_came_another_way_is_none(wanted: Stack) -> None:
    """Of a site that is in no file any more, though it passes visitors on to the very process."""

    def ghost(machine: Machine) -> None:
        site = Site(f"server_name {HOST}; proxy_pass http://unix:{stack.SOCKET};", "00-ghost.conf")
        machine.nginx.loaded = {"00-ghost.conf": site, **machine.nginx.loaded}

    with replace(NEW_COMMIT, after=wanted, meanwhile=ghost).machine() as machine:
        assert machine.visit(HOST).status == 200
        ended = switch(machine, wanted)
        assert f"hostname {HOST} on vm: not this project's site has answered, with HTTP status 200" in words(ended)


@pytest.mark.proves("switch.edge")
def test_a_site_that_nginx_does_not_read_is_named() -> None:
    def unread(machine: Machine) -> None:
        machine.nginx.loaded.clear()
        machine.nginx.includes_sites = False

    with replace(UNCHANGED, meanwhile=unread).machine() as machine:
        ended = switch(machine, FIRST)
        assert f"nginx does not read {ENABLED}/codesensei-shop.conf" in words(ended)
        assert "include sites-enabled/*;" in ended.error


@pytest.mark.proves("register.sites")
def test_what_nginx_complains_of_is_told() -> None:
    with NEW_COMMIT.machine() as machine:
        text = 'conflicting server name "x.example.com" on 0.0.0.0:80, ignored'
        machine.nginx.warnings = f"nginx: [warn] {text}\n"
        old_site(machine, "*.example.com")
        assert f"nginx: {text}" in switch(machine, NEW).result["warnings"]
        wanted = replace(NEW, hosts=(HOST, "www.example.com"))
        told = f"{ENABLED}/00-old.conf has served www.example.com as *.example.com; this project does now"
        assert told in switch(machine, wanted).result["warnings"]
        assert told not in switch(machine, replace(wanted, body_size="9m")).result["warnings"]


@pytest.mark.proves("switch.every-hostname")
@pytest.mark.parametrize("wanted", [NEW, replace(NEW, body_size="20m"), replace(NEW, workers={})])
def test_every_hostname_is_asked_through_the_proxy(wanted: Stack) -> None:
    hosts = (HOST, "www.example.com", OTHER_HOST)
    live, wanted = replace(NEW, hosts=hosts), replace(wanted, hosts=hosts)
    with Scenario("", live, wanted).machine() as machine:
        assert switch(machine, wanted).ok
        asked = {call.text for call in machine.calls.made}
        assert {f"ask the proxy for {host}" for host in hosts} <= asked


@pytest.mark.proves("switch.every-hostname", "causes.disallowed-host")
def test_a_new_hostname_that_the_live_process_refuses() -> None:
    """No candidate is needed for it, and nothing has changed when it is refused."""
    wanted = replace(FIRST, hosts=(HOST, "www.other.com"), allowed=(HOST,))
    with Scenario("", replace(FIRST, allowed=(HOST,)), wanted).machine() as machine:
        machine.apps[FIRST.release] = App(refuses=("www.other.com",))
        machine.systemd.control("restart", [WEB], set())
        machine.clock.sleep(1)
        ended = refused(machine, wanted, "HTTP status 400: Django refuses the host www.other.com (DisallowedHost)")
        assert "putting everything back" not in ended.said
        assert switch(machine, replace(SITE_ONLY, allowed=(HOST,))).ok


@pytest.mark.proves("switch.redirects")
@pytest.mark.parametrize("is_live", [False, True])
def test_a_page_that_fails_behind_a_redirect(is_live: bool) -> None:
    app = App(status=302, location="/login/", pages={"/login/": 500})
    with NEW_COMMIT.machine() as machine:
        machine.apps[f"{WEB}@{NEW.release}" if is_live else NEW.release] = app
        ended = switch(machine, NEW)
        assert f"HTTP status 500 at https://{HOST}/login/, to which it redirects" in words(ended)


@pytest.mark.proves("switch.redirects")
def test_a_page_behind_a_redirect_is_as_good_as_another() -> None:
    with NEW_COMMIT.machine() as machine:
        machine.apps[NEW.release] = App(status=302, location=f"https://{HOST}/login/", pages={"/login/": 200})
        assert switch(machine, NEW).ok


@pytest.mark.proves("switch.cause")
@pytest.mark.parametrize("wanted", [FIRST, SITE_ONLY])
def test_why_the_live_release_fails_is_told_too(wanted: Stack) -> None:
    with replace(UNCHANGED, after=wanted).machine() as machine:
        machine.apps[FIRST.release] = App(status=500)
        machine.systemd.control("restart", [WEB], set())
        machine.clock.sleep(1)
        machine.jobs.append(Job("ask_why.py", output=TRACEBACK))
        assert "HTTP status 500: KeyError: 'greeting'" in words(switch(machine, wanted))


def says(**changes: Any) -> Callable[[Machine], None]:
    """The candidate says that it serves with these settings."""

    def change(machine: Machine) -> None:
        found = facts(**{"allowed_hosts": (HOST,), "static_root": "", "static_url": "", **changes})
        machine.write(f"/run/codesensei-candidate/{stack.SLUG}/settings.json", codec.encode(found))

    return change


@pytest.mark.proves("switch.same-settings", "order.inert")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"settings_module": "shop.dev"},
            "it serves with the settings shop.dev, and project.settingsModule is shop.settings",
        ),
        ({"databases": {"default": database_facts("x.sqlite3", "db")}}, "has another DATABASES than manage.py"),
        ({"media_root": "/srv/media"}, "has another MEDIA_ROOT than manage.py: /srv/media, not"),
        ({"media_url": "/files/"}, "has another MEDIA_URL"),
        ({"static_url": "/assets/"}, "has another STATIC_URL"),
    ],
)
def test_other_settings_than_those_that_were_checked(changes: dict[str, Any], said: str) -> None:
    with replace(NEW_COMMIT, meanwhile=says(**changes)).machine() as machine:
        refused(machine, NEW, said)


@pytest.mark.proves("switch.same-settings", "django.debug")
def test_what_serves_with_other_values_is_told_as_long_as_it_serves() -> None:
    overridden = ("DATABASE_PASSWORD", "GREETING", "HOME", "OTHER")
    change = says(debug=True, overridden=overridden, settings_module="shop.settings")
    with replace(NEW_COMMIT, meanwhile=change).machine() as machine:
        for wanted in (NEW, replace(NEW, body_size="20m")):
            debug, values = switch(machine, wanted).result["warnings"]
            assert debug.startswith(
                "debug: DEBUG is on in shop.settings: every error shows visitors code and settings; "
            )
            assert values.startswith(
                "the project does not have the stack's values of DATABASE_PASSWORD, GREETING: remove"
            )
        refused(
            machine,
            replace(NEW, body_size="20m"),
            "codesensei:production is true, and DEBUG is on in shop.settings",
            production=True,
        )


@pytest.mark.proves("django.debug")
def test_debug_of_a_candidate_is_refused_in_production() -> None:
    with replace(NEW_COMMIT, meanwhile=says(debug=True)).machine() as machine:
        refused(machine, NEW, "production is true, and DEBUG is on in", "set DEBUG = False", production=True)
        done = switch(machine, NEW, production=True, waived=("debug",))
        assert done.ok
        assert done.result.get("warnings", []) == []
    with NEW_COMMIT.machine() as machine:
        assert switch(machine, NEW, production=True).ok


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"django": 5}'])
def test_a_candidate_that_says_nothing_of_use_serves_by_what_was_asked(text: str) -> None:
    def change(machine: Machine) -> None:
        machine.write(f"/run/codesensei-candidate/{stack.SLUG}/settings.json", text)

    with replace(NEW_COMMIT, meanwhile=change).machine() as machine:
        assert switch(machine, NEW).ok
        record = json.loads(str(machine.read(f"{stack.MEMORY}/release/{NEW.release}.json")))
        assert record["facts"]["django"] == "5.2"


@pytest.mark.proves("config.drift", "register.sites")
def test_a_site_that_somebody_makes_later_is_drift() -> None:
    with UNCHANGED.machine() as machine:
        assert "00-old" not in run(machine, "look").said
        old_site(machine, HOST)
        drift = json.loads(run(machine, "look").said)["steps"]["switch"]["drift"]
        assert drift == [
            f"hostname {HOST}: the nginx site {ENABLED}/00-old.conf, which codesensei did not write, already serves it"
        ]


@pytest.mark.proves("switch.visitors")
def test_settings_that_would_let_visitors_down_are_told_as_long_as_they_serve() -> None:
    with NEW_COMMIT.machine() as machine:
        path = f"{stack.MEMORY}/release/{NEW.release}.json"
        record = json.loads(machine.read(path) or "")
        record["facts"]["visitors"] = {"sessionsIn": "CACHES['default']"}
        machine.write(path, record)
        for _ in range(2):
            (told,) = switch(machine, NEW).result["warnings"]
            assert told.startswith("sessions are kept in CACHES['default'] alone")
