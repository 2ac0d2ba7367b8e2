"""Real servers on this machine: needs root on Linux.

The servers belong to a checkout that exists for these tests alone, so no other server is touched.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.sandbox import Sandbox, SandboxError, Server
from tools.sandbox.cgroups import cgroups_beginning_with
from tools.sandbox.image import mounted_places
from tools.sandbox.names import Names
from tools.sandbox.network import bridge_exists, firewall
from tools.sandbox.sandbox import OWN_CHECKOUT
from tools.sandbox.state import Checkout

# One worker has all of them: they share three servers.
pytestmark = [pytest.mark.host, pytest.mark.xdist_group("sandbox")]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path_factory.mktemp("checkout"))
    yield made
    made.down_all()
    assert traces(made.checkout) == []


@pytest.fixture(scope="module")
def servers(sandbox: Sandbox) -> dict[str, Server]:
    wanted = [("old", 12, "plain"), ("new", 13, "plain"), ("cloud", 13, "cloud")]
    with ThreadPoolExecutor() as pool:
        started = [pool.submit(sandbox.up, *arguments) for arguments in wanted]
        return {server.name: server for server in (future.result() for future in started)}


@pytest.fixture(params=["old", "new"])
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    return servers[request.param]


def traces(checkout: Checkout) -> list[str]:
    """Everything that is left of a checkout's servers on this machine."""
    names = checkout.names
    tables = [entry["table"]["name"] for entry in firewall()["nftables"] if "table" in entry]
    return [
        *(place for place in mounted_places() if place.startswith(str(checkout.directory))),
        *(group.name for group in cgroups_beginning_with(names.cgroup_prefix)),
        *([names.bridge] if bridge_exists(names) else []),
        *(table for table in tables if table == names.table),
        *([str(checkout.directory)] if checkout.directory.exists() else []),
    ]


def eventually(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        time.sleep(0.02)


def command_line(checkout: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tools.sandbox", "--checkout", str(checkout), *arguments]


def test_it_is_a_healthy_debian(server: Server) -> None:
    assert server.run("cat /etc/debian_version").stdout.startswith(f"{server.debian}.")
    assert server.run("systemctl is-system-running --wait", check=False).stdout.strip() == "running"
    assert server.run("hostname").stdout.strip() == server.name
    assert server.run("id -un").stdout.strip() == "root"


def test_apt_works_and_security_updates_are_offered(server: Server) -> None:
    codename = {12: "bookworm", 13: "trixie"}[server.debian]
    server.run("apt-get -q update")
    assert f"{codename}-security" in server.run("apt-cache policy").stdout


def test_transient_units_and_their_journal(server: Server) -> None:
    properties = "-p CPUWeight=50 -p IOWeight=50 -p MemoryMax=200M"
    server.run(f"systemd-run --quiet --wait --unit=hello {properties} echo hello from a unit")
    assert "hello from a unit" in server.run("journalctl --unit=hello --output=cat").stdout


def test_its_host_key_is_known_before_and_another_is_refused(server: Server) -> None:
    scanned = subprocess.run(
        ["ssh-keyscan", "-t", "ed25519", server.host], capture_output=True, text=True, check=True
    ).stdout
    assert server.host_key in scanned
    argv = [*server.ssh_argv(), "true"]
    other = server.directory / "other"
    other.write_text(f"{server.host} ssh-ed25519 {'A' * 68}\n")
    wrong = [f"-oUserKnownHostsFile={other}" if "UserKnownHostsFile" in word else word for word in argv]
    assert subprocess.run(wrong, capture_output=True, check=False).returncode == 255


def test_the_private_key_is_private(server: Server) -> None:
    assert server.private_key_path.stat().st_mode & 0o777 == 0o600
    assert server.checkout.directory.stat().st_mode & 0o777 == 0o700
    assert server.public_key.startswith("ssh-ed25519 ")


def test_a_failing_command_is_an_error_with_its_words(server: Server) -> None:
    with pytest.raises(SandboxError, match="exit code 3:\nno such luck"):
        server.run("echo no such luck >&2; exit 3")
    assert server.run("exit 3", check=False).returncode == 3
    with pytest.raises(SandboxError, match="did not end within"):
        server.run("sleep 30", timeout=0.5)


def test_input_and_put(server: Server) -> None:
    assert server.run("cat", input=b"text\n").stdout == "text\n"
    server.put("/etc/put-test", b"\x00\x01secret", 0o640)
    assert server.run("stat -c '%a %U %s' /etc/put-test").stdout == "640 root 8\n"


def test_the_console_leaves_no_login(server: Server) -> None:
    logins = "journalctl --unit=ssh --output=cat | grep -c Accepted"
    before = server.console(logins).stdout
    assert server.console("id -un").stdout == "root\n"
    assert server.console(logins).stdout == before


def test_snapshot_and_restore(server: Server) -> None:
    server.put("/etc/kept", b"one\n")
    server.snapshot("first")
    server.run("echo two >/etc/kept; rm -r /usr/share/common-licenses; touch /root/new")
    server.snapshot("second")
    server.restore("first")
    assert (
        server.run("cat /etc/kept; ls -d /usr/share/common-licenses; ls /root").stdout
        == "one\n/usr/share/common-licenses\n"
    )
    server.restore("second")
    assert (
        server.run("cat /etc/kept; ls -d /usr/share/common-licenses /root/*", check=False).stdout == "two\n/root/new\n"
    )
    with pytest.raises(SandboxError, match=r"no snapshot 'third' .* \(there is: first, second\)"):
        server.restore("third")
    assert server.running()


@pytest.mark.parametrize(("name", "power_cut"), [("old", False), ("new", True)])
def test_reboot_keeps_the_disk_and_ends_the_rest(servers: dict[str, Server], name: str, power_cut: bool) -> None:
    server = servers[name]
    server.put("/etc/kept", b"disk\n")
    server.run("echo memory >/run/lost; systemd-run --quiet --unit=long sleep 600")
    before = server.boot_id()
    server.reboot(power_cut=power_cut)
    assert server.boot_id() != before
    assert (
        server.run("cat /etc/kept; cat /run/lost; systemctl is-active long", check=False).stdout == "disk\ninactive\n"
    )


def test_servers_see_each_other_by_both_protocols(servers: dict[str, Server]) -> None:
    one, other = servers["old"], servers["new"]
    for address in (other.host, other.host6):
        assert one.run(f"exec 3<>/dev/tcp/{address}/22; head -c 4 <&3").stdout == "SSH-"


def test_ssh_through_the_relay(sandbox: Sandbox, server: Server) -> None:
    with sandbox.relay(server) as relay:
        argv = server.ssh_argv(host=relay.host, port=relay.port)
        assert subprocess.run([*argv, "echo hello"], capture_output=True, text=True, check=True).stdout == "hello\n"
        assert relay.accepted == 1
        with subprocess.Popen(
            [*argv, "echo ready; sleep 600"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"ready\n"
            relay.drop()
            assert client.wait(timeout=10) == 255
        assert subprocess.run([*argv, "true"], capture_output=True, check=False).returncode == 255
        relay.resume()
        relay.stall()
        slow = subprocess.Popen([*argv, "echo late"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        with slow:
            eventually(lambda: relay.active == 1, 5)
            with pytest.raises(subprocess.TimeoutExpired):
                slow.wait(timeout=1)
            relay.resume()
            assert slow.communicate(timeout=20)[0] == b"late\n"


def test_the_cloud_kind_is_like_a_bought_server(servers: dict[str, Server]) -> None:
    server = servers["cloud"]
    assert server.user == "debian"
    server.reboot()
    assert json.loads(server.run("cloud-init status --wait >&2; cat /run/cloud-init/result.json").stdout)["v1"]
    locked = server.run("apt-get -q -y install --no-install-recommends tree", check=False)
    assert locked.returncode != 0
    assert "Could not get lock" in locked.stderr
    server.run("apt-get -q -y -o DPkg::Lock::Timeout=60 install --no-install-recommends tree")
    assert server.run("id -un").stdout == "root\n"
    assert "permitrootlogin no" in server.run("sshd -T").stdout
    as_root = [word.replace("debian@", "root@") for word in server.ssh_argv()]
    assert subprocess.run([*as_root, "true"], capture_output=True, check=False).returncode == 255
    status = server.run("ufw status verbose").stdout
    assert "Status: active" in status
    assert "deny (incoming)" in status
    assert "22/tcp (OpenSSH)" in status
    assert server.run("systemctl is-active apt-daily.timer unattended-upgrades").stdout == "active\nactive\n"
    server.run("command -v needrestart")


def test_its_firewall_lets_only_ssh_in(servers: dict[str, Server]) -> None:
    cloud, other = servers["cloud"], servers["new"]
    cloud.run("systemd-run --quiet --unit=web python3 -m http.server 8080")
    cloud.run("until (: </dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.05; done", timeout=20)
    reach = f"timeout 1 bash -c ': </dev/tcp/{cloud.host}/8080'"
    assert other.run(reach, check=False).returncode != 0
    cloud.run("ufw allow 8080/tcp")
    other.run(reach)


def test_up_again_is_the_same_server_and_another_kind_is_refused(sandbox: Sandbox, server: Server) -> None:
    boot = server.boot_id()
    assert sandbox.up(server.name, server.debian).host == server.host
    assert server.boot_id() == boot
    with pytest.raises(SandboxError, match="end it first"):
        sandbox.up(server.name, server.debian, "cloud")


def test_the_command_line_lists_and_runs(sandbox: Sandbox, server: Server) -> None:
    argv = command_line(sandbox.checkout.path, "list", "--json")
    listed = json.loads(subprocess.run(argv, capture_output=True, check=True, cwd=OWN_CHECKOUT).stdout)
    found = {entry["name"]: entry for entry in listed}[server.name]
    assert (found["host"], found["host_key"], found["state"]) == (server.host, server.host_key, "running")
    argv = command_line(sandbox.checkout.path, "ssh", server.name, "--", "printf", "%s.", "a b", "c")
    assert subprocess.run(argv, capture_output=True, check=True, cwd=OWN_CHECKOUT).stdout == b"a b.c."


def test_a_killed_run_is_cleaned_and_others_are_left_alone(servers: dict[str, Server], tmp_path: Path) -> None:
    killed = Sandbox(tmp_path)
    run = subprocess.Popen(command_line(tmp_path, "up", "half"), stderr=subprocess.DEVNULL, cwd=OWN_CHECKOUT)
    cgroup = killed.checkout.names.cgroup_prefix
    eventually(lambda: any(group.init() for group in cgroups_beginning_with(cgroup)), 30)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert traces(killed.checkout)
    assert killed.servers() == []
    assert killed.clean() == ["half"]
    killed.down_all()
    assert traces(killed.checkout) == []
    assert all(server.running() for server in servers.values())


def test_a_dead_server_is_shown_as_stopped_and_booted_again(sandbox: Sandbox, servers: dict[str, Server]) -> None:
    server = servers["new"]
    server.put("/etc/kept", b"still here\n")
    server.container.kill()
    assert not server.running()
    assert sandbox.clean() == []
    assert sandbox.up("new", 13).run("cat /etc/kept").stdout == "still here\n"


def test_down_removes_one_server_and_leaves_the_other(sandbox: Sandbox, servers: dict[str, Server]) -> None:
    extra = sandbox.up("extra", 13)
    extra.down()
    assert [server.name for server in sandbox.servers()] == sorted(servers)
    assert not extra.directory.exists()
    with pytest.raises(SandboxError, match="There is no server 'extra'"):
        sandbox.get("extra")


FORWARDING = """
import ipaddress, json, subprocess
from tools.sandbox.names import Names
from tools.sandbox.network import close_network, firewall, open_network
def rules():
    return [entry["rule"].get("comment") for entry in firewall()["nftables"] if "rule" in entry]
subprocess.run(["nft", "-f", "-"], check=True, text=True, input='''
table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; accept comment "theirs"; }; }
''')
names = Names("0123abcd")
open_network(names, ipaddress.IPv4Network("198.18.7.0/24"))
opened = rules()
close_network(names)
print(json.dumps([opened, rules()]))
"""


def test_a_firewall_that_forwards_nothing_gets_a_rule_which_is_taken_back() -> None:
    """In a network of its own, so that this machine's firewall is not touched."""
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", FORWARDING],
        capture_output=True,
        text=True,
        check=True,
        cwd=OWN_CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(OWN_CHECKOUT)},
    )
    opened, closed = json.loads(done.stdout)
    own = Names("0123abcd").table
    assert opened.count(own) == 2
    assert opened.index(own) < opened.index("theirs")
    assert closed == ["theirs"]
