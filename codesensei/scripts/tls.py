"""Stage a certificate and its key for the switch: checked, or made here."""

from __future__ import annotations

import ipaddress
import re
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from codesensei.scripts import files
from codesensei.scripts.commands import run as command
from codesensei.scripts.step import Failure, Step

DAY = 86400
SELF_SIGNED_DAYS = 3650
RENEW_BEFORE_DAYS = 60
WARN_BEFORE_DAYS = 14
CURE = "correct codesensei:tls (certificate with its chain, leaf first, and the key that belongs to it, both PEM)"


@dataclass(frozen=True)
class Pair:
    """A certificate (with its chain) and its private key, PEM."""

    certificate: str
    key: str


def run(step: Step) -> None:
    """Write tls/<digest>/{certificate.pem,key.pem} below the project's memory."""
    (digest,) = step.args
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,80}", digest):
        raise Failure("tls", "the digest is not one", "this is a fault of codesensei: please report it")
    folder = step.project.memory / "tls" / digest
    if "selfSigned" in step.data:
        pair = _kept(folder, step.data["selfSigned"]) or self_signed(step.data["selfSigned"])
    else:
        pair = Pair(step.data["certificate"], step.data["key"])
        check(pair)
        _warn(step, pair)
    files.make_directory(folder.parent, 0o700)
    files.make_directory(folder, 0o700)
    wrote = files.write_file(folder / "key.pem", pair.key, 0o600)
    wrote = files.write_file(folder / "certificate.pem", pair.certificate, 0o600) or wrote
    step.converge(wrote, f"certificate staged in {folder}")
    step.manage(folder / "certificate.pem")
    step.manage(folder / "key.pem")


def check(pair: Pair) -> None:
    """Raise Failure unless both are readable, belong together and the certificate is valid now."""
    public = _openssl(["x509", "-noout", "-pubkey"], pair.certificate, "the certificate cannot be read")
    # An empty pass phrase makes openssl fail on an encrypted key instead of asking for one.
    own = _openssl(
        ["pkey", "-pubout", "-passin", "pass:"], pair.key, "the key cannot be read (it must not be encrypted)"
    )
    if public.strip() != own.strip():
        raise Failure("tls", "certificate and key do not belong together", CURE)
    if not _valid_for(pair, 0):
        end = _openssl(["x509", "-noout", "-enddate"], pair.certificate, "the certificate cannot be read")
        raise Failure("tls", f"the certificate has expired ({end.strip()})", "put a current one into codesensei:tls")
    words = ["openssl", "x509", "-noout", "-startdate", "-dateopt", "iso_8601"]
    begins = command(words, input=pair.certificate, check=False)
    found = re.search(r"notBefore=(\S+ \S+)Z", begins.stdout)
    if found and datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc) > datetime.now(timezone.utc):
        cause = f"the certificate is not valid before {found[1]} UTC"
        raise Failure("tls", cause, "check the server's clock (timedatectl)")


def _warn(step: Step, pair: Pair) -> None:
    if not _valid_for(pair, WARN_BEFORE_DAYS):
        step.say(f"warning: the certificate expires within {WARN_BEFORE_DAYS} days")


def self_signed(hostnames: Sequence[str]) -> Pair:
    """A new self-signed certificate for these hostnames or addresses, and its key."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-keyout", str(key), "-out", str(certificate), "-days", str(SELF_SIGNED_DAYS), "-sha256"]
        words += ["-subj", f"/CN={hostnames[0][:64]}", "-addext", f"subjectAltName={alternative_names(hostnames)}"]
        command(words, thing="self-signed certificate", timeout=60)
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


def _kept(folder: Path, hostnames: Sequence[str]) -> Pair | None:
    """The certificate made earlier, while it serves for the same names and long enough."""
    try:
        pair = Pair((folder / "certificate.pem").read_text(), (folder / "key.pem").read_text())
        check(pair)
    except (OSError, Failure):
        return None
    same = names_of(pair) == {_plain(name.strip("[]")) for name in hostnames}
    return pair if same and _valid_for(pair, RENEW_BEFORE_DAYS) else None


def names_of(pair: Pair) -> set[str]:
    """The host names and addresses that a certificate is for."""
    said = command(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=pair.certificate, check=False).stdout
    return {_plain(part) for part in re.findall(r"(?:DNS|IP Address):([^,\s]+)", said)}


def end_of(pair: Pair) -> float:
    """When a certificate ends, seconds since the epoch; 0 where it cannot be read."""
    said = command(["openssl", "x509", "-noout", "-enddate"], input=pair.certificate, check=False).stdout
    found = re.search(r"notAfter=(.+ GMT)", said)
    return float(ssl.cert_time_to_seconds(found[1])) if found else 0.0


def _plain(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def _valid_for(pair: Pair, days: int) -> bool:
    return command(["openssl", "x509", "-noout", "-checkend", str(days * DAY)], input=pair.certificate, check=False).ok


def _openssl(words: list[str], text: str, wrong: str) -> str:
    done = command(["openssl", *words], input=text, check=False, timeout=30)
    if not done.ok:
        raise Failure("tls", wrong, CURE)
    return done.stdout
