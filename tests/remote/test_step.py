"""The line of a step: its form, its quoting, and its number; and its data, which both sides read alike."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess

import pytest
import yaml

from codesensei.config.server import ServerConfig
from codesensei.remote import Access, Look
from codesensei.remote.state import parted
from codesensei.remote.step import IF_THERE, _teardown_line, answer_of, line_of
from codesensei.wire import codec, digests
from codesensei.wire.steps import BUILD, PREFLIGHT, RESULT, STEPS, SWITCH, Acme, StepKind, Tls

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
RUN = "/usr/local/lib/codesensei/shop/run"


def access(user: str = "root", **repairs: int) -> Access:
    server = ServerConfig.model_validate({"host": "203.0.113.7", "user": user, "hostKey": KEY})
    return Access(server, "shop", "agent.sock", Look(repairs))


@pytest.mark.parametrize(
    ("user", "step", "args", "repair", "line"),
    [
        ("root", PREFLIGHT, [], 0, f"{RUN} preflight 1"),
        ("admin", PREFLIGHT, [], 0, f"sudo -n {RUN} preflight 1"),
        ("root", BUILD, ["4f2a9c1-8be", "9c1e"], 0, f"{RUN} build 1 4f2a9c1-8be 9c1e"),
        ("root", SWITCH, ["a", "b"], 7, f"{RUN} switch 1 a b repair=7"),
        ("root", BUILD, ["it's; rm -rf /"], 0, f"{RUN} build 1 'it'\"'\"'s; rm -rf /'"),
        ("root", BUILD, ["$(id)", ""], 0, f"{RUN} build 1 '$(id)' ''"),
    ],
)
def test_lines(user: str, step: StepKind[object], args: list[str], repair: int, line: str) -> None:
    assert line_of(access(user, **{step.name: repair}), step, args) == line
    words = shlex.split(line.removeprefix("sudo -n "))
    assert parted(words) == ([RUN, step.name, "1", *args], repair)


def test_the_number_of_an_earlier_version_is_read() -> None:
    assert parted(["switch", "1", "a", "b", "mend=7"]) == (["switch", "1", "a", "b"], 7)


def test_the_line_of_the_teardown_has_no_number() -> None:
    """The state does not tell it, so the next run would see a change."""
    server = ServerConfig.model_validate({"host": "203.0.113.7", "user": "root", "hostKey": KEY})
    assert "repair=" not in _teardown_line(Access(server, "shop", "agent.sock", Look.again()))


@pytest.mark.proves("config.server.shell")
@pytest.mark.parametrize("user", ["root", "admin"])
def test_any_login_shell_can_read_the_line_of_the_teardown(user: str) -> None:
    """Neither fish nor tcsh knows `if …; then`: it is one command, of plain words."""
    line = _teardown_line(access(user))
    words = list(shlex.shlex(line, posix=True, punctuation_chars=True))
    assert not {";", "&", "&&", "|", "||", "(", ")", "<", ">"} & set(words)
    assert shlex.split(line)[-3:] == [RUN, "destroy", "1"]


def test_a_teardown_runs_what_is_there_and_ends_well_where_nothing_is() -> None:
    def ran(program: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", IF_THERE, "sh", program, "a b", "c"], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    assert ran("/bin/echo") == (0, "a b c\n")
    assert ran("/bin/false") == (1, "")
    assert ran("/nowhere") == (0, "nothing is left\n")


@pytest.mark.proves("errors.result")
@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [
        ("candidate has answered", f'sudo: unable to resolve host shop\nWelcome\n{RESULT}{{"warnings": ["a"]}}\nbye'),
        ('Welcome\n{"warnings": ["a"]}', ""),
        ('{"warnings": ["a"]}', None),
    ],
)
def test_a_result_is_found_among_the_words_of_others(stdout: str, stderr: str | None) -> None:
    assert json.loads(answer_of(stdout, stderr)) == {"warnings": ["a"]}


def test_a_raised_format_changes_the_line_of_that_step_alone() -> None:
    raised = StepKind("build", BUILD.data, format=2)
    assert line_of(access(), raised, ["a"]) == f"{RUN} build 2 a"
    assert all(step.format >= 1 for step in STEPS.values())


def test_both_sides_compute_the_same_digest() -> None:
    """It is kept in states and on servers, so it never changes."""
    words, stdin = ["build", "1", "4f2a9c1-8be01d7", "9c1e"], codec.to_text(Tls(self_signed=("é", "x\ny")))
    expected = hashlib.sha256(f"build 1 4f2a9c1-8be01d7 9c1e\n{stdin}".encode()).hexdigest()
    assert digests.of_step(words, stdin) == expected


def test_data_is_one_key_or_line_of_text_a_line_and_always_the_same() -> None:
    text = codec.to_text(Acme(hostnames=("é.example.com",), directory="x", email="", root_certificate="a\nb\n"))
    assert text == (
        f'{codec.HEAD}\n{{\n "directory": "x",\n "email": "",\n "hostnames": [\n  "é.example.com"\n ],\n'
        ' "rootCertificate": {\n  "lines": [\n   "a",\n   "b",\n   ""\n  ]\n }\n}\n'
    )


@pytest.mark.parametrize("certificate", ["", "\n", "x\n\ny", "1\r\n2\u2028", "\ufeff\t\x7f"])
def test_the_server_reads_the_data_that_was_written(certificate: str) -> None:
    data = Tls(certificate=certificate, self_signed=("\n", "é"))
    assert codec.from_text(Tls, codec.to_text(data), "step tls") == data


@pytest.mark.parametrize("data", [Tls(key="one"), Tls(key="x\ny")])
def test_the_engine_takes_it_for_text(data: Tls) -> None:
    """What it can read as an object it shows whole, however little of it changed."""
    text = codec.to_text(data)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(text)
    try:
        found = next(iter(yaml.safe_load_all(text)))
    except yaml.YAMLError:
        return
    assert not isinstance(found, dict | list)
