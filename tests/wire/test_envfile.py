"""The env file: exact texts, refusals, and 10,000 hostile values through every reader."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from codesensei.wire import envfile
from tests.render import readers
from tests.render.values import batches, hard_share, hostile

SHELLS = ("/bin/sh", "/bin/bash")
SEED = 20_240_501


def differences(read: Callable[[Path], dict[str, str]], folder: Path, found: list[dict[str, str]]) -> int:
    """How many values a reader reads back differently; all of a file that it cannot read."""
    wrong = 0
    for variables in found:
        file = folder / "file.env"
        file.write_bytes(envfile.render(variables).encode())
        try:
            seen = read(file)
        except readers.Unreadable:
            wrong += len(variables)
            continue
        wrong += sum(seen.get(name) != envfile.meaning(envfile.Written(value)) for name, value in variables.items())
    return wrong


def by_rules(file: Path, version: int = readers.COMMENTS_END_SINCE) -> dict[str, str]:
    return readers.systemd_rules(file.read_bytes().decode(), version)


@pytest.fixture(scope="module")
def ten_thousand() -> list[dict[str, str]]:
    return batches(10_000, SEED)


@pytest.mark.slow
def test_the_values_are_as_hard_as_they_claim(ten_thousand: list[dict[str, str]]) -> None:
    values = [value for variables in ten_thousand for value in variables.values()]
    assert len(values) == 10_000
    assert hard_share(values) > 0.5
    assert min(map(len, values)) == 0
    assert max(map(len, values)) > 4000


@pytest.mark.slow
@pytest.mark.proves("env.data", "env.same-reading")
@pytest.mark.parametrize("program", SHELLS)
def test_a_shell_reads_back_every_value(program: str, tmp_path: Path, ten_thousand: list[dict[str, str]]) -> None:
    assert differences(lambda file: readers.shell(program, file), tmp_path, ten_thousand) == 0


@pytest.mark.slow
@pytest.mark.proves("env.data", "env.same-reading")
def test_systemd_reads_back_every_value_by_its_rules(tmp_path: Path, ten_thousand: list[dict[str, str]]) -> None:
    assert differences(by_rules, tmp_path, ten_thousand) == 0


@pytest.mark.slow
@pytest.mark.proves("env.data", "env.same-reading")
def test_systemd_itself_reads_back_every_value(tmp_path: Path, ten_thousand: list[dict[str, str]]) -> None:
    library = readers.systemd_library()
    if library is None:
        pytest.skip("this machine has no libsystemd-shared, so systemd's own parser cannot be called")
    assert differences(lambda file: readers.systemd_itself(library, file), tmp_path, ten_thousand) == 0


@pytest.mark.slow
def test_the_rules_of_systemd_are_systemds(tmp_path: Path) -> None:
    """Also on files that nobody should write: random text, not only ours."""
    library = readers.systemd_library()
    if library is None:
        pytest.skip("this machine has no libsystemd-shared, so systemd's own parser cannot be called")
    chooser = random.Random(SEED)
    for _ in range(3000):
        lines = [f"{chooser.choice('ABC')}={hostile(chooser)[:60]}" for _ in range(3)]
        file = tmp_path / "file.env"
        file.write_bytes(("\n".join(lines) + chooser.choice(["", "\n"])).encode())
        # A name that begins with an equals sign is told apart only by our own reader.
        read = by_rules(file, readers.systemd_version(library))
        ours = dict(f"{name}={value}".split("=", 1) for name, value in read.items())
        assert ours == readers.systemd_itself(library, file)


@pytest.mark.slow
def test_parse_reads_back_what_render_wrote(ten_thousand: list[dict[str, str]]) -> None:
    for variables in ten_thousand:
        expected = {name: envfile.meaning(envfile.Written(value)) for name, value in variables.items()}
        assert envfile.parse(envfile.render(variables)) == expected


@pytest.mark.slow
@pytest.mark.proves("env.data")
def test_data_keeps_the_quotes_that_it_has(tmp_path: Path, ten_thousand: list[dict[str, str]]) -> None:
    """A password may look like a quoted word."""
    words = {"A": "'word'", "B": '"word"', "C": "plain"}
    for variables in (words, *ten_thousand[:10]):
        file = tmp_path / "file.env"
        file.write_bytes(envfile.render(variables, data=variables).encode())
        assert by_rules(file) == variables
        assert readers.shell("/bin/sh", file).items() >= variables.items()
        assert envfile.parse(file.read_bytes().decode()) == variables
    assert envfile.parse(envfile.render(words, data=["B"])) == {**words, "A": "word"}


@pytest.mark.proves("env.data")
@pytest.mark.parametrize("left_out", list('"\\$`'))
def test_every_escape_is_needed(left_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = "".join(character for character in '"\\$`' if character != left_out)
    monkeypatch.setattr(envfile, "_SPECIAL", re.compile(f"[{re.escape(others)}]"))
    some = batches(400, SEED, size=20)
    assert differences(lambda file: readers.shell("/bin/sh", file), tmp_path, some) > 0


@pytest.mark.proves("env.quoted-word")
@pytest.mark.parametrize("let_in", ["$", "`", "\\"])
def test_double_quoted_words_are_taken_as_they_are_only_when_both_read_them_the_same(
    let_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = "".join(character for character in '"$`\\' if character != let_in)
    monkeypatch.setattr(envfile, "_DOUBLE", re.compile(f'"[^{re.escape(refused)}]*"'))
    some = [{"V": f'"{let_in}{let_in}x{let_in}"'}]
    assert differences(lambda file: readers.shell("/bin/sh", file), tmp_path, some) > 0


@pytest.mark.proves("env.quoted-word", "env.data")
@pytest.mark.parametrize(
    ("value", "written", "read"),
    [
        ("plain", '"plain"', "plain"),
        ("", '""', ""),
        ("'bar < baz'", "'bar < baz'", "bar < baz"),
        ('"bar < baz"', '"bar < baz"', "bar < baz"),
        ("''", "''", ""),
        ('""', '""', ""),
        ("'$HOME'", "'$HOME'", "$HOME"),
        ("'a\nb'", "'a\nb'", "a\nb"),
        ("'back\\slash'", "'back\\slash'", "back\\slash"),
        ("'", '"\'"', "'"),
        ('"', '"\\""', '"'),
        ("'a'b'", "\"'a'b'\"", "'a'b'"),
        ("'a' 'b'", "\"'a' 'b'\"", "'a' 'b'"),
        ('"$x"', '"\\"\\$x\\""', '"$x"'),
        ('"`x`"', '"\\"\\`x\\`\\""', '"`x`"'),
        ('"a\\n"', '"\\"a\\\\n\\""', '"a\\n"'),
        ("a$b", '"a\\$b"', "a$b"),
        ("a\\", '"a\\\\"', "a\\"),
        ("#no comment", '"#no comment"', "#no comment"),
        (" spaces ", '" spaces "', " spaces "),
        ("line\r\nline\n", '"line\r\nline\n"', "line\r\nline\n"),
        ("!history", '"!history"', "!history"),
        ('{"a": "b"}', '"{\\"a\\": \\"b\\"}"', '{"a": "b"}'),
        ("postgres://u:p%24@h/d", '"postgres://u:p%24@h/d"', "postgres://u:p%24@h/d"),
    ],
)
def test_exact_forms(value: str, written: str, read: str) -> None:
    assert envfile.quote(value) == written
    assert envfile.meaning(envfile.Written(value)) == read


@pytest.mark.proves("env.one-each")
def test_the_whole_file() -> None:
    text = envfile.render({"B": "2", "A": "-----BEGIN KEY-----\nx\n", "a": "'one word'"})
    assert text == envfile.HEADER + 'A="-----BEGIN KEY-----\nx\n"\nB="2"\na=\'one word\'\n'


def test_no_variables_is_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "file.env"
    file.write_text(envfile.render({}))
    assert by_rules(file) == {}
    assert file.read_text() == envfile.HEADER


@pytest.mark.proves("env.refused-values")
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("A", "x\0y", "NUL"),
        ("A", "'x\0y'", "NUL"),
        ("A", "\ud800", "not valid text"),
        ("A", "\ufffe", "not valid text"),
        ("A", "\ufdd0", "not valid text"),
        ("A", "\U0010ffff", "not valid text"),
        ("A", "x" * (envfile.MAX_VALUE_BYTES + 1), "longer than 96 KiB"),
        ("A", "é" * (envfile.MAX_VALUE_BYTES // 2 + 1), "longer than 96 KiB"),
        ("1A", "x", "begin with a digit"),
        ("A-B", "x", "letters, digits and underscores"),
        ("A B", "x", "letters, digits and underscores"),
        ("A\n", "x", "letters, digits and underscores"),
        ("É", "x", "letters, digits and underscores"),
        ("", "x", "letters, digits and underscores"),
        ("UID", "x", "a shell sets this name"),
    ],
)
def test_what_cannot_be_held_is_refused_without_repeating_it(name: str, value: str, says: str) -> None:
    with pytest.raises(envfile.EnvError) as caught:
        envfile.render({name: value})
    assert says in str(caught.value)
    assert caught.value.name == name
    assert len(value) < 2 or value not in str(caught.value)


def test_the_longest_variable_is_one_that_a_process_takes(tmp_path: Path) -> None:
    file = tmp_path / "file.env"
    longest = "x" * envfile.MAX_VALUE_BYTES
    file.write_text(envfile.render({"A": longest}))
    assert readers.shell("/bin/sh", file)["A"] == longest


def test_what_is_refused_for_systemd_is_what_systemd_refuses(tmp_path: Path) -> None:
    library = readers.systemd_library()
    if library is None:
        pytest.skip("this machine has no libsystemd-shared, so systemd's own parser cannot be called")
    file = tmp_path / "file.env"
    for code in (0xFDCF, 0xFDD0, 0xFDEF, 0xFDF0, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFE, 0x10FFFD, 0x10FFFF):
        file.write_bytes(f'A="{chr(code)}"\n'.encode())
        try:
            readers.systemd_itself(library, file)
            held = True
        except readers.Unreadable:
            held = False
        assert (envfile.refusal("A", chr(code)) is None) is held, hex(code)


@pytest.mark.proves("env.source")
@pytest.mark.parametrize("name", sorted(envfile.SHELL_NAMES))
def test_names_of_the_shell_are_refused_for_a_reason(name: str, tmp_path: Path) -> None:
    """In at least one shell the file would not be read, or another value would be seen."""
    file = tmp_path / "file.env"
    file.write_text(f'{name}="a text"\n')
    seen = []
    for program in SHELLS:
        try:
            seen.append(readers.shell(program, file).get(name))
        except readers.Unreadable:
            seen.append(None)
    assert seen != ["a text", "a text"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=b\n", {"A": "b"}),
        ("A='b'", {"A": "b"}),
        ("# of the team\n\nA='b'\n\nB=c\n", {"A": "b", "B": "c"}),
        ("A=\"x\ny\"\nA='2'\n", {"A": "2"}),
    ],
)
def test_parse_reads_what_people_wrote(text: str, values: dict[str, str], tmp_path: Path) -> None:
    """Env files of before are taken over by it; both readers agree."""
    file = tmp_path / "file.env"
    file.write_text(text)
    assert envfile.parse(text) == values == by_rules(file)
    assert readers.shell("/bin/sh", file).items() >= values.items()
