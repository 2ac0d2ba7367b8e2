"""Digests that both sides compute, and keyed ones, which show that a value changed and reveal nothing about it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

KEYED_LENGTH = 10


def of_step(words: Sequence[str], stdin: str) -> str:
    """The identity of a step's inputs: the words of its line without `repair=`, and its standard input."""
    return hashlib.sha256((" ".join(words) + "\n" + stdin).encode()).hexdigest()


def of_texts(texts: Iterable[str]) -> str:
    """64 hexadecimal digits over a list of texts; no two lists give the same."""
    return hashlib.sha256(_framed(text.encode() for text in texts)).hexdigest()


def env_id(key: str, variables: Mapping[str, str]) -> str:
    """64 hexadecimal digits over all variables, whatever their order. A release's name holds the first 7."""
    parts = [str(len(variables)).encode()]
    for name in sorted(variables):
        parts.extend((name.encode(), variables[name].encode()))
    return _hmac(key, b"env", parts)


def keyed(key: str, value: str) -> str:
    """10 hexadecimal digits for one value: enough to see a change in a preview, too few to search for a value."""
    return _hmac(key, b"value", [value.encode()])[:KEYED_LENGTH]


def _hmac(key: str, purpose: bytes, parts: list[bytes]) -> str:
    if not key:
        raise ValueError("a keyed digest needs a key")
    return hmac.new(key.encode(), _framed((purpose, *parts)), hashlib.sha256).hexdigest()


def _framed(parts: Iterable[bytes]) -> bytes:
    """Each length goes before its text, so no two lists of values give the same bytes."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)
