"""What comes after a switch, hooks and the record and old releases, and what a run begins with."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.scripts.machine import stack
from tests.scripts.machine.calls import Fault, How, Killed
from tests.scripts.machine.machine import Job, Machine
from tests.scripts.machine.processes import App
from tests.scripts.machine.scenarios import BEAT, FIRST, HOST, MAIL, NAMED, NEW_COMMIT, Scenario, look, switch
from tests.scripts.machine.stack import CANDIDATE, WEB, WEB_SOCKET
from tests.scripts.machine.systemd import Unit

NEW = NEW_COMMIT.after
HISTORY = f"{stack.MEMORY}/history.jsonl"
HOOKED = replace(NEW, after_switch=("curl -fs https://example.com/deployed",))


@pytest.mark.proves("hooks.after-switch")
@pytest.mark.parametrize("code", [0, 7])
def test_a_hook_after_the_switch_is_reported_and_not_undone(code: int) -> None:
    with replace(NEW_COMMIT, after=HOOKED).machine() as machine:
        machine.jobs.append(Job(".afterSwitch-0.sh", code))
        ended = switch(machine, HOOKED)
        assert ended.ok
        assert machine.visit(HOST).release == NEW.release
        warnings = ended.result.get("warnings", [])
        assert len(warnings) == (1 if code else 0)
        for warning in warnings:
            assert warning.startswith(f"{NEW.release} is live, but its hook afterSwitch ended with status 7")
        ran = machine.ran[-1]
        assert ran.argv[-1].endswith(f"/env/{NEW.release}.afterSwitch-0.sh")
        assert ran.user == stack.USER
        assert machine.read(ran.argv[-1]) == f"{HOOKED.after_switch[0]}\n"
        machine.ran.clear()
        assert switch(machine, HOOKED).ok
        assert machine.ran == []


@pytest.mark.slow
@pytest.mark.proves("errors.line")
def test_no_line_is_longer_than_the_provider_takes() -> None:
    """However much there is to say, as progress and in the end."""
    hooks = tuple(f"false {number} {'é' * 70_000}" for number in range(90))
    with replace(NEW_COMMIT, after=replace(NEW, after_switch=hooks)).machine() as machine:
        machine.jobs += [Job(f".afterSwitch-{number}.sh", 7) for number in range(len(hooks))]
        ended = switch(machine, replace(NEW, after_switch=hooks))
    assert ended.ok
    assert max(len(line.encode()) for line in [*ended.said.splitlines(), *ended.error.splitlines()]) < 64 * 1024
    assert "more warnings are left out" in ended.result["warnings"][-1]


@pytest.mark.proves("migrate.models-ahead")
def test_what_was_warned_of_while_the_release_was_made_is_said_by_the_switch() -> None:
    with NEW_COMMIT.machine() as machine:
        path = f"{stack.MEMORY}/release/{NEW.release}.json"
        machine.write(path, {**json.loads(machine.read(path) or ""), "warnings": ["notes has no migrations"]})
        assert switch(machine, NEW).result["warnings"] == ["notes has no migrations"]


@pytest.mark.proves("hooks.after-switch")
def test_a_hook_after_the_switch_does_not_run_when_that_fails() -> None:
    with replace(NEW_COMMIT, after=HOOKED).machine() as machine:
        machine.apps[NEW.release] = App(status=500)
        machine.ran.clear()
        assert not switch(machine, HOOKED).ok
        assert [ran.argv[-1] for ran in machine.ran if "afterSwitch" in ran.argv[-1]] == []


@pytest.mark.proves("hooks.after-switch.cut-off")
def test_what_comes_after_a_switch_comes_with_the_next_run_where_it_was_cut_off() -> None:
    record = f"{stack.MEMORY}/release/{NEW.release}.json"
    with replace(NEW_COMMIT, after=HOOKED).machine() as machine:
        assert switch(machine, HOOKED).ok
        texts = [call.text for call in machine.calls.made]
        is_live = texts.index(f"unlink {stack.MEMORY}/switch/journal.json") + 1
    with replace(NEW_COMMIT, after=HOOKED).machine() as machine:
        with pytest.raises(Killed):
            switch(machine, HOOKED, Fault(is_live, How.KILLED))
        assert machine.visit(HOST).release == NEW.release
        machine.ran.clear()
        ended = switch(machine, HOOKED)
        assert ended.ok
        assert "its hooks and its record come now" in ended.said
        assert [ran.argv[-1] for ran in machine.ran if "afterSwitch" in ran.argv[-1]] != []
        assert json.loads((machine.read(HISTORY) or "").splitlines()[-1])["release"] == NEW.release
        assert json.loads(machine.read(record) or "")["state"] == "served"
        machine.ran.clear()
        assert switch(machine, HOOKED).ok
        assert machine.ran == []


def releases(machine: Machine) -> set[str]:
    return {path.name for path in machine.files.path(f"{stack.ROOT}/releases").iterdir()}


@pytest.mark.proves("prune.keep")
@pytest.mark.parametrize(("keep", "kept"), [(1, 2), (3, 3), (9, 5)])
def test_releases_beyond_those_that_are_kept_go(keep: int, kept: int) -> None:
    """Never current or previous; and with a release its env file and notes."""
    found = Machine.make()
    try:
        stack.make_server(found)
        every = [replace(FIRST, code=f"c0de00{number}", env=f"e00000{number}", keep=keep) for number in range(5)]
        for wanted in every:
            stack.stage(found, wanted)
            assert switch(found, wanted).ok
        names = {wanted.release for wanted in every[-kept:]}
        assert releases(found) == names
        assert {path.name for path in found.files.path(f"{stack.ROOT}/env").glob("*.env")} == {
            f"{wanted.env}.env" for wanted in every[-kept:]
        }
        notes = {path.name for path in found.files.path(f"{stack.MEMORY}/release").iterdir()}
        wanted_notes = {f"{name}.json" for name in names} | {f"{wanted.env}.env.json" for wanted in every[-kept:]}
        assert {name.removesuffix(".copy") for name in notes} == wanted_notes
    finally:
        found.end()


@pytest.mark.proves("prune.keep", "words.current")
def test_a_failed_switch_removes_nothing() -> None:
    after = replace(NEW, keep=1)
    with replace(NEW_COMMIT, after=after).machine() as machine:
        machine.apps[NEW.release] = App(workers={MAIL: 1.0})
        assert not switch(machine, after).ok
        assert releases(machine) == {FIRST.release, NEW.release}


@pytest.mark.proves("register", "switch.manifest")
def test_the_register_has_the_units_and_hostnames_that_are_live() -> None:
    with NAMED["worker removed"].machine() as machine:

        def names() -> dict[str, list[str]]:
            register = json.loads(str(machine.read("/var/lib/codesensei/register.json")))
            found: dict[str, list[str]] = register["slugs"][stack.SLUG]["names"]
            return found

        assert names()["units"] == sorted([WEB, WEB_SOCKET, MAIL, BEAT])
        after = replace(FIRST, hosts=("www.example.com",))
        stack.stage(machine, after)
        assert switch(machine, after).ok
        assert names() == {
            "roles": [stack.ROLE],
            "units": sorted([WEB, WEB_SOCKET, MAIL]),
            "hostnames": ["www.example.com"],
        }


@pytest.mark.proves("outputs.served", "proxy.url", "promotion.served")
def test_what_is_served_is_told() -> None:
    with NEW_COMMIT.machine() as machine:
        told = switch(machine, NEW).result
        # With the time since when, which a test of the history looks at.
        assert list(told.pop("served")) == [FIRST.release, NEW.release]
        assert told == {
            "release": NEW.release,
            "revision": NEW.revision,
            "url": f"https://{HOST}/",
        }
        history = [json.loads(line) for line in str(machine.read(f"{stack.MEMORY}/history.jsonl")).splitlines()]
        assert [(line["release"], line["revision"]) for line in history] == [
            (wanted.release, wanted.revision) for wanted in (FIRST, NEW)
        ]


@pytest.mark.proves("switch.all-or-nothing")
def test_what_was_interrupted_is_put_back_and_said() -> None:
    with NEW_COMMIT.machine() as machine:
        assert switch(machine, NEW).ok
        number = [call.text for call in machine.calls.made].index(f"systemctl restart {WEB}")
    with NEW_COMMIT.machine() as machine:
        with pytest.raises(Killed):
            switch(machine, NEW, Fault(number, How.KILLED))
        assert CANDIDATE in machine.systemd.units
        visits = []
        machine.watch(lambda text: visits.append(machine.visit(HOST)))
        ended = switch(machine, FIRST)
        assert ended.ok
        assert ended.said.splitlines()[0] == "an interrupted switch is put back first"
        assert f"ending {CANDIDATE}, left by an interrupted run" in ended.said
        assert {visit.release for visit in visits} <= {FIRST.release, NEW.release}
        assert look(machine)["left behind"] == []


@pytest.mark.proves("switch.all-or-nothing")
def test_a_job_that_was_left_running_is_ended() -> None:
    job = f"codesensei-job-{stack.SLUG}.service"
    with NEW_COMMIT.machine() as machine:
        machine.systemd.units[job] = Unit(job, "[Service]\n", "active", "running")
        ended = switch(machine, NEW)
        assert ended.ok
        assert f"ending {job}, left by an interrupted run" in ended.said
        assert not machine.systemd.unit(job).runs


@pytest.mark.proves("paths.shared.home")
def test_every_process_has_a_home_of_the_app_users() -> None:
    with NAMED["worker added"].machine() as machine:
        assert switch(machine, NAMED["worker added"].after).ok
        made = [text for text in machine.calls.programs if f"mkdir {stack.ROOT}/shared/state/" in text]
        homes = {f"as {stack.USER}: mkdir {stack.ROOT}/shared/state/{name}" for name in ("web", "mail", "beat")}
        assert homes <= set(made)


@pytest.mark.proves("tls.never-down")
def test_the_certificate_of_visitors_without_a_name_goes_back_to_the_thrown_away_one() -> None:
    own = replace(FIRST, default_tls=f"{stack.MEMORY}/tls/d1")
    with Scenario("", own, FIRST).machine() as machine:
        assert machine.read(stack.DEFAULT_TLS) == f"-> {own.default_tls}"
        assert switch(machine, FIRST).ok
        assert machine.read(stack.DEFAULT_TLS) == f"-> {stack.THROW_AWAY}"


@pytest.mark.proves("tls.never-down", "destroy.own-only")
def test_another_projects_certificate_stays() -> None:
    other = "/var/lib/codesensei/other/tls/d1"
    with NEW_COMMIT.machine() as machine:
        machine.link(stack.DEFAULT_TLS, other)
        assert switch(machine, NEW).ok
        assert machine.read(stack.DEFAULT_TLS) == f"-> {other}"


@pytest.mark.proves("proxy.checked")
def test_an_nginx_that_is_stopped_is_started() -> None:
    after = replace(FIRST, body_size="20m")
    with Scenario("", FIRST, after).machine() as machine:
        machine.systemd.units["nginx.service"].state = "inactive"
        assert switch(machine, after).ok
        assert "systemctl start nginx.service" in machine.calls.programs
        assert machine.visit(HOST).release == FIRST.release


@pytest.mark.proves("root.logs")
def test_other_users_do_not_read_what_visitors_asked_for() -> None:
    with NEW_COMMIT.machine() as machine:
        log = machine.files.path(f"/var/log/nginx/codesensei-{stack.SLUG}.access.log")
        log.write_text("GET /reset/MQ/secret-token/\n")
        log.chmod(0o644)
        assert "is closed to other users" in switch(machine, NEW).said
        assert log.stat().st_mode & 0o777 == 0o640
        assert "is closed to other users" not in switch(machine, NEW).said
