"""The machine, and how it is reached."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from codesensei.config.types import Model, Port, ServerAddress, UnixName, option, reject
from codesensei.wire.steps import Hardening

_GOOD_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
KEYSCAN = "get it with ssh-keyscan -t ed25519 HOST, and compare it with the server's console"


def host_key(value: str) -> str:
    """A server's public key: `ssh-ed25519 AAAA…` (or ecdsa). Returned without comment and host names.

    ssh-rsa is refused: the SSH library under the engine would ask such a server for SHA-1 signatures,
    which current servers do not give. Nothing of the value is shown: it may be a key pasted by mistake.
    """
    if "PRIVATE KEY" in value:
        raise reject("host-key-private", "is a private key", f"give the server's public key; {KEYSCAN}")
    words = value.split()
    if "ssh-rsa" in words[:2]:
        message = "is an RSA key: it would restrict the connection to SHA-1 signatures, which servers refuse"
        raise reject("host-key-rsa", message, "give the server's ed25519 key: ssh-keyscan -t ed25519 HOST")
    kinds = [index for index, word in enumerate(words[:2]) if word in _GOOD_TYPES]
    if not kinds or len(words) < kinds[0] + 2:
        raise reject("host-key", "is not a public key of type ed25519 or ecdsa", KEYSCAN)
    kind, data = words[kinds[0]], words[kinds[0] + 1]
    try:
        blob = base64.b64decode(data, validate=True)
    except binascii.Error:
        blob = b""
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()) or len(blob) < len(kind) + 4 + 32:
        raise reject("host-key-damaged", f"is not a complete {kind} key: it was truncated or altered", KEYSCAN)
    return f"{kind} {data}"


HostKey = Annotated[str, AfterValidator(host_key)]


def hardening_word(value: object) -> object:
    """A word; `on` and `off` may have become true and false on the way through YAML."""
    return {"true": "on", "false": "off"}.get(str(value).lower(), value)


class JumpHost(Model):
    """A host on the way to the server."""

    host: ServerAddress = Field(description="Address of the jump host")
    port: Port = option(22, "SSH port of the jump host")
    user: UnixName = option("root", "Login user on the jump host")
    host_key: HostKey = Field(description="Public key of the jump host: ssh-ed25519 AAAA…")


class ServerConfig(Model):
    """The machine that the project is deployed to."""

    host: ServerAddress = Field(description="Host name or IP address")
    port: Port = option(22, "SSH port")
    user: UnixName = option("root", "Login user: root, or one with passwordless sudo")
    host_key: HostKey = Field(description="The server's public key: ssh-ed25519 AAAA…")
    proxy: JumpHost | None = option(None, "A jump host on the way to the server")
    hardening: Annotated[Hardening, BeforeValidator(hardening_word)] = option(
        "auto", "Firewall, SSH by key only, security updates; auto: where the first deploy finds the server blank"
    )

    @property
    def sudo(self) -> str:
        """What goes before a command that needs root."""
        return "" if self.user == "root" else "sudo -n "
