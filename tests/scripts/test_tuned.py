"""Beside an nginx that its owner has tuned, with a real nginx: nothing of ours is twice, and who is wrong is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from codesensei.render import site
from codesensei.scripts.base import commands, units
from codesensei.scripts.base import nginx as product
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.steps import proxy
from codesensei.wire import paths
from codesensei.wire.steps import Proxy, SharedFile
from tests.render.nginx_program import nginx

HEAD = """
pid {0}/pid; error_log {0}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u;
    scgi_temp_path {0}/s;
    include conf.d/*.conf;
    include {0}/sites-enabled/*;
}}
"""
CLIENTS = ["client_header_timeout", "client_body_timeout", "send_timeout"]
SIZES = [f"{table}_hash_{what}_size" for table in ("server_names", "variables") for what in ("bucket", "max")]
MAPS = "map_hash_bucket_size"
TUNED = "".join(f"{name} 1024;\n" for name in SIZES)
# What many guides have.
REST = """
client_header_timeout 60s; client_body_timeout 60s; send_timeout 60s;
limit_conn_zone $binary_remote_addr zone=own:1m;
client_max_body_size 64m; server_tokens off; gzip on; gzip_vary on; ssl_protocols TLSv1.3;
log_format timed "$request_time"; ssl_session_cache shared:SSL:1m;
map $http_upgrade $connection_upgrade { default upgrade; "" close; }
"""
CATCH_ALL = "server { listen 80 default_server; listen [::]:80 default_server; server_name _; return 444; }\n"


@pytest.fixture
def folder(server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """nginx's folder, which a real nginx reads."""
    found = paths.SERVER.nginx
    for name in ("conf.d", "snippets", "sites-available", "sites-enabled"):
        (found / name).mkdir()
    (found / "nginx.conf").write_text(HEAD.format(found))
    real = commands.run

    def run(argv: list[str], **options: Any) -> Result:
        if argv[0] == "dpkg-query":
            return Result("", "", 0)
        if argv[0] == "nginx":
            argv = [nginx(), *argv[1:], *(("-c", f"{found}/nginx.conf") if argv[1] != "-v" else ())]
        return real(argv, **options)

    monkeypatch.setattr(commands, "run", run)
    monkeypatch.setattr(units, "ensure_running", lambda *_: None)
    monkeypatch.setattr(product, "reload", lambda: None)
    monkeypatch.setattr(proxy, "_open_firewall", lambda _: None)
    return found


@pytest.fixture
def converge(folder: Path, make_step: Any) -> Any:
    """The step with the product's own base."""

    def run() -> Any:
        shown = paths.SERVER.default_tls
        files = site.base_files(certificate=f"{shown}/certificate.pem", key=f"{shown}/key.pem")
        shared = tuple(SharedFile(path=path, content=text, version=1) for path, text in files.items())
        step = make_step("proxy", data=Proxy(files=shared, packages=()))
        proxy.run(step)
        return step

    return run


def base() -> str:
    return paths.SERVER.nginx_base.read_text()


@pytest.mark.proves("proxy.tuned")
@pytest.mark.parametrize("name", ["nginx.conf", "conf.d/a.conf", "conf.d/z.conf", "sites-enabled/tuned"])
def test_what_the_server_s_owner_has_set_is_left_out(folder: Path, converge: Any, name: str) -> None:
    # nginx takes this one only above the first map.
    early = f"{MAPS} 1024;\n" if name in ("nginx.conf", "conf.d/a.conf") else ""
    text = early + TUNED + REST
    whole = HEAD.format(folder).replace("access_log off;", text) if name == "nginx.conf" else text
    (folder / name).write_text(whole)
    converge()
    assert not re.search("|".join([*SIZES, *CLIENTS]), base())
    assert "limit_conn_zone $binary_remote_addr zone=codesensei_clients:10m;" in base()
    assert (MAPS in base()) is not bool(early)
    assert "map $http_upgrade $codesensei_connection" in base()
    assert converge().changes == 0
    # One that is set no longer is ours again.
    (folder / name).write_text(whole.replace("variables_hash_max_size 1024;", ""))
    converge()
    assert "variables_hash_max_size 4096;" in base()


@pytest.mark.proves("proxy.tuned")
def test_one_that_must_be_read_before_ours_is_named_with_where_it_belongs(folder: Path, converge: Any) -> None:
    (folder / "conf.d/z.conf").write_text(f"gzip on;\n{MAPS} 1024;\n")
    with pytest.raises(Failure, match=r"z\.conf, line 2: nginx refuses it") as told:
        converge()
    assert told.value.fix.startswith("remove this line, or move it to nginx.conf, above its include lines")


@pytest.mark.proves("proxy.tuned")
def test_what_was_tuned_after_the_first_deploy_is_left_out_then(folder: Path, converge: Any) -> None:
    converge()
    assert all(name in base() for name in SIZES)
    (folder / "conf.d/z.conf").write_text(TUNED)
    assert commands.run(["nginx", "-T"], check=False).code
    converge()
    assert not re.search("|".join(SIZES), base())


@pytest.mark.proves("proxy.tuned")
def test_a_default_of_the_server_s_owner_stays(folder: Path, converge: Any) -> None:
    (folder / "conf.d/any.conf").write_text(CATCH_ALL)
    said = converge().said
    assert f"{folder}/conf.d/any.conf stays nginx's default for 80, [::]:80: unknown hosts get it" in said
    assert not re.search(r"80 default_server", base())
    assert re.search(r"listen 443 ssl.* default_server;", base())
    assert converge().changes == 0


@pytest.mark.proves("proxy.tuned")
def test_a_mistake_of_somebody_else_is_named_with_its_line(folder: Path, converge: Any) -> None:
    (folder / "conf.d/a.conf").write_text("gzip on;\ngzzip_types text/css;\n")
    with pytest.raises(Failure, match=r"a\.conf, line 2: nginx refuses it: unknown directive \"gzzip_types\"") as told:
        converge()
    assert told.value.fix == f"correct this line of {folder}/conf.d/a.conf, then run pulumi up again"
    assert not paths.SERVER.nginx_base.exists()


@pytest.mark.proves("proxy.tuned")
def test_a_size_that_is_too_small_for_our_names_is_named_with_its_file(folder: Path, converge: Any) -> None:
    (folder / "conf.d/a.conf").write_text("server_names_hash_bucket_size 32;\n")
    converge()
    (folder / "sites-enabled/shop").write_text(f"server {{ server_name {'x' * 63}.apps.example.com; }}\n")
    said = commands.run(["nginx", "-t"], check=False).stderr
    failure = product.refusal(said, "shop", "the new site is not in use")
    assert failure.fix.startswith(f"raise server_names_hash_bucket_size in {folder}/conf.d/a.conf to 512")


def test_a_line_that_clashes_with_ours_later_on_can_go_either_way() -> None:
    said = '2026/11/28 [emerg] 7#7: "map_hash_bucket_size" directive is duplicate in /etc/nginx/conf.d/z.conf:3\n'
    failure = product.refusal(said, "shop", "the new site is not in use")
    assert failure.thing == "/etc/nginx/conf.d/z.conf, line 3"
    assert "pulumi up --replace '**shop-proxy'" in failure.fix
