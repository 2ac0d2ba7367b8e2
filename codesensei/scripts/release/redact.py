"""The one filter: no secret value leaves a build step, a probe or a journal in any of its usual spellings."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "[secret]"
# Shorter values (a port, "no") would blank half of a log; they are masked only as whole words.
WHOLE_WORD_BELOW = 6
NEVER_BELOW = 3


class Redactor:
    """Replaces secret values, raw or percent-, base64-, JSON- or shell-encoded, by `[secret]`."""

    def __init__(self, values: Iterable[str]) -> None:
        plain: set[str] = set()
        for value in values:
            plain |= _parts(value)
        patterns: set[str] = set()
        for value in plain:
            if len(value) < NEVER_BELOW:
                continue
            if len(value) < WHOLE_WORD_BELOW:
                patterns.add(rf"(?<![\w]){re.escape(value)}(?![\w])")
            else:
                patterns |= {re.escape(form) for form in _spellings(value)}
        ordered = sorted(patterns, key=len, reverse=True)
        self._pattern = re.compile("|".join(ordered)) if ordered else None

    def clean(self, text: str) -> str:
        """`text` without any secret value."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def _parts(value: str) -> set[str]:
    """The value, its lines if it has several, and its password if it is a URL."""
    parts = {value, value.strip()}
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        parts |= {line for line in lines if len(line) >= 8}
    try:
        password = urlsplit(value).password
    except ValueError:
        password = None
    if password:
        parts |= {password, unquote(password)}
    return {part for part in parts if part}


def _spellings(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogatepass")
    forms = {
        value,
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        shlex.quote(value),
        re.sub(r'([\\"$`])', r"\\\1", value),
        re.sub(r"([^\w@%+=:,./-])", r"\\\1", value),
        raw.hex(),
    }
    forms |= {form.lower() for form in forms if re.search("%[0-9A-F]{2}", form)} - {value.lower()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms |= _base64_cores(raw, encode)
    return {form for form in forms if len(form) >= WHOLE_WORD_BELOW}


def _base64_cores(raw: bytes, encode: object) -> set[str]:
    """The characters that encode `raw` at any place in a longer text that is encoded as a whole."""
    assert callable(encode)
    cores = set()
    for offset in range(3):
        text = encode(b"\0" * offset + raw).decode()
        start = (offset * 8 + 5) // 6
        end = (offset + len(raw)) * 8 // 6
        cores.add(text[start:end])
    return cores
