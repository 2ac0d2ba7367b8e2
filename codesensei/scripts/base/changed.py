"""How a file differs from what a step left, in lines for a person: what is there now, and what is put back."""

from __future__ import annotations

import difflib
import grp
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.proofs import LONGEST_TEXT, Changed

MOST_LINES = 10
LONGEST_LINE, LONGEST_READ = 160, 1600
# The time that comparing takes grows with the square of the lines.
MOST_COMPARED = 1000
HIDDEN = "[hidden]"
_NAMES = {
    "absent": "nothing",
    "link": "a link",
    "directory": "a directory",
    "other": "no regular file",
    "file": "a file",
}
# Where somebody may have written a secret that nobody has declared: behind the name of a variable or such a word, as
# the password in a URL, and in anything long that has letters and digits.
_BEHIND = re.compile(
    r"(\b(?:[A-Z][A-Z0-9_]*|\w*(?i:key|secret|token|pass|pwd)\w*)="
    r"|\b(?i:authorization|bearer|basic|cookie|password|masterauth|requirepass|token)\b[\s:\"']+)\S.*"
)
_LOGIN = re.compile(r"(://[^/\s:@]*:)[^@\s]+@")
_DRAWN = re.compile(r"(?=[\w+~-]*\d)(?=[\w+~-]*[A-Za-z])[\w+~-]{20,}")


def lines(change: Changed, kept: str | None, clean: Callable[[str], str] | None) -> tuple[str, ...]:
    """At most ten lines. `kept` is the text that the step left; None where it may hold secrets, or nobody knows it.

    `clean` takes secrets out of a text; None where they are not known, so that no text is shown.
    """
    found = [*_lines(change, kept, clean)]
    if len(found) > MOST_LINES:
        found[MOST_LINES - 1 :] = [f"and {len(found) - MOST_LINES + 1} more lines"]
    return tuple(line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in found)


def _lines(change: Changed, kept: str | None, clean: Callable[[str], str] | None) -> Iterator[str]:
    now, then = change.now.split(":"), change.then.split(":")
    if now[0] == "absent":
        return
    if now[0] != then[0]:
        yield f"{_kind(change.now)} -> {_kind(change.then)}"
    elif now[0] == "link":
        yield f"leads to {change.now[5:]} -> {change.then[5:]}"
    else:
        if now[1] != then[1]:
            yield f"mode {now[1].zfill(4)} -> {then[1].zfill(4)}"
        if now[2:4] != then[2:4]:
            yield f"owner {_owner(now)} -> {_owner(then)}"
        if now[4:] != then[4:]:
            yield from _of_text(change.path, then[4], kept, clean)


def _kind(fingerprint: str) -> str:
    kind, _, rest = fingerprint.partition(":")
    return f"a link to {rest}" if kind == "link" else _NAMES.get(kind, "nothing that is known")


def _owner(fingerprint: list[str]) -> str:
    name, group = files.user_name(int(fingerprint[2])), int(fingerprint[3])
    try:
        return f"{name}:{grp.getgrgid(group).gr_name}"
    except KeyError:
        return f"{name}:{group}"


def _of_text(path: str, digest: str, kept: str | None, clean: Callable[[str], str] | None) -> Iterator[str]:
    """A line diff from what is there to what the step left."""
    if kept is None or hashlib.sha256(kept.encode()).hexdigest() != digest:
        yield "its text is not shown: it may hold secrets, or what it was is not kept"
        return
    if clean is None:
        yield "its text is not shown: which secrets to leave out cannot be read on the server"
        return
    content = files.read_foreign(Path(path), limit=LONGEST_TEXT + 1)
    found, wanted = (clean(text).split("\n") for text in (content.decode(errors="surrogateescape"), kept))
    if len(content) > LONGEST_TEXT or max(len(found), len(wanted)) > MOST_COMPARED:
        yield "its text is another, and too long to be compared"
        return
    differences = [*difflib.unified_diff(found, wanted, lineterm="", n=0)][2:]
    if not differences:
        yield "its text is another in secret values alone"
    for line in differences:
        # Of a long line only the beginning is shown.
        yield (f"-{hide(line[1:LONGEST_READ], kept)}" if line.startswith("-") else line).expandtabs(4)


def hide(line: str, known: str) -> str:
    """A line that somebody has written, without what may be a secret that nobody has declared.

    What `known` says, too, is none.
    """

    for pattern, instead in ((_BEHIND, rf"\1{HIDDEN}"), (_LOGIN, rf"\1{HIDDEN}@"), (_DRAWN, HIDDEN)):

        def hidden(found: re.Match[str], instead: str = instead) -> str:
            return found[0] if found[0] in known else found.expand(instead)

        line = pattern.sub(hidden, line)
    return line
