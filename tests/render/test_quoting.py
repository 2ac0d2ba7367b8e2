"""One table of nasty values per language, with the exact text."""

from __future__ import annotations

import subprocess

import pytest

from codesensei.render import nginx, shell, systemd

NASTY = [
    "",
    " ",
    "'",
    '"',
    "\\",
    "$HOME",
    "`id`",
    "#",
    "%n",
    "%%",
    "a b",
    "é",
    "😀",
    "\n",
    "\t",
    "!x",
    "~",
    "*",
    ";",
    "-n",
    "a=b",
]


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", "''"),
        ("plain-1.0_x@y%z+=:,./", "plain-1.0_x@y%z+=:,./"),
        ("a b", "'a b'"),
        ("it's", "'it'\"'\"'s'"),
        ('"', "'\"'"),
        ("$HOME", "'$HOME'"),
        ("`id`", "'`id`'"),
        ("a\nb", "'a\nb'"),
        ("~", "'~'"),
        ("é", "'é'"),
    ],
)
def test_shell(value: str, quoted: str) -> None:
    assert shell.quote(value) == quoted


def test_a_shell_reads_each_word_back() -> None:
    line = shell.join(["printf", "%s\\0", *NASTY])
    seen = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True).stdout.decode()
    assert seen.split("\0")[:-1] == NASTY


def test_no_shell_word_holds_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        shell.quote("a\0b")


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", '""'),
        ("--workers", "--workers"),
        ("unix:/srv/a.sock", "unix:/srv/a.sock"),
        ("a b", '"a b"'),
        ("100%", "100%%"),
        ("%n %i", '"%%n %%i"'),
        ("$HOME", '"$$HOME"'),
        ("${HOME}", '"$${HOME}"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("it's", '"it\'s"'),
        ("back\\slash", '"back\\\\slash"'),
        ("end\\", '"end\\\\"'),
        ("line\nbreak", '"line\\x0abreak"'),
        ("tab\t", '"tab\\x09"'),
        (";", '";"'),
        ("é 😀", '"é 😀"'),
    ],
)
def test_an_argument_of_exec_start(value: str, quoted: str) -> None:
    assert systemd.word(value) == quoted


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("x", "A=x"),
        ("", "A="),
        ("a b", '"A=a b"'),
        ("$HOME", '"A=$HOME"'),
        ("50%", "A=50%%"),
        ('"', '"A=\\""'),
        ("\\", '"A=\\\\"'),
        ("a\nb", '"A=a\\x0ab"'),
        ("'", '"A=\'"'),
    ],
)
def test_an_assignment(value: str, quoted: str) -> None:
    assert systemd.assignment("A", value) == quoted


@pytest.mark.parametrize(
    ("value", "text"),
    [("Shop", "Shop"), ("100% of $5", "100%% of $5"), ('The "Shop"', 'The "Shop"'), ("a\\b", "a\\b"), ("Café", "Café")],
)
def test_a_text(value: str, text: str) -> None:
    assert systemd.text(value) == text


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "a\tb", "ends with \\", " begins", "ends "])
def test_what_a_text_cannot_hold(value: str) -> None:
    with pytest.raises(ValueError, match="cannot"):
        systemd.text(value)


@pytest.mark.parametrize("value", ["", "relative", "-/optional", "~"])
def test_a_path_is_absolute(value: str) -> None:
    with pytest.raises(ValueError, match="not an absolute path"):
        systemd.path(value)


@pytest.mark.parametrize("program", ["gunicorn", "/bin/a b", "/bin/$x", "-/bin/sh", "@/bin/sh"])
def test_a_program_is_a_plain_path(program: str) -> None:
    with pytest.raises(ValueError, match="not a program"):
        systemd.command([program])


def test_a_variables_name_is_one() -> None:
    with pytest.raises(ValueError, match="not a variable's name"):
        systemd.assignment("A B", "x")


@pytest.mark.parametrize(
    ("value", "plain", "quoted"),
    [
        ("", '""', '""'),
        ("/static/", '"/static/"', '"/static/"'),
        ("a b;{}", '"a b;{}"', '"a b;{}"'),
        ('say "hi"', '"say \\"hi\\""', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"', '"back\\\\slash"'),
        ("it's", '"it\'s"', '"it\'s"'),
        ("$uri", '"$uri"', '"${codesensei_dollar}uri"'),
        ("#", '"#"', '"#"'),
        ("é", '"é"', '"é"'),
    ],
)
def test_nginx(value: str, plain: str, quoted: str) -> None:
    assert nginx.plain(value) == plain
    assert nginx.quote(value) == quoted


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "a\rb"])
def test_nginx_refuses_control_characters(value: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        nginx.plain(value)


@pytest.mark.parametrize(
    ("hostname", "written"),
    [
        ("shop.example.com", "shop.example.com"),
        ("SHOP.Example.com", "shop.example.com"),
        ("localhost", "localhost"),
        ("*.example.com", "*.example.com"),
        (".example.com", ".example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:0::1", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_server_names(hostname: str, written: str) -> None:
    assert nginx.server_names([hostname, "b.example"]) == f"{written} b.example"


@pytest.mark.parametrize(
    "hostname",
    ["", "a b", "a;b", "~^.*$", "_ ", "a..b", "-a", "a_.com;", "$host", "a/b", "a:80", "é.com", "a" * 254, "a\nb", '"'],
)
def test_what_is_no_server_name(hostname: str) -> None:
    with pytest.raises(ValueError, match="not a hostname"):
        nginx.server_names([hostname])
