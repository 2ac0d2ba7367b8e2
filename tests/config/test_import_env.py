"""Variables from a `.env` file or pasted JSON end up in the right map, secrets on standard input only."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codesensei.config.dotenv import UnreadableError, decode, read_variables
from codesensei.config.import_env import main
from codesensei.wire.envfile import meaning

ENV_FILE = r"""
# A comment
export DEBUG=0
NAME = shop # a comment
HASH=a#b
EMPTY=
SINGLE='a "b" $c \n'
DOUBLE="a \"b\" \$c\ttab\nline \z" # after
KEY="-----BEGIN-----
line
-----END-----"
AFTER=1
QUOTED="'kept'"
WINDOWS=x
""".replace("WINDOWS=x\n", "WINDOWS=x\r\n")


@pytest.mark.proves("env.import")
def test_env_file() -> None:
    found = {name: meaning(value) for name, value in read_variables(ENV_FILE).items()}
    assert found == {
        "DEBUG": "0",
        "NAME": "shop",
        "HASH": "a#b",
        "EMPTY": "",
        "SINGLE": 'a "b" $c \\n',
        "DOUBLE": 'a "b" $c\ttab\nline \\z',
        "KEY": "-----BEGIN-----\nline\n-----END-----",
        "AFTER": "1",
        "QUOTED": "'kept'",
        "WINDOWS": "x",
    }


@pytest.mark.proves("env.import")
def test_pasted_json_keeps_quoted_words() -> None:
    assert read_variables('{"FOO": "\'bar < baz\'", "N": 2}') == {"FOO": "'bar < baz'", "N": "2"}


@pytest.mark.proves("env.import-alike")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\ncanary\n", "line 2: this is not NAME=value"),
        ("A: canary\nB=2\nC\n", "line 1: this is not NAME=value\nline 3: this is not NAME=value"),
        ("A=canary\nB=2\nA=canary2\n", "line 3: A is set in line 1 already, and readers differ on which one counts"),
        ("A=canary\nB=$A/x\n", "line 2: only some readers expand $A; write ${A}, or"),
        ("B=${A}/canary\nA=1\n", "line 1: ${A} is not set above it in this file; write its value"),
        ('B="canary${A:?no}"\n', "line 1: ${… is for a shell to work out; write the result"),
        ("B=canary$(id)\n", "line 1: $(… is for a shell to work out; write the result"),
        ("B= # canary\n", "line 1: only some readers take this for a comment"),
        ('A=1\nB="canary', "line 2: the quotes of this value do not end with it"),
        ("B='canary'x", "line 1: the quotes of this value do not end with it"),
        ('{"A": "canary",}', "line 1: this is not JSON (Illegal trailing comma before end of object)"),
        ('{"A": true}', 'A: is not text; quote the value: "…"'),
        ('A="\'can\\"ary\'"', "A: has quotes around it and inside it, which cannot be told from a quoted word"),
    ],
)
def test_what_cannot_be_read_is_named_without_its_value(text: str, message: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_variables(text)
    assert str(caught.value).startswith(message.partition(" (")[0])
    assert "canary" not in str(caught.value)


@pytest.mark.proves("env.import-alike")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("B=${A}:${A}", "a$b:a$b"),
        ('B="${A}/\\${A}"', "a$b/${A}"),
        ("B='${A}'", "${A}"),
        ("B=${EMPTY:-x}${A:-y}${NO-z}", "xa$bz"),
        ("B=pa$word$", "pa$word$"),
        ("B=#336699", "#336699"),
        ("B=it's", "it's"),
        ("B = x y  # a comment", "x y"),
    ],
)
def test_references_are_expanded_where_every_reader_does(line: str, expected: str) -> None:
    found = read_variables(f"A='a$b'\nEMPTY=\n{line}\n")
    assert meaning(found["B"]) == expected


@pytest.mark.proves("env.import-alike")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = "NÄME=ä\r\nB=2\r\n"
    assert decode(text.encode(encoding)) == text


def test_another_encoding_is_named() -> None:
    with pytest.raises(UnreadableError, match=r"^line 2: this is not UTF-8 text; save the file as UTF-8$"):
        decode("A=1\nB=ä\n".encode("latin-1"))


VARIABLES = {
    "DJANGO_ALLOWED_HOSTS": ".example.com",
    "DATABASE_URL": "postgres://shop:canary-1@127.0.0.1/shop",
    "SECRET_KEY": "canary-2 with $ and 'quotes'\n",
    "PATH": "/bin",
    "PLAIN_TOKEN": "public",
    "HIDDEN": "canary-3",
}
FAKE_PULUMI = """#!/bin/sh
{ printf '%s|' "$@"; echo; cat; printf '\\n--\\n'; } >> "$LOG"
[ "$FAIL" != yes ]
"""


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, fail: str = "") -> tuple[int, str]:
    """Run the importer with a pulumi that writes down what it is given."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").write_text(FAKE_PULUMI)
    (tmp_path / "bin" / "pulumi").chmod(0o755)
    (tmp_path / "variables.json").write_text(json.dumps(VARIABLES))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAIL", fail)
    choice = ["--secret", "HIDDEN", "--plain", "PLAIN_TOKEN"]
    code = main([str(tmp_path / "variables.json"), *choice, *arguments])
    log = tmp_path / "log"
    return code, log.read_text() if log.exists() else ""


@pytest.mark.proves("env.import")
def test_it_only_shows_names_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch) == (1, ""), "a variable that is left out is no success"
    shown = capsys.readouterr()
    assert shown.out.splitlines()[:2] == [
        "plain: DJANGO_ALLOWED_HOSTS, PLAIN_TOKEN",
        "secret: DATABASE_URL, SECRET_KEY, HIDDEN",
    ]
    assert shown.err.startswith('"PATH" is left out: PATH is set by the program itself; ')
    assert "canary" not in shown.out + shown.err


@pytest.mark.proves("env.import")
def test_it_sets_each_value_on_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, log = run(tmp_path, monkeypatch, "--set", "--stack", "prod")
    start = "config|set|--non-interactive|--raw|--stack|prod|"
    assert code == 1, "PATH is left out"
    assert log.split("\n--\n") == [
        f"{start}--type|string|--path|codesensei:env.DJANGO_ALLOWED_HOSTS|\n.example.com",
        f"{start}--type|string|--path|codesensei:env.PLAIN_TOKEN|\npublic",
        f"{start}--secret|--path|codesensei:secretEnv.DATABASE_URL|\n{VARIABLES['DATABASE_URL']}",
        f"{start}--secret|--path|codesensei:secretEnv.SECRET_KEY|\n{VARIABLES['SECRET_KEY']}",
        f"{start}--secret|--path|codesensei:secretEnv.HIDDEN|\ncanary-3",
        "",
    ]


def test_it_stops_at_the_first_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, log = run(tmp_path, monkeypatch, "--set", fail="yes")
    assert (code, log.count("--non-interactive")) == (1, 1)
    assert "DJANGO_ALLOWED_HOSTS was not set, and none after it" in capsys.readouterr().err
