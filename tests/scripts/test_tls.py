"""Certificates: what is staged, what is refused, what is kept."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import nginx
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.serving import certificates
from codesensei.scripts.serving import pair as certificate
from codesensei.scripts.steps import tls
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Tls
from tests.scripts.conftest import fingerprints
from tests.scripts.manifests import PROJECT, manifest

HOSTS = ("shop.example.com", "203.0.113.7", "2001:db8::7", "*.apps.example.com")


@pytest.fixture
def memory(server: Path) -> Path:
    (server / "memory/shop").mkdir()
    return server / "memory/shop"


@pytest.fixture(scope="module")
def pair() -> certificate.Pair:
    return certificate.self_signed(["shop.example.com"])


def openssl(*words: str) -> str:
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_given_pair_is_staged_for_root_alone_and_again_unchanged(
    memory: Path, make_step: Any, pair: certificate.Pair
) -> None:
    tls.run(make_step("tls", "abc", data=Tls(certificate=pair.certificate, key=pair.key)))
    folder = memory / "tls/abc"
    assert (folder / "key.pem").read_text() == pair.key
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    before = fingerprints(memory)
    again = make_step("tls", "abc", data=Tls(certificate=pair.certificate, key=pair.key))
    tls.run(again)
    assert again.changes == 0
    assert fingerprints(memory) == before


def test_a_key_of_another_certificate_is_refused(memory: Path, make_step: Any, pair: certificate.Pair) -> None:
    other = certificate.self_signed(["other.example.com"])
    with pytest.raises(Failure, match="do not belong together"):
        tls.run(make_step("tls", "abc", data=Tls(certificate=pair.certificate, key=other.key)))
    assert not (memory / "tls").exists()


@pytest.mark.slow
@pytest.mark.parametrize("days", [("20200101000000Z", "20200201000000Z"), ("20990101000000Z", "20990201000000Z")])
def test_a_certificate_that_is_not_valid_now_is_refused(
    memory: Path, make_step: Any, tmp_path: Path, days: tuple[str, str]
) -> None:
    key, request, certificate = tmp_path / "key", tmp_path / "request", tmp_path / "certificate"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(request), "-subj", "/CN=old")
    (tmp_path / "index").write_text("")
    (tmp_path / "serial").write_text("01")
    config = tmp_path / "config"
    config.write_text(
        f"[ca]\ndefault_ca=x\n[x]\ndatabase={tmp_path}/index\nserial={tmp_path}/serial\nnew_certs_dir={tmp_path}\n"
        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    )
    words = ["ca", "-batch", "-config", str(config), "-selfsign", "-keyfile", str(key), "-in", str(request)]
    openssl(*words, "-out", str(certificate), "-startdate", days[0], "-enddate", days[1], "-notext")
    with pytest.raises(Failure, match="has expired" if days[1] < "2021" else "not valid before 2099-01-01"):
        tls.run(make_step("tls", "abc", data=Tls(certificate=certificate.read_text(), key=key.read_text())))


@pytest.mark.parametrize(("part", "reason"), [("certificate", "certificate cannot be read"), ("key", "key cannot be")])
def test_what_is_no_pem_is_refused_without_showing_it(
    memory: Path, make_step: Any, pair: certificate.Pair, part: str, reason: str
) -> None:
    texts = {"certificate": pair.certificate, "key": pair.key, part: "canary-51f0"}
    data = Tls(certificate=texts["certificate"], key=texts["key"])
    with pytest.raises(Failure, match=reason) as refused:
        tls.run(make_step("tls", "abc", data=data))
    assert "canary" not in refused.value.text()


def test_an_encrypted_key_is_refused_and_nobody_is_asked(
    memory: Path, make_step: Any, pair: certificate.Pair, tmp_path: Path
) -> None:
    (tmp_path / "plain").write_text(pair.key)
    locked = openssl("pkey", "-in", str(tmp_path / "plain"), "-aes256", "-passout", "pass:secret")
    with pytest.raises(Failure, match="encrypted"):
        tls.run(make_step("tls", "abc", data=Tls(certificate=pair.certificate, key=locked)))


def test_a_self_signed_one_names_all_hosts_and_is_kept(memory: Path, make_step: Any) -> None:
    tls.run(make_step("tls", "abc", data=Tls(self_signed=HOSTS)))
    text = openssl("x509", "-in", str(memory / "tls/abc/certificate.pem"), "-noout", "-ext", "subjectAltName")
    for name in ("DNS:shop.example.com", "IP Address:203.0.113.7", "IP Address:2001:DB8:0:0:0:0:0:7", "DNS:*.apps"):
        assert name in text
    before = fingerprints(memory)
    again = make_step("tls", "abc", data=Tls(self_signed=HOSTS))
    tls.run(again)
    assert again.changes == 0
    assert fingerprints(memory) == before


@pytest.mark.slow
def test_a_self_signed_one_is_made_again_for_other_hosts_or_near_its_end(
    memory: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls.run(make_step("tls", "abc", data=Tls(self_signed=HOSTS)))
    step = make_step("tls", "abc", data=Tls(self_signed=HOSTS[:1]))
    tls.run(step)
    assert step.changes == 1
    monkeypatch.setattr(tls, "RENEW_BEFORE_DAYS", certificate.SELF_SIGNED_DAYS + 1)
    step = make_step("tls", "abc", data=Tls(self_signed=HOSTS[:1]))
    tls.run(step)
    assert step.changes == 1


@pytest.mark.parametrize("name", ["a,DNS:evil.example", "a b", "", "-x", "a\nb", "a/b"])
def test_what_is_no_hostname_never_reaches_openssl(name: str) -> None:
    with pytest.raises(Failure, match="not a hostname"):
        certificate.alternative_names([name])


@pytest.mark.parametrize("digest", ["../x", "", "a/b"])
def test_a_digest_is_never_a_path(memory: Path, make_step: Any, digest: str) -> None:
    with pytest.raises(Failure, match="digest is not one"):
        tls.run(make_step("tls", digest, data=Tls(self_signed=HOSTS)))


@pytest.mark.proves("tls.covers")
@pytest.mark.parametrize(
    ("hostname", "covered"),
    [
        ("shop.example.com", True),
        ("a.apps.example.com", True),
        ("*.apps.example.com", True),
        ("203.0.113.7", True),
        ("apps.example.com", False),
        ("a.b.apps.example.com", False),
        ("*.example.com", False),
    ],
)
def test_hostnames_that_a_certificate_is_not_for_are_named(memory: Path, hostname: str, covered: bool) -> None:
    project = ProjectPaths("shop")
    assert certificates.uncovered(project, "abc", [hostname]) == []
    folder = project.tls("abc")
    folder.mkdir(parents=True)
    (folder / "certificate.pem").write_text(certificate.self_signed(HOSTS).certificate)
    said = certificates.uncovered(project, "abc", [hostname])
    assert [f", not for {hostname}: browsers refuse it there" in text for text in said] == [True] * (not covered)


@pytest.mark.proves("config.drift.certificate")
@pytest.mark.parametrize(("served", "reloads"), [("abc", 1), ("other", 0)])
def test_a_served_certificate_that_somebody_has_changed_is_read_again(
    memory: Path, make_step: Any, pair: certificate.Pair, monkeypatch: pytest.MonkeyPatch, served: str, reloads: int
) -> None:
    reloaded: list[object] = []
    monkeypatch.setattr(nginx, "reload", lambda: reloaded.append(1))
    given = Tls(certificate=pair.certificate, key=pair.key)
    tls.run(make_step("tls", "abc", data=given))
    write_json(PROJECT.live, codec.encode(manifest(tls=served)))
    tls.run(make_step("tls", "abc", data=given))
    assert reloaded == []
    (memory / "tls/abc/certificate.pem").write_text("by hand")
    tls.run(make_step("tls", "abc", data=given))
    assert len(reloaded) == reloads


@pytest.mark.proves("look.certificate")
@pytest.mark.parametrize(("days", "acme", "told"), [(13, False, True), (15, False, False), (15, True, True)])
def test_a_certificate_that_ends_soon_is_told(
    memory: Path, monkeypatch: pytest.MonkeyPatch, days: int, acme: bool, told: bool
) -> None:
    monkeypatch.setattr(certificate, "SELF_SIGNED_DAYS", days)
    folder = memory / ("tls/abc/live" if acme else "tls/abc")
    folder.mkdir(parents=True)
    (folder / "certificate.pem").write_text(certificate.self_signed(["shop.example.com"]).certificate)
    write_json(PROJECT.live, codec.encode(manifest(tls="abc", acme=acme)))
    found = list(certificates.ending(PROJECT))
    assert len(found) == told
    for finding in found:
        assert finding.thing == "certificate"
        assert ("certbot renew" if acme else "codesensei:tls") in finding.fix
