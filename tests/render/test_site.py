"""The proxy's configuration: golden texts, and what a real nginx does with it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from codesensei.render import site
from codesensei.scripts.serving import hand_over
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from tests.render.nginx_program import configuration, nginx

GOLDEN = Path(__file__).parent / "golden_site"
HOST = "shop.example.com"
SHOP = ProjectPaths("shop")
Answer = tuple[int, list[tuple[str, str]], bytes]


def example_texts() -> dict[str, str]:
    """File name to text, for each shape of a site."""
    tls: dict[str, Any] = {"certificate": "/etc/tls/certificate.pem", "key": "/etc/tls/key.pem"}
    return {
        **{Path(path).name: text for path, text in site.base_files(**tls).items()},
        "shop.conf": site.site(SHOP, hostnames=[HOST], static_url="/static/"),
        "shop-tls.conf": site.site(SHOP, hostnames=[HOST, "www.example.com"], static_url="/static/", **tls),
        "shop-everything.conf": site.site(
            ProjectPaths("shop-eu"),
            hostnames=[HOST, "2001:db8::1"],
            static_url="/assets/v1.0/",
            media_url="/media/",
            trusted_proxies=["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"],
            body_size="1g",
            read_timeout=600,
        ),
        "shop-external.conf": site.site(
            SHOP,
            hostnames=[HOST],
            static_url="/static/",
            trusted_proxies=["10.0.0.0/8"],
            external_tls=True,
            events=True,
        ),
        "shop-protected.conf": site.site(
            SHOP, hostnames=[HOST], static_url="/static/", media_url="/media/", media_internal=True
        ),
        "shop-no-static.conf": site.site(SHOP, hostnames=["203.0.113.7"], static_url=None),
    }


@pytest.mark.proves("web.door")
@pytest.mark.parametrize("name", sorted(example_texts()))
def test_golden(name: str) -> None:
    assert example_texts()[name] == (GOLDEN / name).read_text()


def test_no_golden_text_is_left_over() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == set(example_texts())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hostnames": []}, "needs a hostname"),
        ({"hostnames": ["a;b"]}, "not a hostname"),
        ({"certificate": "/c"}, "go together"),
        ({"body_size": "25m; x"}, "not a size"),
        ({"trusted_proxies": ["10.0.0.0/40"]}, "10.0.0.0/40"),
        ({"external_tls": True}, "needs a trusted proxy"),
        ({"static_url": "/"}, "not a path"),
        ({"static_url": "static/"}, "not a path"),
        ({"static_url": "https://cdn.example.com/"}, "not a path"),
        ({"static_url": "/static"}, "not a path"),
        ({"static_url": "/a//b/"}, "not a path"),
        ({"media_url": "/media/?x/"}, "not a path"),
        ({"static_url": "/a\nb/"}, "not a path|control character"),
    ],
)
def test_what_no_site_can_be(changes: dict[str, object], says: str) -> None:
    values: dict[str, object] = {"hostnames": [HOST], "static_url": "/static/", **changes}
    with pytest.raises(ValueError, match=says):
        site.site(SHOP, **values)  # type: ignore[arg-type]


class _Echo(BaseHTTPRequestHandler):
    """Tells what the project would see."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/hangs/":
            self.server.ended.wait(10)  # type: ignore[attr-defined]
        if self.path == "/events/":
            self.send_events()
            return
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        # The way of a missing upload leads back to the project.
        missing = self.path.startswith("/media/") and "?" not in self.path
        self.send_response(404 if missing else 200)
        if "?send=" in self.path:
            self.send_header("X-Accel-Redirect", self.path.partition("?send=")[2])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_events(self) -> None:
        """One event, and no other for a long time."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first " + getattr(self, "received", b"") + b"\n\n")
        self.wfile.flush()
        self.server.ended.wait(10)  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        self.received = self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def address_string(self) -> str:
        return "proxy"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Backend(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ended = threading.Event()


@dataclass(frozen=True)
class _Place(ProjectPaths):
    """Paths of a project in a directory of the test's."""

    place: Path

    @property
    def root(self) -> Path:  # type: ignore[override]  # of a class that works its paths out by descriptors
        return self.place


@dataclass(frozen=True)
class _Served:
    port: int
    root: Path
    source: str = "127.0.0.1"

    def ask(self, path: str, *, host: str = HOST, **headers: str) -> Answer:
        """GET; a header's underscores stand for hyphens."""
        return self._send("GET", path, b"", {"Host": host, **headers})

    def post(self, path: str, body: bytes) -> Answer:
        return self._send("POST", path, body, {"Host": HOST})

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(self.source, 0))
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body or None, headers=sent)
        answer = connection.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        connection.close()
        return found

    def seen(self, path: str = "/", *, host: str = HOST, **headers: str) -> dict[str, str]:
        """The headers that the project sees."""
        status, _, body = self.ask(path, host=host, **headers)
        assert status == 200
        received: dict[str, str] = json.loads(body)["headers"]
        return received


def _values(headers: list[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name.lower()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tested(program: str, file: Path) -> str:
    done = subprocess.run([program, "-t", "-c", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _fill(folder: Path) -> Path:
    """A project's directory with two releases, uploads, and links that lead out."""
    root = folder / "srv"
    for release, files in {
        "new": {"app.js": "new", "sub dir/é.css": "css"},
        "old": {"app.js": "old", "app.0ld.js": "only old"},
    }.items():
        for name, text in files.items():
            file = root / "releases" / release / "collected" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        hidden = root / "releases" / release / ".codesensei"
        hidden.mkdir()
        (hidden / "static").symlink_to("../collected")
    with gzip.open(root / "releases/new/collected/app.js.gz", "wb") as packed:
        packed.write(b"packed")
    (root / "releases/new/collected/leak.txt").symlink_to("../../old/collected/app.0ld.js")
    (root / "releases/new/collected/folder").symlink_to("../../old/collected")
    (root / "releases/old/collected/leak.js").symlink_to("/etc/hostname")
    challenge = folder / "challenges/.well-known/acme-challenge/token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("answer")
    (root / "current").symlink_to("releases/new")
    (root / "previous").symlink_to("releases/old")
    (root / "hand-over").mkdir()
    (root / "uploads").mkdir()
    (root / "uploads/media").symlink_to("../shared/media")
    (root / "shared/media").mkdir(parents=True)
    (root / "shared/media/photo.txt").write_text("photo")
    (root / "shared/media/leak").symlink_to("/etc/hostname")
    os.chown(root / "shared/media/leak", 65534, 65534, follow_symlinks=False)
    return root


def _serve(
    folder: Path,
    trusted: list[str],
    *,
    external: bool = False,
    internal: bool = False,
    static_url: str | None = "/static/",
    **limits: Any,
) -> Iterator[_Served]:
    program = nginx()
    folder.chmod(0o755)
    root = _fill(folder)
    port = _free_port()
    place = _Place("shop", root)
    text = site.site(
        place, hostnames=[HOST, "www.example.com"], static_url=static_url, media_url="/media/", media_internal=internal,
        trusted_proxies=trusted, external_tls=external, body_size="1k", **limits,
    )  # fmt: skip
    owner = "user root;" if os.getuid() == 0 else ""
    file = configuration(folder, text, f"{owner} daemon off; error_log {folder}/error.log;")
    text = file.read_text().replace("listen 80", f"listen 127.0.0.1:{port}")
    text = text.replace("listen [::]:80", f"listen [::1]:{port}")
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{_free_port()} ssl")
    file.write_text(text.replace("listen [::]:443 ssl", f"listen [::1]:{_free_port()} ssl"))
    backend = _Backend(str(place.door), _Echo)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    server = subprocess.Popen([program, "-c", str(file), "-p", str(folder)], stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, server.stderr and server.stderr.read().decode()
                assert time.monotonic() < deadline
        yield _Served(port, root)
    finally:
        server.terminate()
        server.wait(timeout=10)
        backend.ended.set()
        backend.shutdown()
        backend.server_close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    yield from _serve(tmp_path_factory.mktemp("site"), [])


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    yield from _serve(tmp_path_factory.mktemp("trusting"), ["127.0.0.0/8"])


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    yield from _serve(tmp_path_factory.mktemp("streaming"), [], events=True)


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[_Served]:
    yield from _serve(tmp_path, [], read_timeout=1)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    yield from _serve(tmp_path_factory.mktemp("limited"), ["127.0.0.8"], connections=2, client_timeout=1)


BALANCER = "127.0.0.5"


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    yield from _serve(tmp_path_factory.mktemp("protected"), [], internal=True)


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    """As those see it who come from a load balancer."""
    for found in _serve(tmp_path_factory.mktemp("external"), [BALANCER], external=True):
        yield replace(found, source=BALANCER)


@pytest.mark.parametrize("name", [name for name in sorted(example_texts()) if name.startswith("shop")])
def test_nginx_takes_the_configuration(name: str, tmp_path: Path) -> None:
    program = nginx()
    assert "[warn]" not in _tested(program, configuration(tmp_path, example_texts()[name], "error_log stderr;"))


def test_the_longest_names_fit(tmp_path: Path) -> None:
    program = nginx()
    long = ".".join(["a" * 63] * 3 + ["b" * 57, "com"])
    sites = [
        site.site(
            ProjectPaths(letter * 31),
            hostnames=[f"{letter}.{long}"[:253]],
            static_url="/s/",
            trusted_proxies=["10.0.0.0/8"],
        )
        for letter in "abcdefghij"
    ]
    _tested(program, configuration(tmp_path, "".join(sites), "error_log stderr;"))


@pytest.mark.proves("static.served", "static.year")
def test_static_files_of_the_serving_release(served: _Served) -> None:
    status, headers, body = served.ask("/static/app.js")
    assert (status, body) == (200, b"new")
    assert _values(headers, "Cache-Control") == ["max-age=31536000"]


@pytest.mark.proves("static.previous")
def test_names_that_only_the_previous_release_has_still_answer(served: _Served) -> None:
    status, headers, body = served.ask("/static/app.0ld.js")
    assert (status, body) == (200, b"only old")
    assert _values(headers, "Cache-Control") == ["max-age=31536000"]


@pytest.mark.proves("static.precompressed")
def test_a_precompressed_file_is_used(served: _Served) -> None:
    status, headers, body = served.ask("/static/app.js", Accept_Encoding="gzip")
    assert (status, gzip.decompress(body)) == (200, b"packed")
    assert _values(headers, "Content-Encoding") == ["gzip"]
    assert _values(headers, "Cache-Control") == ["max-age=31536000"]


def test_a_name_with_spaces_and_accents(served: _Served) -> None:
    assert served.ask("/static/sub%20dir/%C3%A9.css")[2] == b"css"


@pytest.mark.parametrize("path", ["/static/nothing.js", "/static/sub%20dir", "/static/sub%20dir/", "/static/app.js/"])
def test_what_is_no_static_file(served: _Served, path: str) -> None:
    status, headers, body = served.ask(path)
    assert status == 404
    assert b"404 Not Found" in body
    assert _values(headers, "Cache-Control") == []


def test_code_is_not_served(served: _Served) -> None:
    (served.root / "releases/new/secret.py").write_text("secret")
    for path in ("/static/../secret.py", "/static/%2e%2e/secret.py", "/static/..%2fsecret.py"):
        assert served.ask(path)[2] != b"secret"


@pytest.mark.parametrize("name", ["leak.txt", "folder/app.0ld.js", "leak.js"])
def test_links_among_static_files_are_not_followed(served: _Served, name: str) -> None:
    assert served.ask(f"/static/{name}")[0] in (403, 404)


def test_caches_between_keep_packed_and_plain_apart(served: _Served) -> None:
    assert _values(served.ask("/static/app.js")[1], "Vary") == ["Accept-Encoding"]


@pytest.mark.parametrize("host", [HOST, "other.example.com"])
def test_an_authority_finds_the_answer_to_its_challenge_under_every_host(served: _Served, host: str) -> None:
    status, headers, body = served.ask("/.well-known/acme-challenge/token", host=host)
    assert (status, body, _values(headers, "Content-Type")) == (200, b"answer", ["text/plain"])
    assert served.ask("/.well-known/acme-challenge/other", host=host)[0] == 404


@pytest.mark.proves("media.proxy")
def test_uploads(served: _Served) -> None:
    status, headers, body = served.ask("/media/photo.txt")
    assert (status, body) == (200, b"photo")
    assert _values(headers, "X-Content-Type-Options") == ["nosniff"]


def test_an_upload_that_is_a_link_to_anothers_file_is_not_served(served: _Served) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a link that belongs to another user")
    assert served.ask("/media/leak")[0] == 403


@pytest.fixture
def replaced(served: _Served) -> Iterator[Callable[..., None]]:
    """The app user (here: nobody) puts a link in the place of its own folder of uploads."""
    if os.getuid() != 0:
        pytest.skip("only root can make a link that belongs to another user")
    media, way, kept = served.root / "shared/media", served.root / "uploads/media", served.root / "shared/kept"

    def put(target: str | Path, owner: int = 65534) -> None:
        media.rename(kept)
        os.chown(way, 65534, 65534, follow_symlinks=False)
        media.symlink_to(target)
        os.chown(media, owner, owner, follow_symlinks=False)

    yield put
    media.unlink()
    kept.rename(media)
    os.chown(way, 0, 0, follow_symlinks=False)


@pytest.mark.proves("media.own")
@pytest.mark.parametrize("target", ["/etc", "../..", "../releases/new", "/proc/self/root/etc", "kept"])
def test_a_folder_of_uploads_that_became_a_link_to_anothers_is_not_served(
    served: _Served, replaced: Callable[..., None], target: str
) -> None:
    replaced(target)
    for name in ("hostname", "photo.txt", "current/app.js", "collected/app.js"):
        assert served.ask(f"/media/{name}")[0] in (403, 404)


@pytest.mark.proves("media.own")
@pytest.mark.parametrize("by_root", [True, False])
def test_a_link_to_a_folder_of_the_app_users_is_followed(
    served: _Served, replaced: Callable[..., None], tmp_path: Path, by_root: bool
) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "photo.txt").write_text("moved")
    os.chown(disk, 65534, 65534)
    replaced(disk, 0 if by_root else 65534)
    assert served.ask("/media/photo.txt")[::2] == (200, b"moved")


@pytest.mark.proves("proxy.unknown-hosts")
@pytest.mark.parametrize("host", ["other.example.com", "example.com", "127.0.0.1", ""])
def test_unknown_hosts_get_no_project(served: _Served, host: str) -> None:
    assert served.ask("/", host=host)[0] in (400, 404)


@pytest.mark.proves("proxy.forwarded")
def test_forwarded_headers_of_strangers_are_overwritten(served: _Served) -> None:
    seen = served.seen(
        X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https", X_Forwarded_Host="evil", X_Forwarded_Port="1",
        X_Real_IP="6.6.6.6", Forwarded="for=6.6.6.6", X_Forwarded_Protocol="ssl", X_Forwarded_Ssl="on",
    )  # fmt: skip
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == HOST
    assert seen["x-forwarded-port"] == str(served.port)
    assert seen["x-real-ip"] == "127.0.0.1"
    assert not {"forwarded", "x-forwarded-protocol", "x-forwarded-ssl"} & seen.keys()


@pytest.mark.proves("proxy.forwarded")
def test_forwarded_headers_of_a_trusted_proxy_pass(behind_a_proxy: _Served) -> None:
    seen = behind_a_proxy.seen(
        X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https", X_Forwarded_Host="public.example.com", X_Real_IP="6.6.6.6"
    )
    assert seen["x-forwarded-for"] == "6.6.6.6, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["x-forwarded-host"] == "public.example.com"
    assert seen["x-real-ip"] == "6.6.6.6"


def test_the_client_is_the_last_address_that_no_trusted_proxy_has(behind_a_proxy: _Served) -> None:
    """What stands before it in the header is the client's own claim."""
    seen = behind_a_proxy.seen(X_Forwarded_For="6.6.6.6, 198.51.100.9, 127.0.0.2", X_Real_IP="6.6.6.6")
    assert seen["x-real-ip"] == "198.51.100.9"
    assert seen["x-forwarded-for"] == "6.6.6.6, 198.51.100.9, 127.0.0.2, 127.0.0.1"


def test_what_a_trusted_proxy_does_not_say_is_said(behind_a_proxy: _Served) -> None:
    seen = behind_a_proxy.seen()
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == HOST
    assert seen["x-real-ip"] == "127.0.0.1"


@pytest.mark.parametrize("host", [HOST, f"{HOST}:8080", HOST.upper(), "www.example.com"])
def test_the_project_sees_the_hosts_own_form(served: _Served, host: str) -> None:
    assert served.seen(host=host)["host"] == host


def test_a_host_in_the_first_line_wins(served: _Served) -> None:
    """It chose the project, so another one in the header must not get through."""
    status, _, body = served.ask(f"http://{HOST}/", host="evil.example.com")
    assert status == 200
    assert json.loads(body)["headers"]["host"] == HOST


@pytest.mark.proves("asgi.websockets")
def test_websockets_are_asked_for(served: _Served) -> None:
    seen = served.seen(Upgrade="websocket", Connection="Upgrade")
    assert (seen["upgrade"], seen["connection"]) == ("websocket", "upgrade")
    assert "upgrade" not in served.seen()


@pytest.mark.proves("proxy.web")
def test_the_request_line_reaches_the_project_as_it_is(served: _Served) -> None:
    path = "/a%20b/%C3%A9/?q=1%2F2&x=%24"
    assert json.loads(served.ask(path)[2])["path"] == path


@pytest.mark.proves("config.limits")
def test_the_body_limit(served: _Served) -> None:
    assert served.post("/", b"x" * 1024)[0] == 200
    assert served.post("/", b"x" * 1025)[0] == 413


def _open(served: _Served, sent: str, source: str = "127.0.0.1") -> socket.socket:
    found = socket.create_connection(("127.0.0.1", served.port), timeout=10, source_address=(source, 0))
    found.sendall(sent.encode())
    return found


@pytest.mark.proves("config.limits.clients")
def test_one_address_takes_no_more_than_its_share(limited: _Served) -> None:
    waiting = [_open(limited, f"GET /hangs/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n") for _ in range(2)]
    deadline = time.monotonic() + 10
    while limited.ask("/")[0] != 429:
        assert time.monotonic() < deadline
    # Static files are no work of the project's, and another address has a share of its own.
    assert limited.ask("/static/app.js")[0] == 200
    assert replace(limited, source="127.0.0.9").ask("/")[0] == 200
    # Behind a load balancer, an address is the visitor's.
    balancer = replace(limited, source="127.0.0.8")
    assert balancer.ask("/", X_Forwarded_For="127.0.0.1")[0] == 429
    assert balancer.ask("/", X_Forwarded_For="192.0.2.1")[0] == 200
    for connection in waiting:
        connection.close()
    while limited.ask("/")[0] != 200:
        assert time.monotonic() < deadline


@pytest.mark.proves("config.limits.clients")
def test_a_client_that_sends_nothing_loses_its_connection(limited: _Served) -> None:
    """A whole header and half a body: nginx would keep it for 60 s."""
    head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100\r\n\r\nhalf"
    with _open(limited, head) as slow:
        began = time.monotonic()
        try:
            ended = slow.recv(1000)
        except ConnectionResetError:
            ended = b""
        assert b" 200 " not in ended
        assert time.monotonic() - began < 8


@pytest.mark.proves("tls.external")
@pytest.mark.parametrize("said", [{}, {"X_Forwarded_Proto": "https"}])
def test_what_comes_from_a_load_balancer_is_https(external: _Served, said: dict[str, str]) -> None:
    headers = external.seen(X_Forwarded_For="192.0.2.9", **said)
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("https", "443")
    assert (headers["x-real-ip"], headers["x-forwarded-for"]) == ("192.0.2.9", f"192.0.2.9, {BALANCER}")
    assert external.ask("/static/app.js")[2] == b"new"


@pytest.mark.proves("tls.external")
def test_the_load_balancer_may_say_that_a_visitor_came_over_http(external: _Served) -> None:
    assert external.seen(X_Forwarded_Proto="http")["x-forwarded-proto"] == "http"


@pytest.mark.proves("tls.external")
@pytest.mark.parametrize("path", ["/a?b=%20", "/static/app.js", "/media/photo.txt"])
def test_everybody_else_is_sent_to_https_whatever_they_say(external: _Served, path: str) -> None:
    stranger = replace(external, source="127.0.0.7")
    status, headers, _ = stranger.ask(path, X_Forwarded_Proto="https", X_Forwarded_For=BALANCER)
    assert (status, _values(headers, "Location")) == (301, [f"https://{HOST}{path}"])


@pytest.mark.proves("tls.external")
def test_the_server_itself_is_served_and_not_believed(external: _Served) -> None:
    headers = replace(external, source="127.0.0.1").seen(X_Forwarded_Proto="http", X_Forwarded_For="192.0.2.9")
    assert (headers["x-forwarded-proto"], headers["x-forwarded-for"]) == ("https", "127.0.0.1")


@pytest.mark.proves("static.within-media")
@pytest.mark.parametrize("internal", [False, True])
def test_static_files_below_the_uploads(tmp_path: Path, internal: bool) -> None:
    for served in _serve(tmp_path, [], static_url="/media/static/", internal=internal):
        assert served.ask("/media/static/app.js")[2] == b"new"
        assert served.ask("/media/static/app.0ld.js")[2] == b"only old"
        assert served.ask("/media/photo.txt")[0] == (404 if internal else 200)


@pytest.mark.proves("static.within-media")
@pytest.mark.parametrize("internal", [False, True])
def test_static_files_below_the_uploads_that_the_project_serves(tmp_path: Path, internal: bool) -> None:
    for served in _serve(tmp_path, [], static_url=None, own_static="/media/static/", internal=internal):
        assert json.loads(served.ask("/media/static/app.js?whole")[2])["path"] == "/media/static/app.js?whole"
        assert served.ask("/media/photo.txt")[0] == (404 if internal else 200)


@pytest.mark.proves("media.internal")
@pytest.mark.parametrize("path", ["/download/7", "/media/photo.txt"])
def test_an_upload_is_sent_where_a_view_says_so(protected: _Served, path: str) -> None:
    """The view may have the upload's own address."""
    status, headers, body = protected.ask(f"{path}?send=/media/photo.txt")
    assert (status, body) == (200, b"photo")
    assert _values(headers, "X-Content-Type-Options") == ["nosniff"]
    assert _values(headers, "X-Accel-Redirect") == []


@pytest.mark.proves("media.internal")
@pytest.mark.parametrize("path", ["/media/photo.txt", "/media/none", "/media/", "/media/../media/photo.txt"])
def test_who_asks_for_an_upload_asks_the_project(protected: _Served, path: str) -> None:
    status, _, body = protected.ask(path, X_Accel_Redirect="/media/photo.txt", Cookie="a=b")
    assert status == 404
    assert json.loads(body)["headers"]["cookie"] == "a=b"


@pytest.mark.proves("media.internal")
@pytest.mark.parametrize("path", ["/download/7", "/media/none"])
def test_a_missing_upload_is_a_404(protected: _Served, path: str) -> None:
    assert protected.ask(f"{path}?send=/media/none")[0] == 404


def _away(served: _Served) -> socket.socket:
    """Visitors are sent to a candidate, which listens here."""
    place = _Place("shop", served.root)
    os.link(place.door, place.kept_socket)
    place.door.unlink()
    candidate = socket.socket(socket.AF_UNIX)
    candidate.bind(str(place.door))
    place.door.chmod(0o666)
    candidate.listen()
    return candidate


@pytest.mark.proves("switch.candidate-ends")
def test_a_candidate_that_has_ended_loses_no_request(hurried: _Served) -> None:
    _away(hurried).close()
    assert {hurried.ask("/")[0] for _ in range(20)} == {200}
    assert hurried.post("/", b"x")[0] == 200


@pytest.mark.proves("switch.candidate-ends")
def test_what_it_was_answering_is_asked_of_the_live_process(hurried: _Served) -> None:
    with _away(hurried) as candidate:

        def end() -> None:
            visitor, _ = candidate.accept()
            visitor.recv(1000)
            visitor.close()

        threading.Thread(target=end, daemon=True).start()
        assert hurried.ask("/")[0] == 200


@pytest.mark.proves("switch.candidate-ends")
def test_also_once_visitors_were_led_back(hurried: _Served) -> None:
    with _away(hurried) as candidate:

        def end() -> None:
            visitor, _ = candidate.accept()
            visitor.recv(1000)
            hand_over.to_live(_Place("shop", hurried.root))
            visitor.close()

        threading.Thread(target=end, daemon=True).start()
        assert hurried.ask("/")[0] == 200


@pytest.mark.proves("switch.candidate-ends")
def test_a_request_that_takes_too_long_is_asked_of_nobody_else(hurried: _Served) -> None:
    assert hurried.ask("/hangs/")[0] == 504


@pytest.mark.proves("proxy.events")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_event_is_there_before_the_next_one(streaming: _Served, method: str) -> None:
    """Browsers ask for a stream of events by its type; in a buffer, one would wait for hundreds of others."""
    connection = http.client.HTTPConnection("127.0.0.1", streaming.port, timeout=4)
    body = b"body" if method == "POST" else None
    headers = {"Host": HOST, "Accept": "application/json, text/event-stream"}
    connection.request(method, "/events/", body=body, headers=headers)
    assert connection.getresponse().readline() == b"data: first " + (body or b"") + b"\n"
    connection.close()


@pytest.mark.proves("proxy.events")
def test_who_asks_for_events_gets_the_project_like_everybody_else(streaming: _Served) -> None:
    plain, events = (streaming.seen("/a%20b/?c=d", Accept=accept) for accept in ("text/html", "text/event-stream"))
    assert {**plain, "accept": ""} == {**events, "accept": ""}
    status, _, body = streaming.ask("/a%20b/?c=d", Accept="text/event-stream")
    assert (status, json.loads(body)["path"]) == (200, "/a%20b/?c=d")
    assert streaming.ask("/static/app.js", Accept="text/event-stream")[2] == b"new"
