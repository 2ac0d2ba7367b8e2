"""nginx's base files: checked before use, put back when refused, and other people's sites left alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.render import site
from codesensei.scripts.base import commands, register, units
from codesensei.scripts.base import nginx as nginx_program
from codesensei.scripts.base import sites as base_sites
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.sites import Configuration, Site
from codesensei.scripts.base.step import Failure
from codesensei.scripts.serving import nginx_unit
from codesensei.scripts.steps import proxy
from codesensei.wire import paths
from codesensei.wire.steps import Proxy, SharedFile
from tests.scripts.conftest import fingerprints

REAL_RUN = commands.run
PACKAGED = "server { listen 80 default_server; }\n"


class FakeNginx:
    """`nginx -t`, dpkg-query, ufw and systemctl; nginx refuses a file that says `nonsense`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.active, self.version = folder, list[str](), True, "1.26.3"
        self.default_site, self.default_link = folder / "sites-available/default", folder / "sites-enabled/default"

    def command(self, argv: Sequence[str], **options: Any) -> Result:
        if argv[0] == "openssl":
            return REAL_RUN(argv, **options)
        self.calls.append(" ".join(argv[:2]))
        if argv[0] == "dpkg-query":
            digest = hashlib.md5(PACKAGED.encode(), usedforsecurity=False).hexdigest()
            return Result(f" {self.default_site} {digest}\n", "", 0)
        if argv[1] == "-v":
            return Result("", f"nginx version: nginx/{self.version}\n", 0)
        texts = [path.read_text() for path in self.folder.rglob("*") if path.is_file()]
        bad = any("nonsense" in text for text in texts)
        return Result("", "unknown directive", int(bad))

    def systemctl(self, *words: str, check: bool = True) -> Result:
        self.calls.append(words[0])
        if words[0] == "start":
            self.active = True
        return Result("", "", int(words[0] == "is-active" and not self.active))


@pytest.fixture
def nginx(server: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNginx:
    folder = paths.SERVER.nginx
    for name in ("conf.d", "sites-available", "sites-enabled"):
        (folder / name).mkdir()
    fake = FakeNginx(folder)
    monkeypatch.setattr(commands, "run", fake.command)
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    for module in (units, nginx_program):
        monkeypatch.setattr(module, "systemctl", fake.systemctl)
    return fake


def proxy_data(path: str, content: str, version: int = 1) -> Proxy:
    return Proxy(files=(SharedFile(path=path, content=content, version=version),), packages=())


@pytest.fixture
def write(nginx: FakeNginx, make_step: Any) -> Any:
    def run(content: str = "# base default_server\n", version: int = 1) -> Any:
        path = str(nginx.folder / "conf.d/codesensei.conf")
        step = make_step("proxy", data=proxy_data(path, content, version))
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


CONFINED = "[Service]\nProtectSystem=full\nSystemCallFilter=@system-service\n"


@pytest.fixture
def confine(nginx: FakeNginx, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(nginx_unit, "systemctl", nginx.systemctl)

    def run(content: str = CONFINED, *sites: Site) -> Any:
        monkeypatch.setattr(base_sites, "configuration", lambda: Configuration(sites=sites))
        step = make_step("proxy")
        nginx_unit.confine(step, SharedFile(path=str(paths.SERVER.nginx_unit), content=content, version=3))
        return step

    return run


@pytest.mark.proves("proxy.confined")
def test_nginx_is_confined_at_once_where_it_serves_nobody(confine: Any, nginx: FakeNginx) -> None:
    step = confine()
    assert paths.SERVER.nginx_unit.read_text() == CONFINED
    assert list(step.shared) == [str(paths.SERVER.nginx_unit)]
    assert [call for call in nginx.calls if call != "nginx -v"] == ["systemd-run --quiet", "daemon-reload", "restart"]
    nginx.calls.clear()
    assert confine().changes == 0
    assert nginx.calls == []


@pytest.mark.proves("proxy.confined")
def test_nginx_that_serves_is_not_restarted(confine: Any, nginx: FakeNginx) -> None:
    confine(CONFINED, Site("/etc/nginx/sites-enabled/other", ("a.example",), ()))
    assert paths.SERVER.nginx_unit.is_file()
    assert "restart" not in nginx.calls


@pytest.mark.proves("proxy.confined")
def test_a_drop_in_that_nginx_cannot_live_with_is_not_used(confine: Any, nginx: FakeNginx) -> None:
    (nginx.folder / "conf.d/own.conf").write_text("nonsense")
    step = confine()
    assert not paths.SERVER.nginx_unit.exists()
    assert "nginx is not confined" in step.said[-1]
    assert "unknown directive" in step.said[-1]


@pytest.mark.proves("proxy.confined")
def test_an_nginx_that_does_not_start_is_put_back(
    confine: Any, nginx: FakeNginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[bool] = []

    def systemctl(*words: str, check: bool = True) -> Result:
        if words[0] == "restart":
            started.append(not paths.SERVER.nginx_unit.exists())
            return Result("", "", int(not started[-1]))
        return nginx.systemctl(*words, check=check)

    monkeypatch.setattr(nginx_unit, "systemctl", systemctl)
    step = confine()
    assert started == [False, True]
    assert not paths.SERVER.nginx_unit.parent.exists()
    assert "it does not start" in step.said[-1]


@pytest.mark.proves("proxy.confined")
def test_the_drop_in_goes_with_the_last_project(confine: Any, nginx: FakeNginx, make_step: Any) -> None:
    confine()
    (paths.SERVER.nginx_unit.parent / "own.conf").write_text("[Service]\n")
    register.claim_slug("shop", "org/shop/prod", "id1")
    nginx_unit.free(make_step("destroy"))
    assert paths.SERVER.nginx_unit.exists()
    register.forget("shop")
    nginx_unit.free(make_step("destroy"))
    assert [path.name for path in paths.SERVER.nginx_unit.parent.iterdir()] == ["own.conf"]
    assert nginx.calls[-1] == "daemon-reload"


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
    assert not (server / "memory/proxy.json").exists()


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


@pytest.mark.parametrize("link", ["../sites-available/default", None])
def test_a_run_that_an_earlier_version_was_cut_off_in_is_put_back(
    write: Any, nginx: FakeNginx, server: Path, link: str | None
) -> None:
    """Its journal is a map of paths, each with a link, a content with its mode, or null."""
    base = nginx.folder / "conf.d/codesensei.conf"
    base.write_text("# half\n")
    extra = nginx.folder / "conf.d/extra.conf"
    extra.write_text("# new\n")
    kept: dict[str, Any] = {str(base): {"content": "# before\n", "mode": 0o640}, str(extra): None}
    kept[str(nginx.default_link)] = {"link": link} if link else None
    (server / "memory/proxy.json").write_text(json.dumps(kept))
    with pytest.raises(Failure, match="everything is as it was"):
        write("nonsense;\n")
    assert (base.read_text(), base.stat().st_mode & 0o777) == ("# before\n", 0o640)
    assert not extra.exists()
    assert nginx.default_link.is_symlink() is (link is not None)
    assert not (server / "memory/proxy.json").exists()


def test_the_older_of_two_versions_writes_the_newer_text(write: Any, nginx: FakeNginx) -> None:
    write("# new default_server\n", version=3)
    assert write("# old default_server\n", version=2).changes == 0
    assert (nginx.folder / "conf.d/codesensei.conf").read_text() == "# new default_server\n"


def test_a_closed_firewall_is_opened_once(write: Any, nginx: FakeNginx, monkeypatch: pytest.MonkeyPatch) -> None:
    status = "Status: active\nDefault: deny (incoming)\n\nTo Action From\n-- ------ ----\n"
    asked: list[Sequence[str]] = []

    def command(argv: Sequence[str], **options: Any) -> Result:
        nonlocal status
        if argv[0] != "ufw":
            return nginx.command(argv, **options)
        asked.append(argv)
        if argv[1] == "allow":
            status += "80,443/tcp ALLOW IN Anywhere\n"
        return Result(status, "", 0)

    monkeypatch.setattr(commands, "run", command)
    monkeypatch.setattr(shutil, "which", lambda name, path: f"/usr/sbin/{name}")
    assert "ufw opened for port 80 and 443" in write().said
    assert write().changes == 0
    assert [argv[1] for argv in asked] == ["status", "allow", "status"]


def enable_default(nginx: FakeNginx, text: str) -> None:
    nginx.default_site.write_text(text)
    nginx.default_link.symlink_to("../sites-available/default")


def test_the_distributions_own_default_site_is_disabled_and_kept(write: Any, nginx: FakeNginx) -> None:
    enable_default(nginx, PACKAGED)
    write("# base\n")
    assert not nginx.default_link.is_symlink()
    assert nginx.default_site.read_text() == PACKAGED


def test_a_default_site_that_somebody_changed_stays(write: Any, nginx: FakeNginx) -> None:
    enable_default(nginx, "server { listen 80 default_server; root /home/anna; }\n")
    write("# base\n")
    assert nginx.default_link.is_symlink()


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
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=tmp_path / "proc"))
    if ipv6:
        (tmp_path / "proc/net/if_inet6").mkdir(parents=True)
    text = site.base_files(certificate="/c", key="/k")[f"{nginx.folder}/snippets/codesensei-https.conf"]
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
        proxy.run(make_step("proxy", data=proxy_data(full, "")))
