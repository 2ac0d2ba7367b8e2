"""The line of a step: its form, its quoting, and its number."""

from __future__ import annotations

import hashlib
import json
import shlex

import pytest
import yaml

from codesensei.config.server import ServerConfig
from codesensei.remote import Access, Look
from codesensei.remote.state import digest_of
from codesensei.remote.step import FORMATS, HEAD, SECRET_STEPS, line_of, to_text
from codesensei.scripts import main as server_side
from codesensei.scripts.base import step as server_step

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"


def access(user: str = "root", **mends: int) -> Access:
    server = ServerConfig.model_validate({"host": "203.0.113.7", "user": user, "hostKey": KEY})
    return Access(server, "shop", "agent.sock", Look(mends))


@pytest.mark.parametrize(
    ("user", "step", "args", "mend", "line"),
    [
        ("root", "preflight", [], 0, "/usr/local/lib/codesensei/shop/run preflight 1"),
        ("admin", "preflight", [], 0, "sudo -n /usr/local/lib/codesensei/shop/run preflight 1"),
        ("root", "build", ["4f2a9c1-8be", "9c1e"], 0, "/usr/local/lib/codesensei/shop/run build 1 4f2a9c1-8be 9c1e"),
        ("root", "switch", ["a", "b"], 7, "/usr/local/lib/codesensei/shop/run switch 1 a b mend=7"),
        ("root", "build", ["it's; rm -rf /"], 0, "/usr/local/lib/codesensei/shop/run build 1 'it'\"'\"'s; rm -rf /'"),
        ("root", "build", ["$(id)", ""], 0, "/usr/local/lib/codesensei/shop/run build 1 '$(id)' ''"),
    ],
)
def test_lines(user: str, step: str, args: list[str], mend: int, line: str) -> None:
    assert line_of(access(user, **{step: mend}), step, args) == line
    assert shlex.split(line)[-len(args) - bool(mend) :][: len(args)] == args or not args


def test_every_step_has_a_script_and_every_script_of_a_step_a_format() -> None:
    called = {*server_side.PROJECT_STEPS, *server_side.SERVER_STEPS} - {"claim"}
    assert set(FORMATS) == called
    assert set(FORMATS) >= SECRET_STEPS
    assert all(number >= 1 for number in FORMATS.values())


def test_both_sides_compute_the_same_digest() -> None:
    words, stdin = ["build", "1", "4f2a9c1-8be01d7", "9c1e"], to_text({"b": "é\n", "a": [1, None]})
    assert digest_of(words, stdin) == server_step.digest_of(words, stdin)
    assert digest_of(words, stdin) == hashlib.sha256(f"build 1 4f2a9c1-8be01d7 9c1e\n{stdin}".encode()).hexdigest()


def test_data_is_one_key_or_line_of_text_a_line_and_always_the_same() -> None:
    text = to_text({"b": {"d": 1, "c": "é"}, "a": [], "unit": "[Unit]\nAfter=x\n"})
    assert text == (
        f'{HEAD}\n{{\n "a": [],\n "b": {{\n  "c": "é",\n  "d": 1\n }},\n'
        ' "unit": {\n  "lines": [\n   "[Unit]",\n   "After=x",\n   ""\n  ]\n }\n}\n'
    )


@pytest.mark.parametrize(
    "data",
    [{}, {"a": ""}, {"a": "\n"}, {"a": "x\n\ny", "b": [{"c": "1\r\n2\u2028"}, ["\n"], None, 1.5, True]}],
)
def test_the_server_reads_the_data_that_was_written(data: dict[str, object]) -> None:
    assert server_side.read_data(to_text(data)) == data


@pytest.mark.parametrize("text", [to_text({"a": 1}), to_text({"a": "x\ny"})])
def test_the_engine_takes_it_for_text(text: str) -> None:
    """What it can read as an object it shows whole, however little of it changed."""
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(text)
    try:
        found = next(iter(yaml.safe_load_all(text)))
    except yaml.YAMLError:
        return
    assert not isinstance(found, dict | list)
