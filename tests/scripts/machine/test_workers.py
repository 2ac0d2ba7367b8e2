"""Workers in a switch: the old one finishes its work, the new one lives, and two of a kind never run."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.scripts.machine import stack
from tests.scripts.machine.machine import Job, Machine
from tests.scripts.machine.processes import App
from tests.scripts.machine.scenarios import BEAT, FIRST, MAIL, NAMED, NEW_COMMIT, RENAMED, TWO_WORKERS, Scenario, switch

NEW = NEW_COMMIT.after


def release_of(machine: Machine, unit: str) -> str:
    process = machine.systemd.units[unit].process
    return process.release if process else ""


@pytest.mark.proves("workers.drain", "config.stop-timeout")
@pytest.mark.slow
def test_an_old_worker_finishes_its_work() -> None:
    with NEW_COMMIT.machine() as machine:
        machine.systemd.drains[MAIL] = 90.0
        before = machine.clock.now
        ended = switch(machine, NEW)
        assert ended.ok
        assert machine.clock.now - before > 95.0
        assert release_of(machine, MAIL) == NEW.release
        said = [line for line in ended.said.splitlines() if "finishing its work" in line]
        assert said == [f"{MAIL}: finishing its work for {seconds} s" for seconds in (20, 40, 60, 80)]


@pytest.mark.proves("workers.killed")
@pytest.mark.parametrize(
    "said",
    ["State 'stop-sigterm' timed out. Killing.", "Stopping timed out. Terminating.", "Stopped shop-mail.service."],
)
@pytest.mark.parametrize("scenario", [NEW_COMMIT, replace(NEW_COMMIT, after=RENAMED)], ids=["replaced", "gone"])
def test_work_that_was_killed_is_told(said: str, scenario: Scenario) -> None:
    """The switch has succeeded, and a job may be lost."""
    with scenario.machine() as machine:
        machine.systemd.journal[MAIL].append((machine.clock.now + 1, f"{MAIL}: {said}"))
        ended = switch(machine, scenario.after)
        assert ended.ok
        told = [text for text in ended.result.get("warnings", []) if text.startswith(f"{MAIL}: its work took longer")]
        assert len(told) == ("timed out" in said)


@pytest.mark.proves("workers.drain", "workers.dying")
def test_a_new_worker_that_dies_after_a_long_drain_is_noticed() -> None:
    """The time in which it must live begins with its own start."""
    with NEW_COMMIT.machine() as machine:
        machine.systemd.drains[MAIL] = 30.0
        machine.apps[NEW.release] = App(workers={MAIL: 3.0})
        assert not switch(machine, NEW).ok
        assert release_of(machine, MAIL) == FIRST.release


@pytest.mark.proves("workers.drain")
@pytest.mark.slow
def test_all_drain_at_the_same_time() -> None:
    with NAMED["singleton"].machine() as machine:
        machine.systemd.drains |= {MAIL: 60.0, BEAT: 60.0}
        before = machine.clock.now
        assert switch(machine, NAMED["singleton"].after).ok
        assert machine.clock.now - before < 100.0


@pytest.mark.proves("workers.drain")
def test_an_old_worker_finishes_its_work_while_the_new_web_process_loads() -> None:
    with NEW_COMMIT.machine() as machine:
        machine.systemd.drains[MAIL] = 20.0
        machine.apps[NEW.release] = App(loads=20.0)
        before = machine.clock.now
        assert switch(machine, NEW).ok
        # The candidate has loaded before anything was told to end.
        assert machine.clock.now - before < 55.0


@pytest.mark.proves("workers.dying")
def test_a_worker_that_died_while_the_new_web_process_loads_is_noticed_though_it_runs_again() -> None:
    with NEW_COMMIT.machine() as machine:
        machine.apps[NEW.release] = App(loads=20.0)
        machine.systemd.gap = lambda text: machine.clock.after(1.0, lambda: machine.systemd.kill(MAIL))
        ended = switch(machine, NEW)
        assert not ended.ok
        # Of the process that runs now systemd would say: success, status 0.
        assert re.search(
            rf"{re.escape(MAIL)} on vm: it ended within \d+ s of its start \(exit-code, status 1\)", ended.error
        )


@pytest.mark.proves("workers.drain", "switch.all-or-nothing")
@pytest.mark.slow
def test_all_drain_at_the_same_time_when_all_is_put_back() -> None:
    with NAMED["singleton"].machine() as machine:
        machine.systemd.drains |= {MAIL: 60.0, BEAT: 60.0}
        machine.apps[NAMED["singleton"].after.release] = App(workers={MAIL: 1.0})
        before = machine.clock.now
        assert not switch(machine, NAMED["singleton"].after).ok
        assert machine.clock.now - before < 160.0


@pytest.mark.proves("workers.singleton", "switch.manifest")
def test_a_worker_that_left_has_ended_before_another_begins() -> None:
    """Under another name it is another unit, and would do the same work."""
    with NAMED["worker renamed"].machine() as machine:
        machine.systemd.drains[MAIL] = 45.0
        seen: list[tuple[bool, bool]] = []

        def see(text: str) -> None:
            units = machine.systemd.units
            seen.append(tuple(bool(name in units and units[name].process) for name in (MAIL, "shop-post.service")))  # type: ignore[arg-type]

        machine.watch(see)
        ended = switch(machine, RENAMED)
        assert ended.ok
        see("")
        assert (True, True) not in seen
        assert seen[-1] == (False, True)
        assert f"{MAIL}: finishing its work for 20 s" in ended.said


@pytest.mark.proves("switch.manifest")
def test_a_worker_that_left_is_gone() -> None:
    with NAMED["worker removed"].machine() as machine:
        ended = switch(machine, FIRST)
        assert ended.ok
        assert f"{BEAT} stopped and removed" in ended.said
        assert machine.read(f"/etc/systemd/system/{BEAT}") is None
        assert machine.read("/etc/codesensei/shop/workers/beat.sh") is None
        assert BEAT not in machine.systemd.enabled
        assert BEAT not in machine.systemd.units


@pytest.mark.proves("switch.manifest")
def test_a_worker_that_left_and_is_gone_already_is_no_problem() -> None:
    with NAMED["worker removed"].machine() as machine:
        machine.systemd.control("disable", [BEAT], {"--now"})
        machine.files.path(f"/etc/systemd/system/{BEAT}").unlink()
        machine.systemd.control("daemon-reload", [], set())
        assert switch(machine, FIRST).ok


@pytest.mark.proves("workers.proof", "root.never", "order.environment-first")
def test_the_proof_is_told_each_command_and_runs_as_the_app_user() -> None:
    with NAMED["singleton"].machine() as machine:
        machine.ran.clear()
        assert switch(machine, NAMED["singleton"].after).ok
        [ran] = machine.ran
        assert ran.user == "deploy"
        for command in TWO_WORKERS.workers.values():
            assert command in ran.argv[-1]
        assert ran.properties["EnvironmentFile"].endswith(f"/env/{FIRST.env}.env")


@pytest.mark.proves("workers.proof")
@pytest.mark.parametrize("name", ["site only", "unchanged", "web processes", "worker removed"])
def test_workers_that_stay_are_not_proved_again(name: str) -> None:
    with NAMED[name].machine() as machine:
        machine.ran.clear()
        assert switch(machine, NAMED[name].after).ok
        assert machine.ran == []


@pytest.mark.proves("workers.proof", "secrets.filter")
def test_what_a_proof_says_has_no_secret() -> None:
    after = replace(FIRST, code="c0de002", password="first-secret", env="e000003")
    problem = '{"shop-mail.service": {"cause": "no first-secret", "log": "KeyError: first-secret"}}'
    with replace(NEW_COMMIT, before=replace(FIRST, password="first-secret"), after=after).machine() as machine:
        machine.jobs.append(Job("ask_workers.py", output=f'\ncodesensei-workers:{{"problems": {problem}}}\n'))
        ended = switch(machine, after)
        assert not ended.ok
        assert "first-secret" not in ended.error + ended.said


@pytest.mark.proves("workers.dying", "errors.logs")
def test_the_journal_of_a_dead_worker_is_told() -> None:
    log = "Traceback\nModuleNotFoundError: No module named 'celery'"
    with NEW_COMMIT.machine() as machine:
        machine.apps[f"{MAIL}@{NEW.release}"] = App(workers={MAIL: 1.0}, log=log)
        ended = switch(machine, NEW)
        assert "celery" in ended.error
        assert f"journalctl -u {MAIL}" in ended.error


READY = {
    "celery": "[INFO] Connected to redis://127.0.0.1:6379/0\n[INFO] celery@web1 ready.",
    "rq": "*** Listening on default...",
    "dramatiq": "[INFO] Worker process is ready for action.",
    "huey": "[INFO] Huey consumer started with 1 thread, PID 44\n[INFO] Scheduler runs every 1 second(s).",
    "django-q2": "[Q] INFO Q Cluster four-beer-two-ack [shop] running.",
}
SECONDS_OF_GRACE = 5.0


def seconds_of_switch(app: App, command: str = "celery -A shop worker") -> float:
    """How long a switch to a new commit takes whose worker runs as `app` does."""
    after = replace(NEW, workers={"mail": command})
    with replace(NEW_COMMIT, after=after).machine() as machine:
        machine.apps[f"{MAIL}@{after.release}"] = app
        before = machine.clock.now
        assert switch(machine, after).ok
        return machine.clock.now - before


@pytest.mark.proves("workers.dying")
@pytest.mark.parametrize("library", READY)
def test_a_worker_that_says_that_it_is_ready_is_not_waited_for(library: str) -> None:
    slow = seconds_of_switch(App())
    assert slow - seconds_of_switch(App(log=READY[library])) > SECONDS_OF_GRACE - 2


@pytest.mark.proves("workers.dying")
@pytest.mark.parametrize(
    "log",
    [
        "",
        "[INFO] celery@web1 is getting ready.",
        "ready to start",
        "[INFO/MainProcess] Connected to redis://:**@127.0.0.1:6379/0",
    ],
)
def test_a_worker_that_does_not_say_so_must_live_its_grace_time(log: str) -> None:
    assert seconds_of_switch(App(log=log)) > SECONDS_OF_GRACE


@pytest.mark.proves("workers.dying")
@pytest.mark.parametrize("command", ["celery -A shop worker & python loop.py", "a\nb", "a; b", "a | b", "a && b"])
def test_what_one_of_several_commands_says_does_not_count(command: str) -> None:
    assert seconds_of_switch(App(log=READY["celery"]), command) > SECONDS_OF_GRACE


@pytest.mark.proves("workers.dying")
def test_a_worker_that_ends_just_after_it_was_ready_is_noticed() -> None:
    with NEW_COMMIT.machine() as machine:
        machine.apps[f"{MAIL}@{NEW.release}"] = App(log=READY["celery"], workers={MAIL: 0.9})
        assert not switch(machine, NEW).ok


UNRECOVERABLE = """[CRITICAL/MainProcess] Unrecoverable error: PreconditionFailed(406, 'inequivalent', (50, 10), '')
Traceback (most recent call last):
  File "/srv/codesensei/shop/venvs/v/lib/python3.11/site-packages/amqp/channel.py", line 293, in _on_close
    raise error_for_code(
amqp.exceptions.PreconditionFailed: Queue.declare: (406) PRECONDITION_FAILED - inequivalent arg 'x-max-priority'
"""


@pytest.mark.proves("workers.dying")
def test_a_worker_that_says_that_it_cannot_go_on_is_none_though_it_still_runs() -> None:
    with NEW_COMMIT.machine() as machine:
        machine.apps[f"{MAIL}@{NEW.release}"] = App(log=f"{READY['celery']}\n{UNRECOVERABLE}")
        ended = switch(machine, NEW)
        assert not ended.ok
        assert (
            "it ends, because it cannot go on: amqp.exceptions.PreconditionFailed: Queue.declare: (406)" in ended.error
        )
        assert release_of(machine, MAIL) == FIRST.release


@pytest.mark.proves("workers.dying")
def test_how_often_the_old_process_was_restarted_says_nothing_of_the_new_one() -> None:
    with NEW_COMMIT.machine() as machine:
        machine.systemd.units[MAIL].restarts = 3
        machine.systemd.drains[MAIL] = 20.0
        assert switch(machine, NEW).ok


@pytest.mark.proves("workers.dying")
def test_workers_that_stay_are_not_waited_for() -> None:
    with NAMED["site only"].machine() as machine:
        before = machine.clock.now
        assert switch(machine, NAMED["site only"].after).ok
        assert machine.clock.now - before < 2.0


RETRIES = {
    "celery": "consumer: Cannot connect to redis://other:6379/0: Error 111 connecting to other:6379.\n"
    "Trying again in 2.00 seconds... (1/100)",
    "dramatiq": "Consumer encountered a connection error: Error 111\n[INFO] Restarting consumer in 3.00 seconds.",
    "huey": "[ERROR] Error reading from queue\nTraceback",
    "django-q2": "[Q] ERROR Can not connect to Redis server.",
    "rq": "Could not connect to Redis instance: Error 111 Retrying in 1 seconds...",
}


@pytest.mark.proves("workers.broker", "workers.dying")
@pytest.mark.parametrize("library", RETRIES)
def test_a_worker_that_retries_its_broker_for_ever_is_none(library: str) -> None:
    with NEW_COMMIT.machine() as machine:
        machine.apps[f"{MAIL}@{NEW.release}"] = App(log=RETRIES[library])
        ended = switch(machine, NEW)
        assert not ended.ok
        assert "tries again and again to reach its broker" in ended.error
        assert release_of(machine, MAIL) == FIRST.release


@pytest.mark.parametrize("before", [RETRIES["celery"], UNRECOVERABLE])
def test_a_worker_that_has_connected_since_is_well(before: str) -> None:
    log = f"{before}\n[INFO] Connected to redis://other:6379/0\n[INFO] mail@host ready."
    with NEW_COMMIT.machine() as machine:
        machine.apps[f"{MAIL}@{NEW.release}"] = App(log=log)
        assert switch(machine, NEW).ok


@pytest.mark.proves("workers.drain")
def test_what_stops_a_worker_is_there_until_it_has_ended() -> None:
    """Also where it was the last one, so that nothing in the stack file names that program any more."""
    without = replace(FIRST, workers={})
    with replace(NEW_COMMIT, after=without).machine() as machine:
        assert switch(machine, without).ok
        texts = [call.text for call in machine.calls.made]
        stopped = texts.index(f"systemctl stop --no-block {MAIL}")
        removed = [number for number, text in enumerate(texts) if text == f"unlink {stack.CONFIG}/workers/mail.sh"]
        assert removed
        assert min(removed) > stopped
        assert f"systemctl reset-failed {MAIL}" in texts
