"""`codesensei review`: up, down and list, in front of a `pulumi` that is played."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from codesensei.console import engine
from codesensei.console.__main__ import cli
from codesensei.console.derive import slug_of
from codesensei.console.engine import Engine
from tests.docs.reader import Reader
from tests.docs.table import REVIEW

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
CANARY = "canary: of the token's 1e3 'quotes'\n"
STAGING = f"""
config:
  codesensei:server: {{host: 203.0.113.7, user: root, hostKey: "{KEY}"}}
  codesensei:project:
    slug: shop
    source: {{path: shop, revision: main}}
    settingsModule: config.settings
    python: "3.10"
  codesensei:appsDomain: apps.example.com
  codesensei:drift: "false"
  codesensei:env: {{A: "0123", B: "1e3", C: "off", D: "2026-01-01", E: "a: b # c", F: 5, G: "0x1F", H: ~x}}
"""
PRICES = f"review-{slug_of('shop', 'feature/prices')}"


class Desk:
    """An operator's checkout with the stack staging, and the project's repository."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.write("staging", yaml.safe_load(STAGING))
        (place / "backend/staging.json").write_text(json.dumps({"resources": [{"urn": "x::y", "type": "z"}]}))

    def file(self, stack: str = PRICES) -> Path:
        return self.place / f"stacks/Pulumi.{stack}.yaml"

    def config(self, stack: str = PRICES) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.file(stack).read_text())["config"]
        return found

    def write(self, stack: str, whole: dict[str, Any]) -> None:
        whole["config"]["codesensei:secretEnv"] = {"TOKEN": {"secure": CANARY[::-1]}}
        self.file(stack).write_text(yaml.safe_dump(whole))

    def refuses(self, word: str) -> None:
        (self.place / "refuses").write_text(word) if word else (self.place / "refuses").unlink()

    def stacks(self) -> list[str]:
        return sorted(path.stem for path in (self.place / "backend").glob("*.json"))

    def calls(self) -> list[str]:
        """What was called since the last time."""
        path = self.place / "pulumi-calls"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
        done = subprocess.run(["git", "-C", "shop", *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def run(self, *words: str, code: int = 0) -> Result:
        done = CliRunner().invoke(cli, ["review", *words])
        assert done.exit_code == code, f"{done.output}{done.exception!r}"
        assert "canary" not in done.output
        return done

    def up(self, *words: str, code: int = 0) -> Result:
        return self.run("up", "feature/prices", "--from", "staging", *words, code=code)

    def listed(self) -> dict[str, dict[str, Any]]:
        return {one["stack"]: one for one in json.loads(self.run("list", "--json").stdout)["stacks"]}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CODESENSEI_REVIEWED", "of-another-stack")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for folder in ("bin", "backend", "stacks", "shop"):
        (tmp_path / folder).mkdir()
    played = Path(__file__).with_name("played_pulumi.py")
    program = tmp_path / "bin/pulumi"
    program.write_text(f'#!/bin/sh\ncd {shlex.quote(str(tmp_path))}\nexec {sys.executable} {played} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    made = Desk(tmp_path)
    made.git("init", "--quiet", "--initial-branch=main")
    (tmp_path / "shop/manage.py").write_text("# manage\n")
    made.git("add", ".")
    made.git("commit", "--quiet", "-m", "Open a shop")
    made.git("branch", "feature/prices")
    return made


@pytest.mark.proves("review-stack.up", "review-stack.secrets")
def test_a_branch_gets_a_stack(desk: Desk) -> None:
    done = desk.up()
    assert done.output.splitlines()[-1] == f"http://{PRICES.removeprefix('review-')}.apps.example.com/"
    assert desk.stacks() == [PRICES, "staging"]
    config = desk.config()
    # The same to YAML's readers as in the file that they come from.
    assert config["codesensei:env"] == desk.config("staging")["codesensei:env"]
    assert config["codesensei:secretEnv"] == {"TOKEN": {"secure": CANARY[::-1]}}
    assert config["codesensei:project"]["source"] == {"path": "shop", "revision": desk.git("rev-parse", "main")}
    assert config["codesensei:project"]["python"] == "3.10"
    calls = desk.calls()
    assert f"up @{PRICES}" in calls
    assert not [call for call in calls if "canary" in call]
    assert {path.name for path in (desk.place / "stacks").iterdir()} == {f"Pulumi.{PRICES}.yaml", "Pulumi.staging.yaml"}


@pytest.mark.proves("review-stack.up")
def test_again_it_gets_the_newest_commit_and_keeps_its_file(desk: Desk) -> None:
    desk.up()
    with desk.file().open("a") as file:
        file.write("# mine\n")
    desk.git("checkout", "--quiet", "feature/prices")
    desk.git("commit", "--quiet", "--allow-empty", "-m", "Change a price")
    desk.calls()
    found = json.loads(desk.up("--json").stdout)
    newest = desk.git("rev-parse", "feature/prices")
    assert (found["stack"], found["branch"], found["revision"]) == (PRICES, "feature/prices", newest)
    assert desk.config()["codesensei:project"]["source"]["revision"] == newest
    assert "# mine" in desk.file().read_text()
    assert [call for call in desk.calls() if "init" in call or "set" in call] == []


@pytest.mark.proves("review-stack.again")
@pytest.mark.parametrize("where", ["config", "up"])
def test_after_a_failure_the_same_command_goes_on(desk: Desk, where: str) -> None:
    desk.refuses(where)
    failed = desk.up(code=1)
    assert "error: " in failed.output
    assert "fix: " in failed.output
    assert (desk.file().exists(), PRICES in desk.stacks()) == ((True, True) if where == "up" else (False, False))
    assert desk.listed().keys() == ({PRICES} if where == "up" else set())
    desk.refuses("")
    desk.up()
    assert desk.config()["codesensei:secretEnv"]
    assert desk.listed()[PRICES]["url"]


@pytest.mark.proves("review-stack.again")
def test_a_file_is_whole_or_not_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*words: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "set_secret", cut_off)
        CliRunner().invoke(cli, ["review", "up", "feature/prices", "--from", "staging"])
    assert PRICES in desk.stacks()
    assert desk.file().read_text() == "encryptionsalt: v1:salt\n"
    desk.up()
    assert desk.config()["codesensei:secretEnv"]
    # A new checkout has no file: it is made again, for the same stack.
    desk.file().unlink()
    desk.up()
    assert desk.config()["codesensei:secretEnv"]
    # A stack whose state somebody has removed by hand.
    (desk.place / f"backend/{PRICES}.json").unlink()
    desk.up()
    assert PRICES in desk.stacks()


@pytest.mark.proves("review-stack.refused", "errors.four")
def test_no_review_stack_of_production(desk: Desk) -> None:
    whole = yaml.safe_load(STAGING)
    whole["config"] |= {"codesensei:production": True, "codesensei:waive": {"backup": "a trial"}}
    whole["config"]["codesensei:project"]["source"]["revision"] = "v1.0.0"
    desk.write("staging", whole)
    assert "it is production, and a review stack runs code that nobody has reviewed" in desk.up(code=1).output
    assert desk.stacks() == ["staging"]
    assert not desk.file().exists()


@pytest.mark.proves("review-stack.encrypted", "errors.four")
@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("env", "API_TOKEN"), "env.API_TOKEN: is encrypted, but env holds plain values: it would be shown"),
        (("secretEnv", "PLAIN"), "secretEnv.PLAIN: is not encrypted"),
    ],
)
def test_what_a_preview_of_the_other_stack_refuses_is_not_copied(desk: Desk, place: tuple[str, str], said: str) -> None:
    whole = yaml.safe_load(desk.file("staging").read_text())
    value = {"secure": CANARY[::-1]} if place[0] == "env" else CANARY
    whole["config"][f"codesensei:{place[0]}"][place[1]] = value
    desk.file("staging").write_text(yaml.safe_dump(whole))
    assert f"stack staging: codesensei:{said}" in desk.up(code=1).output
    assert desk.stacks() == ["staging"]
    assert not desk.file().exists()


@pytest.mark.proves("source.bounds")
def test_a_stack_file_that_cannot_be_checked(desk: Desk) -> None:
    whole = yaml.safe_load(desk.file("staging").read_text())
    whole["config"]["codesensei:shares"] = ["x"] * 10_001
    desk.file("staging").write_text(json.dumps(whole))
    said = desk.up(code=1).output
    assert "Pulumi.staging.yaml: it has more than 10000 values, and is not read\nfix: keep data in" in said


@pytest.mark.proves("review-stack.refused", "errors.four")
def test_what_is_no_branch(desk: Desk) -> None:
    desk.git("tag", "v1.0.0")
    for name in ("v1.0.0", desk.git("rev-parse", "main"), "a..b", "--upload-pack=x"):
        output = desk.run("up", "--from", "staging", "--", name, code=1).output
        assert "error: " in output
        assert "fix: " in output
    assert desk.stacks() == ["staging"]


@pytest.mark.proves("review-stack.up", "review-stack.dump")
def test_what_only_a_new_stack_is_made_with(desk: Desk) -> None:
    desk.up()
    dump = desk.place / "shop.dump"
    dump.write_bytes(b"PGDMP")
    for words in (["--data"], ["--dump", str(dump)], ["--without", "A"], ["--apps-domain", "example.org"]):
        assert f"it is there already, and {words[0]} is for a new one" in desk.up(*words, code=1).output
    assert "give one" in desk.up("--data", "--dump", str(dump), code=2).output


@pytest.mark.proves("review-stack.dump", "console.files")
def test_a_dump_is_sent_before_the_deploy(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = desk.place / "bin/ssh"
    ssh.write_text('#!/bin/sh\nfor word in "$@"; do last=$word; done\necho "$last" >ssh-words\ncat >sent\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(desk.place / "agent"))
    dump = desk.place / "shop.dump"
    dump.write_bytes(b"CREATE TABLE")
    assert "it is no dump that pg_restore reads" in desk.up("--dump", str(dump), code=1).output
    assert "it cannot be read" in desk.up("--dump", "nothing", code=1).output
    dump.write_bytes(b"PGDMP" + b"x" * 3_000_000)
    desk.up("--dump", str(dump))
    sha256 = hashlib.sha256(dump.read_bytes()).hexdigest()
    assert desk.config()["codesensei:reviewOf"]["dump"] == sha256
    assert (desk.place / "sent").read_bytes() == dump.read_bytes()
    name = f".codesensei-{PRICES.removeprefix('review-')}-{sha256}.dump"
    assert (desk.place / "ssh-words").read_text() == f"umask 077; cat > {name}.part && mv {name}.part {name}\n"
    # The same again goes on, also from another folder.
    desk.up("--dump", str(dump))
    monkeypatch.setenv("CODESENSEI_FROM", str(desk.place / "shop"))
    desk.up("--dump", "../shop.dump")


@pytest.mark.proves("review-stack.down")
@pytest.mark.parametrize("name", ["feature/prices", PRICES])
@pytest.mark.parametrize("file", [True, False])
def test_a_review_stack_is_removed(desk: Desk, name: str, file: bool) -> None:
    desk.up()
    if not file:
        desk.file().unlink()
    (desk.place / f".codesensei/{PRICES}").mkdir(parents=True)
    desk.calls()
    assert "without a terminal: add --yes" in desk.run("down", name, code=2).output
    assert PRICES in desk.stacks()
    desk.run("down", name, "--yes")
    assert [call for call in desk.calls() if call.startswith(("destroy", "stack rm"))] == [
        f"destroy @{PRICES}",
        f"stack rm @{PRICES}",
    ]
    assert desk.stacks() == ["staging"]
    assert not desk.file().exists()
    assert not (desk.place / f".codesensei/{PRICES}").exists()
    assert json.loads(desk.run("down", name, "--yes", "--json").stdout)["stack"] == ""


@pytest.mark.proves("console.names")
@pytest.mark.parametrize(
    "words",
    [
        [f"organization/codesensei/{PRICES}"],
        ["feature/prices", "--from", "organization/codesensei/staging"],
        [f"organization/codesensei/{PRICES}", "--from", "organization/codesensei/staging"],
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_stacks_may_be_named_with_organization_and_project(desk: Desk, words: list[str], known: bool) -> None:
    desk.run("up", "feature/prices", "--from", "organization/codesensei/staging")
    assert desk.config()["codesensei:reviewOf"]["stack"] == "staging"
    if not known:
        (desk.place / f"backend/{PRICES}.json").write_text("{}")
    # A branch, and another project's stack.
    for name in (f"codesensei/{PRICES}", f"organization/other/{PRICES}"):
        assert "no review stack is there" in desk.run("down", name, "--yes").output
    assert PRICES in desk.stacks()
    desk.run("down", *words, "--yes")
    assert desk.stacks() == ["staging"]
    assert not desk.file().exists()


@pytest.mark.proves("review-stack.down")
def test_a_failed_destroy_leaves_all_for_the_next_time(desk: Desk) -> None:
    desk.up()
    desk.refuses("destroy")
    assert "pulumi destroy: it ended with status 1" in desk.run("down", "feature/prices", "--yes", code=1).output
    assert desk.file().exists()
    assert PRICES in desk.stacks()
    desk.refuses("")
    desk.run("down", "feature/prices", "--yes")
    assert desk.stacks() == ["staging"]


def interrupted(desk: Desk, times: int, *words: str) -> tuple[str, str]:
    """What a command says in a terminal of its own, in which somebody presses Ctrl-C while the engine works."""
    (desk.place / "interrupts").write_text(str(times))
    argv = [sys.executable, "-m", "codesensei.console", "review", *words]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(argv, env=environment, start_new_session=True, **pipes)
    assert process.stdout
    seen: list[str] = []
    # Nothing ends the wait for a line that never comes.
    late = threading.Timer(60, process.kill)
    late.start()
    for number in range(times):
        awaited = f"interrupt {number}" if number else "a step is under way"
        for line in iter(process.stdout.readline, ""):
            seen.append(line)
            if line.strip() == awaited:
                break
        os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    late.cancel()
    (desk.place / "interrupts").unlink()
    assert process.returncode == 130, (seen, out, err)
    return "".join(seen) + out, err


ENDED = {
    1: "has ended after the step that was under way, and what it has done stays",
    2: "has ended at once; the step that was under way goes on on the server",
}


@pytest.mark.proves("console.interrupted")
def test_a_line_that_was_read_when_ctrl_c_came_is_said_all_the_same() -> None:
    said: list[str] = []

    def say(text: str) -> None:
        if text == "second" and not any(line.startswith("interrupted") for line in said):
            raise KeyboardInterrupt
        said.append(text)

    assert engine.passed_on([b"first\n", b"second\n", b"third\n"], say, "up") == 1
    assert [line for line in said if not line.startswith("interrupted")] == ["first", "second", "third"]


@pytest.mark.proves("console.interrupted")
@pytest.mark.parametrize("times", ENDED)
def test_an_interrupted_deploy(desk: Desk, times: int) -> None:
    out, err = interrupted(desk, times, "up", "feature/prices", "--from", "staging")
    assert "interrupted: pulumi up ends after the step that is under way; Ctrl-C again" in out
    assert err.splitlines()[:2] == [
        f"interrupted: pulumi up {ENDED[times]}",
        "fix: do the same again: it goes on from what is done, and waits for a step that still runs;",
    ]
    assert f"codesensei recover --stack {PRICES}" in err
    # It can be found, gone on with, and removed.
    assert desk.listed().keys() == {PRICES}
    assert desk.file().exists()
    desk.up()
    assert desk.listed()[PRICES]["url"]


@pytest.mark.proves("console.interrupted")
def test_an_interrupted_removal(desk: Desk) -> None:
    desk.up()
    _, err = interrupted(desk, 1, "down", "feature/prices", "--yes")
    assert err.startswith(f"interrupted: pulumi destroy {ENDED[1]}\n")
    assert desk.file().exists()
    assert PRICES in desk.stacks()
    desk.run("down", "feature/prices", "--yes")
    assert desk.stacks() == ["staging"]


@pytest.mark.proves("console.interrupted")
def test_a_command_that_is_interrupted_before_the_engine_works(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "set_secret", press)
        done = desk.up(code=130)
    assert done.stderr.startswith("interrupted: what has begun on the server goes on there")
    # Half a file is none.
    assert [path.name for path in desk.file().parent.glob(".new-*")] == []
    assert desk.file().read_text() == "encryptionsalt: v1:salt\n"
    desk.up()
    assert desk.config()["codesensei:secretEnv"]


@pytest.mark.proves("review-stack.down")
def test_a_stack_that_was_never_deployed_is_removed(desk: Desk) -> None:
    desk.refuses("up")
    desk.up(code=1)
    desk.run("down", "feature/prices", "--yes", "--from", "staging")
    assert desk.stacks() == ["staging"]
    # Neither file nor state say whose it is: the branch and the other stack do.
    (desk.place / f"backend/{PRICES}.json").write_text("{}")
    assert "no review stack" in desk.run("down", "feature/prices", "--yes").output
    desk.run("down", "feature/prices", "--yes", "--from", "staging")
    assert desk.stacks() == ["staging"]


@pytest.mark.proves("review-stack.down", "review-stack.list")
def test_a_file_whose_stack_is_gone_is_removed(desk: Desk) -> None:
    desk.up()
    (desk.place / f"backend/{PRICES}.json").unlink()
    assert desk.listed()[PRICES]["why"] == "there is its file alone"
    desk.run("down", "feature/prices", "--yes")
    assert not desk.file().exists()
    assert desk.listed() == {}


def edited(desk: Desk, how: str) -> str:
    """Make a stack that must not be removed; its name."""
    state, file = desk.place / f"backend/{PRICES}.json", desk.file()
    if how == "other name":
        return "staging"
    if how == "no mark in its state":
        state.write_text(state.read_text().replace("reviewOf", "other"))
        file.unlink()
    elif how == "no mark in its file":
        file.write_text(file.read_text().replace("reviewOf", "other"))
    elif how == "production":
        file.write_text(file.read_text().replace("config:\n", "config:\n  codesensei:production: true\n"))
    elif how == "protected":
        found = json.loads(state.read_text())
        found["resources"][1]["protect"] = True
        state.write_text(json.dumps(found))
    return PRICES


@pytest.mark.proves("review-stack.protected", "errors.four")
@pytest.mark.parametrize(
    "how", ["other name", "no mark in its state", "no mark in its file", "production", "protected"]
)
def test_nothing_else_is_removed(desk: Desk, how: str) -> None:
    from codesensei.console import review  # noqa: PLC0415  # called as the command calls it
    from codesensei.console.errors import CommandError  # noqa: PLC0415

    desk.up()
    name = edited(desk, how)
    before = desk.stacks()
    with pytest.raises(CommandError, match="fix: "):
        review.down(name, print)
    desk.run("down", name, "--yes", code=0 if how == "other name" else 1)
    assert desk.stacks() == before
    assert not [call for call in desk.calls() if call.startswith(("destroy", "stack rm"))]


@pytest.mark.proves("review-stack.list")
def test_leftovers_are_listed(desk: Desk) -> None:
    assert desk.run("list").output == "no review stack is there\n"
    desk.up()
    desk.git("branch", "colors")
    desk.run("up", "colors", "--from", "staging")
    colors = f"review-{slug_of('shop', 'colors')}"
    desk.git("branch", "--delete", "feature/prices")
    found = desk.listed()
    assert {name: one["gone"] for name, one in found.items()} == {PRICES: True, colors: False}
    assert (found[colors]["branch"], found[colors]["base"]) == ("colors", "staging")
    assert found[colors]["url"].endswith(".apps.example.com/")
    told = desk.run("list").output
    assert f"left over: codesensei review down {PRICES}" in told
    assert f"down {colors}" not in told
    # In a new checkout the state says it.
    for name in (PRICES, colors):
        desk.file(name).unlink()
    assert {name: one["gone"] for name, one in desk.listed().items()} == {PRICES: True, colors: False}
    # What nobody can tell is not called a leftover.
    (desk.place / f"backend/{PRICES}.json").write_text("{}")
    (desk.place / "shop").rename(desk.place / "away")
    found = desk.listed()
    assert {one["gone"] for one in found.values()} == {None}
    assert all(one["why"] for one in found.values())


@pytest.mark.proves("review-stack.own")
def test_a_name_that_is_taken_by_something_else(desk: Desk) -> None:
    desk.write(PRICES, yaml.safe_load(STAGING))
    assert "its file does not say that it is a review stack" in desk.up(code=1).output
    whole = yaml.safe_load(STAGING)
    whole["config"]["codesensei:reviewOf"] = {"stack": "staging", "branch": "other"}
    desk.write(PRICES, whole)
    assert "it is for the branch other from staging" in desk.up(code=1).output
    assert desk.stacks() == ["staging"]


@pytest.mark.proves("review-stack.up", "review-stack.down", "docs.commands")
def test_the_commands_as_they_are_printed(desk: Desk, tmp_path: Path) -> None:
    program = desk.place / "bin/codesensei"
    start = f"cd {desk.place}\nPYTHONPATH={CHECKOUT} exec {sys.executable} -m codesensei.console"
    program.write_text(f'#!/bin/sh\n{start} "$@"\n')
    program.chmod(0o755)
    typed = {"down feature/prices\n": "down feature/prices --yes\n"}
    reader = Reader(REVIEW, tmp_path / "reader", typed, {"BRANCH": "feature/prices", "PATH": os.environ["PATH"]})
    said = reader.types("docs/review.md#review-stacks")
    assert f"http://{PRICES.removeprefix('review-')}.apps.example.com/\n" in said
    assert f"{PRICES} is removed" in said
    assert f"{PRICES} is removed" in reader.types("docs/review.md#in-a-pipeline")
    assert json.loads((tmp_path / "reader/review.json").read_text())["stack"] == PRICES
    reader.ends()
