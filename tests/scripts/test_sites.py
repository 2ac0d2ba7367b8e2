"""The sites of nginx, whoever wrote them, as `nginx -T` tells of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codesensei.scripts.base import commands, sites
from codesensei.scripts.base.sites import Listen, Site
from tests.render.nginx_program import nginx

HEAD = """
pid {0}/pid; error_log {0}/error.log;
events {{}}
http {{
    access_log off; # "quoted
    client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u;
    scgi_temp_path {0}/s;
    include sites-enabled/*;
    include "conf.d/*.conf";
}}
"""
OLD = """
server {
    listen 8180; include snippets/names.conf;
    if ($host = "}") { return 301 https://$host$request_uri; }
    location ~ "^/a{2}$" { return 200 "server { server_name inner.example.org; }"; }
}
# server { server_name commented.example.org; }
"""
NAMES = "server_name\n\t'Names.example.org' \"www.example.org\" ~^(?<user>.+)\\.example\\.net$;\n"
OTHERS = """
server { listen 127.0.0.1:8181; listen [::1]:8182; listen localhost:8183; server_name a.example.org; }
server { listen *:8184; listen [::]:8185 ipv6only=on; server_name .names.example.org ${x}y; listen 8180; }
map $host $x { default "server_name"; }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "nginx.conf": HEAD.format(tmp_path),
        "sites-enabled/0-old.conf": OLD,
        "snippets/names.conf": NAMES,
        "conf.d/others.conf": OTHERS,
        "conf.d/others.conf.old": "server { server_name not.included; }",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def dump(folder: Path, monkeypatch: pytest.MonkeyPatch) -> sites.Configuration:
    """What the product reads, with a real nginx's words."""

    def run(argv: list[str], **_: object) -> commands.Result:
        assert argv == ["nginx", "-T"]
        words = [nginx(), "-T", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return commands.Result(done.stdout, done.stderr, done.returncode)

    monkeypatch.setattr(commands, "run", run)
    return sites.configuration()


def test_every_site_is_found_with_its_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = dump(folder, monkeypatch)
    old, others = f"{folder}/sites-enabled/0-old.conf", f"{folder}/conf.d/others.conf"
    listens = (Listen("127.0.0.1", 8181), Listen("::1", 8182), Listen("localhost", 8183))
    assert found.problem == ""
    assert found.sites == (
        Site(old, ("names.example.org", "www.example.org", r"~^(?<user>.+)\.example\.net$"), (Listen("", 8180),)),
        Site(others, ("a.example.org",), listens),
        Site(others, (".names.example.org", "${x}y"), (Listen("", 8184), Listen("", 8185), Listen("", 8180))),
    )
    assert found.files == (f"{folder}/nginx.conf", old, f"{folder}/snippets/names.conf", others)


def test_warnings_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = dump(folder, monkeypatch).warnings
    assert said == ('conflicting server name ".names.example.org" on 0.0.0.0:8180, ignored',)


def test_a_refused_configuration_has_a_problem_and_no_sites(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "conf.d/others.conf").write_text("server { listne 80; }")
    found = dump(folder, monkeypatch)
    assert 'unknown directive "listne"' in found.problem
    assert found.sites == ()


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("80", "", 80),
        ("*:8080", "", 8080),
        ("0.0.0.0:80", "", 80),
        ("[::]:443", "", 443),
        ("203.0.113.7", "203.0.113.7", 80),
        ("203.0.113.7:443", "203.0.113.7", 443),
        ("[2001:db8::7]:443", "2001:db8::7", 443),
        ("[2001:db8::7]", "2001:db8::7", 80),
        ("unix:/run/a.sock", "unix:/run/a.sock", 80),
    ],
)
def test_where_a_site_listens(text: str, address: str, port: int) -> None:
    written = f"# configuration file /etc/nginx/nginx.conf:\nhttp {{ server {{ listen {text}; }} }}\n"
    assert sites.read(written).sites == (Site("/etc/nginx/nginx.conf", (), (Listen(address, port),)),)


def test_a_site_that_does_not_say_where_listens_on_80() -> None:
    written = "# configuration file /etc/nginx/nginx.conf:\nhttp { server { server_name a; } }\n"
    assert sites.read(written).sites == (Site("/etc/nginx/nginx.conf", ("a",), (Listen("", 80),)),)
