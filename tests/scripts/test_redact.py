"""The filter finds a secret in every spelling that tools print it in."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from codesensei.scripts.release.redact import MASK, Redactor

VALUES = [
    "s3cret-value",
    "p@ss/w:rd?#&=%",
    "with spaces and 'quotes' and \"double\"",
    "back\\slash$dollar`tick",
    "zażółć-gęślą-jaźń",
    "emoji-\U0001f511-key",
    "a" * 64,
    "<&>;|*()~!",
]
SPELLINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda value: value,
    "percent": lambda value: quote(value, safe=""),
    "percent with slashes": quote,
    "form": quote_plus,
    "json": json.dumps,
    "json, not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "shell": shlex.quote,
    "repr": repr,
    "hex": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 inside a longer text": lambda value: base64.b64encode(f"user:{value}:end".encode()).decode(),
    "base64 one byte later": lambda value: base64.b64encode(f"u:{value}".encode()).decode(),
}


def core(text: str) -> str:
    """The middle of a spelling: what must be gone for certain."""
    return text[len(text) // 4 : -(len(text) // 4) or None]


@pytest.mark.proves("secrets.filter")
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_secret_is_masked_in_every_spelling(value: str, spelling: str) -> None:
    text = SPELLINGS[spelling](value)
    cleaned = Redactor([value]).clean(f"before {text} after")
    assert MASK in cleaned
    assert value not in cleaned
    assert core(text) not in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


def test_other_text_stays() -> None:
    assert Redactor(["s3cret-value"]).clean("nothing to see") == "nothing to see"


@pytest.mark.proves("secrets.filter")
def test_lines_of_a_long_key_are_masked_one_by_one() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----"
    assert Redactor([key]).clean("oops: 9w0BAQEFAASCBKcwggSj") == f"oops: {MASK}"


def test_password_of_a_url_is_masked_alone_and_decoded() -> None:
    clean = Redactor(["postgres://shop:p%40ss-w0rd@db.example.com/shop"]).clean
    assert clean("password p@ss-w0rd refused") == f"password {MASK} refused"
    assert clean("password p%40ss-w0rd refused") == f"password {MASK} refused"


def test_short_values_are_masked_as_whole_words_only() -> None:
    clean = Redactor(["abc"]).clean
    assert clean("abc abcdef x=abc") == f"{MASK} abcdef x={MASK}"


def test_no_values_no_change() -> None:
    assert Redactor([]).clean("text") == "text"
    assert Redactor([""]).clean("text") == "text"
