"""The broker: which program, who reaches it, what it keeps, and that somebody's own is left alone."""

from __future__ import annotations

import json
import re
import socket
from urllib.parse import urlsplit

import pytest

from tests.host import attacks
from tests.host.debians import each_debian
from tests.host.rows import claim, outcome, run_step
from tools.sandbox import Sandbox, Server
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

OWN = "codesensei-broker-guestbook.service"
PROGRAMS = {12: "redis", 13: "valkey"}
# Runs on a server: tries each address and port, and says which took the connection.
KNOCK = r"""
import json, socket, sys
found = []
for address, port in json.load(sys.stdin):
    try:
        socket.create_connection((address, port), timeout=3).close()
        found.append([address, port])
    except OSError:
        pass
print(json.dumps(found))
"""


def program(stack: Stack) -> str:
    return PROGRAMS[stack.server.debian]


def ask(stack: Stack, *words: str) -> str:
    """One command to the shared broker, by its own client."""
    return stack.server.console(f"{program(stack)}-cli {' '.join(words)}").stdout.strip()


def ask_own(stack: Stack, given: str, *words: str) -> str:
    """One command to the stack's own broker, once it has started."""
    url = urlsplit(given)
    client = f"systemctl start {OWN}; REDISCLI_AUTH={url.password} {program(stack)}-cli -h {url.hostname} -p {url.port}"
    return stack.server.console(f"{client} {' '.join(words)}").stdout.strip()


@pytest.mark.proves("broker.program", "broker.keeps", "broker.env", "broker.shared-ends")
def test_tasks_survive_a_reboot(stack: Stack) -> None:
    server, name = stack.server, program(stack)
    url = stack.environ()["CELERY_BROKER_URL"]
    assert stack.environ("worker")["CELERY_BROKER_URL"] == url
    assert re.fullmatch(r"redis://:[0-9A-Za-z]{64}@127\.6\.[0-3]\.\d+:637/0", url)
    assert f"/{name}-" in server.console(f'readlink "/proc/$(systemctl show -P MainPID {OWN})/exe"').stdout
    assert server.console(f"systemctl is-active {name}-server.service", check=False).stdout == "inactive\n"
    settings = {key: ask_own(stack, url, "CONFIG", "GET", key).split()[1] for key in ("maxmemory-policy", "appendonly")}
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes"}
    server.console("systemctl stop guestbook-worker.service")
    entry = stack.site.write()
    server.console("systemctl disable --quiet guestbook-worker.service")
    assert ask_own(stack, url, "LLEN", "celery") == "1"
    server.reboot(power_cut=True)
    assert ask_own(stack, url, "LLEN", "celery") == "1"
    server.console("systemctl enable --quiet --now guestbook-worker.service")
    stack.site.await_job(entry)
    assert stack.site.shows(entry)


@pytest.mark.proves("broker.refuses-others", "broker.password")
def test_another_user_of_the_server_gets_nothing_out_of_a_stack_s_own_broker(deployed: Stack) -> None:
    url = urlsplit(deployed.environ()["CELERY_BROKER_URL"])
    assert url.hostname
    assert url.port
    for user in ("nobody", "games"):
        attacks.broker_is_closed(deployed.server, user, deployed.slug, url.hostname, url.port)
    deployed.site.await_job(deployed.site.write())


@pytest.mark.proves("broker.loopback")
def test_nobody_else_reaches_broker_and_database(deployed: Stack, sandbox: Sandbox) -> None:
    server = deployed.server
    other = sandbox.up("beside", 13)
    places = [(address, port) for address in (server.host, server.host6) for port in (80, 637, 5432, 6379)]
    knocking: list[Server] = [other, server]
    for each in knocking:
        done = each.console(f"python3 -c '{KNOCK}'", input=json.dumps(places).encode())
        assert json.loads(done.stdout) == [[server.host, 80], [server.host6, 80]], each.name
    for address, port in places:
        if port != 80:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, port), timeout=3)


@pytest.mark.full
@each_debian(12)
@pytest.mark.proves("broker.plain-url", "broker.own", "broker.carried")
def test_the_url_of_the_guide_works_and_what_is_queued_there_is_carried_over(stack: Stack) -> None:
    mapping = stack.config["codesensei:broker"]
    stack.set("broker", {"env": {}})
    stack.set("env.CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
    stack.up()
    stack.site.await_job(stack.site.write())
    assert "_kombu.binding.celery" in ask(stack, "KEYS", "'*'")
    assert stack.server.console(f"systemctl is-active {OWN}", check=False).stdout == "inactive\n"
    assert attacks.on_broker(stack.server, "nobody", "127.0.0.1", 6379, ("PING",)) == {"PING": "+PONG"}
    claim(stack.server, "second")
    data = stack.data_of("server-preflight")
    data |= {"slug": "second", "stack": "org/codesensei/second", "identity": "id-second", "user": "second"}
    data |= {"units": ["second.service"], "hostnames": ["second.example"], "database": None, "ports": []}
    refused = run_step(stack.server, "second", "preflight", {**data, "brokerNumbers": [0]}, check=False)
    assert f"error: broker database 0 on {stack.server.name}: it belongs to the stack organization/" in refused.stderr
    assert "two projects on one number take each other's tasks" in refused.stderr
    run_step(stack.server, "second", "preflight", {**data, "brokerNumbers": [1]})
    stack.server.console("systemctl stop guestbook-worker.service")
    entry = stack.site.write()
    assert ask(stack, "LLEN", "celery") == "1"
    with stack.editing() as config:
        del config["codesensei:env"]["CELERY_BROKER_URL"]
    stack.set("broker", mapping)
    stack.up()
    stack.site.await_job(entry)
    assert ask(stack, "DBSIZE") == "0"


THEIRS = {
    "requirepass theirs": "wants a password",
    "bind 0.0.0.0": "serves other machines too (bind 0.0.0.0)",
    "maxmemory 50mb\nmaxmemory-policy allkeys-lru": "is a cache",
}


@pytest.mark.proves("register.refused")
def test_a_broker_that_somebody_uses_already_is_left_alone(stack: Stack) -> None:
    server, name = stack.server, program(stack)
    unit, folder = f"{name}-server.service", f"/etc/{name}"
    data = {**stack.data_of("guestbook-broker"), "needed": True}
    # As its package brings it; a file with keys of a high number could not be read without our settings.
    server.console(
        f"systemctl stop {unit} && rm -rf /var/lib/{name}/* {folder}/codesensei.conf"
        f" && sed -i '/codesensei/d' {folder}/{name}.conf && cp -a {folder} /root/before"
    )
    for lines, words in THEIRS.items():
        server.console(
            f"cp -a /root/before/. {folder}/ && cat >>{folder}/{name}.conf && systemctl restart {unit}",
            input=lines.encode(),
        )
        look = f"sha256sum {folder}/*; ls {folder}; systemctl show -P MainPID {unit}"
        before = server.console(look).stdout
        refused = run_step(server, "guestbook", "broker", data, check=False)
        assert refused.returncode == 1
        assert f"error: {name} on {server.name}: {name} was on this server before and {words}" in refused.stderr
        assert "fix: " in refused.stderr
        left = run_step(server, "guestbook", "broker", {**data, "needed": False})
        assert "so it is left alone" in left.stdout
        assert server.console(look).stdout == before
    # The last of them is taken over when that is said.
    assert outcome(run_step(server, "guestbook", "broker", {**data, "adopt": True})) == "changed"
    assert ask(stack, "CONFIG", "GET", "maxmemory-policy").split()[1] == "noeviction"
    assert outcome(run_step(server, "guestbook", "broker", data)) == "unchanged"
    # A program that is no broker of the distribution's has the port.
    server.console(f"systemctl stop {unit}")
    server.console("systemd-run --quiet --unit=squatter python3 -m http.server 6379")
    server.console("timeout 30 bash -c 'until ss -Hltn sport = 6379 | grep -q .; do sleep 0.05; done'")
    refused = run_step(server, "guestbook", "broker", data, check=False)
    assert "process python3 (" in refused.stderr
    assert ") listens on 0.0.0.0:6379, which the broker needs" in refused.stderr
