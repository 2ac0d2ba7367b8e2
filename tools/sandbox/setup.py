"""What is written into a new server before its first boot."""

from __future__ import annotations

import ipaddress
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from tools.sandbox.machine import Inheritance
from tools.sandbox.process import execute

CLOUD_USER = "debian"
CLOUD_UID = 1000


@dataclass(frozen=True)
class Address:
    """Where a server is in its checkout's network."""

    ipv4: ipaddress.IPv4Address
    subnet: ipaddress.IPv4Network
    ipv6: ipaddress.IPv6Address

    def network_file(self) -> str:
        """A systemd-networkd file for the server's only interface."""
        return (
            "[Match]\nName=host0\n\n"
            "[Network]\n"
            f"Address={self.ipv4}/{self.subnet.prefixlen}\n"
            f"Gateway={self.subnet[1]}\n"
            f"Address={self.ipv6}/64\n"
            "DHCP=no\nIPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\n"
        )


def make_key(path: Path, comment: str) -> str:
    """Make an ed25519 key pair at `path` (mode 0600) unless it is there; return the public line."""
    public = path.with_name(path.name + ".pub")
    if not public.exists():
        # A killed run may have left the private half alone, and ssh-keygen would ask before it overwrites it.
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        execute(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return public.read_text().strip()


def write(root: Path, name: str, content: str, mode: int = 0o644, owner: int = 0) -> None:
    """Write one file of a server that does not run; missing directories are made 0755."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(content)
    path.chmod(mode)
    os.chown(path, owner, owner)


def prepare(root: Path, name: str, kind: str, *, address: Address, public_key: str, inherited: Inheritance) -> str:
    """Make a copy of an image the server `name`; returns its host key as `TYPE BASE64`.

    The network file's name sorts before systemd's own 80-container-host0.network, which asks DHCP.
    """
    write(root, "etc/systemd/network/10-host0.network", address.network_file())
    write(root, "etc/hostname", f"{name}\n")
    write(root, "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost\n")
    write(root, "etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    write(root, "etc/resolv.conf", inherited.resolv_conf)
    if inherited.environment:
        write(root, "etc/environment", inherited.environment)
    if inherited.pip_conf:
        write(root, "etc/pip.conf", inherited.pip_conf)
    home, owner = ("home/" + CLOUD_USER, CLOUD_UID) if kind == "cloud" else ("root", 0)
    write(root, f"{home}/.ssh/authorized_keys", f"{public_key}\n", 0o600, owner)
    os.chown(root / home / ".ssh", owner, owner)
    (root / home / ".ssh").chmod(0o700)
    host_key = root / "etc/ssh/ssh_host_ed25519_key"
    return " ".join(make_key(host_key, f"root@{name}").split()[:2])
