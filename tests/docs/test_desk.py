"""What the documents print for the operator's machine, without any server: states, passphrases, values of a stack."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.config.bad import HOST_KEY
from tests.docs.reader import Reader, origin
from tests.docs.table import DESK
from tools.demo.history import make_history

pytestmark = pytest.mark.engine

OPERATING = "docs/operating.md"
ENV_FILE = "EMAIL_HOST=mail.example.com\nSHOP_TOKEN='a $ecret'\n"


@pytest.mark.proves("docs.commands", "env.import")
def test_at_the_operator_s_desk(tmp_path: Path) -> None:
    history = make_history(tmp_path / "repository")
    reader = Reader(DESK, tmp_path / "home", {}, {"CODESENSEI_STANDINS": "accept"})
    passphrase = reader.home / "shop-pulumi" / "passphrase"
    passphrase.parent.mkdir()
    passphrase.write_text("the first\n")
    clone = reader.home / "codesensei"
    reader.shell(f"git clone --quiet {origin(tmp_path / 'origin')} {clone} && cd {clone}")
    reader.shell('eval "$(python3 -m tools.engine env)"')

    # A folder for the bucket that the page prints.
    reader.replaced = {"s3://shop-pulumi?region=eu-central-1": f"file://{passphrase.parent}"}
    reader.types(f"{OPERATING}#where-the-state-is")
    reader.shell("pulumi stack init prod")
    file = clone / "stacks" / "Pulumi.prod.yaml"
    salt = file.read_text()
    config = {
        "codesensei:server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
        "codesensei:project": {
            "slug": "shop",
            "source": {"path": str(history.path), "revision": history.commits[0].revision},
            "settingsModule": "config.settings.production",
        },
        "codesensei:domains": ["shop.example.com"],
        "codesensei:env": {"DJANGO_ALLOWED_HOSTS": ".example.com"},
        "codesensei:generateSecrets": ["SECRET_KEY"],
        "codesensei:drift": False,
    }
    file.write_text(yaml.safe_dump({"config": config}) + salt)
    reader.types(f"{OPERATING}#a-commit-by-its-name")
    newest = history.commits[-1]
    assert f'revision: "{newest.revision}"  # {newest.subject}' in file.read_text()
    reader.shell("ssh-keygen -q -t ed25519 -N '' -f new_key")
    reader.types(f"{OPERATING}#keys")
    reader.types(f"{OPERATING}#keys.2", "typed by hand\n")
    # What a user types for a switch is what they mean, with and without --path.
    reader.shell("pulumi config set codesensei:production true; pulumi config set --path codesensei:adopt true")
    reader.shell("pulumi config set --path codesensei:waive.backup 'nothing is kept here'")
    reader.types(f"{OPERATING}#policy")
    assert "check.W004 is waived: HSTS once HTTPS has proved itself" in reader.shell("pulumi preview")
    (clone / "old.env").write_text(ENV_FILE)
    reader.types(f"{OPERATING}#variables-from-elsewhere")
    assert "shop.example.com" in reader.shell("pulumi preview")
    assert reader.shell("pulumi config get --path codesensei:secretEnv.SHOP_TOKEN") == "a $ecret\n"

    assert reader.types("docs/database.md#which-database", "p@ss/word\n") == "p%40ss%2Fword\n"
    reader.types(f"{OPERATING}#when-a-run-was-interrupted.2")
    state = passphrase.parent / ".pulumi/stacks/codesensei/prod.json"
    state.with_name("prod.json.bak").write_bytes(state.read_bytes())
    state.write_text('{"version": 3, "checkp')
    reader.types(f"{OPERATING}#when-a-run-was-interrupted.3")
    reader.shell(f"cd {clone}; pulumi stack")

    # Another backend, then another passphrase: the stack and its secrets stay readable.
    (reader.home / "bucket").mkdir()
    reader.replaced = {"s3://shop-pulumi?region=eu-central-1": f"file://{reader.home / 'bucket'}"}
    reader.types(f"{OPERATING}#where-the-state-is.2")
    assert reader.shell("pulumi config get --path codesensei:secretEnv.EMAIL_PASSWORD") == "typed by hand\n"
    reader.types(f"{OPERATING}#a-second-operator.2", "the second\nthe second\n")
    passphrase.write_text("the second\n")
    assert reader.shell("pulumi config get --path codesensei:secretEnv.EMAIL_PASSWORD") == "typed by hand\n"
    reader.types(f"{OPERATING}#removing-a-stack.3")
    assert not file.exists()
    reader.ends()
