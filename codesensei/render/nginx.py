"""Quoting for nginx, done only here: values, patterns, server names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

# nginx cannot escape a dollar sign, so the base configuration defines this variable.
DOLLAR = "${codesensei_dollar}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_HOSTNAME = re.compile(rf"(\*\.|\.)?{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE)


def quote(value: str) -> str:
    """A value of a directive that expands variables (alias, root, proxy_pass, add_header)."""
    return plain(value).replace("$", DOLLAR)


def plain(value: str) -> str:
    """A value of a directive that does not expand variables (location, ssl_certificate)."""
    if found := _CONTROL.search(value):
        raise ValueError(f"nginx cannot hold the control character {found.group()!r}")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def pattern(value: str) -> str:
    """The regular expression that matches exactly `value`, not yet quoted."""
    return re.escape(value)


def server_names(hostnames: Iterable[str]) -> str:
    """The values of server_name, in the given order; IPv6 addresses get brackets. ValueError for other text."""
    return " ".join(_server_name(hostname) for hostname in hostnames)


def _server_name(hostname: str) -> str:
    bare = hostname.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        if len(hostname) > 253 or not _HOSTNAME.fullmatch(hostname):
            raise ValueError(f"not a hostname: {hostname!r}") from None
        return hostname.lower()
    return f"[{address}]" if address.version == 6 else str(address)
