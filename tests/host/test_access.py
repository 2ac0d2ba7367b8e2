"""How the server is logged in to: another key, and a server as it is bought."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.docs.reader import Reader, origin
from tests.docs.table import BOUGHT
from tests.host.authority import sign
from tests.host.debians import each_debian
from tests.host.visitor import ask, sign_guestbook
from tools.demo.history import PROJECT, git, make_history
from tools.sandbox import Sandbox, Server
from tools.trials.stack import Stack, eventually

pytestmark = pytest.mark.host

CORRECT = "correct-horse-battery"


def fingerprint_of(key: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


@pytest.mark.full
@each_debian(13)
def test_a_rotated_key_runs_nothing_and_is_used_from_then_on(stack: Stack, tmp_path: Path) -> None:
    key = tmp_path / "new"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    stack.set("drift", False)
    stack.up()
    public = key.with_suffix(".pub").read_bytes()
    stack.server.console("cat > /root/.ssh/authorized_keys", input=public)
    logins = stack.logins()
    stack.set_secret("codesensei:sshPrivateKey", key.read_text())
    assert stack.up().changes == {"Command server-teardown", "Command server-destroy-check"}
    assert stack.logins() == logins
    stack.set("env.GREETING", "Good evening")
    stack.up()
    assert stack.site.greets("Good evening")
    assert stack.logins() > logins
    # What a destroy runs carries a key: it is the new one.
    stack.destroy()
    accepted = stack.server.console("journalctl -q -b -o cat -t sshd -t sshd-session | grep Accepted").stdout
    assert all(fingerprint_of(key) in line for line in accepted.splitlines()[logins:])
    assert len(accepted.splitlines()) > logins + 2


@pytest.mark.full
@pytest.mark.proves("docs.commands", "config.server.user", "os.dpkg-lock", "os.cloud-init")
def test_a_server_as_it_is_bought(sandbox: Sandbox, tmp_path: Path) -> None:
    """The README from top to bottom, then what the documents print for more operators.

    The server has a login user with sudo, a firewall that lets only ssh in, timers that hold apt's lock after the boot.
    """
    server = sandbox.up("bought", 13, "cloud")
    server.reboot()
    try:
        reader = reader_with(server, tmp_path)
        revisions = make_shop(tmp_path, reader.text("README.md#what-your-project-must-have"))
        first_deploy(reader)

        # From this machine, which is another host to the server's firewall.
        assert sign_guestbook(server.host, "shop.example.com", "over https").status == 302
        counted = "cd / && runuser -u postgres -- psql -XAtc 'SELECT words FROM entries_wordcount' shop"
        eventually(server, f'[ "$({counted})" = 2 ]')
        assert "Status: active" in server.console("ufw status").stdout
        assert server.console("stat -c %U /var/lib/codesensei/incoming/shop").stdout == "debian\n"

        reader.types("docs/operating.md#staging-and-production")
        assert served(reader) == revisions["v1.4.0"]
        reader.shell("git commit --quiet --all --message 'Promote'")
        reader.types("README.md#everyday-tasks")
        assert served(reader) == revisions["v1.5.0"]
        reader.types("README.md#everyday-tasks.2")
        assert served(reader) == revisions["v1.4.0"]
        certificate, key = sign("shop.example.com")
        for name, text in {"fullchain.pem": certificate, "privkey.pem": key}.items():
            (reader.home / "codesensei" / name).write_text(text)
        reader.types("README.md#4-dns-and-https")
        reader.types("README.md#everyday-tasks.3")
        assert ask(server.host, "shop.example.com", https=True, roots=certificate).status == 200
        manage = "/srv/codesensei/shop/manage shell -v 0 -c"
        assert "587" in server.console(f"{manage} 'import os; print(os.environ[\"EMAIL_PORT\"])'").stdout
        answers = (("Username", "ada"), ("Email", "ada@example.com"), ("Password:", CORRECT), ("(again):", CORRECT))
        shown = reader.types("README.md#everyday-tasks.4", answers=answers)
        assert "Superuser created successfully." in shown
        assert "celery@" in shown

        # A second operator, and a job that deploys: what it has deployed is not undone by whoever comes next.
        reader.shell("git commit --quiet --all --message 'Set a port' && git push --quiet && cd ~")
        reader.types("docs/operating.md#a-second-operator")
        passphrase = (
            'export SHOP_PASSPHRASE="$(cat $PULUMI_CONFIG_PASSPHRASE_FILE)"; unset PULUMI_CONFIG_PASSPHRASE_FILE'
        )
        reader.shell(f"{passphrase}; export COMMIT={revisions['v1.5.0']}")
        reader.types("docs/operating.md#ci")
        assert served(reader) == revisions["v1.5.0"]
        reader.shell("cd ~/codesensei && git pull && pulumi preview --expect-no-changes")

        reader.types("README.md#everyday-tasks.5")
        assert server.console("systemctl list-units --all --no-legend 'shop*'").stdout == ""
        reader.types("docs/operating.md#removing-a-stack.2")
        reader.ends()
    finally:
        server.down()


def reader_with(server: Server, directory: Path) -> Reader:
    """A reader who has bought this server, with a copy of this repository and the project's."""
    login, repository = f"{server.user}@{server.host}", origin(directory / "origin")
    replaced = {
        "<this repository>": str(repository),
        "git@github.com:example/shop-servers.git": str(repository),
        "make demo": "make --dry-run demo",
        "https://github.com/example/shop.git": f"file://{directory / 'shop'}",
        "s3://shop-pulumi?region=eu-central-1": "file://$HOME/shop-pulumi",
        "server.user root": f"server.user {server.user}",
        "root@203.0.113.7 journalctl": f"{login} sudo journalctl",
        "root@203.0.113.7": login,
        "203.0.113.7": server.host,
        # One stack is promoted to itself.
        "staging": "prod",
    }
    reader = Reader(BOUGHT, directory / "home", replaced, {"CODESENSEI_STANDINS": "accept"})
    reader.may_log_in(server)
    (reader.home / ".ssh").mkdir()
    shutil.copy(server.private_key_path, reader.home / ".ssh/shop_ed25519")
    return reader


def make_shop(directory: Path, settings: str) -> dict[str, str]:
    """The example project with these settings, as the repository `shop`; returns the commits of its tags."""
    project = shutil.copytree(PROJECT, directory / "project")
    (project / "config/settings/production.py").write_text(f"from config.settings.base import *\n{settings}")
    history = make_history(directory / "shop", project)
    revisions = {"v1.4.0": history.commits[0].revision, "v1.5.0": history.commits[1].revision}
    for tag, revision in revisions.items():
        git(history.path, "tag", tag, revision)
    return revisions


def first_deploy(reader: Reader) -> None:
    """The README until the project is served."""
    reader.types("README.md#see-it-work")
    reader.types("README.md#1-tools-and-a-place-for-the-state")
    reader.types("README.md#2-the-stack")
    reader.types("README.md#2-the-stack.2")
    file = reader.home / "codesensei/stacks/Pulumi.prod.yaml"
    whole = yaml.safe_load(file.read_text())
    whole["config"] |= yaml.safe_load(reader.text("README.md#3-the-project"))
    file.write_text(yaml.safe_dump(whole))
    reader.types("README.md#3-the-project.2", "a password\n")
    assert "no valid certificate for shop.example.com" in reader.types("README.md#5-preview-then-deploy")


def served(reader: Reader) -> str:
    """The commit that is live."""
    return reader.shell("pulumi stack output revision").strip()
