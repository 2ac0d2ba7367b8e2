"""Certificates of a real ACME authority: obtained before the switch, renewed unseen, and never at the site's cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.authority import Authority, authority
from tests.host.debians import each_debian
from tests.host.visitor import Reply, ask, certificate, traffic
from tools.trials.stack import Stack

pytestmark = [pytest.mark.host, pytest.mark.full]

NAME, SECOND = "guestbook.example", "book.example"


@pytest.fixture
def pebble(deployed: Stack, tmp_path: Path) -> Iterator[Authority]:
    """An authority that knows where the stack's server is."""
    gateway = str(deployed.server.address.subnet[1])
    with authority(gateway, tmp_path / "authority") as running:
        running.lead(NAME, deployed.server.host)
        yield running


def use(stack: Stack, pebble: Authority, names: list[str]) -> None:
    """Ask for certificates; the server's own resolver knows these names too."""
    for name in names:
        stack.server.console(f"grep -q ' {name}$' /etc/hosts || echo '{stack.server.host} {name}' >> /etc/hosts")
    stack.set("domains", names)
    stack.set("tls", {"acme": {"directory": pebble.directory, "rootCertificate": pebble.root}})


def secure(stack: Stack, pebble: Authority, name: str = NAME) -> Reply:
    """The page as a browser that trusts the authority gets it."""
    return ask(stack.server.host, name, https=True, roots=pebble.issuers())


@pytest.mark.proves("tls.kinds")
@each_debian(13)
def test_a_certificate_is_had_renewed_and_given_up(stack: Stack, pebble: Authority) -> None:
    host = stack.server.host
    use(stack, pebble, [NAME])
    done = stack.up()
    assert "warning" not in done.said("warning"), done.output
    assert "Hello" in secure(stack, pebble).body
    assert stack.outputs()["url"] == f"https://{NAME}/"
    leads = ask(host, NAME, "/deep?x=1")
    assert (leads.status, leads.headers["location"]) == (301, f"https://{NAME}/deep?x=1")
    stack.up_without_changes()

    # The distribution's timer renews what is due; visitors see nothing of it.
    assert stack.server.console("systemctl is-enabled certbot.timer").stdout == "enabled\n"
    first = certificate(host, NAME)
    with traffic(host, NAME, https=True) as seen:
        stack.server.console("certbot renew --force-renewal --no-random-sleep-on-renew")
        second = certificate(host, NAME)
    assert second != first
    assert seen.asked > 3
    assert seen.failed == []
    assert "Hello" in secure(stack, pebble).body
    stack.up_without_changes()

    # nginx refuses what somebody else broke: the old certificate stays in use, and the next deploy says what is amiss.
    stack.server.console("echo nonsense > /etc/nginx/conf.d/broken.conf")
    stack.server.console("certbot renew --force-renewal --no-random-sleep-on-renew", check=False)
    assert certificate(host, NAME) == second
    stack.server.console("rm /etc/nginx/conf.d/broken.conf")
    assert "a renewed certificate is not in use" in stack.preview().output
    stack.up()
    assert certificate(host, NAME) != second

    stack.set("tls", "off")
    stack.up()
    assert ask(host, NAME).status == 200
    assert (
        stack.server.console("ls /etc/letsencrypt/live /usr/local/share/ca-certificates").stdout.count(stack.slug) == 0
    )
    assert stack.server.console(f"find /var/lib/codesensei/{stack.slug}/tls -mindepth 1").stdout == ""


@each_debian(12)
def test_what_cannot_be_had_stops_nothing_and_is_told(stack: Stack, pebble: Authority) -> None:
    host = stack.server.host
    pebble.stop()
    use(stack, pebble, [NAME])
    with traffic(host, NAME, https=False) as seen:
        done = stack.up()
    assert not [failed for failed in seen.failed if failed != "status 301"]
    assert (
        f"no valid certificate for {NAME}, and browsers refuse it: the authority {pebble.directory} cannot be reached"
        in (done.said("warning"))
    )
    assert ask(host, NAME, https=True).status == 200

    # A name that leads nowhere, and one that the authority finds nowhere: the others get theirs.
    pebble.start()
    pebble.lead(NAME, host)
    use(stack, pebble, [NAME, "hidden.example"])
    stack.set("domains", [NAME, "nowhere.example", "hidden.example"])
    done = stack.up()
    said = done.said("warning")
    assert "no valid certificate for nowhere.example, and browsers refuse it: DNS knows no address of" in said
    assert "no valid certificate for hidden.example, and browsers refuse it: the authority says: " in said
    assert f"no valid certificate for {NAME}, and browsers" not in said
    assert "Hello" in secure(stack, pebble).body

    # Another name without a certificate takes none away; once it leads here, the next run has it.
    stack.set("domains", [NAME, SECOND])
    assert f"for {SECOND}, and browsers refuse it" in stack.up().said("warning")
    assert "Hello" in secure(stack, pebble).body
    pebble.lead(SECOND, host)
    use(stack, pebble, [NAME, SECOND])
    assert "there is no valid certificate for book.example" in stack.preview().output
    stack.up()
    assert "Hello" in secure(stack, pebble, SECOND).body
    assert "Hello" in secure(stack, pebble).body
    stack.up_without_changes()

    stack.destroy()
    assert stack.server.console("ls /etc/letsencrypt/live").stdout.count(stack.slug) == 0
    assert stack.server.console("dpkg-query -W -f='${db:Status-Status}' certbot").stdout == "installed"
