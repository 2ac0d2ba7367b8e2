"""What is read from the stack file itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.config import BadConfig
from codesensei.config.secrecy import find_stack_file, read_stack_file
from tests.config.bad import OWN_ENV, SECRET_END
from tests.config.engine import changed, load_text

TEXT = """
encryptionsalt: v1:abc
config:
  aws:region: eu-central-1
  codesensei:env: {A: 0123, B: "0123", C: |-
      text
    , secure: x, D: {secure: v1:y}}
  codesensei:secretEnv:
    TOKEN:
      secure: v1:z
  codesensei:sshPrivateKey: {secure: v1:w}
  codesensei:project:
    workers: {secure: {command: "echo"}}
"""


def test_places() -> None:
    file = read_stack_file(TEXT.replace("|-\n      text\n    ", "'text'"))
    assert file.sealed == {("env", "D"), ("secretEnv", "TOKEN"), ("sshPrivateKey",), ("project", "workers")}
    assert file.plain == {("env", "A"): "0123", ("env", "B"): None, ("env", "C"): None, ("env", "secure"): "x"}
    assert file.is_sealed(("sshPrivateKey",))
    assert file.is_sealed(("secretEnv", "TOKEN"))
    assert not file.is_sealed(("env", "A"))
    assert file.covers(("env",))
    assert not file.covers(("secretEnv", "OTHER"))


MERGED = """
config:
  codesensei:limits: &base {A: 0123, B: "1", C: {D: 0777}, T: &token {secure: v1:x}}
  <<: {codesensei:drift: true, codesensei:limits: 5}
  codesensei:env: {A: 5, <<: *base, E: {<<: *token}, F: {"<<": 07, <<: *token}}
  codesensei:secretEnv: {<<: [{B: {secure: v1:z}, <<: {A: 1}}, *base], G: {secure: v1:y}}
"""


@pytest.mark.proves("config.references")
def test_what_a_map_takes_over_from_others_stands_in_it() -> None:
    """As the engine has it: its own keys first, then those of the first map that has them."""
    file = read_stack_file(MERGED)
    base = {("A",): "0123", ("B",): None, ("C", "D"): "0777"}
    assert file.plain == {
        **{("limits", *place): text for place, text in base.items()},
        ("drift",): "true",
        **{("env", *place): text for place, text in base.items()},
        ("env", "A"): "5",
        ("env", "F", "<<"): "07",
        ("env", "F", "secure"): "v1:x",
        ("secretEnv", "A"): "1",
        ("secretEnv", "C", "D"): "0777",
    }
    assert file.sealed == {
        *(("limits", "T"), ("env", "T"), ("env", "E")),
        *(("secretEnv", name) for name in "BGT"),
    }


@pytest.mark.proves("config.references", "env.secret-plain")
def test_what_is_taken_over_is_checked(tmp_path: Path) -> None:
    """As numbers that YAML changes are, and secrets in plain text, among them where another is encrypted."""
    env = f"    <<: &base {{LANG: de, WORKERS: 0123}}\n{OWN_ENV}"
    plain = f"    <<: {{API_KEY: canary-in-plain}}\n    API_TOKEN:\n{SECRET_END}"
    stack = load_text(tmp_path, changed(OWN_ENV, env.replace("0123", '"0123"')))
    assert (stack.config.env["LANG"], stack.config.env["WORKERS"], stack.warnings) == ("de", "0123", ())
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, changed(OWN_ENV, env).replace(f"    API_TOKEN:\n{SECRET_END}", plain))
    found = {problem.path: problem.rule for problem in caught.value.problems}
    assert found == {"env.WORKERS": "env-number-form", "secretEnv.API_KEY": "secret-in-plain"}


@pytest.mark.parametrize("text", ["", "config:\n", "config: text\n", "- a\n"])
def test_nothing_to_read(text: str) -> None:
    file = read_stack_file(text)
    assert (file.sealed, file.plain) == (frozenset(), {})


def test_where_the_file_is(tmp_path: Path) -> None:
    """Beside Pulumi.yaml, or in its stackConfigDir; None where there is none or it cannot be read."""
    assert find_stack_file(tmp_path, "prod") is None
    (tmp_path / "Pulumi.yaml").write_text("name: codesensei\n")
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {codesensei:env: {A: x}}\n")
    beside = find_stack_file(tmp_path, "prod")
    assert beside is not None
    assert beside.plain == {("env", "A"): "x"}
    (tmp_path / "Pulumi.yaml").write_text("name: codesensei\nstackConfigDir: stacks\n")
    assert find_stack_file(tmp_path, "prod") is None
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config: {codesensei:env: {B: x}}\n")
    below = find_stack_file(tmp_path, "prod")
    assert below is not None
    assert below.plain == {("env", "B"): "x"}
    (tmp_path / "stacks" / "Pulumi.prod.yaml").write_text("config: {unclosed\n")
    assert find_stack_file(tmp_path, "prod") is None


def test_the_config_of_another_file_is_told_apart() -> None:
    file = read_stack_file("config:\n  codesensei:env: {A: 1, B: [x]}\n  codesensei:secretEnv: {C: {secure: v1:x}}\n")
    own = {"env": {"A": 1, "B": ["x"]}, "secretEnv": {"C": "secret"}, "drift": "true"}
    assert file.is_of(own)
    assert not file.is_of({**own, "secretEnv": {"D": "secret"}})
    assert not file.is_of({**own, "env": {"A": 1}})
    assert not file.is_of({"env": own["env"]})
