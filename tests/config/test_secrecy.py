"""No secret value in any error, warning or printed form; and secrets are told from the rest without the stack file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from pathlib import Path
from typing import cast

import pulumi
import pytest
from pulumi.runtime import set_all_config
from pydantic import ValidationError

from codesensei.config import BadConfig, Secrets, load, validate
from codesensei.config.load import OTHER_FILE
from codesensei.config.stack import StackConfig
from tests.config.bad import OWN_ENV, SECRET_END, TLS, TLS_KEY, secret_url
from tests.config.engine import API_TOKEN, CLEAR, EXAMPLE, changed, config_of, load_text, project_of

CANARY = "canary-4711-in-a-secret"
SSH_KEY = (
    "  codesensei:sshPrivateKey:\n    secure: |\n      clear:-----BEGIN OPENSSH PRIVATE KEY-----\n"
    f"      b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ{CANARY}\n      -----END OPENSSH PRIVATE KEY-----\n"
)
CERTIFICATE = "    certificate: |\n      -----BEGIN CERTIFICATE-----\n      MIIB\n      -----END CERTIFICATE-----\n"


def full() -> str:
    """The example with a canary in every place for a secret."""
    text = EXAMPLE.read_text()
    for old, new in (
        ("  # codesensei:sshPrivateKey: {secure: …}\n", SSH_KEY),
        ("  # codesensei:digestKey: {secure: …}\n", f"  codesensei:digestKey: {{secure: 'clear:{CANARY}'}}\n"),
        (TLS, f"  codesensei:tls:\n{CERTIFICATE}{TLS_KEY.replace('MC4C', CANARY)}"),
        secret_url(f"clear:postgres://shop:{CANARY}@127.0.0.1/shop"),
        (SECRET_END.removeprefix("      secure: "), f"clear:{CANARY}\n"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def opened(output: pulumi.Output[str] | None) -> tuple[str, bool]:
    """The value of an Output, and whether it is marked secret."""
    assert output is not None

    async def both() -> tuple[str, bool]:
        return await cast(Awaitable[str], output.future()), await output.is_secret()

    return asyncio.get_event_loop().run_until_complete(both())


def outputs(secrets: Secrets) -> dict[str, pulumi.Output[str] | None]:
    return {
        **secrets.env,
        "ssh": secrets.ssh_private_key,
        "tls": secrets.tls_key,
        "digest": secrets.digest_key,
        "database": secrets.database_password,
    }


def test_a_sound_stack_holds_secrets_in_secret_outputs_only(tmp_path: Path) -> None:
    stack = load_text(tmp_path, full())
    assert CANARY not in f"{stack!r} {stack} {stack.config.model_dump_json()} {stack.secrets!r} {vars(stack.secrets)}"
    assert stack.config.secret_names == ("API_TOKEN", "DATABASE_URL")
    found = {name: opened(output) for name, output in outputs(stack.secrets).items()}
    assert sorted(found) == ["API_TOKEN", "DATABASE_URL", "database", "digest", "ssh", "tls"]
    assert all(CANARY in value and secret for value, secret in found.values())
    assert found["database"][0] == found["API_TOKEN"][0] == found["digest"][0] == CANARY


@pytest.mark.proves("secrets.never")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("slug: shop", f"slug: {CANARY}-much-too-long-for-a-slug"),
        ("    host: 203.0.113.7\n", f"    host: {CANARY}@x\n"),
        ("interface: auto", f"interface: {CANARY}"),
        ("codesensei:drift: true", f"codesensei:drift: {CANARY}"),
        ("codesensei:trustedProxies: []", f"codesensei:trustedProxies: [{CANARY}]"),
        ("codesensei:adopt: false", f"codesensei:adopt: {CANARY}"),
        ("[shop.example.com]", f'["{CANARY}/"]'),
        (OWN_ENV, f"    {CANARY}: x\n{OWN_ENV}"),
    ],
)
def test_a_secret_value_that_stands_elsewhere_too_is_not_repeated(old: str, new: str, tmp_path: Path) -> None:
    """Somebody pastes a secret into the wrong key: the error still does not show it."""
    text = full()
    assert text.count(old) == 1
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, text.replace(old, new))
    assert CANARY not in str(caught.value) + repr(caught.value.problems)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_pydantic_itself_shows_no_input() -> None:
    """The models are safe alone too: other code may catch and print their error."""
    with pytest.raises(ValidationError) as caught:
        StackConfig.model_validate({"env": {"A": [CANARY]}, "server": CANARY, "project": {"name": [CANARY]}})
    assert CANARY not in str(caught.value)


def test_validate_leaves_secret_values_aside() -> None:
    with pytest.raises(BadConfig) as caught:
        validate({"secretEnv": {"API-TOKEN": CANARY}, "sshPrivateKey": CANARY, "tls": {"key": CANARY}})
    assert CANARY not in str(caught.value)
    assert "secretEnv.API-TOKEN" in str(caught.value)


PLAIN = (f"    API_TOKEN:\n{SECRET_END}", f"    API_TOKEN: {CANARY}\n")
MIXED = f"    API_TOKEN: {CANARY}\n    OTHER: {{secure: 'clear:x'}}\n"


def test_without_the_stack_file_nothing_encrypted_is_refused_by_name(tmp_path: Path) -> None:
    """The engine says whether *something* below a key was encrypted: nothing was."""
    with pytest.raises(BadConfig, match=r"codesensei:secretEnv\.API_TOKEN: is not encrypted"):
        load_text(tmp_path, changed(*PLAIN), with_file=False)


@pytest.mark.proves("env.secret-plain")
def test_one_plain_secret_among_encrypted_ones_takes_the_stack_file(tmp_path: Path) -> None:
    text = changed(PLAIN[0], MIXED)
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, text)
    assert [problem.path for problem in caught.value.problems] == ["secretEnv.API_TOKEN"]
    assert load_text(tmp_path, text, with_file=False).config.secret_names == ("API_TOKEN", "OTHER")


def test_a_map_that_is_encrypted_as_a_whole_is_taken(tmp_path: Path) -> None:
    """`pulumi config set --secret codesensei:secretEnv '{…}'`"""
    whole = f'  codesensei:secretEnv:\n    secure: \'clear:{{"API_TOKEN": "{CANARY}"}}\'\n'
    stack = load_text(tmp_path, changed(f"  codesensei:secretEnv:\n    API_TOKEN:\n{SECRET_END}", whole))
    assert opened(stack.secrets.env["API_TOKEN"]) == (CANARY, True)


def sealed(key: str, values: dict[str, object]) -> str:
    """A map that is encrypted as a whole."""
    return f"  codesensei:{key}:\n    secure: '{CLEAR}{json.dumps(values)}'\n"


@pytest.mark.proves("env.secret-text")
def test_an_integer_of_a_map_that_is_encrypted_as_a_whole_is_text(tmp_path: Path) -> None:
    variables = sealed("secretEnv", {"API_TOKEN": CANARY, "PIN": 12345678, "BIG": 10**30})
    backups = sealed("backups", {"to": "/backups/shop", "password": 123456789012})
    stack = load_text(tmp_path, changed(f"  codesensei:secretEnv:\n    API_TOKEN:\n{SECRET_END}", variables + backups))
    found = {name: opened(output) for name, output in stack.secrets.env.items()}
    assert found == {"API_TOKEN": (CANARY, True), "PIN": ("12345678", True), "BIG": (f"1{'0' * 30}", True)}
    assert opened(stack.secrets.backup_password) == ("123456789012", True)


@pytest.mark.proves("env.secret-text")
@pytest.mark.parametrize("value", [True, 1.5, None, [CANARY], {"a": CANARY}])
def test_nothing_of_a_map_that_is_encrypted_as_a_whole_is_left_out(value: object, tmp_path: Path) -> None:
    variables = sealed("secretEnv", {"API_TOKEN": value})
    backups = sealed("backups", {"to": "s3:https://a.eu/b", "accessKey": "c", "password": value, "secretKey": value})
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, changed(f"  codesensei:secretEnv:\n    API_TOKEN:\n{SECRET_END}", variables + backups))
    found = {problem.path: problem.rule for problem in caught.value.problems}
    assert found == dict.fromkeys(("secretEnv.API_TOKEN", "backups.password", "backups.secretKey"), "secret-not-text")
    assert "set it again: pulumi config set --secret --path codesensei:backups.password" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.proves("env.maps")
@pytest.mark.parametrize("with_file", [True, False])
def test_an_encrypted_plain_variable_is_refused(with_file: bool, tmp_path: Path) -> None:
    text = changed(OWN_ENV, f"    A: {{secure: 'clear:{CANARY}'}}\n{OWN_ENV}")
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, text, with_file=with_file)
    assert [problem.path for problem in caught.value.problems] == ["env.A" if with_file else "env"]


@pytest.mark.proves("secrets.never")
@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("host: 203.0.113.7", f"host: {{secure: 'clear:{CANARY}@x'}}", "server.host"),
        ("slug: shop", f"slug: {{secure: 'clear:{CANARY * 4}'}}", "project.slug"),
        ("[shop.example.com]", f"[{{secure: 'clear:{CANARY}/'}}]", "domains.0"),
        ("    user: root\n", "    user: {secure: 'clear:deploy'}\n", "server.user"),
    ],
)
def test_no_other_problem_shows_what_is_encrypted_in_a_wrong_place(
    old: str, new: str, place: str, with_file: bool, tmp_path: Path
) -> None:
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, changed(old, new), with_file=with_file)
    found = {problem.path: problem.rule for problem in caught.value.problems}
    assert found == {place if with_file else place.partition(".")[0]: "encrypted"}
    assert CANARY not in str(caught.value) + repr(caught.value.problems)


def test_the_files_that_the_engine_reads_are_the_ones_asked(tmp_path: Path) -> None:
    """The example's own token arrives, so the tests above speak of what the engine would hand over."""
    config, secret_keys = config_of(EXAMPLE.read_text())
    assert secret_keys == ["codesensei:secretEnv"]
    assert API_TOKEN in config["codesensei:secretEnv"]
    with project_of(tmp_path, "config: {}"):
        assert (tmp_path / "stacks" / "Pulumi.stack.yaml").read_text() == "config: {}"


def test_a_run_with_another_config_file_is_warned_and_not_checked_against_the_wrong_one(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    with project_of(tmp_path, text.replace("API_TOKEN:", "OTHER_TOKEN:")):
        set_all_config(*config_of(text))
        warnings = load().warnings
    assert [warning for warning in warnings if "--config-file" in warning] == list(OTHER_FILE)
    assert not [warning for warning in load_text(tmp_path, text).warnings if "--config-file" in warning]
