"""How a changed file differs, in lines for a person: bounded, and without what may be secret."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from codesensei.scripts.base import changed
from codesensei.scripts.base.changed import LONGEST_LINE, MOST_COMPARED, MOST_LINES, hide
from codesensei.scripts.base.proofs import LONGEST_TEXT, Changed
from codesensei.scripts.base.step import fingerprint
from codesensei.scripts.release.redact import Redactor

KEPT = "[Service]\nRestart=always\nMemoryMax=512M\n"
HERE = f"{os.getuid()}:{os.getgid()}"


def told(path: Path, text: str | bytes, kept: str | None = KEPT, secret: str = "") -> list[str]:
    """The lines for a file that had `kept` and has `text` now."""
    path.write_text(kept or "")
    then = fingerprint(str(path))
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    change = Changed(str(path), then, fingerprint(str(path)))
    return [*changed.lines(change, kept, Redactor([secret]).clean)]


@pytest.mark.parametrize("part", ["x", "aB3", "a://", "key", "A", "/", " "])
def test_a_long_line_is_compared_as_soon_as_a_short_one(tmp_path: Path, part: str) -> None:
    began = time.process_time()
    lines = told(tmp_path / "unit", KEPT + part * ((LONGEST_TEXT - len(KEPT)) // len(part)))
    assert [line for line in lines if line.startswith("-")]
    assert time.process_time() - began < 2


@pytest.mark.proves("story.drift")
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[Service]\nRestart=no\nMemoryMax=512M\n", ["@@ -2 +2 @@", "-Restart=no", "+Restart=always"]),
        (f"{KEPT}# mine\n", ["@@ -4 +3,0 @@", "-# mine"]),
        ("[Service]\nMemoryMax=512M\n", ["@@ -1,0 +2 @@", "+Restart=always"]),
        (KEPT.replace("\n", "\r\n", 1), ["@@ -1 +1 @@", "-[Service]\r", "+[Service]"]),
        (KEPT.rstrip("\n"), ["@@ -3,0 +4 @@", "+"]),
        (b"\xff\tx\n" + KEPT.encode(), ["@@ -1 +0,0 @@", "-\udcff  x"]),
    ],
)
def test_a_text_is_told_line_by_line(text: str | bytes, lines: list[str], tmp_path: Path) -> None:
    assert told(tmp_path / "a", text) == lines


@pytest.mark.proves("story.drift")
def test_what_is_long_is_bounded(tmp_path: Path) -> None:
    many = told(tmp_path / "a", KEPT + "".join(f"# {number}\n" for number in range(50)))
    assert (len(many), many[-1]) == (MOST_LINES, "and 42 more lines")
    (_, long) = told(tmp_path / "a", f"{KEPT}# {'ä' * 300}\n")
    assert (len(long), long[-1]) == (LONGEST_LINE, "…")
    for text in ("x" * (LONGEST_TEXT + 1), "\n" * (MOST_COMPARED + 1)):
        assert told(tmp_path / "a", text) == ["its text is another, and too long to be compared"]


@pytest.mark.proves("story.drift.secrets")
def test_a_secret_of_the_stack_is_left_out_on_both_sides(tmp_path: Path) -> None:
    assert told(tmp_path / "a", "# canary-1\nx\n", "# canary-1\ny\n", "canary-1") == ["@@ -2 +2 @@", "-x", "+y"]
    assert told(tmp_path / "a", "a canary-1 b\n", "", "canary-1")[1] == "-a [secret] b"
    # Nor is what somebody has written as one.
    assert told(tmp_path / "a", "requirepass canary-2\n", "requirepass x\n")[1:] == [
        "-requirepass [hidden]",
        "+requirepass x",
    ]
    found = told(tmp_path / "a", "is canary-1\n", "is [secret]\n", "canary-1")
    assert found == ["its text is another in secret values alone"]


@pytest.mark.proves("story.drift.secrets")
def test_a_text_that_may_hold_secrets_is_not_told(tmp_path: Path) -> None:
    assert told(tmp_path / "a", "canary", None) == [
        "its text is not shown: it may hold secrets, or what it was is not kept"
    ]
    path = tmp_path / "b"
    path.write_text("canary")
    now = fingerprint(str(path))
    other = Changed(str(path), now.replace(now[-8:], "0" * 8), now)
    (line,) = changed.lines(other, "what another project wrote", Redactor([]).clean)
    assert line == "its text is not shown: it may hold secrets, or what it was is not kept"
    (line,) = changed.lines(Changed(str(path), EMPTY, now), "", None)
    assert line == "its text is not shown: which secrets to leave out cannot be read on the server"


EMPTY = f"file:644:{HERE}:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.proves("story.drift.secrets")
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("-Environment=DEBUG=1", "-Environment=DEBUG=[hidden]"),
        ('-Environment="SECRET=two words"', '-Environment="SECRET=[hidden]'),
        ("-export api_token='canary'", "-export api_token=[hidden]"),
        ("-Environment=LANG=C.UTF-8", "-Environment=LANG=C.UTF-8"),
        ("-proxy_set_header Authorization 'Basic canary';", "-proxy_set_header Authorization '[hidden]"),
        ("-requirepass canary", "-requirepass [hidden]"),
        ("-ExecStart=/bin/x postgres://shop:canary@db/shop", "-ExecStart=/bin/x postgres://shop:[hidden]@db/shop"),
        ("-# 0123456789abcdefABCDEF_-x", "-# [hidden]"),
        (
            "-ExecStart=/srv/codesensei/shop/releases/1111111-2222222-and-more",
            "-ExecStart=/srv/codesensei/shop/releases/1111111-2222222-and-more",
        ),
        ("-PasswordAuthentication yes", "-PasswordAuthentication yes"),
        ("-    proxy_pass http://unix:/srv/codesensei/shop/hand-over/web.sock;",) * 2,
        ("-add_header Cache-Control max-age=31536000;",) * 2,
        ("-ExecStart=/bin/celery -A config worker --max-tasks-per-child=5",) * 2,
    ],
)
def test_what_somebody_wrote_is_told_without_what_may_be_secret(line: str, shown: str) -> None:
    assert hide(line, "Environment=LANG=C.UTF-8\n/releases/1111111-2222222-and-more\n") == shown


@pytest.mark.proves("story.drift")
@pytest.mark.parametrize(
    ("then", "now", "lines"),
    [
        (f"file:644:{HERE}:a", "absent", []),
        (f"file:644:{HERE}:a", f"file:666:{HERE}:a", ["mode 0666 -> 0644"]),
        (f"directory:1771:{HERE}", f"directory:777:{HERE}", ["mode 0777 -> 1771"]),
        ("directory:755:0:0", "directory:755:0:4200000", ["owner root:4200000 -> root:root"]),
        ("directory:755:0:0", "directory:755:4200000:0", ["owner 4200000:root -> root:root"]),
        ("link:releases/a:b", "link:releases/none", ["leads to releases/none -> releases/a:b"]),
        (f"file:644:{HERE}:a", "link:/dev/null", ["a link to /dev/null -> a file"]),
        ("absent", f"other:644:{HERE}", ["no regular file -> nothing"]),
    ],
)
def test_other_changes_are_told_from_what_is_there_to_what_is_put_back(then: str, now: str, lines: list[str]) -> None:
    assert [*changed.lines(Changed("/x", then, now), None, None)] == lines
