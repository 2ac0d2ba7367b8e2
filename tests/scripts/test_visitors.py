"""What a switch warns of that visitors would find broken though the site answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.release.record import VisitorFacts
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import visitors
from codesensei.wire import paths
from codesensei.wire.manifest import File, Manifest, Unit
from tests.scripts import examples

RELEASE = Release(paths.ProjectPaths("shop"), "aaaaaaa-bbbbbbb", "deploy", ".", "shop.settings")
COOKIES = VisitorFacts(secure_cookies=("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"))
LAYERS = VisitorFacts(layers_in_memory=("CHANNEL_LAYERS['default']",))
DOMAIN = VisitorFacts(cookie_domains={"SESSION_COOKIE_DOMAIN": ".example.com"})


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The one warning about a release, or the empty text."""

    def of(found: VisitorFacts | None, manifest: Manifest | None = None, **changes: Any) -> str:
        facts = examples.facts(visitors=found, **changes)
        monkeypatch.setattr(Release, "facts", facts)
        told = [*visitors.warnings(RELEASE, manifest or wanted())]
        assert len(told) < 2
        return "".join(told)

    return of


def wanted(*hosts: str, scheme: Any = "https", processes: int | None = 3, **changes: Any) -> Manifest:
    usual = examples.MANIFEST
    health = replace(usual.health, hosts=hosts or ("shop.example.com",), scheme=scheme)
    return replace(usual, health=health, candidate=replace(usual.candidate, workers=processes), **changes)


@pytest.mark.proves("switch.visitors")
def test_nothing_is_said_where_nothing_is_wrong_or_nobody_asked(warned: Any) -> None:
    assert warned(VisitorFacts()) == warned(None) == ""


@pytest.mark.proves("switch.visitors")
def test_what_each_process_has_for_itself(warned: Any) -> None:
    said = warned(VisitorFacts(sessions_in="CACHES['default']"))
    assert said.startswith("sessions are kept in CACHES['default'] alone")
    assert "cached_db" in said
    assert "does not reach others (3 web processes); use" in warned(LAYERS)
    assert warned(LAYERS, wanted(processes=None)) == ""
    mail = Unit(name="shop-mail.service", kind="worker", stop_timeout=600)
    assert "(the web process, shop-mail.service)" in warned(LAYERS, wanted(processes=1, units=(mail,)))


@pytest.mark.proves("switch.visitors")
def test_secure_cookies_without_https(warned: Any) -> None:
    plain = wanted(scheme="http")
    said = warned(COOKIES, plain)
    assert said.startswith("SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE are True, and the site has no HTTPS")
    assert "set codesensei:tls, or" in said
    assert warned(COOKIES) == ""
    assert warned(COOKIES, wanted("localhost", scheme="http")) == ""
    assert warned(COOKIES, replace(plain, health=replace(plain.health, external_tls=True))) == ""
    # A load balancer that the site trusts may have it.
    site = File(path="/etc/nginx/sites-available/codesensei-shop.conf", content="real_ip_header X-Forwarded-For;")
    assert warned(COOKIES, replace(plain, files=(site,))) == ""


@pytest.mark.proves("switch.visitors")
@pytest.mark.parametrize(
    ("hosts", "lost"),
    [
        (("shop.example.com",), ""),
        (("example.com", "*.example.com"), ""),
        (("shop.example.com", "shop.example.net"), "shop.example.net"),
        (("notexample.com",), "notexample.com"),
        (("203.0.113.7",), "203.0.113.7"),
    ],
)
def test_cookies_of_another_domain(warned: Any, hosts: tuple[str, ...], lost: str) -> None:
    said = warned(DOMAIN, wanted(*hosts))
    assert said.startswith(
        f"SESSION_COOKIE_DOMAIN is .example.com: browsers do not keep that cookie at {lost},"
    ) == bool(lost)


@pytest.mark.proves("switch.visitors")
@pytest.mark.parametrize(
    ("mode", "group", "said"),
    [
        ("none", False, "FILE_UPLOAD_PERMISSIONS is None: uploads above 2.5 MB"),
        ("0600", True, "FILE_UPLOAD_PERMISSIONS gives uploads the mode 0600"),
        ("0640", False, "FILE_UPLOAD_PERMISSIONS gives uploads the mode 0640"),
        ("0640", True, ""),
        ("0644", False, ""),
    ],
)
def test_uploads_that_nginx_may_not_read(warned: Any, server: Path, mode: str, group: bool, said: str) -> None:
    media = RELEASE.project.shared / "media"
    media.mkdir(parents=True)
    media.chmod(0o2755 if group else 0o755)
    found = VisitorFacts(upload_mode=mode)
    assert warned(found, wanted(media_url="/media/"))[: len(said) or None] == said
    assert warned(found) == ""
    assert warned(found, wanted(media_url="/media/"), uploads_on_disk=False) == ""


@pytest.mark.proves("media.unserved")
def test_uploads_that_nobody_serves(warned: Any) -> None:
    found = VisitorFacts(uploads_unserved="shop.Product.photo")
    said = warned(found, media_url="/media/")
    assert said.startswith("files of shop.Product.photo have addresses below MEDIA_URL, /media/, which nobody serves:")
    assert "set project.mediaServing: proxy, or internal" in said
    assert warned(found, wanted(media_url="/media/")) == ""


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.proves("switch.visitors")
def test_mail_that_is_not_sent(warned: Any, port: int) -> None:
    console = VisitorFacts(mail_to="django.core.mail.backends.console.EmailBackend")
    assert warned(console) == ""
    assert warned(console, wanted(production=True)).startswith(f"EMAIL_BACKEND is {console.mail_to}: no mail is sent")
    assert warned(VisitorFacts(mail_to=f"127.0.0.1:{port}")) == ""
    assert "the mail server 127.0.0.1:1 cannot be reached" in warned(VisitorFacts(mail_to="127.0.0.1:1"))
    assert "cannot be reached" in warned(VisitorFacts(mail_to="no-such-host.invalid:587"))
