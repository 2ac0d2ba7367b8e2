"""nginx's base files: checked before use, put back when refused, and other people's sites left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from codesensei.render import site
from codesensei.scripts.base import nginx as nginx_program
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.serving import default_tls
from codesensei.scripts.steps import proxy
from tests.scripts.conftest import fingerprints

PACKAGED = "server { listen 80 default_server; }\n"


class FakeNginx:
    """`nginx -t`, dpkg-query and systemctl; nginx refuses a file that says `nonsense`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.active, self.version = folder, list[str](), True, "1.26.3"

    def command(self, argv: Sequence[str], **options: Any) -> Result:
        self.calls.append(" ".join(argv[:2]))
        if argv[0] == "dpkg-query":
            digest = hashlib.md5(PACKAGED.encode(), usedforsecurity=False).hexdigest()
            return Result(f" {proxy.DEFAULT_SITE} {digest}\n", "", 0)
        if argv[1] == "-v":
            return Result("", f"nginx version: nginx/{self.version}\n", 0)
        texts = [path.read_text() for path in self.folder.rglob("*") if path.is_file()]
        bad = any("nonsense" in text for text in texts)
        twice = sum("default_server" in path.read_text() for path in self.folder.glob("*/*") if path.is_file()) > 1
        said = f"nginx: [emerg] a duplicate default server for 0.0.0.0:80 in {self.folder}/conf.d/old.conf:3\n"
        return Result("", said if twice else "unknown directive", int(bad or twice))

    def systemctl(self, *words: str, check: bool = True) -> Result:
        self.calls.append(words[0])
        if words[0] == "start":
            self.active = True
        return Result("", "", int(words[0] == "is-active" and not self.active))


@pytest.fixture
def nginx(server: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNginx:
    folder = server / "nginx"
    for name in ("conf.d", "sites-available", "sites-enabled"):
        (folder / name).mkdir(parents=True)
    monkeypatch.setattr(proxy, "NGINX", folder)
    monkeypatch.setattr(proxy, "DEFAULT_SITE", folder / "sites-available/default")
    monkeypatch.setattr(proxy, "DEFAULT_LINK", folder / "sites-enabled/default")
    monkeypatch.setattr(proxy, "JOURNAL", server / "memory/proxy.json")
    monkeypatch.setattr(default_tls, "LINK", server / "etc/default-tls")
    monkeypatch.setattr(default_tls, "THROW_AWAY", server / "etc/unknown-host")
    fake = FakeNginx(folder)
    monkeypatch.setattr(proxy, "command", fake.command)
    for module in (proxy, nginx_program):
        monkeypatch.setattr(module, "systemctl", fake.systemctl)
    return fake


@pytest.fixture
def write(nginx: FakeNginx, make_step: Any) -> Any:
    def run(content: str = "# base default_server\n", version: int = 1) -> Any:
        path = str(nginx.folder / "conf.d/codesensei.conf")
        step = make_step("proxy", files=[{"path": path, "content": content, "mode": "0644", "version": version}])
        proxy.run(step)
        return step

    return run


@pytest.mark.proves("proxy.checked")
def test_files_are_checked_then_used_and_a_second_run_touches_nothing(
    write: Any, nginx: FakeNginx, server: Path
) -> None:
    write()
    assert nginx.calls.index("nginx -t") < nginx.calls.index("reload")
    nginx.calls.clear()
    before = fingerprints(server)
    assert write().changes == 0
    assert fingerprints(server) == before
    assert "reload" not in nginx.calls


@pytest.mark.proves("proxy.checked")
def test_a_refused_file_is_put_back_and_never_loaded(write: Any, nginx: FakeNginx, server: Path) -> None:
    write()
    before = fingerprints(server / "nginx/conf.d").keys()
    nginx.calls.clear()
    with pytest.raises(Failure, match="everything is as it was"):
        write("nonsense;\n")
    assert (nginx.folder / "conf.d/codesensei.conf").read_text() == "# base default_server\n"
    assert fingerprints(server / "nginx/conf.d").keys() == before
    assert "reload" not in nginx.calls
    assert not proxy.JOURNAL.exists()


def test_a_first_file_that_is_refused_is_gone_again(write: Any, nginx: FakeNginx) -> None:
    with pytest.raises(Failure):
        write("nonsense;\n")
    assert not (nginx.folder / "conf.d/codesensei.conf").exists()


def test_a_run_that_was_cut_off_before_the_reload_is_completed(
    write: Any, nginx: FakeNginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*words: str, check: bool = True) -> Result:
        raise KeyboardInterrupt

    monkeypatch.setattr(nginx_program, "systemctl", cut)
    with pytest.raises(KeyboardInterrupt):
        write()
    monkeypatch.setattr(nginx_program, "systemctl", nginx.systemctl)
    nginx.calls.clear()
    assert write().changes == 1
    assert "reload" in nginx.calls
    assert write().changes == 0


def enable_default(nginx: FakeNginx, text: str) -> None:
    proxy.DEFAULT_SITE.write_text(text)
    proxy.DEFAULT_LINK.symlink_to("../sites-available/default")


def test_the_distributions_own_default_site_is_disabled_and_kept(write: Any, nginx: FakeNginx) -> None:
    enable_default(nginx, PACKAGED)
    write("# base\n")
    assert not proxy.DEFAULT_LINK.is_symlink()
    assert proxy.DEFAULT_SITE.read_text() == PACKAGED


def test_a_default_site_that_somebody_changed_is_refused_when_in_the_way(write: Any, nginx: FakeNginx) -> None:
    enable_default(nginx, "server { listen 80 default_server; root /home/anna; }\n")
    with pytest.raises(Failure, match="somebody has changed it"):
        write()
    assert proxy.DEFAULT_LINK.is_symlink()
    assert not (nginx.folder / "conf.d/codesensei.conf").exists()


def test_a_changed_default_site_that_is_not_in_the_way_stays(write: Any, nginx: FakeNginx) -> None:
    enable_default(nginx, "server { listen 80; server_name anna.example; }\n")
    write()
    assert proxy.DEFAULT_LINK.is_symlink()


def test_another_site_that_claims_the_default_is_named(write: Any, nginx: FakeNginx) -> None:
    (nginx.folder / "conf.d/old.conf").write_text("server { listen 80 default_server; }\n")
    with pytest.raises(Failure, match=r"two sites claim default_server.*old\.conf, line 3"):
        write()


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("listen 80 default_server;", True),
        ("listen [::]:80 default_server ipv6only=on;", True),
        ("listen 80 default;", True),
        ("listen 80;", False),
        ("# listen 80 default_server;", False),
        ("server_name default_server;", False),
    ],
)
def test_claims_to_be_the_default(text: str, claims: bool) -> None:
    assert proxy.claims_default(text) is claims


def test_a_stopped_nginx_is_started(write: Any, nginx: FakeNginx) -> None:
    write()
    nginx.active = False
    assert write().said == ["nginx started"]


def test_the_throw_away_certificate_is_made_once(write: Any, nginx: FakeNginx, server: Path) -> None:
    folder, link = server / "etc/unknown-host", server / "etc/default-tls"
    write()
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert link.resolve() == folder
    before = fingerprints(folder)
    assert write().changes == 0
    assert fingerprints(folder) == before


def test_the_default_certificate_of_a_project_stays_while_it_is_there(
    write: Any, nginx: FakeNginx, server: Path
) -> None:
    write()
    own, link = server / "memory/shop/tls/abc", server / "etc/default-tls"
    own.mkdir(parents=True)
    (own / "certificate.pem").write_text("")
    link.unlink()
    link.symlink_to(own)
    assert write().changes == 0
    (own / "certificate.pem").unlink()
    assert write().changes == 1
    assert link.resolve() == server / "etc/unknown-host"


@pytest.mark.parametrize(
    ("version", "ipv6", "lines"),
    [
        ("1.18.0", True, ["listen 443 ssl http2;", "listen [::]:443 ssl http2;"]),
        ("1.25.0", False, ["listen 443 ssl http2;"]),
        ("1.25.1", False, ["listen 443 ssl;", "http2 on;"]),
        ("1.26.3 (Ubuntu)", True, ["listen 443 ssl;", "listen [::]:443 ssl;", "http2 on;"]),
    ],
)
def test_lines_are_for_the_server_that_they_suit(
    nginx: FakeNginx, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, ipv6: bool, lines: list[str]
) -> None:
    nginx.version = version
    monkeypatch.setattr(proxy, "IPV6", tmp_path if ipv6 else tmp_path / "none")
    text = site.base_files(certificate="/c", key="/k")["/etc/nginx/snippets/codesensei-https.conf"]
    assert [line for line in proxy.for_server(text, proxy.facts()).splitlines() if line[:1] != "#"] == lines


def test_brotli_is_used_where_its_module_is(nginx: FakeNginx) -> None:
    text = "brotli_static on; #if brotli\n"
    assert proxy.for_server(text, proxy.facts()) == ""
    (nginx.folder / "modules-enabled").mkdir()
    (nginx.folder / "modules-enabled/50-mod-http-brotli-static.conf").write_text("")
    assert proxy.for_server(text, proxy.facts()) == "brotli_static on;\n"


@pytest.mark.parametrize("path", ["/etc/passwd", "conf.d/../../passwd", "/etc/nginxx/a.conf"])
def test_a_path_outside_nginx_is_refused(nginx: FakeNginx, make_step: Any, path: str) -> None:
    full = path if path.startswith("/") else str(nginx.folder / path)
    with pytest.raises(Failure, match="not below"):
        proxy.run(make_step("proxy", files=[{"path": full, "content": "", "mode": "0644", "version": 1}]))
