"""Texts that belong to all projects of a server: another text needs another version, or two stacks would fight."""

from __future__ import annotations

import hashlib

import pytest

from codesensei.render import broker, site
from codesensei.scripts import hardening
from codesensei.scripts.hardening import firewall, ssh, updates

# What each version was, from the first release on. A changed text gets a new line, and a higher number.
SITE = {1: "8483ede1c9150948", 2: "469c17fe6625d0af", 3: "aa2638a084ba092b"}
BROKER = {1: "3a7fbfd76d15cdee"}
HARDENING = {1: "7f3fe6bdd5b83032"}


@pytest.mark.parametrize(
    ("text", "version", "known"),
    [
        (
            "".join([*site.base_files(certificate="/c.pem", key="/k.pem").values(), site.unit_file()]),
            site.BASE_VERSION,
            SITE,
        ),
        (broker.config(), broker.VERSION, BROKER),
        ("".join([firewall.RULES, firewall.SERVICE, ssh.TEXT, updates.TEXT]), hardening.VERSION, HARDENING),
    ],
    ids=["site", "broker", "hardening"],
)
def test_a_changed_text_has_another_version(text: str, version: int, known: dict[int, str]) -> None:
    assert version == max(known)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == known[version], "raise its version, and add it here"
