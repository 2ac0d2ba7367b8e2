"""What makes a switch fail: nothing of it stays, visitors are served as before, and the error says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from tests.scripts.machine import doors, stack
from tests.scripts.machine.machine import Job, Machine
from tests.scripts.machine.nginx import NONSENSE, OWN_PAGE
from tests.scripts.machine.processes import App
from tests.scripts.machine.scenarios import FIRST, HOST, MAIL, NEW_COMMIT, Scenario, differences, look, story, switch
from tests.scripts.machine.stack import CANDIDATE, WEB, Stack

NEW = NEW_COMMIT.after


def of(**changes: object) -> Callable[[Machine], None]:
    """The new release's programs do something else, whatever they run as."""

    def change(machine: Machine) -> None:
        machine.apps[NEW.release] = App(**changes)  # type: ignore[arg-type]

    return change


def live(**changes: object) -> Callable[[Machine], None]:
    """The new release's programs do something else only when they are live."""

    def change(machine: Machine) -> None:
        machine.apps[f"{WEB}@{NEW.release}"] = App(**changes)  # type: ignore[arg-type]

    return change


def stuck(machine: Machine) -> None:
    machine.systemd.stuck.add(WEB)


def no_site(machine: Machine) -> None:
    """nginx does not reload, and by what it has read it knows no such host."""
    machine.nginx.loaded.clear()


def unread(machine: Machine) -> None:
    machine.write("/etc/nginx/sites-enabled/00-other.conf", NONSENSE)


def proof(code: int, output: str) -> Callable[[Machine], None]:
    return lambda machine: machine.jobs.append(Job("ask_workers.py", code, output))


PROBLEM = '{"shop-mail.service": {"cause": "there is no program celery", "log": "PATH is /bin"}}'
MISSING = f'\ncodesensei-workers:{{"problems": {PROBLEM}}}\n'


@dataclass(frozen=True)
class Case:
    """What is wrong, and what the error says."""

    name: str
    wrong: Callable[[Machine], None]
    says: tuple[str, ...]
    after: Stack = NEW
    # Whether it is found before anything is changed.
    inert: bool = False


CASES = [
    pytest.param(
        Case("the candidate answers with an error", of(status=500), ("HTTP status 500", "change project"), inert=True),
        marks=pytest.mark.proves("switch.candidate", "order.inert"),
    ),
    pytest.param(
        Case(
            "the candidate's status is not accepted",
            of(status=404),
            ("HTTP status 404", "answer / with 2xx, 3xx"),
            inert=True,
        ),
        marks=pytest.mark.proves("switch.candidate", "config.health-check"),
    ),
    pytest.param(
        Case(
            "the candidate ends",
            of(crashes=True, log="ModuleNotFoundError: No module named 'shop'"),
            ("'shop'",),
            inert=True,
        ),
        marks=pytest.mark.proves("switch.candidate", "errors.logs"),
    ),
    pytest.param(
        Case(
            "the candidate ends without a word", of(crashes=True), ("its process ended before it answered",), inert=True
        ),
        marks=pytest.mark.proves("switch.candidate"),
    ),
    pytest.param(
        Case("the candidate never answers", of(hangs=True), ("it did not answer within 30 s",), inert=True),
        marks=pytest.mark.proves("switch.candidate", "config.health-check"),
    ),
    pytest.param(
        Case("the candidate never listens", of(boots=1000.0), ("it did not answer within 30 s",), inert=True),
        marks=pytest.mark.proves("switch.candidate", "config.health-check"),
    ),
    pytest.param(
        Case(
            "the candidate leads to another host",
            of(status=302, location="https://elsewhere.example.com/"),
            ("it redirects to the host elsewhere.example.com",),
            inert=True,
        ),
        marks=pytest.mark.proves("tls.redirect", "tls.probe"),
    ),
    pytest.param(
        Case(
            "the candidate leads to another scheme",
            of(status=301, location=f"http://{HOST}/"),
            ("it redirects to http",),
            inert=True,
        ),
        marks=pytest.mark.proves("tls.redirect"),
    ),
    pytest.param(
        Case(
            "the candidate refuses a host",
            of(status=400),
            (
                "Django refuses the host www.other.com (DisallowedHost)",
                "add www.other.com to ALLOWED_HOSTS, or .other.com",
            ),
            replace(NEW, hosts=("www.other.com",), allowed=(HOST,)),
            inert=True,
        ),
        marks=pytest.mark.proves("causes.disallowed-host"),
    ),
    pytest.param(
        Case("the live process answers with an error", live(status=503), ("HTTP status 503", f"journalctl -u {WEB}")),
        marks=pytest.mark.proves("switch.read-back"),
    ),
    pytest.param(
        Case("the live process ends", live(crashes=True), ("it did not answer in time",)),
        marks=pytest.mark.proves("switch.read-back"),
    ),
    pytest.param(
        Case(
            "another release's process serves",
            stuck,
            (f"it serves {stack.ROOT}/releases/{FIRST.release}, not {stack.ROOT}/releases/{NEW.release}",),
        ),
        marks=pytest.mark.proves("switch.read-back", "outputs.served"),
    ),
    pytest.param(
        Case(
            "nginx refuses the site",
            unread,
            ("00-other.conf, line 1", "nonsense", "the new site is not in use"),
            replace(NEW, body_size="20m"),
        ),
        marks=pytest.mark.proves("proxy.checked"),
    ),
    pytest.param(
        Case(
            "the worker dies", of(workers={MAIL: 1.0}), (MAIL, "it ended within 5 s of its start (exit-code, status 1)")
        ),
        marks=pytest.mark.proves("workers.dying"),
    ),
    pytest.param(
        Case("the worker dies late", of(workers={MAIL: 4.5}), ("it ended within 5 s of its start",)),
        marks=pytest.mark.proves("workers.dying"),
    ),
    pytest.param(
        Case(
            "a worker's program is not there",
            proof(0, MISSING),
            ("workers that cannot start", f"{MAIL}: there is no program celery", "command in project.workers"),
            inert=True,
        ),
        marks=pytest.mark.proves("workers.proof"),
    ),
    pytest.param(
        Case(
            "the workers' proof does not end", proof(1, "Killed\n"), ("their proof did not end", "Killed"), inert=True
        ),
        marks=pytest.mark.proves("workers.proof"),
    ),
]


@pytest.mark.proves("switch.all-or-nothing", "errors.four")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_stays_as_it_was(case: Case) -> None:
    with replace(NEW_COMMIT, after=case.after, meanwhile=case.wrong).machine() as machine:
        before = look(machine)
        processes = {name: unit.process for name, unit in machine.systemd.units.items()}
        ended = switch(machine, case.after)
        assert ended.code == 1
        for words in case.says:
            assert words in " ".join(ended.error.split())
        assert f"still served: release {FIRST.release}" in ended.error
        assert differences(look(machine), before) == {}
        if case.inert:
            processes.pop(CANDIDATE, None)
            assert {name: machine.systemd.units[name].process for name in processes} == processes


@pytest.mark.proves("workers.dying")
def test_a_worker_that_is_started_again_at_once_is_noticed() -> None:
    """Between two looks it has died and lives again."""
    with replace(NEW_COMMIT, meanwhile=of(workers={MAIL: 1.0})).machine() as machine:
        machine.systemd.restart_seconds = 0.01
        before = look(machine)
        assert not switch(machine, NEW).ok
        assert differences(look(machine), before) == {}


@pytest.mark.proves("workers.dying")
@pytest.mark.parametrize(
    ("dies", "loading", "asked", "ok"), [(7.0, 0, 0, True), (7.0, 4, 0, False), (12.0, 4, 0, True), (7.0, 4, 3, True)]
)
def test_the_grace_time_is_longer_where_the_project_is_slow_to_load(
    dies: float, loading: float, asked: float, ok: bool
) -> None:
    """Waiting for a broker is not loading."""
    with replace(NEW_COMMIT, meanwhile=of(workers={MAIL: dies})).machine() as machine:
        output = f'codesensei-workers:{{"problems": {{}}, "asked": {asked}}}\n'
        machine.jobs.append(Job("ask_workers.py", output=output, seconds=loading))
        assert switch(machine, NEW).ok == ok


@pytest.mark.proves("workers.dying", "workers.drain")
def test_what_is_put_back_was_not_touched_where_it_need_not() -> None:
    """Only what the switch replaces is started again when it fails."""
    after = replace(FIRST, workers={"mail": "celery -A shop worker -c 2"})
    with replace(NEW_COMMIT, after=after).machine() as machine:
        machine.apps[FIRST.release] = App(workers={MAIL: 1.0})
        web = machine.systemd.units[WEB].process
        ended = switch(machine, after)
        assert not ended.ok
        assert machine.systemd.units[WEB].process == web
        assert machine.read(f"{stack.CONFIG}/workers/mail.sh") == "celery -A shop worker\n"


@pytest.mark.proves("switch.all-or-nothing")
def test_a_candidate_serves_until_the_old_process_answers_again() -> None:
    """What is put back begins again, and visitors do not wait for it."""
    with replace(NEW_COMMIT, meanwhile=live(status=503)).machine() as machine:
        machine.systemd.drains[WEB] = 5.0
        visits: dict[str, object] = {}
        machine.watch(lambda text: visits.update({text: machine.visit(HOST).status}))
        assert not switch(machine, NEW).ok
        assert {text: status for text, status in visits.items() if status != 200} == {}


@pytest.mark.proves("config.health-check")
def test_a_status_that_is_accepted_is_no_failure() -> None:
    after = replace(NEW, accept=("404",), health="/health/")
    with replace(NEW_COMMIT, after=after, meanwhile=of(status=404)).machine() as machine:
        assert switch(machine, after).ok


@pytest.mark.proves("config.health-check", "switch.candidate")
@pytest.mark.parametrize(("boots", "ok"), [(25.0, True), (35.0, False)])
def test_the_candidate_is_waited_for(boots: float, ok: bool) -> None:
    with replace(NEW_COMMIT, meanwhile=of(boots=boots)).machine() as machine:
        assert switch(machine, NEW).ok == ok


@pytest.mark.proves("switch.candidate")
def test_every_hostname_is_asked_for() -> None:
    after = replace(NEW, hosts=(HOST, "www.example.com"))
    with replace(NEW_COMMIT, after=after).machine() as machine:
        assert switch(machine, after).ok
        asked = [call.text for call in machine.calls.made if call.text.startswith("ask ")]
        assert asked[:2] == [f"ask web.sock for {HOST}", "ask web.sock for www.example.com"]
        assert f"ask the proxy for {HOST}" in asked


@pytest.mark.proves("proxy.checked")
def test_a_refused_site_is_never_read() -> None:
    after = replace(FIRST, body_size=NONSENSE)
    with replace(NEW_COMMIT, after=after).machine() as machine:
        assert not switch(machine, after).ok
        reloads = [text for text in story(machine) if text == "systemctl reload nginx.service"]
        # The one by which all is put back.
        assert len(reloads) == 1
        assert NONSENSE not in str(machine.nginx.loaded)


@pytest.mark.proves("switch.read-back", "proxy.unknown-hosts")
def test_a_page_of_nginx_itself_is_no_answer_of_the_project() -> None:
    """Also where its status would be accepted."""
    after = replace(FIRST, code="c0de002", accept=("2xx", "5xx"))
    assert "nginx" in OWN_PAGE
    with replace(NEW_COMMIT, after=after, meanwhile=no_site).machine() as machine:
        ended = switch(machine, after)
        assert not ended.ok
        assert "nginx itself answered" in ended.error


@pytest.mark.proves("words.release", "switch.all-or-nothing")
@pytest.mark.parametrize("built", [False, True])
def test_a_release_that_is_not_complete_is_not_switched_to(built: bool) -> None:
    with NEW_COMMIT.machine() as machine:
        before, after = look(machine), replace(NEW, code="c0de003")
        if built:
            stack.stage(machine, after, prepared=False)
        ended = switch(machine, after)
        assert "release c0de003-e000001 on" in ended.error
        assert "it is not complete on this server" in ended.error
        assert "--replace '**shop-build'" in ended.error
        assert differences(look(machine), before) == {}


@pytest.mark.proves("destroy.own-only", "root.trust")
@pytest.mark.parametrize(
    "path",
    [
        "/etc/systemd/system/ssh.service",
        "/etc/passwd",
        "/etc/systemd/system/shop/../ssh.service",
        "/etc/nginx/sites-available/other.conf",
        "/etc/codesensei/other/workers/mail.sh",
    ],
)
def test_a_manifest_has_only_the_projects_own_paths(path: str) -> None:
    with NEW_COMMIT.machine() as machine:
        manifest = stack.manifest(NEW)
        manifest["files"].append({"path": path, "content": "x", "mode": "0644"})
        ended = doors.run(machine, "switch", NEW.release, NEW.revision, data=manifest)
        assert f"{path} is not a path of this project" in ended.error
        assert machine.read(path) is None


@pytest.mark.proves("words.candidate", "web.workers")
@pytest.mark.parametrize(
    ("memory", "free", "processes"), [("400000000", 4_000_000, 3), ("400000000", 300_000, 1), ("[not set]", 1, 3)]
)
def test_a_candidate_has_as_many_processes_as_fit(memory: str, free: int, processes: int) -> None:
    commands: list[str] = []

    def see(text: str) -> None:
        unit = machine.systemd.units.get(CANDIDATE)
        if unit and unit.process:
            commands.append(unit.process.command)

    with NEW_COMMIT.machine() as machine:
        machine.systemd.memory = memory
        machine.write("/proc/meminfo", f"MemAvailable: {free} kB\nSwapFree: 0 kB\n")
        machine.watch(see)
        assert switch(machine, NEW).ok
        assert {f"--workers {processes} " in command for command in commands} == {True}
        live = machine.systemd.units[WEB].process
        assert live
        assert "--workers 3 " in live.command


@pytest.mark.proves("database.password", "database.credentials-current")
def test_a_candidate_logs_in_with_the_password_in_force() -> None:
    """The new one is not in force before the switch, and what holds the old one is gone after it."""
    after = replace(FIRST, env="e000002", password="second")
    seen: set[tuple[str, str]] = set()

    def see(text: str) -> None:
        for name in (CANDIDATE, WEB):
            unit = machine.systemd.units.get(name)
            if unit and unit.process:
                seen.add((name, unit.process.environment["DATABASE_PASSWORD"]))

    with Scenario("", FIRST, after).machine() as machine:
        machine.watch(see)
        assert switch(machine, after).ok
        see("")
        assert seen == {(CANDIDATE, "first"), (WEB, "first"), (WEB, "second")}
        assert machine.files.path(f"/run/codesensei/credentials-{stack.SLUG}.env").exists() is False
        # The verifier that was staged for the password before is not kept.
        assert [path.name for path in machine.files.path(f"{stack.MEMORY}/database").iterdir()] == [
            f"{after.digest}.json"
        ]


@pytest.mark.proves("database.password")
def test_the_password_goes_back_with_everything_else() -> None:
    after = replace(FIRST, env="e000002", password="second")
    with Scenario("", FIRST, after).machine() as machine:
        machine.apps[after.release] = App(workers={MAIL: 1.0})
        before = look(machine)
        assert not switch(machine, after).ok
        assert "psql ALTER ROLE shop" in story(machine)
        assert machine.postgres.accepts(stack.ROLE, "first")
        assert differences(look(machine), before) == {}


@pytest.mark.proves("database.password")
def test_a_password_that_was_not_staged_stops_the_switch() -> None:
    after = replace(FIRST, env="e000002", password="second")
    with Scenario("", FIRST, after).machine() as machine:
        before = look(machine)
        machine.files.path(f"{stack.MEMORY}/database/{after.digest}.json").unlink()
        ended = switch(machine, after)
        assert "it has not been staged" in ended.error
        assert differences(look(machine), before) == {}


@pytest.mark.proves("secrets.filter")
def test_no_secret_is_told_when_a_process_says_it() -> None:
    with replace(
        NEW_COMMIT, meanwhile=of(status=500, log="cannot log in with first-secret", body="first-secret")
    ).machine() as machine:
        machine.write(f"{stack.ROOT}/env/{NEW.env}.env", "DATABASE_USER='shop'\nDATABASE_PASSWORD='first-secret'\n")
        machine.postgres.roles[stack.ROLE] = "verifier-of:first-secret"
        ended = switch(machine, NEW)
        assert not ended.ok
        assert "first-secret" not in ended.error + ended.said
        assert "[secret]" in ended.error
