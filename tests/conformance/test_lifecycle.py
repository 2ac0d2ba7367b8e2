"""remote.Command: which change does what, what runs for it, and what is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.servers import Sshd
from tests.conformance.stack import Entry, Json, Run, Stack, resource


@dataclass(frozen=True)
class Case:
    """One command before and after a change, and what the change must do.

    In a command's text `MARK word` notes that this ran: `ran` lists the words that the change must add, in order.
    """

    name: str
    before: Json
    after: Json | None
    operations: list[str]
    ran: list[str]
    options: Json = field(default_factory=dict)
    options_after: Json | None = None


CASES = [
    Case("nothing", {"create": "MARK one"}, {"create": "MARK one"}, ["same"], []),
    Case("create-text", {"create": "MARK one"}, {"create": "MARK two"}, ["update"], ["two"]),
    Case("update-added", {"create": "MARK one"}, {"create": "MARK one", "update": "MARK up"}, ["update"], ["up"]),
    Case(
        "create-text-with-update",
        {"create": "MARK one", "update": "MARK up"},
        {"create": "MARK two", "update": "MARK up"},
        ["update"],
        ["up"],
    ),
    Case(
        "delete-text",
        {"create": "MARK one", "delete": "MARK gone"},
        {"create": "MARK one", "delete": "MARK left"},
        ["update"],
        ["one"],
    ),
    Case(
        "delete-text-with-update",
        {"create": "MARK one", "update": "MARK up"},
        {"create": "MARK one", "update": "MARK up", "delete": "MARK left"},
        ["update"],
        ["up"],
    ),
    Case(
        "connection",
        {"create": "MARK one", "connection": {"per_dial_timeout": 14}},
        {"create": "MARK one", "connection": {"per_dial_timeout": 13}},
        ["update"],
        ["one"],
    ),
    Case("stdin", {"create": "MARK one", "stdin": "a"}, {"create": "MARK one", "stdin": "b"}, ["update"], ["one"]),
    Case(
        "environment",
        {"create": "MARK one", "environment": {"LC_A": "1"}},
        {"create": "MARK one", "environment": {"LC_A": "2"}},
        ["update"],
        ["one"],
    ),
    Case("logging", {"create": "MARK one"}, {"create": "MARK one", "logging": "none"}, ["update"], ["one"]),
    Case(
        "previous-output",
        {"create": "MARK one", "add_previous_output_in_env": None},
        {"create": "MARK one", "add_previous_output_in_env": False},
        ["update"],
        ["one"],
    ),
    Case(
        "trigger-changed",
        {"create": "MARK one", "delete": "MARK gone", "triggers": ["a", 1]},
        {"create": "MARK two", "delete": "MARK left", "triggers": ["a", 2]},
        ["create-replacement", "replace", "delete-replaced"],
        ["two", "gone"],
    ),
    Case(
        "trigger-appended",
        {"create": "MARK one", "update": "MARK up", "delete": "MARK gone", "triggers": ["a"]},
        {"create": "MARK one", "update": "MARK up", "delete": "MARK gone", "triggers": ["a", "b"]},
        ["create-replacement", "replace", "delete-replaced"],
        ["one", "gone"],
    ),
    Case(
        "triggers-added",
        {"create": "MARK one", "delete": "MARK gone"},
        {"create": "MARK one", "delete": "MARK gone", "triggers": ["a"]},
        ["create-replacement", "replace", "delete-replaced"],
        ["one", "gone"],
    ),
    Case(
        "delete-first",
        {"create": "MARK one", "delete": "MARK gone", "triggers": ["a"]},
        {"create": "MARK two", "delete": "MARK left", "triggers": ["b"]},
        ["delete-replaced", "replace", "create-replacement"],
        ["gone", "two"],
        {"delete_before_replace": True},
    ),
    Case(
        "removed",
        {"create": "MARK one", "delete": "MARK gone-$(cat)", "stdin": "kept"},
        None,
        ["delete"],
        ["gone-kept"],
    ),
    Case(
        "retained",
        {"create": "MARK one", "delete": "MARK gone"},
        None,
        ["delete"],
        [],
        {"retain_on_delete": True},
    ),
    Case("empty", {}, {"logging": "none"}, ["update"], []),
    Case("output-kept", {"create": "MARK one; echo first"}, {}, ["update"], []),
]  # fmt: skip


def command(name: str, arguments: Json, options: Json, sshd: Sshd, log: Path) -> Entry:
    """A remote.Command whose marks go to the log, with previous output off unless it says so."""
    given: dict[str, Any] = {"add_previous_output_in_env": False, **arguments}
    given = {key: value for key, value in given.items() if value is not None}
    given["connection"] = sshd.connection(**given.get("connection", {}))
    for key in ("create", "update", "delete"):
        if key in given:
            given[key] = re.sub(r"MARK (\S+)", rf"echo {name} \1 >> {log}", given[key].replace(";", " ;"))
    return resource("remote.Command", name, options, **given)


@dataclass(frozen=True)
class Lifecycle:
    """The stack of this module after both runs."""

    stack: Stack
    first: Run
    second: Run
    ran: dict[str, list[str]]
    outputs: list[Json]

    def output(self, name: str, run: int = 1) -> Any:
        """A command's standard output as stored after the first or the second run."""
        return self.outputs[run - 1][name]["outputs"]["stdout"]


def others(sshd: Sshd, log: Path, after: bool) -> list[Entry]:
    """Commands that show one behaviour each, most of them at their creation."""
    raw = {
        "token": "command:remote:Command",
        "connection": {
            "host": "127.0.0.1",
            "port": sshd.port,
            "user": sshd.connection()["user"],
            "privateKey": sshd.key("user"),
        },
        "create": "echo raw",
        "triggers": ["b" if after else "a"],
        "addPreviousOutputInEnv": False,
    }
    locked = {"private_key": sshd.key("locked"), "private_key_password": "open sesame"}
    simple: dict[str, Json] = {
        "newlines": {"create": r"printf 'a\n\n'; printf 'b\n' >&2"},
        "no-pty": {"create": "test -t 0 || test -t 1 || echo none; cat"},
        "quiet-failure": {"create": "false; echo on"},
        "variable": {"create": "echo $LC_FOO", "environment": {"LC_FOO": "it is"}},
        "locked-key": {"create": "echo in", "connection": locked},
        "ecdsa": {"create": "echo in", "connection": {"host_key": sshd.public("host_ecdsa")}},
        "unpinned": {"create": "echo in", "connection": {"host_key": None}},
        "path": {"create": "echo $0 $SHELL"},
        "noted": {"create": "echo out; echo err >&2; echo $PULUMI_COMMAND_STDOUT-$PULUMI_COMMAND_STDERR",
                  "update": "echo $PULUMI_COMMAND_STDOUT-$PULUMI_COMMAND_STDERR", "stdin": str(after),
                  "connection": {"port": sshd.open_port}, "add_previous_output_in_env": None},
        "warned": {"create": "echo out; echo err >&2", "stdin": str(after), "add_previous_output_in_env": None},
        "unwarned": {"create": "echo out; echo err >&2", "stdin": str(after)},
        "log-both": {"create": r"printf 'out\r\n'; sleep 0.2; printf err >&2"},
        "log-out": {"create": "echo out; echo err >&2", "logging": "stdout"},
        "log-err": {"create": "echo out; echo err >&2", "logging": "stderr"},
        "log-named-both": {"create": "echo out; echo err >&2", "logging": "stdoutAndStderr"},
        "log-none": {"create": "echo out; echo err >&2", "logging": "none"},
    }  # fmt: skip
    if not after:
        simple["goodbye"] = {
            "create": "echo out", "delete": "MARK $PULUMI_COMMAND_STDOUT", "add_previous_output_in_env": None,
            "connection": {"port": sshd.open_port},
        }  # fmt: skip
    entries = [command(name, arguments, {}, sshd, log) for name, arguments in simple.items()]
    return [*entries, {"type": "raw", "name": "raw-trigger", "arguments": raw, "options": {}}]


def run_twice(stack: Stack, log: Path, before: list[Entry], after: list[Entry]) -> Lifecycle:
    """Bring the stack up as before and as after the changes; marks of the second run alone are kept."""
    first = stack.up(before)
    outputs = [stack.state()]
    log.write_text("")
    second = stack.up(after)
    outputs.append(stack.state())
    ran: dict[str, list[str]] = {}
    for line in log.read_text().splitlines():
        name, _, word = line.partition(" ")
        ran.setdefault(name, []).append(word)
    return Lifecycle(stack, first, second, ran, outputs)


@pytest.fixture(scope="module")
def lifecycle(new_stack: StackFactory, sshd: Sshd) -> Lifecycle:
    """All cases, before and after their change."""
    stack = new_stack("lifecycle")
    log = stack.directory / "ran"
    before = [command(case.name, case.before, case.options, sshd, log) for case in CASES]
    after = [command(case.name, case.after, case.options, sshd, log) for case in CASES if case.after is not None]
    return run_twice(stack, log, before, after)


@pytest.fixture(scope="module")
def shown(new_stack: StackFactory, sshd: Sshd) -> Lifecycle:
    """The commands that show one behaviour each."""
    stack = new_stack("shown")
    log = stack.directory / "ran"
    return run_twice(stack, log, others(sshd, log, False), others(sshd, log, True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_change(lifecycle: Lifecycle, case: Case) -> None:
    """Any changed input is an update, which runs `update`, else the new `create`; only triggers replace.

    A replacement runs the new `create` and then the old `delete`, the other way round with delete_before_replace.
    A removed command runs the `delete` of the state with the stdin of the state, a retained one nothing.
    """
    assert lifecycle.second.operations().get(case.name) == case.operations
    assert lifecycle.ran.get(case.name, []) == case.ran


def test_all_created_once(lifecycle: Lifecycle) -> None:
    """A new command is created, whatever it holds."""
    operations = lifecycle.first.operations()
    assert {case.name: operations[case.name] for case in CASES} == {case.name: ["create"] for case in CASES}


def test_output_kept_where_nothing_runs(lifecycle: Lifecycle) -> None:
    """An update of a command that has neither `update` nor `create` any more keeps the old output."""
    assert lifecycle.output("output-kept", 2) == "first"


def test_command_without_commands(lifecycle: Lifecycle) -> None:
    """A command with no `create`, `update` and `delete` is legal and has empty output."""
    assert lifecycle.output("empty") == ""


def test_trigger_replacement_comes_from_the_sdk(shown: Lifecycle) -> None:
    """A changed element of triggers replaces because the SDK says so: without the SDK's class it is an update."""
    assert shown.second.operations()["raw-trigger"] == ["update"]


def test_detailed_difference(lifecycle: Lifecycle) -> None:
    """The difference names a changed element as `triggers[1]`, and an update's property by its name."""
    assert "triggers[1]" in lifecycle.second.detailed_diff("trigger-changed")
    assert lifecycle.second.detailed_diff("create-text") == {"create": "update"}
    assert list(lifecycle.second.detailed_diff("environment")) == ["environment.LC_A"]


def test_one_newline_is_trimmed(shown: Lifecycle) -> None:
    """One trailing newline is taken from each output, and only one."""
    assert shown.outputs[0]["newlines"]["outputs"]["stdout"] == "a\n"
    assert shown.outputs[0]["newlines"]["outputs"]["stderr"] == "b"


def test_no_terminal_and_no_stdin(shown: Lifecycle) -> None:
    """The command has no terminal, and without stdin it reads an empty input."""
    assert shown.output("no-pty") == "none"


def test_login_shell_decides(shown: Lifecycle) -> None:
    """The text goes to the user's login shell as it is: a failing first command does not stop it."""
    assert shown.output("quiet-failure") == "on"
    shell, login = shown.output("path").split()
    assert Path(shell.lstrip("-")).name == Path(login).name


def test_environment_variable_that_the_server_accepts(shown: Lifecycle) -> None:
    """`environment` is sent before the command; a variable that sshd accepts arrives."""
    assert shown.output("variable") == "it is"


def test_encrypted_key(shown: Lifecycle) -> None:
    """privateKeyPassword opens an encrypted privateKey."""
    assert shown.output("locked-key") == "in"


def test_host_key_type_is_pinned(shown: Lifecycle) -> None:
    """hostKey restricts the handshake to its own type: a server with several keys shows the pinned one."""
    assert shown.output("ecdsa") == "in"


def test_absent_host_key_trusts(shown: Lifecycle) -> None:
    """Without hostKey any server is accepted."""
    assert shown.output("unpinned") == "in"


def test_previous_output_is_offered(shown: Lifecycle) -> None:
    """Updates and deletes get the previous output as PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR; creates not."""
    assert shown.output("noted") == "out\n-"
    assert shown.output("noted", 2) == "out --err"
    assert shown.ran["goodbye"] == ["out"]


def test_refused_previous_output_warns(shown: Lifecycle) -> None:
    """A server that refuses them costs one warning of three lines for each variable, and nothing else."""
    warnings = shown.second.messages("warned", "warning")
    assert len(warnings) == 2
    assert warnings[0].startswith(
        "Unable to set 'PULUMI_COMMAND_STDOUT'. This only works if your SSH server is configured to accept\n"
        "\tthese variables via AcceptEnv. Alternatively, "
    )
    assert warnings[1].startswith("Unable to set 'PULUMI_COMMAND_STDERR'.")
    assert {len(warning.splitlines()) for warning in warnings} == {3}
    assert shown.output("warned", 2) == "out"
    assert shown.first.messages("warned", "warning") == []


def test_previous_output_switched_off(shown: Lifecycle) -> None:
    """addPreviousOutputInEnv=false sends nothing, so nothing is refused."""
    assert shown.second.operations()["unwarned"] == ["update"]
    assert shown.second.messages("unwarned") == []


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("log-both", ["err", "out"]),
        ("log-named-both", ["err", "out"]),
        ("log-out", ["out"]),
        ("log-err", ["err"]),
        ("log-none", []),
    ],
)
def test_logging(shown: Lifecycle, name: str, lines: list[str]) -> None:
    """Output lines are passing information, without their line ends; `logging` chooses which, both if unset."""
    assert sorted(shown.first.lines(name)) == lines
    assert shown.first.messages(name) == []
    assert shown.output(name).startswith("out")


def test_identifiers(lifecycle: Lifecycle) -> None:
    """An id is the resource's name and eight hexadecimal digits, new after a replacement only."""
    assert re.fullmatch(r"nothing[0-9a-f]{8}", lifecycle.outputs[0]["nothing"]["id"])
    kept = [name for name in ("create-text", "trigger-changed")
            if lifecycle.outputs[0][name]["id"] == lifecycle.outputs[1][name]["id"]]  # fmt: skip
    assert kept == ["create-text"]


def test_connection_defaults_are_stored(lifecycle: Lifecycle, shown: Lifecycle) -> None:
    """Check completes the connection, so that the defaults are in the inputs and take part in the difference."""
    stored = shown.stack.open_state()["raw-trigger"]["inputs"]["connection"]
    assert (stored["dialErrorLimit"], stored["perDialTimeout"]) == (10, 15)
    assert lifecycle.stack.open_state()["connection"]["inputs"]["connection"]["perDialTimeout"] == 13


def test_no_defaults_for_the_rest(lifecycle: Lifecycle, shown: Lifecycle) -> None:
    """Of the other inputs nothing is filled in: unset stays unset."""
    assert set(lifecycle.outputs[0]["trigger-changed"]["inputs"]) == {
        "addPreviousOutputInEnv", "connection", "create", "delete", "triggers",
    }  # fmt: skip
    assert "addPreviousOutputInEnv" not in shown.outputs[0]["warned"]["inputs"]


def test_connection_is_secret(lifecycle: Lifecycle) -> None:
    """The connection is stored as a secret in inputs and outputs: no private key lies in the state file."""
    stored = lifecycle.stack.state()["connection"]
    assert all("ciphertext" in stored[side]["connection"] for side in ("inputs", "outputs"))
    assert "PRIVATE KEY" not in lifecycle.stack.checkpoint().read_text()


def test_refresh_never_connects(lifecycle: Lifecycle, sshd: Sshd) -> None:
    """There is no drift detection: a refresh keeps the state and contacts no server."""
    before = sshd.connections()
    run = lifecycle.stack.run("refresh", "--yes", "--skip-preview")
    assert sshd.connections() == before
    assert {tuple(ops) for ops in run.operations().values()} == {("refresh",)}
    kept = lifecycle.stack.state()["output-kept"]
    assert kept["id"] == lifecycle.outputs[1]["output-kept"]["id"]
    assert kept["outputs"]["stdout"] == "first"
