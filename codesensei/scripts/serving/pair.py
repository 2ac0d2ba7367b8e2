"""A certificate with its key: made here, read and checked, all with openssl."""

from __future__ import annotations

import ipaddress
import re
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from codesensei.scripts.base import commands
from codesensei.scripts.base.step import Failure

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
    public = _openssl(["x509", "-noout", "-pubkey"], pair.certificate, "the certificate cannot be read")
    # An empty pass phrase makes openssl fail on an encrypted key instead of asking for one.
    own = _openssl(
        ["pkey", "-pubout", "-passin", "pass:"], pair.key, "the key cannot be read (it must not be encrypted)"
    )
    if public.strip() != own.strip():
        raise Failure("tls", "certificate and key do not belong together", FIX)
    if not valid_for(pair, 0):
        end = _openssl(["x509", "-noout", "-enddate"], pair.certificate, "the certificate cannot be read")
        raise Failure("tls", f"the certificate has expired ({end.strip()})", "put a current one into codesensei:tls")
    words = ["openssl", "x509", "-noout", "-startdate", "-dateopt", "iso_8601"]
    begins = commands.run(words, input=pair.certificate, check=False)
    found = re.search(r"notBefore=(\S+ \S+)Z", begins.stdout)
    if found and datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc) > datetime.now(timezone.utc):
        cause = f"the certificate is not valid before {found[1]} UTC"
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
    """`DNS:a,IP:b` as openssl takes it; Failure for what is no hostname."""
    parts = []
    for name in hostnames:
        try:
            parts.append(f"IP:{ipaddress.ip_address(name.strip('[]'))}")
        except ValueError:
            if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", name):
                raise Failure("tls", f"{name!r} is no hostname", "correct codesensei:domains") from None
            parts.append(f"DNS:{name}")
    return ",".join(parts)


def names_of(pair: Pair) -> set[str]:
    """The host names and addresses that a certificate is for."""
    said = commands.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=pair.certificate, check=False
    ).stdout
    return {plain(part) for part in re.findall(r"(?:DNS|IP Address):([^,\s]+)", said)}


def end_of(pair: Pair) -> float:
    """When a certificate ends, seconds since the epoch; 0 where it cannot be read."""
    said = commands.run(["openssl", "x509", "-noout", "-enddate"], input=pair.certificate, check=False).stdout
    found = re.search(r"notAfter=(.+ GMT)", said)
    return float(ssl.cert_time_to_seconds(found[1])) if found else 0.0


def plain(name: str) -> str:
    """A host name or an address in the one way to write it."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def valid_for(pair: Pair, days: int) -> bool:
    """Whether it is still valid in so many days."""
    return commands.run(
        ["openssl", "x509", "-noout", "-checkend", str(days * DAY)], input=pair.certificate, check=False
    ).ok


def _openssl(words: list[str], text: str, wrong: str) -> str:
    done = commands.run(["openssl", *words], input=text, check=False, timeout=30)
    if not done.ok:
        raise Failure("tls", wrong, FIX)
    return done.stdout
