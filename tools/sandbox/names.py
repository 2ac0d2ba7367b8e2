"""Names and addresses of a checkout's sandbox: pure functions, no look at the machine."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tools.sandbox.errors import SandboxError

# Reserved for tests between hosts (RFC 2544), so it is nobody's real network.
POOL = ipaddress.IPv4Network("198.18.0.0/15")
SUBNET_PREFIX = 24
FIRST_SERVER_NUMBER = 10
LAST_SERVER_NUMBER = 250
NAME_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,30}(?<!-)")
LABEL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def checkout_id(path: str) -> str:
    """Eight hexadecimal digits that stand for the checkout at this absolute path."""
    return hashlib.sha256(path.encode()).hexdigest()[:8]


def check_server_name(name: str) -> str:
    """Return `name` if it can be a server's name (it becomes its host name too), else raise SandboxError."""
    if not NAME_PATTERN.fullmatch(name):
        raise SandboxError(
            f"{name!r} cannot be a server's name: use a lower-case letter, then letters, digits and hyphens "
            "(at most 31 characters, no hyphen at the end)."
        )
    return name


def check_label(label: str) -> str:
    """Return `label` if it can name a snapshot, else raise SandboxError."""
    if not LABEL_PATTERN.fullmatch(label):
        raise SandboxError(f"{label!r} cannot name a snapshot: use letters, digits, '.', '_' and '-'.")
    return label


@dataclass(frozen=True)
class Names:
    """What a checkout's things are called on this machine."""

    checkout: str
    """The checkout's id, see `checkout_id`."""

    @property
    def bridge(self) -> str:
        """The network bridge (an interface name has at most 15 characters)."""
        return f"cs-{self.checkout}"

    @property
    def table(self) -> str:
        """The nftables table."""
        return f"codesensei_{self.checkout}"

    @property
    def cgroup_prefix(self) -> str:
        """What the control groups of this checkout's servers begin with."""
        return f"codesensei-{self.checkout}-"

    def cgroup(self, server: str) -> str:
        """The control group of one server."""
        return self.cgroup_prefix + server

    def machine(self, server: str) -> str:
        """The machine name that systemd-nspawn uses for one server."""
        return f"cs-{self.checkout}-{server}"

    @property
    def ipv6_network(self) -> ipaddress.IPv6Network:
        """A /64 of the unique local range, derived from the checkout."""
        digits = hashlib.sha256(f"ula {self.checkout}".encode()).hexdigest()[:10]
        return ipaddress.IPv6Network(f"fd{digits[:2]}:{digits[2:6]}:{digits[6:]}::/64")


def choose_subnet(preferred: str, taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """A free /24 of the pool.

    The search begins at a place derived from `preferred` (the checkout's id), so that two checkouts that
    choose at the same moment seldom meet. Raises SandboxError when all 512 are taken.
    """
    used = [network for network in taken if network.prefixlen > 0]
    candidates = list(POOL.subnets(new_prefix=SUBNET_PREFIX))
    start = int(hashlib.sha256(preferred.encode()).hexdigest(), 16) % len(candidates)
    for offset in range(len(candidates)):
        candidate = candidates[(start + offset) % len(candidates)]
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise SandboxError(f"No free /{SUBNET_PREFIX} network is left in {POOL}: end other checkouts' servers first.")


def choose_number(last: int, taken: Iterable[int]) -> int:
    """The next server's number in its subnet: the one after `last`, going round.

    An address that was just given back is not reused at once, so no stale neighbour entry points to it.
    """
    used = set(taken)
    span = LAST_SERVER_NUMBER - FIRST_SERVER_NUMBER + 1
    for step in range(1, span + 1):
        number = FIRST_SERVER_NUMBER + (last + step - FIRST_SERVER_NUMBER) % span
        if number not in used:
            return number
    raise SandboxError(f"This checkout has {span} servers already: end some with `sandbox down`.")
