"""Hooks: where they run, as whom, and what becomes of one that fails."""

from __future__ import annotations

import pytest

from tests.host.debians import on_debian
from tests.host.desks import Desk
from tests.host.test_interruptions import always_served
from tools.trials.site import Site

pytestmark = [pytest.mark.host, on_debian(12)]

ROOT = "/srv/codesensei/desk"
NOTED = "/srv/codesensei/desk/shared/media/hooks"
SAY = 'echo "{name} $(id -un) $GREETING $DJANGO_SETTINGS_MODULE $(basename $PWD) $(command -v python)"'


def noted(name: str) -> str:
    """A hook that writes down who runs it, and where: the ones around collectstatic may write in the release alone."""
    return f"{SAY.format(name=name)} >> {'static-hooks' if 'Collectstatic' in name else NOTED}"


@pytest.mark.proves("hooks.order", "hooks.failing", "hooks.after-switch", "root.never", "build.signal")
def test_hooks(changing_desk: Desk) -> None:
    desk, server = changing_desk, changing_desk.server
    first = desk.outputs()["release"]
    server.console(f"runuser -u desk -- touch {NOTED}; chmod 666 {NOTED}")
    points = ("beforeMigrate", "afterMigrate", "beforeCollectstatic", "afterCollectstatic", "afterSwitch")
    desk.set("project.source.revision", desk.commit({"backend/assets/new.css": "a { color: red; }"}))
    # A failing one stops the release, with its cause and its words; what came before it has run.
    desk.set("project.hooks", {"beforeMigrate": [noted("one"), "echo the reason why; exit 3", noted("never")]})
    error = desk.up(succeed=False).said("error")
    assert "hook beforeMigrate: echo the reason why; exit 3" in error
    assert "status 3" in error
    assert "the reason why" in error
    assert desk.outputs()["release"] == first
    desk.asks()
    # Repaired: all run in their order.
    hooks: dict[str, list[str]] = {point: [noted(point)] for point in points}
    hooks["beforeCollectstatic"].append("echo 'b { color: blue; }' > assets/made.css")
    hooks["afterCollectstatic"].append("test -s staticfiles/made.css")
    hooks["afterSwitch"] += ["echo too bad; exit 4", "kill -TERM $$", "true"]
    desk.set("project.hooks", hooks)
    done = desk.up()
    second = desk.outputs()["release"]
    assert second != first
    kept = f"{ROOT}/current/backend/static-hooks"
    live, static = (
        [line.split() for line in server.console(f"cat {file}").stdout.splitlines()] for file in (NOTED, kept)
    )
    assert [line[0] for line in live] == ["one", "beforeMigrate", "afterMigrate", "afterSwitch"]
    assert [line[0] for line in static] == ["beforeCollectstatic", "afterCollectstatic"]
    lines = live + static
    users = {line[0]: line[1] for line in lines}
    assert {users[point] for point in ("beforeMigrate", "afterMigrate", "afterSwitch")} == {"desk"}
    assert {users[point] for point in ("beforeCollectstatic", "afterCollectstatic")} & {"root", "desk"} == set()
    venv = server.console(f"readlink -f {ROOT}/shared/venv").stdout.strip()
    assert all(line[2:] == ["Hello", "desk.settings.production", "backend", f"{venv}/bin/python"] for line in lines)
    assert "no migrations to run" in done.output
    assert "hook afterSwitch ended with status 4" in done.output
    assert "hook afterSwitch was killed by signal 15" in done.output
    assert server.console(f"cat {ROOT}/current/.codesensei/static/made.css").stdout == "b { color: blue; }\n"
    desk.up_without_changes()
    # One after the switch enters no release, and nothing starts again for it.
    web = desk.main_process()
    desk.set("project.hooks.afterSwitch", [noted("changed")])
    desk.up()
    assert desk.outputs()["release"] == second
    assert server.console(f"cat {NOTED}").stdout.splitlines()[-1].split()[0] == "changed"
    assert desk.main_process() == web


@pytest.mark.full
@pytest.mark.proves("hooks.changed")
def test_a_changed_hook_before_the_switch_is_a_new_release(changing_desk: Desk) -> None:
    """It writes files of its own release, and never of one that serves; the packages are reused."""
    desk, server = changing_desk, changing_desk.server
    css = "backend/staticfiles/made.css"
    venv = server.console(f"readlink -f {ROOT}/shared/venv").stdout

    def write(color: str, *more: str) -> None:
        desk.set("project.hooks.beforeCollectstatic", [f"echo '{color}' > assets/made.css", *more])

    def served() -> tuple[str, str, str]:
        page = Site(server.host, desk.hostname).get("/static/made.css")
        return page.body, server.console(f"cat {ROOT}/current/{css}").stdout, desk.outputs()["release"]

    write("green", "echo more > assets/more.css")
    with always_served(desk):
        desk.up()
    first = served()
    assert first[:2] == ("green\n", "green\n")
    desk.up_without_changes()
    # The next one finds the code as it was committed, and leaves the one before as it is.
    write("blue")
    with always_served(desk):
        desk.up()
    second = served()
    assert second[:2] == ("blue\n", "blue\n")
    assert second[2] != first[2]
    assert server.console(f"cat {ROOT}/previous/{css}").stdout == "green\n"
    assert "more.css" not in server.console(f"ls {ROOT}/current/backend/assets").stdout
    assert server.console(f"readlink -f {ROOT}/shared/venv").stdout == venv
    desk.up_without_changes()
    # One that fails changes nothing, nor one that the candidate does not start with.
    for broken, told in (("exit 3", "status 3"), ("echo 'raise ValueError(7)' >> desk/wsgi.py", "ValueError: 7")):
        write("red", broken)
        assert told in desk.up(succeed=False).said("error")
        assert served() == second
    # Nor one whose switch fails later: here with a worker that ends at once.
    write("red")
    desk.set("project.workers.dying", "exit 3")
    assert "desk-dying" in desk.up(succeed=False).said("error")
    assert served() == second
    assert desk.asks()
    # The hook as it was before is the release before, which is there already.
    write("green", "echo more > assets/more.css")
    desk.pulumi("config", "rm", "--path", "codesensei:project.workers.dying")
    assert "is built already" in desk.up().output
    assert served() == first
    desk.up_without_changes()
