"""The error catalogue: the example with one change, and exactly the text that the user sees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pulumi
import pytest

from codesensei.config import BadConfig
from codesensei.render import systemd
from tests.config.bad import BAD, DOMAINS, OWN_ENV, TLS, Bad, secret_url
from tests.config.engine import changed, load_text


@pytest.mark.proves(
    "config.refused",
    "preview.config",
    "env.refused-types",
    "env.refused-values",
    "env.secret-plain",
    "env.maps",
    "web.workers",
    "config.slug",
    "config.seconds",
    "config.server.host-key",
    "user.refused",
    "register.reserved-units",
    "register.reserved-databases",
    "config.source.git",
    "asgi.server",
    "broker.parts",
    "backups.target",
    "config.server.address",
    "config.unused-secrets",
    "continuous.refused",
    "policy.waive",
)
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.rule)
def test_one_change_is_refused_with_its_fix(bad: Bad, tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, changed(bad.old, bad.new))
    head = "the stack config has 1 problem, nothing was run:\n  codesensei:"
    assert str(caught.value) == head + bad.text
    assert [problem.rule for problem in caught.value.problems] == [bad.rule]
    assert "canary" not in repr(caught.value.problems) + str(caught.value)


def test_no_two_are_stopped_by_the_same_rule() -> None:
    counts = Counter(bad.rule for bad in BAD)
    assert len(BAD) >= 45
    assert [rule for rule, count in counts.items() if count > 1] == []


def test_a_key_that_nothing_reads_is_unknown(tmp_path: Path) -> None:
    """Whoever sets one must not believe that it has an effect."""
    place = "  codesensei:drift: true\n"
    with pytest.raises(BadConfig, match="waved: unknown key"):
        load_text(tmp_path, changed(place, f"{place}  codesensei:waved: 3\n"))


def test_an_error_ends_the_program_without_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError):
        load_text(tmp_path, changed("slug: shop", "slug: Shop"))


@pytest.mark.proves("preview.config")
def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Keys, combinations of keys, variables and secrets in one run."""
    text = changed("    user: root\n", "    user: deploy\n")
    for old, new in (
        ("  codesensei:drift: true\n", "  codesensei:drift: true\n  codesensei:domans: []\n"),
        ("interface: auto", "interface: http"),
        ("  # codesensei:digestKey: {secure: …}\n", "  codesensei:digestKey: canary-in-plain-text\n"),
        ('GUNICORN_WORKERS: "3"', "GUNICORN_WORKERS: none"),
    ):
        text = text.replace(old, new)
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, text)
    assert sorted(problem.rule for problem in caught.value.problems) == [
        "choice",
        "secret-in-plain",
        "unknown-key",
        "user-is-login-user",
        "worker-count",
    ]
    assert str(caught.value).startswith("the stack config has 5 problems, nothing was run:\n")


@pytest.mark.proves("preview.config")
@pytest.mark.parametrize(
    "spoilt",
    ["lockTimeout: 5", "port: 22\n    user: root", "timeout: 60", "singleton: true"],
    ids=lambda text: text.partition(":")[0],
)
def test_a_mistake_hides_no_other_that_has_nothing_to_do_with_it(spoilt: str, tmp_path: Path) -> None:
    key, _, rest = spoilt.partition(": ")
    text = changed(*secret_url("clear:postgres://shop@127.0.0.1/shop"))
    for old, new in (
        (f" {spoilt}", f" {key}: [x]{rest.removeprefix('22')}" if "\n" in spoilt else f" {key}: [x]"),
        ("    user: root\n", "    user: deploy\n"),
        (OWN_ENV, f"    API_TOKEN: x\n{OWN_ENV}"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, text)
    rules = [problem.rule for problem in caught.value.problems]
    assert rules[1:] == ["user-is-login-user", "secret-and-plain", "url-password"]


@pytest.mark.proves("config.hints")
@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("*.münchen.de", "write *.xn--mnchen-3ya.de"),
        ("*.Shop.de", "write it as *.shop.de"),
        ("straße.de", "write it in punycode: xn--…"),
        ("*.straße.de", "write it in punycode: xn--…"),
    ],
)
def test_a_suggested_name_is_the_same_name(name: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, changed("[shop.example.com]", f'["{name}"]'))
    assert caught.value.problems[0].fix == fix


@pytest.mark.proves("config.system-packages")
@pytest.mark.parametrize("name", ["nginx-", "nginx-:amd64", "nginx:amd64-"])
def test_a_package_that_apt_would_remove_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"project\.systemPackages\[0\]: .* is not the name of a package"):
        load_text(tmp_path, changed("    systemPackages: []\n", f'    systemPackages: ["{name}"]\n'))


@pytest.mark.proves("config.unit-text")
@pytest.mark.parametrize("value", [" Shop", "Shop ", "Shop\u00a0", "Shop\\"])
def test_a_name_that_a_unit_cannot_hold_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a unit's setting cannot"):
        systemd.text(value)
    with pytest.raises(BadConfig, match=r"project\.name: .* which a unit cannot hold"):
        load_text(tmp_path, changed("name: Shop", f"name: '{value}'"))


@pytest.mark.proves("config.unit-text")
@pytest.mark.parametrize("value", ["app ", "app /", "./app\\//"])
def test_a_directory_that_a_unit_cannot_hold_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"project\.directory: .* which a unit cannot hold"):
        load_text(tmp_path, changed("    directory: .\n", f"    directory: '{value}'\n"))


ACME = "  codesensei:tls: acme\n"


@pytest.mark.proves("preview.config")
@pytest.mark.parametrize(
    ("old", "new", "silent"),
    [
        ("    user: deploy\n", "    user: www-data\n", "user-is-login-user"),
        ("  codesensei:env:\n", "  codesensei:env:\n    DB-PASS: x\n", "secret-and-plain"),
        ("    interface: auto\n", "    interface: http\n", "server-interface"),
        (DOMAINS + ACME, "  codesensei:domains: [shop_1.example.com]\n" + ACME, "acme-needs-name"),
    ],
    ids=["user", "env", "interface", "domains"],
)
def test_a_rule_is_not_asked_about_what_is_wrong(old: str, new: str, silent: str, tmp_path: Path) -> None:
    """Its answer would be about a value that the user did not mean."""
    text = changed("    server: auto\n", "    server: uvicorn\n").replace("    user: root\n", "    user: www-data\n")
    text = text.replace(OWN_ENV, f"    API_TOKEN: x\n{OWN_ENV}").replace(TLS, "").replace(DOMAINS, DOMAINS + ACME)
    assert text.count(old) == 1
    text = text.replace(old, new)
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, text)
    assert silent not in [problem.rule for problem in caught.value.problems]
