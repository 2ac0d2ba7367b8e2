"""A password's SCRAM-SHA-256 verifier, as PostgreSQL stores it: the password itself is never sent there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata

ITERATIONS = 4096
SALT_BYTES = 16


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """What PostgreSQL stores for `password` (RFC 5802, RFC 7677); a random salt unless one is given."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    server_key = hmac.new(salted, b"Server Key", "sha256").digest()
    stored_key = hashlib.sha256(client_key).digest()
    text = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{text[0]}${text[1]}:{text[2]}"


def matches(stored: str | None, password: str) -> bool:
    """Whether the stored verifier is one of `password`."""
    found = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$[^:]+:.+", stored or "")
    if not found or stored is None:
        return False
    return hmac.compare_digest(verifier(password, base64.b64decode(found[2]), int(found[1])), stored)


def saslprep(text: str) -> str:
    """`text` as RFC 4013 prepares it; unchanged where that refuses it, as PostgreSQL and libpq do."""
    if text.isascii():
        return text
    kept = [char for char in text if not stringprep.in_table_b1(char)]
    mapped = "".join(" " if stringprep.in_table_c12(char) else char for char in kept)
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return prepared if prepared and not _prohibited(prepared) else text


def _prohibited(text: str) -> bool:
    tables = [getattr(stringprep, f"in_table_{table}") for table in "a1 c12 c21_c22 c3 c4 c5 c6 c7 c8 c9".split()]
    if any(is_in(char) for char in text for is_in in tables):
        return True
    if any(stringprep.in_table_d1(char) for char in text):
        both = any(stringprep.in_table_d2(char) for char in text)
        return both or not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1]))
    return False
