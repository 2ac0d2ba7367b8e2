"""The edge proxy: names, TLS, limits."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from codesensei.config.types import (
    Model,
    Seconds,
    Size,
    Whole,
    at_least,
    is_address,
    is_hostname,
    matching,
    option,
    reject,
    show,
    unique,
)

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
TLS_WORDS = ("off", "selfSigned", "acme", "external")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+-----END CERTIFICATE-----", re.DOTALL)


def domain(value: str) -> str:
    """A public host name of the project: lower-case, at least two labels, no address, no pattern."""
    return _domain(value)


def _domain(value: str, before: str = "") -> str:
    """The same; `before` is what a pattern has before it, for the form that is suggested."""
    if is_address(value):
        fix = "list names only; without any, the server's address is used"
        raise reject("domain-address", f"{show(value)} is an address", fix)
    if "/" in value or ":" in value:
        raise reject("domain-url", f"{show(value)} is more than a host name", "use the name alone: shop.example.com")
    if "*" in value:
        fix = "write *.example.com in codesensei:domains for all names below example.com, or list each host name"
        raise reject("domain-pattern", f"{show(value)} is a pattern", fix)
    if value != value.lower():
        raise reject("domain-case", f"{show(value)} has capital letters", f"write it as {before}{value.lower()}")
    if not value.isascii():
        found = _punycode(value)
        fix = f"write {before}{found}" if found else "write it in punycode: xn--…"
        raise reject("domain-ascii", f"{show(value)} is not ASCII, as DNS needs it", fix)
    if "." not in value or not is_hostname(value):
        raise reject("domain", f"{show(value)} is not a host name", "write it like shop.example.com")
    return value


def domain_or_pattern(value: str) -> str:
    """A public host name, or all names below one: `*.example.com`."""
    name = value.removeprefix("*.")
    _domain(name, value.removesuffix(name))
    return value


def _punycode(value: str) -> str:
    """As DNS has it; nothing where that is not certain: Python knows an older IDNA, to which ß is ss, another name."""
    with suppress(UnicodeError):
        found = value.encode("idna")
        if found.decode("idna") == value:
            return found.decode()
    return ""


def certificate(value: str) -> str:
    """The certificate and its chain as PEM text."""
    if "PRIVATE KEY" in value:
        fix = "give the key apart: pulumi config set --secret --path codesensei:tls.key < key.pem"
        raise reject("certificate-key", "contains a private key", fix)
    if not _PEM.search(value):
        fix = "set it from the file: pulumi config set --path codesensei:tls.certificate < fullchain.pem"
        raise reject("certificate", "is not a certificate in PEM form", fix)
    return value


def tls_choice(value: Any) -> Any:
    """Words become objects with a `kind`; `off` may have become false on the way through YAML."""
    if value is False or value == "false":
        return {"kind": "off"}
    if isinstance(value, str) and value in TLS_WORDS:
        return {"kind": value}
    if isinstance(value, dict) and "kind" not in value:
        return {"kind": "acme" if "acme" in value else "files", **value}
    raise reject("tls", f"is not {', '.join(TLS_WORDS)}, {{acme: …}} or {{certificate, key}}", "use one of these")


def directory_url(value: str) -> str:
    """The URL of an ACME authority's directory."""
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or not parts.path.strip("/") or re.search(r"[\s'\"\\]", value):
        fix = "write it like https://acme-staging-v02.api.letsencrypt.org/directory, or remove it for Let's Encrypt"
        raise reject("acme-directory", f"{show(value)} is not the URL of an ACME directory", fix)
    return value


def authority_root(rule: str, key: str) -> AfterValidator:
    """A validator for one certificate as PEM text, at this key."""

    def check(value: str) -> str:
        if "PRIVATE KEY" in value or not _PEM.search(value):
            fix = f"set it from the file: pulumi config set --path codesensei:{key} < root.pem"
            raise reject(rule, "is not a certificate in PEM form", fix)
        return value

    return AfterValidator(check)


_EMAIL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
Email: TypeAlias = Annotated[str, matching(_EMAIL, "email", "an e-mail address", "write it like ops@example.com")]
Certificate: TypeAlias = Annotated[str, AfterValidator(certificate)]


class TlsOff(Model):
    """Plain HTTP."""

    kind: Literal["off"] = "off"


class TlsSelfSigned(Model):
    """A certificate made on the server; browsers warn."""

    kind: Literal["selfSigned"] = "selfSigned"


class TlsFiles(Model):
    """A certificate of one's own. Its key is a secret and not part of the config."""

    kind: Literal["files"] = "files"
    certificate: Certificate = Field(description="Certificate and chain, PEM text")


class Acme(Model):
    """The authority, and who is told about the certificate."""

    email: Email | None = option(None, "Where the authority writes to; default: it cannot write")
    directory: Annotated[str, AfterValidator(directory_url)] = option(
        LETS_ENCRYPT, "The authority's directory; default: Let's Encrypt"
    )
    root_certificate: Annotated[str, authority_root("root-certificate", "tls.acme.rootCertificate")] | None = option(
        None, "Root certificate of an authority of one's own, PEM text; the server will trust it"
    )


class TlsAcme(Model):
    """A certificate from an ACME authority, renewed by itself."""

    kind: Literal["acme"] = "acme"
    acme: Acme = option(Acme.model_construct(), "The authority, and who is told about the certificate")


class TlsExternal(Model):
    """TLS ends before the server, at a load balancer or CDN that is in `trustedProxies`."""

    kind: Literal["external"] = "external"


_AnyTls = TlsOff | TlsSelfSigned | TlsFiles | TlsAcme | TlsExternal
Tls: TypeAlias = Annotated[Annotated[_AnyTls, Field(discriminator="kind")], BeforeValidator(tls_choice)]
Domain: TypeAlias = Annotated[str, AfterValidator(domain)]
Domains: TypeAlias = Annotated[tuple[Annotated[str, AfterValidator(domain_or_pattern)], ...], AfterValidator(unique)]


Connections: TypeAlias = Annotated[
    Whole, at_least(0, "connections", "0 is without a limit", "give a number of requests: 400")
]


class Limits(Model):
    """What the edge proxy allows."""

    body_size: Size = option("25m", "Largest request body: digits and k, m or g")
    read_timeout: Seconds = option(60, "Seconds that the project may take to answer")
    client_timeout: Seconds | None = option(None, "Seconds without a byte from or to a visitor; default: 30")
    connections: Connections = option(400, "Requests that one address may have under way; 0: any number")
