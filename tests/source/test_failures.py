"""What git says, as a cause and a fix. The texts are git's and ssh's own."""

from __future__ import annotations

import pytest

from codesensei.source.failures import explain, without_credentials

SSH = "git@git.example:team/shop.git"
HTTPS = "https://git.example/team/shop.git"


@pytest.mark.parametrize(
    ("url", "said", "cause", "fix"),
    [
        (
            SSH,
            "No ED25519 host key is known for git.example and you have requested strict checking.\n"
            "Host key verification failed.\nfatal: Could not read from remote repository.",
            "git.example's SSH host key is not known here, or it changed",
            "ssh -T git@git.example",
        ),
        (
            SSH,
            "git@git.example: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            "git.example does not accept your SSH key",
            "ssh-add",
        ),
        (
            HTTPS,
            "fatal: could not read Username for 'https://git.example': terminal prompts disabled",
            "git.example wants credentials, and git has none that it accepts",
            "credential helper",
        ),
        (
            HTTPS,
            "remote: Invalid username or token.\nfatal: Authentication failed for 'https://git.example/team/shop.git/'",
            "git.example wants credentials, and git has none that it accepts",
            "git ls-remote https://git.example/team/shop.git",
        ),
        (
            HTTPS,
            "remote: Repository not found.\nfatal: repository 'https://git.example/team/shop.git/' not found",
            "there is no repository, or you may not see it",
            "git ls-remote https://git.example/team/shop.git",
        ),
        (
            SSH,
            "ERROR: Repository not found.\nfatal: Could not read from remote repository.",
            "there is no repository, or you may not see it",
            "git ls-remote git@git.example:team/shop.git",
        ),
        (
            HTTPS,
            "fatal: unable to access 'https://git.example/': Could not resolve host: git.example",
            "the name git.example cannot be resolved",
            "needs no network",
        ),
        (
            SSH,
            "ssh: Could not resolve hostname git.example: Name or service not known\nfatal: Could not read from",
            "the name git.example cannot be resolved",
            "needs no network",
        ),
        (
            SSH,
            "ssh: connect to host git.example port 22: Connection timed out\nfatal: Could not read from",
            "git.example does not answer",
            "needs no network",
        ),
        (
            HTTPS,
            "fatal: unable to access 'https://git.example/': Failed to connect to git.example port 443 after 1 ms",
            "git.example does not answer",
            "needs no network",
        ),
        (
            HTTPS,
            "fatal: unable to access 'https://git.example/': SSL certificate problem: self-signed certificate",
            "git.example's TLS certificate is not trusted on this machine",
            "http.sslCAInfo",
        ),
        (
            HTTPS,
            "fatal: unable to access 'https://git.example/': server verification failed: signer not trusted",
            "git.example's TLS certificate is not trusted on this machine",
            "http.sslCAInfo",
        ),
        (
            "project.source.path ../shop",
            "fatal: detected dubious ownership in repository at '/home/other/shop'",
            "the repository belongs to another user of this machine",
            "safe.directory",
        ),
        (
            "project.source.path ../shop",
            "fatal: not a git repository (or any of the parent directories): .git",
            "there is no repository",
            "give the directory of the project's repository",
        ),
        ("project.source.path ../shop", "fatal: odd", "fatal: odd", "try it by hand: git status, in that directory"),
    ],
)
def test_known_failures(url: str, said: str, cause: str, fix: str) -> None:
    error = explain(url, said)
    assert error.cause == cause
    assert fix in error.fix
    assert str(error) == f"{url}: {error.cause}\n    {error.fix}"


def test_an_unknown_failure_is_shown_short_and_without_credentials() -> None:
    said = "\n".join(["x" * 500, *(f"line {number}" for number in range(9)), "at https://me:token@git.example/x"])
    error = explain("https://me:token@git.example/x", said)
    assert error.cause == "line 5; line 6; line 7; line 8; at https://git.example/x"
    assert "token" not in str(error)


def test_a_failure_without_words() -> None:
    assert explain(SSH, "").cause == "git ended with an error and said nothing"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:token@host/x", "https://host/x"),
        ("https://token@host/x", "https://host/x"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("ssh://git:word@host/x", "ssh://host/x"),
        ("git@host:x", "git@host:x"),
        ("https://host/a@b", "https://host/a@b"),
        ("a https://t@h/x b HTTPS://u:p@h/y", "a https://h/x b HTTPS://h/y"),
    ],
)
def test_credentials_are_left_out(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
