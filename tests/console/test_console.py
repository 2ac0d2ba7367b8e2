"""The program `codesensei`, in front of a `pulumi` and an `ssh` that say what a test wants them to say."""

from __future__ import annotations

import io
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from codesensei.console import __main__ as console
from codesensei.console.__main__ import cli
from codesensei.wire import codec
from codesensei.wire.answers import (
    Backups,
    BackupState,
    KeptRelease,
    MadeBackup,
    ProcessState,
    Releases,
    ServerStatus,
)

CHECKOUT = Path(__file__).parents[2]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
JUMP_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGfV1Y9vDYk9zS3yBmtJxzM7rJ9xkzTzKb7rX0L2pXyZ"
SERVER = {"host": "203.0.113.7", "port": 2222, "user": "admin", "hostKey": KEY}
RELEASE = "4f2a9c1-8be01d7"
STATUS = ServerStatus(
    release=RELEASE,
    revision="9c1e" * 10,
    served="2026-11-29T06:00:00Z",
    processes=(ProcessState(unit="shop.service", active="active", sub="running", restarts="0"),),
)

PULUMI = """#!/bin/sh
cd {place}
echo "$*" >>pulumi-calls
case "$*" in
    "stack --show-name"*) echo prod ;;
    config*) cat config.json ;;
    "stack export"*) cat export.json ;;
    whoami*) cat whoami.json ;;
    cancel*) rm -f backend/.pulumi/locks/organization/codesensei/prod/*.json ;;
    refresh*) ;;
    *) exit 9 ;;
esac
"""
SSH = """#!/bin/sh
config=$2
for word in "$@"; do last=$word; done
cd {place}
cp "$config" ssh-config
cp "$(dirname "$config")/known_hosts" known
echo "$last" >>ssh-calls
printf '%s\\n' "$@" >>ssh-words
env >ssh-environment
SSH_AUTH_SOCK=$SSH_AUTH_SOCK ssh-add -L >ssh-keys 2>&1
cat out
cat err >&2
exit $(cat code)
"""


class World:
    """What the two programs answer, and what they were asked."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.backend = place / "backend"
        self.says("{}")
        self.configures(server=SERVER)
        self.write("whoami.json", {"url": f"file://{self.backend}"})
        self.write("export.json", {"deployment": {}})

    def write(self, name: str, value: object) -> None:
        (self.place / name).write_text(json.dumps(value))

    def configures(self, **values: object) -> None:
        found = {"project": {"slug": "shop"}, **values}
        entries = {
            f"codesensei:{key}": {"value": json.dumps(value), "objectValue": value}
            if isinstance(value, dict)
            else {"value": value, "secret": True}
            for key, value in found.items()
        }
        self.write("config.json", entries)

    def says(self, out: object, err: str = "", code: int = 0) -> None:
        text = out if isinstance(out, str) else json.dumps(codec.encode(out))
        for name, said in (("out", f"{text}\n"), ("err", err), ("code", str(code))):
            (self.place / name).write_text(said)

    def locked(self, pid: int, host: str = "") -> None:
        folder = self.backend / ".pulumi/locks/organization/codesensei/prod"
        folder.mkdir(parents=True)
        note = {
            "pid": pid,
            "username": "ada",
            "hostname": host or socket.gethostname(),
            "timestamp": "2026-11-29T06:01:02Z",
        }
        (folder / "a.json").write_text(json.dumps(note))

    def calls(self, program: str) -> list[str]:
        path = self.place / f"{program}-calls"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, list(words), catch_exceptions=False)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("pulumi", PULUMI), ("ssh", SSH)):
        (programs / name).write_text(text.replace("{place}", shlex.quote(str(tmp_path))))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "operators.sock"))
    monkeypatch.chdir(tmp_path)
    return World(tmp_path)


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.proves("console.connection")
def test_a_server_that_was_set_as_json_text(world: World) -> None:
    world.configures(server=json.dumps(SERVER))
    world.says(STATUS)
    assert world.run("status").exit_code == 0
    assert "HostName 203.0.113.7" in (world.place / "ssh-config").read_text()


class Pressed(io.BytesIO):
    """A terminal on which somebody presses Ctrl-C, or ends the input."""

    def read1(self, size: int | None = -1, /) -> bytes:
        raise KeyboardInterrupt


@pytest.mark.proves("console.interrupted")
def test_a_question_that_is_interrupted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "somebody_is_there", lambda: True)
    for words in (["restore", "latest"], ["init", "other"]):
        done = CliRunner().invoke(cli, words, input=Pressed())
        assert done.exit_code == 130, done.output
        assert "interrupted: nothing was changed\nfix: the same command asks again" in done.stderr
    # Answered with no, and the end of the input.
    assert [CliRunner().invoke(cli, ["restore", "latest"], input=text).exit_code for text in ("n\n", "")] == [1, 1]
    assert world.calls("ssh") == []


@pytest.mark.proves("console.connection")
def test_the_stack_s_own_way_to_the_server(world: World) -> None:
    jump = {"host": "203.0.113.9", "user": "hop", "hostKey": JUMP_KEY}
    world.configures(server={**SERVER, "proxy": jump})
    world.says(STATUS)
    assert world.run("status", "--stack", "prod").exit_code == 0
    assert world.calls("ssh") == ["sudo -n /usr/local/lib/codesensei/shop/run status"]
    assert (world.place / "known").read_text() == f"server {KEY}\njump {JUMP_KEY}\n"
    config = (world.place / "ssh-config").read_text()
    assert {"Port 2222", "User admin", "ProxyJump jump", "StrictHostKeyChecking yes"} <= set(config.splitlines())
    assert f"SSH_AUTH_SOCK={world.place}/operators.sock" in (world.place / "ssh-environment").read_text().splitlines()
    assert [call for call in world.calls("pulumi") if call.startswith("stack --show-name")] == []


@pytest.mark.proves("console.connection", "secrets.never")
def test_the_stack_s_key_is_in_the_agent_alone(world: World) -> None:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of-the-stack", "-f", str(world.place / "key")]
    subprocess.run(words, check=True)
    key = (world.place / "key").read_text()
    (world.place / "key").unlink()
    world.configures(server=SERVER, sshPrivateKey=key)
    world.says(STATUS)
    link = world.place / ".codesensei/prod/agent.sock"
    link.parent.mkdir(parents=True)
    link.symlink_to("agent-of-a-deploy.sock")
    assert world.run("status").exit_code == 0
    assert os.readlink(link) == "agent-of-a-deploy.sock", "a deploy that goes on needs it"
    assert "of-the-stack" in (world.place / "ssh-keys").read_text()
    secret = key.splitlines()[2]
    (world.place / "config.json").unlink()
    found = [path for path in world.place.rglob("*") if path.is_file() and secret in path.read_text(errors="replace")]
    assert found == []


@pytest.mark.proves("console.status")
def test_the_status_for_a_person_and_for_a_program(world: World) -> None:
    backups = BackupState(to="/backups/shop", made=1.0, snapshot="ab12", checked=2.0, check_error="2 tables differ")
    left = ServerStatus(**{**vars(STATUS), "backups": backups, "orphan": "codesensei-job-shop.service"})
    world.says(left)
    told = world.run("status").stdout
    assert f"serves: {RELEASE} of commit 9c1e9c1e9c1e, since 2026-11-29 06:00 UTC" in told
    assert any(line.split() == ["shop.service", "active", "(running)", "0"] for line in told.splitlines())
    assert "deploys: nobody" in told
    assert "codesensei-job-shop.service still runs, and its step has ended; codesensei recover ends it" in told
    assert "the newest is ab12" in told
    assert "backups: 2 tables differ" in told
    found = json.loads(world.run("status", "--json").stdout)
    assert found["release"] == RELEASE
    assert found["backups"]["checkError"] == "2 tables differ"
    assert (found["holder"], found["openSwitch"], found["interrupted"]) == ("", False, [])


@pytest.mark.proves("console.releases")
def test_the_releases(world: World) -> None:
    one = KeptRelease(
        name=RELEASE,
        place="current",
        revision="9c1e" * 10,
        result="served",
        built="2026-11-29T05:00:00Z",
        seconds={"install": 12.25, "\x1b[2Jcandidate": 1.0},
    )
    other = KeptRelease(name="1111111-2222222", result="failed", failed="build")
    world.says(Releases(releases=(one, other)))
    lines = world.run("releases").stdout.splitlines()
    (current,) = (line for line in lines if RELEASE in line)
    cells = "current 9c1e9c1e9c1e 2026-11-29 05:00 UTC served install 12.2, \\x1b[2Jcandidate 1.0"
    assert current.split()[1:] == cells.split()
    assert any("1111111-2222222" in line and "failed in build" in line for line in lines)
    found = json.loads(world.run("releases", "--json").stdout)["releases"]
    assert [entry["result"] for entry in found] == ["served", "failed"]
    world.says(Releases())
    assert world.run("releases").stdout == "no release is kept on the server\n"


@pytest.mark.proves("console.backups")
def test_backups_are_made_listed_and_put_back(world: World) -> None:
    run = "sudo -n /usr/local/lib/codesensei/shop/run backup"
    world.says(Backups(to="/b", backups=(MadeBackup(id="ab12cd34", time="2026-11-29T05:00:00.1Z"),), checked=1.0))
    told = world.run("backups").stdout
    assert any(line.split() == ["ab12cd34", "2026-11-29", "05:00", "UTC"] for line in told.splitlines())
    assert "1 backups in /b" in told
    assert "all rows were there" in told
    world.says("dumping\ndone \x1b[2J")
    assert world.run("backup").stdout == "dumping\ndone \\x1b[2J\n"
    assert world.run("restore", "latest", "--yes").stdout == "dumping\ndone \\x1b[2J\n"
    assert json.loads(world.run("backup", "--json").stdout) == {"done": True, "said": ["dumping", "done \\x1b[2J"]}
    assert world.calls("ssh") == [f"{run} list --json", f"{run} now", f"{run} restore latest", f"{run} now"]


@pytest.mark.proves("console.exit")
@pytest.mark.parametrize(
    ("err", "code", "cause", "fix"),
    [
        (
            "error: backups in /b on web1: full\nfix: free some space",
            1,
            "error: backups in /b on web1: full",
            "free some",
        ),
        ("error: there is no step named status", 2, "its toolkit is of an earlier version", "pulumi up"),
        ("sh: 1: /usr/local/lib/codesensei/shop/run: not found", 127, "nothing of shop is deployed there", "pulumi up"),
        ("sudo: a password is required", 1, "admin may not use sudo without a password", "NOPASSWD"),
        (
            "admin@203.0.113.7: Permission denied (publickey).",
            255,
            "does not accept the key for admin",
            "authorized_keys",
        ),
        (
            "Host key verification failed.",
            255,
            "its host key is not the one in codesensei:server.hostKey",
            "compare it",
        ),
    ],
)
def test_what_goes_wrong_has_cause_and_fix(world: World, err: str, code: int, cause: str, fix: str) -> None:
    world.says("", err, code)
    done = world.run("backup", "--json") if code == 1 and "full" in err else world.run("status", "--json")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert cause in done.stderr
    assert fix in done.stderr


@pytest.mark.proves("continuous.moment")
def test_a_moment_is_sent_as_utc(world: World) -> None:
    world.says("restored")
    for given in ("2026-11-30T12:00:00Z", "2026-11-30T13:00:00+01:00", "end"):
        assert world.run("restore", "--at", given, "--yes").exit_code == 0
    asked = [call.partition(" backup ")[2] for call in world.calls("ssh")]
    assert asked == ["restore --at 2026-11-30T12:00:00Z", "restore --at 2026-11-30T12:00:00Z", "restore --at end"]


@pytest.mark.proves("continuous.moment", "console.exit")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--at", "2026-11-30T12:00:00"), "with its offset from UTC"),
        (("--at", "noon"), "with its offset from UTC"),
        (("latest", "--at", "end"), "name a backup, or a moment"),
        ((), "name a backup, or a moment"),
    ],
)
def test_a_moment_that_says_too_little(world: World, words: tuple[str, ...], why: str) -> None:
    done = world.run("restore", *words, "--yes")
    assert done.exit_code == 2
    assert why in " ".join(done.stderr.split())
    assert world.calls("ssh") == []


@pytest.mark.proves("continuous.moment")
def test_how_far_back_every_moment_is_there(world: World) -> None:
    made = MadeBackup(id="ab12cd34", time="2026-11-29T05:00:00.1Z")
    world.says(Backups(to="/b", days=28, backups=(made,)))
    line = "every moment since 2026-11-29 05:00 UTC: codesensei restore --at 2026-11-30T12:00:00Z"
    assert line in world.run("backups").stdout.splitlines()


@pytest.mark.proves("console.exit")
@pytest.mark.parametrize("words", [("deploy",), ("restore",), ("status", "--loud"), ("restore", "latest"), ()])
def test_wrong_usage_is_2_and_asks_nothing_of_the_server(world: World, words: tuple[str, ...]) -> None:
    assert world.run(*words).exit_code == 2
    assert world.calls("ssh") == []


@pytest.mark.proves("console.exit")
def test_without_pulumi(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(world.place / "nothing"))
    done = world.run("status")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: pulumi: it is not on PATH\nfix: ")


@pytest.mark.proves("console.recover")
def test_nothing_to_recover(world: World) -> None:
    world.says(STATUS)
    done = world.run("recover")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"serves: {RELEASE}", "lock on the server: free", "nothing to recover"]


@pytest.mark.proves("console.recover", "console.exit")
def test_what_a_killed_deploy_has_left(world: World) -> None:
    left = {"orphan": "codesensei-job-shop.service", "last_holder": "build of shop (process 7, since 08:10:03)"}
    world.says(ServerStatus(**{**vars(STATUS), **left}))
    world.locked(dead_process())
    urn = "urn:pulumi:prod::codesensei::command:remote:Command::shop-build"
    world.write("export.json", {"deployment": {"pending_operations": [{"type": "creating", "resource": {"urn": urn}}]}})
    before = world.run("recover")
    assert before.exit_code == 2
    assert "add --yes" in before.stderr
    assert not any(call.startswith(("cancel", "refresh")) for call in world.calls("pulumi"))
    assert world.calls("ssh")[-1].endswith("run status")
    done = world.run("recover", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "lock on the server: free; build of shop (process 7, since 08:10:03) had it last" in done.stdout
    assert "pending in the state: creating shop-build" in done.stdout
    assert world.calls("ssh")[-1].endswith("run recover")
    changes = [call.split()[0] for call in world.calls("pulumi") if call.startswith(("cancel", "refresh"))]
    assert changes == ["cancel", "refresh"]
    assert done.stdout.splitlines()[-1] == "recovered; run pulumi up"


def engine_that_lives(place: Path) -> subprocess.Popen[bytes]:
    """A process whose name is that of the engine."""
    program = place / "pulumi-of-somebody"
    program.symlink_to("/bin/sleep")
    return subprocess.Popen([str(program), "60"])


@pytest.mark.proves("console.recover")
@pytest.mark.parametrize("who", ["step", "engine", "elsewhere", "hidden"])
def test_nothing_is_taken_from_whoever_may_live(world: World, who: str) -> None:
    world.says(STATUS)
    process = None
    if who == "step":
        world.says(ServerStatus(**{**vars(STATUS), "holder": "build of shop (process 7, since 08:10:03)"}))
        world.locked(dead_process())
    elif who == "engine":
        process = engine_that_lives(world.place)
        world.locked(process.pid)
    elif who == "elsewhere":
        world.locked(1, "another-machine")
    else:
        world.write("whoami.json", {"url": "s3://states"})
    try:
        done = world.run("recover", "--yes")
        assert done.exit_code == (0 if who == "hidden" else 1)
        assert not any(call.startswith(("cancel", "refresh")) for call in world.calls("pulumi"))
        if who in ("elsewhere", "hidden"):
            assert "--unlock" in done.output
            assert world.run("recover", "--yes", "--unlock").exit_code == 0
            assert any(call.startswith("cancel") for call in world.calls("pulumi"))
    finally:
        if process:
            process.kill()
            process.wait()


@pytest.mark.proves("console.files")
def test_the_launcher_says_where_it_was_called(tmp_path: Path) -> None:
    for name in ("bin/codesensei", ".venv/bin/python", "my folder/x"):
        (tmp_path / name).parent.mkdir(parents=True)
    program, python = tmp_path / "bin/codesensei", tmp_path / ".venv/bin/python"
    program.write_bytes((CHECKOUT / "bin/codesensei").read_bytes())
    python.write_text('#!/bin/sh\npwd\necho "$CODESENSEI_FROM"\n')
    python.chmod(0o755)
    done = subprocess.run(["sh", str(program)], cwd=tmp_path / "my folder", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(tmp_path), str(tmp_path / "my folder")]


@pytest.mark.slow
def test_the_launcher_works_from_any_folder(tmp_path: Path) -> None:
    link = tmp_path / "codesensei"
    link.symlink_to(CHECKOUT / "bin/codesensei")
    done = subprocess.run([str(link), "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"backup", "backups", "recover", "releases", "restore", "status"} <= set(done.stdout.split())


def test_the_launcher_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/codesensei"
    program.write_bytes((CHECKOUT / "bin/codesensei").read_bytes())
    done = subprocess.run(["sh", str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "fix: make setup" in done.stderr
