"""Certificates of an authority: which one is asked for, which one is shown, and what is said when there is none."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, nginx, units
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.serving import certificates, dns
from codesensei.scripts.serving import pair as certificate
from codesensei.scripts.serving.certificates import Folder, Held
from codesensei.scripts.steps import acme
from codesensei.wire import codec, paths
from codesensei.wire.paths import ProjectPaths
from tests.scripts.conftest import fingerprints
from tests.scripts.examples import ACME, MANIFEST

pytestmark = pytest.mark.slow

DIRECTORY = ACME.directory
DIGEST = "0123456789abcdef"
FAILED = """Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported:
  Domain: b.example
  Type:   unauthorized
  Detail: 203.0.113.9: Invalid response from
http://b.example/.well-known/acme-challenge/x: 404

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

Some challenges have failed.
"""
LIMIT = (
    "An unexpected error occurred:\nError creating new order :: too many certificates (5) already issued, retry after x"
)


class Certbot:
    """certbot, nginx and systemctl; what it issues is self-signed, which nobody here looks at."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, list[list[str]]()
        self.refused: dict[str, str] = {}
        self.nginx_refuses = False

    def command(self, argv: Sequence[str], **options: Any) -> Result:
        if argv[0] == "openssl":
            done = subprocess.run(
                list(argv), input=options.get("input"), capture_output=True, text=True, check=False, timeout=60
            )
            return Result(done.stdout, done.stderr, done.returncode)
        self.calls.append(list(argv))
        if argv[:2] == ["certbot", "certonly"]:
            return self._issue(argv)
        return Result("", "refused" if self.nginx_refuses else "", int(self.nginx_refuses and argv[0] == "nginx"))

    def systemctl(self, *words: str, check: bool = True) -> Result:
        self.calls.append(["systemctl", *words])
        return Result("", "", 0)

    def _issue(self, argv: Sequence[str]) -> Result:
        if "all" in self.refused:
            return Result("", self.refused["all"], 1)
        names = [word.partition("=")[2] for word in argv if word.startswith("--domain=")]
        given = [name for name in names if name not in self.refused]
        server = next(word.partition("=")[2] for word in argv if word.startswith("--server="))
        if given:
            self.put(given, server)
        return Result("".join(self.refused.values()), "", 0 if given else 1)

    def put(self, names: list[str], server: str = DIRECTORY) -> None:
        """Leave a certificate as certbot does."""
        pair = certificate.self_signed(names)
        (self.folder / "renewal").mkdir(parents=True, exist_ok=True)
        (self.folder / "renewal/codesensei-shop.conf").write_text(f"[renewalparams]\nserver = {server}\n")
        place = self.folder / "live/codesensei-shop"
        place.mkdir(parents=True, exist_ok=True)
        (place / "fullchain.pem").write_text(pair.certificate)
        (place / "privkey.pem").write_text(pair.key)

    @property
    def asked(self) -> list[list[str]]:
        """The names of each certificate that was asked for."""
        return [
            [word.partition("=")[2] for word in call if word.startswith("--domain=")]
            for call in self.calls
            if call[:2] == ["certbot", "certonly"]
        ]


@pytest.fixture
def certbot(server: Path, monkeypatch: pytest.MonkeyPatch) -> Certbot:
    fake = Certbot(paths.SERVER.certbot)
    (server / "memory/shop").mkdir()
    monkeypatch.setattr(commands, "run", fake.command)
    for module in (acme, nginx, units):
        monkeypatch.setattr(module, "systemctl", fake.systemctl)
    monkeypatch.setattr(dns, "why_not", lambda name: ("DNS knows no address", "x") if "nowhere" in name else None)
    return fake


@pytest.fixture
def obtain(certbot: Certbot, make_step: Any) -> Any:
    """`obtain(*names)`: one run of the step; the step, and its warnings."""

    def run(*names: str, directory: str = DIRECTORY, root: str = "", digest: str = DIGEST) -> tuple[Any, list[str]]:
        data = replace(ACME, hostnames=names, directory=directory, root_certificate=root)
        step = make_step("acme", digest, data=data)
        acme.run(step)
        return step, list(step.result.warnings)

    return run


def serve(server: Path, digest: str = DIGEST) -> None:
    write_json(server / "memory/shop/live.json", codec.encode(replace(MANIFEST, tls=digest, acme=True)))


def live(server: Path, digest: str = DIGEST) -> Path:
    return server / "memory/shop/tls" / digest / "live"


def test_a_certificate_is_asked_for_once(obtain: Any, certbot: Certbot, server: Path) -> None:
    step, warnings = obtain("a.example", "b.example")
    assert (warnings, certbot.asked) == ([], [["a.example", "b.example"]])
    assert step.changes == 1
    assert {path.stat().st_mode & 0o777 for path in live(server).iterdir()} == {0o600}
    before = fingerprints(server / "memory")
    step, warnings = obtain("a.example", "b.example")
    assert (step.changes, warnings, len(certbot.asked)) == (0, [], 1)
    assert fingerprints(server / "memory") == before


def test_a_name_that_leads_elsewhere_is_not_asked_for(obtain: Any, certbot: Certbot) -> None:
    _, warnings = obtain("a.example", "nowhere.example")
    assert certbot.asked == [["a.example"]]
    assert warnings == [
        "no valid certificate for nowhere.example, and browsers refuse it: DNS knows no address\nfix: x"
    ]
    obtain("a.example", "nowhere.example")
    assert len(certbot.asked) == 1


@pytest.mark.proves("tls.never-down")
def test_without_any_the_site_gets_a_self_signed_one_and_keeps_it(obtain: Any, certbot: Certbot, server: Path) -> None:
    certbot.refused = {"all": LIMIT}
    step, warnings = obtain("a.example")
    assert "rate limit): Error creating new order :: too many certificates (5)" in warnings[0]
    assert "staging directory" in warnings[0]
    first = (live(server) / "certificate.pem").read_text()
    assert certificate.names_of(certificate.Pair(first, "")) == {"a.example"}
    step, _ = obtain("a.example")
    assert step.changes == 0
    certbot.refused = {}
    step, warnings = obtain("a.example")
    assert (step.changes, warnings) == (1, [])
    assert (live(server) / "certificate.pem").read_text() != first


def test_the_authority_s_own_words_reach_the_user(obtain: Any, certbot: Certbot) -> None:
    certbot.refused = {"b.example": FAILED}
    _, warnings = obtain("a.example", "b.example")
    assert len(warnings) == 1
    assert (
        "for b.example, and browsers refuse it: the authority says: 203.0.113.9: Invalid response from http"
        in warnings[0]
    )
    assert "open port 80" in warnings[0]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] x'))", "tls.acme.rootCertificate"),
        ("requests.exceptions.ConnectionError: HTTPSConnectionPool: Max retries exceeded", "cannot be reached"),
        ("ValueError: Requesting 203.0.113.9/dir: Connection refused", "cannot be reached"),
        ("urn:ietf:params:acme:error:externalAccountRequired", "external account binding"),
        ("Unable to register: invalidContact :: bad", "codesensei:tls.acme.email"),
        ("something else", "certbot says: something else"),
    ],
)
def test_known_causes_are_spelled_out(obtain: Any, certbot: Certbot, said: str, told: str) -> None:
    certbot.refused = {"all": said}
    assert told in obtain("a.example")[1][0]


def test_a_name_keeps_its_certificate_while_another_waits_for_its(obtain: Any, certbot: Certbot, server: Path) -> None:
    obtain("a.example")
    certbot.refused = {"all": LIMIT}
    _, warnings = obtain("a.example", "b.example", digest="f" * 16)
    assert len(warnings) == 1
    assert (live(server, "f" * 16) / "certificate.pem").read_text() == (live(server) / "certificate.pem").read_text()


def test_another_authority_is_asked_although_there_is_a_certificate(obtain: Any, certbot: Certbot) -> None:
    obtain("a.example")
    _, warnings = obtain("a.example", directory="https://other.example/dir", digest="f" * 16)
    assert warnings == []
    assert "--force-renewal" in certbot.calls[-1] or any("--force-renewal" in call for call in certbot.calls)
    held = certificates.obtained(ProjectPaths("shop"))
    assert held is not None
    assert held.directory == "https://other.example/dir"


def test_a_renewed_one_is_used_and_nginx_reads_it(obtain: Any, certbot: Certbot, server: Path, make_step: Any) -> None:
    obtain("a.example")
    serve(server)
    certbot.put(["a.example"])
    certbot.calls.clear()
    folder = Folder.served(ProjectPaths("shop"))
    assert folder is not None
    assert folder.install(make_step("renewed"))
    assert certbot.calls[0] == ["nginx", "-t"]
    assert certbot.calls[-1] == ["systemctl", "reload", "nginx.service"]
    assert not folder.install(make_step("renewed"))


def test_what_nginx_refuses_is_put_back(obtain: Any, certbot: Certbot, server: Path, make_step: Any) -> None:
    obtain("a.example")
    serve(server)
    before = (live(server) / "certificate.pem").read_text()
    certbot.put(["a.example"])
    certbot.nginx_refuses = True
    folder = Folder.served(ProjectPaths("shop"))
    assert folder is not None
    with pytest.raises(Failure, match="the one before is"):
        folder.install(make_step("renewed"))
    assert (live(server) / "certificate.pem").read_text() == before
    certbot.nginx_refuses = False
    assert folder.install(make_step("renewed"))
    assert (live(server) / "certificate.pem").read_text() != before


def test_what_the_look_finds(obtain: Any, certbot: Certbot, server: Path) -> None:
    project = ProjectPaths("shop")
    assert list(certificates.lacking(project)) == []
    certbot.refused = {"b.example": FAILED}
    obtain("a.example", "b.example")
    serve(server)
    assert list(certificates.lacking(project)) == ["there is no valid certificate for b.example"]


@pytest.mark.proves("look.services")
@pytest.mark.parametrize(
    ("state", "told"),
    [
        (UnitState(active="active", file="enabled"), []),
        (UnitState(active="inactive", file="disabled"), ["certbot.timer is inactive"]),
        # Another certbot than Debian's.
        (UnitState(active="inactive"), []),
    ],
)
def test_the_timer_that_renews(
    obtain: Any, server: Path, monkeypatch: pytest.MonkeyPatch, state: UnitState, told: list[str]
) -> None:
    obtain("a.example")
    serve(server)
    monkeypatch.setattr(units, "show_all", lambda names: dict.fromkeys(names, state))
    assert list(certificates.lacking(ProjectPaths("shop"))) == told


def test_an_expired_certificate_covers_nothing() -> None:
    pair = certificate.Pair("", "")
    assert Held(pair, DIRECTORY, frozenset({"a"}), time.time() + 60).covers(["a", "b"]) == {"a"}
    assert Held(pair, DIRECTORY, frozenset({"a"}), time.time() - 60).covers(["a"]) == set()
    assert Held(pair, "", frozenset({"a"}), time.time() + 60).covers(["a"]) == set()


def test_the_authority_s_root_is_trusted_and_no_longer(obtain: Any, certbot: Certbot, server: Path) -> None:
    root = server / "authorities/codesensei-shop.crt"
    obtain("a.example", root="PEM\n\n")
    assert root.read_text() == "PEM\n"
    assert certbot.calls.count(["update-ca-certificates"]) == 1
    obtain("a.example", root="PEM")
    assert certbot.calls.count(["update-ca-certificates"]) == 1
    obtain("a.example")
    assert not root.exists()


def test_after_the_switch_only_what_is_named_stays(obtain: Any, server: Path, make_step: Any) -> None:
    obtain("a.example")
    obtain("a.example", "b.example", digest="f" * 16)
    certificates.retire(make_step("switch"), "f" * 16, acme=True)
    assert [path.name for path in (server / "memory/shop/tls").iterdir()] == ["f" * 16]
    certificates.retire(make_step("switch"), None, acme=False)
    assert list((server / "memory/shop/tls").iterdir()) == []


@pytest.mark.parametrize("digest", ["../x", "", "A" * 16])
def test_a_digest_is_never_a_path(obtain: Any, digest: str) -> None:
    with pytest.raises(Failure, match="digest is not one"):
        obtain("a.example", digest=digest)


def test_a_folder_of_an_earlier_version_is_taken_as_it_is(
    obtain: Any, certbot: Certbot, server: Path, make_step: Any
) -> None:
    obtain("a.example")
    serve(server)
    folder = live(server).parent
    (folder / "wanted.json").write_text(json.dumps({"directory": DIRECTORY, "hostnames": ["a.example"]}))
    (folder / "live/from.json").write_text(json.dumps({"directory": DIRECTORY}))
    assert list(certificates.lacking(ProjectPaths("shop"))) == []
    found = Folder.served(ProjectPaths("shop"))
    assert found is not None
    assert (found.wanted.hostnames, found.wanted.directory) == (("a.example",), DIRECTORY)
    assert not found.install(make_step("renewed"))
