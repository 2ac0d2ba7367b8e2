"""The look: what OpenSSH is told, and what becomes of each answer."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from codesensei.config.server import JumpHost, ServerConfig
from codesensei.remote import Access, Look, RemoteError, State, access, ask, reach
from codesensei.remote import look as module
from codesensei.remote.state import StepState
from codesensei.wire.register import Register
from codesensei.wire.steps import (
    FORESEEN,
    NOTHING_ASKED,
    OF_DATABASE,
    AskedOfDatabase,
    Drift,
    Finding,
    Memory,
    Preflight,
    Seen,
    SeenStep,
)
from codesensei.wire.table_locks import Table
from tests.scripts.examples import PREFLIGHT

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
JUMP_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGfV1Y9vDYk9zS3yBmtJxzM7rJ9xkzTzKb7rX0L2pXyZ"
SERVER = ServerConfig.model_validate({"host": "203.0.113.7", "port": 2222, "user": "admin", "hostKey": KEY})
RUN = "/usr/local/lib/codesensei/shop/run"
NOW, OTHER = "1" * 64, "2" * 64
ANSWER: dict[str, Any] = {
    "identity": "an-identity",
    "steps": {
        "claim": {"applied": "c" * 64, "drift": []},
        "switch": {"applied": "a" * 64, "drift": ["/etc/x was changed by hand", "shop.service is inactive"]},
    },
}
STATE = State(True, {"claim": StepState(9, "c" * 64), "switch": StepState(0, "a" * 64)}, copy=2)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An `ssh` that keeps what it was given, and says what a test wants it to say."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def says(out: str = "", err: str = "", code: int = 0, seconds: float = 0) -> Path:
        (tmp_path / "out").write_text(out)
        (tmp_path / "err").write_text(err)
        script = programs / "ssh"
        script.write_text(
            f'#!/bin/sh\ncd {tmp_path}\nprintf "%s\\n" "$@" >arguments\n'
            'cp "$2" config\ncp "$(dirname "$2")/known_hosts" known\n'
            f'printf "%s" "$SSH_AUTH_SOCK" >agent\ncat >stdin\nsleep {seconds}\ncat out\ncat err >&2\nexit {code}\n'
        )
        script.chmod(0o755)
        return tmp_path

    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return says


def looked(
    server: ServerConfig = SERVER,
    sudo: str = "",
    state: State = STATE,
    asked: AskedOfDatabase = NOTHING_ASKED,
    wanted: Preflight | None = None,
) -> Look:
    return module.ask(server, "agent.sock", sudo, RUN).look(state, asked, wanted)


def reached(
    drift: bool = True, state: State = STATE, asked: AskedOfDatabase = NOTHING_ASKED, wanted: Preflight | None = None
) -> Access:
    return reach(ask(SERVER, slug="shop", drift=drift, private_key=None), state, asked, wanted)


@pytest.mark.proves("config.drift")
def test_what_an_up_refuses_it_does_not_repair(ssh: Any) -> None:
    switch = {"applied": "a" * 64, "drift": ["hostname a.example: b has it", "c is gone"], "refused": ["c is gone"]}
    ssh(out=json.dumps({**ANSWER, "steps": {"switch": switch}}) + "\n")
    assert looked().warnings[1:3] == (
        "203.0.113.7: hostname a.example: b has it (step switch); pulumi up repairs it",
        "203.0.113.7: c is gone (step switch); pulumi up refuses it, and says how to go on",
    )


@pytest.mark.proves("config.drift")
def test_the_server_s_answer_becomes_numbers_and_warnings(ssh: Any) -> None:
    ssh(out=json.dumps(ANSWER) + "\n")
    look = looked()
    assert (look.repair("claim"), look.repair("switch"), look.copy, look.blank) == (9, 1, 2, False)
    assert look.warnings == (
        "203.0.113.7: /etc/x was changed by hand (step switch); pulumi up repairs it",
        "203.0.113.7: shop.service is inactive (step switch); pulumi up repairs it",
    )
    # The look of an earlier version does not tell how.
    assert look.drift == (
        Drift(step="switch", thing="/etc/x was changed by hand"),
        Drift(step="switch", thing="shop.service is inactive"),
    )


@pytest.mark.proves("look.shell")
@pytest.mark.parametrize("answer", [json.dumps(ANSWER) + "\n", "{}\n", "{}\n\ncodesensei-python:3.13\n"])
def test_a_shell_that_prints_before_each_command_is_told(ssh: Any, answer: str) -> None:
    """Its words break SFTP, with an error that names neither shell nor file; the answer is found all the same."""
    ssh(out=answer)
    quiet = looked()
    ssh(out=f"\nhello from bashrc\n{answer}")
    look = looked()
    (told,) = set(look.warnings) - set(quiet.warnings)
    assert told.startswith('203.0.113.7: the shell of admin prints "hello from bashrc" before each command')
    assert "begin ~admin/.bashrc" in told
    assert replace(look, warnings=quiet.warnings) == quiet


@pytest.mark.proves("story.drift")
def test_how_things_have_drifted_is_kept_for_the_story(ssh: Any) -> None:
    steps = {"claim": ANSWER["steps"]["claim"], "switch": {**ANSWER["steps"]["switch"], "changes": CHANGES}}
    ssh(out=json.dumps({"identity": "an-identity", "steps": steps}))
    found = looked().drift[1]
    assert found == Drift(step="switch", thing="shop.service is inactive", lines=("inactive (dead) -> active",))


@pytest.mark.proves("story.releases", "story.memory")
def test_the_releases_and_the_memory_are_kept_for_the_story(ssh: Any) -> None:
    memory = {"available": 5, "each": {"shop.service": 3}}
    ssh(out=json.dumps({**ANSWER, "releases": ["a", "b"], "served": ["b"], "memory": memory}))
    look = looked()
    assert (look.releases, look.served) == (("a", "b"), ("b",))
    assert look.memory == Memory(available=5, each={"shop.service": 3})


CHANGES = {"shop.service is inactive": ["inactive (dead) -> active"], "of another version": ["x"]}


@pytest.mark.proves("look.findings")
def test_what_no_step_repairs_is_told_and_runs_nothing(ssh: Any) -> None:
    steps = {"claim": {"applied": "c" * 64, "drift": []}, "switch": {"applied": "a" * 64, "drift": []}}
    finding = {"thing": "shop.service", "cause": "systemd has restarted it 9 times", "fix": "look at its journal"}
    ssh(out=json.dumps({"identity": "i", "steps": steps, "findings": [finding]}))
    look = looked()
    assert look.repairs == {"claim": 9, "switch": 0}
    assert look.warnings == ("203.0.113.7: shop.service: systemd has restarted it 9 times; look at its journal",)


def test_what_a_newer_version_tells_besides_is_no_hindrance(ssh: Any) -> None:
    ssh(out=json.dumps({**ANSWER, "since": 1}))
    assert looked().repairs == {"claim": 9, "switch": 1}


def test_a_server_that_remembers_nothing_gets_everything_again(ssh: Any) -> None:
    ssh(out="{}\n")
    look = looked()
    assert (look.repair("claim"), look.repair("switch"), look.copy, look.blank) == (10, 1, 3, True)
    assert look.warnings == (
        "203.0.113.7: this server remembers nothing of the stack; pulumi up brings everything again, and no data",
    )


def test_on_a_first_deploy_nothing_has_a_number(ssh: Any) -> None:
    ssh(out="{}\n")
    look = looked(state=State())
    assert (look.repair("claim"), look.copy, look.warnings) == (0, 0, ())


def step_of(applied: str, *drift: str, step: str = "build") -> Seen:
    return Seen(steps={step: SeenStep(applied=applied, drift=drift)})


@pytest.mark.parametrize(
    ("answer", "number", "warning", "why"),
    [
        (step_of(NOW), 4, "", "as the state has it"),
        (step_of(OTHER), 5, "is not as the state has it", "an interrupted run has done something else since"),
        (step_of(NOW, "x is gone"), 5, "x is gone", "changed by hand"),
        (step_of("", "an earlier run was interrupted"), 5, "interrupted", "never ended"),
        (step_of(NOW, step="switch"), 5, "is not as the state has it", "never done there"),
    ],
)
def test_the_number_of_a_step(answer: Seen, number: int, warning: str, why: str) -> None:
    look = Look.of(State(True, {"build": StepState(4, NOW)}), answer, "203.0.113.7")
    assert look.repair("build") == number, why
    assert len(look.warnings) == bool(warning)
    assert warning in "".join(look.warnings)


def test_only_what_is_numbered_by_the_state_is_asked_about() -> None:
    look = Look.of(State(), step_of(OTHER, "x is gone"), "203.0.113.7")
    assert (look.repair("build"), look.warnings) == (0, ())


@pytest.mark.parametrize("answer", ["", "Traceback\n", '{"steps": {"build": {}}}', "[1]", '{"steps": 3}'])
def test_an_answer_that_means_nothing_runs_every_step_again(answer: str, ssh: Any) -> None:
    """A fault in what is installed must not keep the version that puts it right from being brought."""
    ssh(out=answer, err="Traceback (most recent call last):", code=1)
    look = looked()
    assert (look.repair("claim"), look.repair("switch"), look.copy) == (10, 1, 2)
    assert "every step runs again" in look.warnings[0]


@pytest.mark.proves("preflight.reachable")
@pytest.mark.parametrize(
    ("said", "cause", "fix"),
    [
        ("Host key verification failed.", "its host key is not the one", "if the machine is a new one"),
        ("No ED25519 host key is known for server and you have requested strict checking.", "its host key", "compare"),
        ("admin@203.0.113.7: Permission denied (publickey).", "does not accept the key for admin", "~admin/.ssh"),
        ("ssh: Could not resolve hostname x: Name or service not known", "cannot be resolved", "server.host"),
        ("ssh: connect to host x port 2222: Connection refused", "nothing listens on port 2222", "start sshd"),
        ("ssh: connect to host x port 2222: Connection timed out", "does not answer on port 2222", "firewall"),
        ("something new", "it cannot be reached: something new", "ssh -p 2222 admin@203.0.113.7"),
        ("", "it cannot be reached: ssh said nothing", "by hand"),
    ],
)
def test_why_a_server_cannot_be_reached(said: str, cause: str, fix: str, ssh: Any) -> None:
    ssh(err=said, code=255)
    with pytest.raises(RemoteError) as caught:
        looked()
    assert caught.value.thing == "server 203.0.113.7"
    assert cause in caught.value.cause
    assert fix in caught.value.fix


@pytest.mark.proves("config.server.proxy")
@pytest.mark.parametrize(
    ("said", "thing", "cause"),
    [
        (
            "No ED25519 host key is known for jump and you have requested strict checking.\n"
            "Host key verification failed.\nConnection closed by UNKNOWN port 65535",
            "jump host 203.0.113.1",
            "not the one in codesensei:server.proxy.hostKey",
        ),
        ("Host key for server has changed\nHost key verification failed.", "server 203.0.113.7", "server.hostKey"),
        ("jump@203.0.113.1: Permission denied (publickey).\nConnection closed", "jump host 203.0.113.1", "for jump"),
        ("admin@203.0.113.7: Permission denied (publickey).", "server 203.0.113.7", "for admin"),
        ("ssh: connect to host 203.0.113.1 port 22: Connection timed out", "jump host 203.0.113.1", "on port 22"),
        (
            "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed",
            "server 203.0.113.7",
            "nothing listens on port 2222",
        ),
        ("channel 0: open failed: administratively prohibited: open failed", "server 203.0.113.7", "does not let"),
    ],
)
def test_which_of_two_machines_is_in_the_way(said: str, thing: str, cause: str, ssh: Any) -> None:
    ssh(err=said, code=255)
    jump = JumpHost.model_validate({"host": "203.0.113.1", "user": "jump", "hostKey": JUMP_KEY})
    with pytest.raises(RemoteError) as caught:
        looked(SERVER.model_copy(update={"proxy": jump}))
    assert caught.value.thing == thing
    assert cause in caught.value.cause


@pytest.mark.proves("config.server.user")
def test_a_user_without_sudo_is_told_so(ssh: Any) -> None:
    ssh(err="sudo: a password is required\n", code=1)
    with pytest.raises(RemoteError, match="admin may not use sudo without a password"):
        looked(sudo="sudo -n ")


@pytest.mark.slow
def test_a_look_is_bounded(ssh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.3)
    ssh(seconds=30)
    started = time.monotonic()
    with pytest.raises(RemoteError, match="did not answer within"):
        looked()
    assert time.monotonic() - started < 5


def test_a_look_only_asks(ssh: Any) -> None:
    folder = ssh(out="{}")
    looked(sudo="sudo -n ")
    command = (folder / "arguments").read_text().splitlines()[-1]
    assert command == f"sudo -n sh -s {RUN} /var/lib/codesensei/register.json codesensei-register: codesensei-python:"
    assert (folder / "agent").read_text() == "agent.sock"


@pytest.mark.proves("migrations.locks.preview", "story.applied")
def test_it_asks_the_database_too_over_the_same_connection(ssh: Any, engine: dict[str, Any]) -> None:
    asked = AskedOfDatabase(tables=("books_book", "it's"), migrations=("books.0003_x", "books.0004_y"))
    found = {"tables": {"books_book": {"rows": 7, "size": 8192}}, "migrations": ["books.0003_x"]}
    folder = ssh(out=f"{json.dumps(ANSWER)}\n\n{OF_DATABASE}{json.dumps(found)}\n")
    look = reached(asked=asked).look
    assert look.tables == {"books_book": Table(rows=7, size=8192)}
    assert look.migrations == ("books.0003_x",)
    words = "ask books_book 'it'\"'\"'s' migrations: books.0003_x books.0004_y\n"
    assert (folder / "stdin").read_text() == module.SCRIPT.read_text() + words
    # Without a look, nobody is asked.
    assert reached(drift=False, asked=asked).look.tables == {}


@pytest.mark.proves("preview.foreseen")
def test_what_it_foresees_is_kept_also_where_a_first_deploy_was_begun(ssh: Any, engine: dict[str, Any]) -> None:
    one = {"thing": "port 80", "cause": "taken", "fix": "free it"}
    ssh(out=f"{{}}\n\n{FORESEEN}{json.dumps({'refused': [one]})}\n")
    engine["preview"] = False
    for _ in range(2):
        assert reached(state=State(), wanted=PREFLIGHT).look.refused == (Finding(**one),)


@pytest.mark.proves("migrations.locks.preview")
def test_of_very_many_tables_the_first_are_asked_for(ssh: Any) -> None:
    folder = ssh(out="{}")
    looked(asked=AskedOfDatabase(tables=tuple(f"t{number}" for number in range(80))))
    assert (folder / "stdin").read_text().endswith(" t48 t49\n")


@pytest.mark.proves("migrations.locks.preview")
@pytest.mark.parametrize("launcher", [True, False])
@pytest.mark.parametrize("register", ['{\n "slugs": {}\n}\n', None])
def test_what_the_server_is_asked(launcher: bool, register: str | None, tmp_path: Path) -> None:
    run, known = tmp_path / "run", tmp_path / "register.json"
    if launcher:
        run.write_text('#!/bin/sh\ncat\necho "$*: {}"\n')
        run.chmod(0o755)
    if register:
        known.write_text(register)
    argv = ["sh", "-s", str(run), str(known), "mark:", "python:"]
    script = module.SCRIPT.read_text() + "ask books_book 'a b'\necho more\n"
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line]
    told = ["look: {}" if launcher else "{}", *(['mark:{ "slugs": {}}'] if register else [])]
    told += [*(["ask books_book a b: {}"] if launcher else []), "more"]
    assert ([line for line in lines if not line.startswith("python:")], done.stderr) == (told, "")
    own = Path("/usr/bin/python3").resolve().name.removeprefix("python")
    assert [line for line in lines if line.startswith("python:")] == ([f"python:{own}"] if own.startswith("3") else [])


@pytest.mark.proves("look.meanwhile")
def test_the_server_tells_while_the_program_reads_on(ssh: Any) -> None:
    """It is asked at once, and for the rest by the same connection."""
    folder = ssh()
    script = folder / "bin" / "ssh"
    script.write_text(f"#!/bin/sh\ncd {folder}\nsh -s none none mark: python: >out\ncat out\n")
    begun = module.ask(SERVER, "agent.sock", "", RUN)
    deadline = time.monotonic() + 30
    while not (folder / "out").read_text():
        assert time.monotonic() < deadline, "nothing is asked before the program has read on"
        time.sleep(0.01)
    assert begun.look(STATE).blank


@pytest.mark.parametrize(("line", "python"), [("codesensei-python:3.13", "3.13"), ("codesensei-python:", ""), ("", "")])
def test_the_python_of_the_server_is_known(ssh: Any, line: str, python: str) -> None:
    ssh(out=f"{json.dumps(ANSWER)}\n{line}\ncodesensei-register:{{}}\n")
    assert looked().python == python


@pytest.mark.proves("config.server.proxy", "config.server.host-key")
def test_openssh_reads_the_settings_as_they_are_meant(ssh: Any) -> None:
    jump = JumpHost.model_validate({"host": "203.0.113.1", "user": "jump", "hostKey": JUMP_KEY})
    folder = ssh(out="{}")
    looked(SERVER.model_copy(update={"proxy": jump}))
    assert (folder / "known").read_text() == f"server {KEY}\njump {JUMP_KEY}\n"
    read = {name: _openssh(folder / "config", name) for name in ("server", "jump")}
    expected = {
        "server": {"hostname": "203.0.113.7", "port": "2222", "user": "admin", "proxyjump": "jump"},
        "jump": {"hostname": "203.0.113.1", "port": "22", "user": "jump"},
    }
    # The jump host gives up first: else the error would name the server behind it.
    expected["server"]["connecttimeout"], expected["jump"]["connecttimeout"] = "10", "5"
    for name, settings in read.items():
        assert settings == {
            **settings,
            **expected[name],
            "hostkeyalias": name,
            "hostkeyalgorithms": "ssh-ed25519",
            "stricthostkeychecking": "true",
            "globalknownhostsfile": "none",
            "batchmode": "yes",
            "identityfile": "none",
            "preferredauthentications": "publickey",
            "clearallforwardings": "yes",
        }
    assert "proxyjump" not in read["jump"]


def _openssh(config: Path, name: str) -> dict[str, str]:
    # The real one: the stand-in comes first on this test's PATH.
    done = subprocess.run(["/usr/bin/ssh", "-F", str(config), "-G", name], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program tells the engine, and whether this is a preview."""
    told: dict[str, Any] = {"warnings": [], "preview": True}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    monkeypatch.setattr(pulumi, "warn", told["warnings"].append)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: told["preview"])
    return told


@pytest.mark.proves("story.drift.unreachable")
def test_a_preview_goes_on_without_the_server_and_an_update_does_not(ssh: Any, engine: dict[str, Any]) -> None:
    ssh(err="ssh: connect to host x port 2222: Connection refused", code=255)
    assert reached().look == Look.none(STATE)
    (warning,) = engine["warnings"]
    assert "nothing listens on port 2222" in warning
    engine["preview"] = False
    with pytest.raises(RemoteError, match="nothing listens on port 2222"):
        reached()


def test_without_a_key_and_an_agent_it_is_the_same(
    ssh: Any, engine: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert reached(drift=False).look == Look.none(STATE)
    assert "no SSH agent is running" in engine["warnings"][0]
    engine["preview"] = False
    with pytest.raises(RemoteError, match="no SSH agent is running"):
        reached(drift=False)


@pytest.mark.proves("preview.foreseen")
def test_without_drift_a_first_preview_says_that_nobody_has_asked(ssh: Any, engine: dict[str, Any]) -> None:
    reached(drift=False, state=State(), wanted=PREFLIGHT)
    (warning,) = engine["warnings"]
    assert warning.startswith("203.0.113.7: what a deploy would refuse there (other sites,")
    assert warning.endswith("because codesensei:drift is false; pulumi up makes the checks first")
    reached(drift=False)
    assert len(engine["warnings"]) == 1


@pytest.mark.proves("config.drift")
def test_without_drift_nobody_connects_and_every_line_stays(ssh: Any, engine: dict[str, Any]) -> None:
    folder = ssh(out=json.dumps(ANSWER))
    look = reached(drift=False).look
    assert not (folder / "arguments").exists()
    assert (look.repair("claim"), look.repair("switch"), look.copy, look.warnings) == (9, 0, 2, ())
    assert reached().look.repair("switch") == 1
    assert len(engine["warnings"]) == 2


REGISTER = {
    "slugs": {"shop": {"stack": "acme/codesensei/prod", "identity": "an-identity", "names": {"brokers": ["3"]}}}
}


@pytest.mark.proves("register.preview")
def test_the_look_brings_the_server_s_register(ssh: Any) -> None:
    ssh(out=f"{json.dumps(ANSWER)}\n\ncodesensei-register:{json.dumps(REGISTER)}\nsee you\n")
    look = looked()
    assert look.repairs == {"claim": 9, "switch": 1}
    assert look.register is not None
    assert look.register.slugs["shop"].has("brokers", "3")
    ssh(out="{}\n\ncodesensei-register:broken\n")
    assert looked().register == Register()


@pytest.mark.proves("register.moved")
@pytest.mark.parametrize(
    ("server", "identity", "moved_from"),
    [
        ("old.example.com", "an-identity", ""),
        ("old.example.com", "other", "old.example.com"),
        (SERVER.host, "other", ""),
    ],
)
def test_a_server_is_another_one_unless_it_knows_the_stack(
    ssh: Any, engine: dict[str, Any], server: str, identity: str, moved_from: str
) -> None:
    state = replace(STATE, outputs={"server": server}, identity=identity)
    ssh(out=f"{json.dumps(ANSWER)}\ncodesensei-register:{json.dumps(REGISTER)}\n")
    assert reached(state=state).moved_from == moved_from
    # Nobody looks, so nobody knows.
    unknown = "" if server == SERVER.host else server
    assert reached(drift=False, state=state).moved_from == unknown


def test_a_first_deploy_that_was_begun_is_not_taken_for_the_first(ssh: Any, engine: dict[str, Any]) -> None:
    """Its state cannot be read; where the server was put back since, what the state holds as done must run again."""
    ssh(out="{}")
    first = State()
    assert reached(state=first).look.repair("claim") == 0
    assert reached(state=first).look.repair("claim") == 0, "previews begin nothing"
    engine["preview"] = False
    before = int(time.time())
    assert reached(state=first).look.repair("claim") == 0
    again = reached(state=first).look
    assert before <= again.repair("claim") == again.repair("build") == again.copy <= time.time()
    ssh(out=json.dumps(ANSWER))
    assert reached(state=first).look.repair("claim") == 0, "the server is the one that the deploy was begun on"
    assert reached().look.repair("claim") == 9
    assert not access.note_of("prod").exists()


@pytest.mark.proves("errors.result")
@pytest.mark.parametrize("after", ["", "see you\n", "[1]\n"])
def test_the_answer_is_found_among_the_words_of_a_shell_s_profile_and_of_sudo(ssh: Any, after: str) -> None:
    said = f"Welcome to Ubuntu\n{json.dumps(ANSWER)}\n{after}"
    ssh(out=said, err="sudo: unable to resolve host shop: Name or service not known\n")
    assert looked(sudo="sudo -n ").repairs == {"claim": 9, "switch": 1}


@pytest.mark.proves("look.deploying", "story.unwritten")
def test_a_deploy_under_way_is_told_instead_of_what_it_has_left_so_far(ssh: Any) -> None:
    ssh(out=json.dumps({**ANSWER, "deploying": "build of shop (process 7, since 08:10:03)"}))
    found = looked()
    said = "203.0.113.7: somebody is deploying this stack: build of shop (process 7, since 08:10:03); wait for that"
    assert found.warnings == (said,)
    assert (found.drift, found.deploying) == ((), True)
    assert found.repairs == {"claim": 9, "switch": 1}
