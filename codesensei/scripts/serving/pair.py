"""A certificate with its key: made here, read and checked, all with openssl."""

from __future__ import annotations

import ipaddress
import re
import ssl
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from codesensei.scripts.base import commands
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.wire.quick import dataclass

DAY = 86400
SELF_SIGNED_DAYS = 3650
FIX = "correct codesensei:tls (certificate with its chain, leaf first, and the key that belongs to it, both PEM)"


@dataclass(frozen=True)
class Pair:
    """A certificate (with its chain) and its private key, PEM."""

    certificate: str
    key: str


def check(pair: Pair) -> None:
    """Raise Failure unless both are readable, belong together and the certificate is valid now."""
    public = _x509(pair, "-pubkey")
    # An empty pass phrase makes openssl fail on an encrypted key instead of asking for one.
    words = ["openssl", "pkey", "-pubout", "-passin", "pass:"]
    own = commands.run(words, input=pair.key, check=False, timeout=30)
    if not public.ok:
        raise Failure("tls", "the certificate cannot be read", FIX)
    if not own.ok:
        raise Failure("tls", "the key cannot be read (it must not be encrypted)", FIX)
    if public.stdout.strip() != own.stdout.strip():
        raise Failure("tls", "certificate and key do not belong together", FIX)
    if not valid_for(pair, 0):
        end = _x509(pair, "-enddate").stdout.strip()
        raise Failure("tls", f"the certificate has expired ({end})", "put a current one into codesensei:tls")
    begins = re.search(r"notBefore=(\S+ \S+)Z", _x509(pair, "-startdate", "-dateopt", "iso_8601").stdout)
    if begins and datetime.fromisoformat(begins[1]).replace(tzinfo=timezone.utc) > datetime.now(timezone.utc):
        cause = f"the certificate is not valid before {begins[1]} UTC"
        raise Failure("tls", cause, "check the server's clock (timedatectl)")


def self_signed(hostnames: Sequence[str]) -> Pair:
    """A new self-signed certificate for these hostnames or addresses, and its key."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-keyout", str(key), "-out", str(certificate), "-days", str(SELF_SIGNED_DAYS), "-sha256"]
        words += ["-subj", f"/CN={hostnames[0][:64]}", "-addext", f"subjectAltName={alternative_names(hostnames)}"]
        commands.run(words, thing="self-signed certificate", timeout=60)
        return Pair(certificate.read_text(), key.read_text())


def alternative_names(hostnames: Sequence[str]) -> str:
    """`DNS:a,IP:b`, as openssl expects it. Raises Failure for an invalid hostname."""
    parts = []
    for name in hostnames:
        try:
            parts.append(f"IP:{ipaddress.ip_address(name.strip('[]'))}")
        except ValueError:
            if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", name):
                raise Failure("tls", f"{name!r} is not a hostname", "correct codesensei:domains") from None
            parts.append(f"DNS:{name}")
    return ",".join(parts)


def names_of(pair: Pair) -> set[str]:
    """The hostnames and addresses that a certificate is for."""
    said = _x509(pair, "-ext", "subjectAltName").stdout
    return {plain(part) for part in re.findall(r"(?:DNS|IP Address):([^,\s]+)", said)}


def end_of(pair: Pair) -> float:
    """When a certificate ends, seconds since the epoch; 0 where it cannot be read."""
    found = re.search(r"notAfter=(.+ GMT)", _x509(pair, "-enddate").stdout)
    return float(ssl.cert_time_to_seconds(found[1])) if found else 0.0


def plain(name: str) -> str:
    """The canonical form of a hostname or an address."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def valid_for(pair: Pair, days: int) -> bool:
    """Whether it will still be valid in `days` days."""
    return _x509(pair, "-checkend", str(days * DAY)).ok


def _x509(pair: Pair, *words: str) -> Result:
    return commands.run(["openssl", "x509", "-noout", *words], input=pair.certificate, check=False, timeout=30)
