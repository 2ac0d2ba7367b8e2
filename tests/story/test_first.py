"""What a first deploy tells of what it brings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesensei.story import Variable, WantedServer, of_first_deploy
from codesensei.story.section import text_of
from tests.story.parts import manifest, worker
from tests.story.test_release import checkout
from tests.story.test_server import ACCOUNT, PACKAGES, backup

pytestmark = pytest.mark.proves("story.first")

SERVER = WantedServer(replace(PACKAGES, certbot=True), ACCOUNT, backup(), "0" * 64)


def test_each_part_is_told() -> None:
    wanted = manifest(worker("worker", "celery worker"))
    wanted = replace(wanted, health=replace(wanted.health, hosts=("shop.example.com", "2001:db8::7"), scheme="https"))
    variables = {
        "TOKEN": Variable("canary", secret=True),
        "GREETING": Variable("Hello", secret=False),
        "SECRET_KEY": Variable(None, secret=True, origin="generated"),
    }
    remarks = {"shop.example.com": "no DNS record leads here yet"}
    stores = ["+ database shop in PostgreSQL on this server, with the role shop"]
    told = text_of(of_first_deploy(checkout(), wanted, "gunicorn config.wsgi", variables, remarks, stores, SERVER))
    assert told.splitlines() == [
        "release     first deploy of 3333333 Sell paper",
        'variables   + GREETING "Hello"',
        "            + SECRET_KEY (generated)",
        "            + TOKEN (secret)",
        "processes   + web: gunicorn config.wsgi",
        "            + worker: celery worker",
        "site        + https://shop.example.com/ (no DNS record leads here yet)",
        "            + https://[2001:db8::7]/",
        "server      + database shop in PostgreSQL on this server, with the role shop",
        "            + jq is installed",
        "            + certbot is installed",
        "            backups daily to /backups",
    ]
