"""The edge proxy's configuration: one site per project, and the base that all projects of a server share."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote

from codesensei.render import nginx
from codesensei.render.templates import render
from codesensei.wire import paths
from codesensei.wire.paths import MEDIA, ProjectPaths
from codesensei.wire.quick import dataclass

# Raise it with every change to base.conf.j2: if two stacks on a server differ, the newer text wins.
BASE_VERSION = 3
_SIZE = re.compile(r"[0-9]+[kKmMgG]?")
# How many requests one address may have under way: an office behind one is below it, what nginx can hold above.
CONNECTIONS = 400
# What sites include, because it depends on the server; `base_files` provides it.
SNIPPETS = ("http", "https", "precompressed")


@dataclass(frozen=True)
class _Forwarded:
    """A header that tells the project about the client: what we say, and what a trusted peer may say instead."""

    name: str
    variable: str
    own: str
    received: str
    passed: str


# Not $proxy_add_x_forwarded_for: behind a trusted proxy nginx's $remote_addr already is the client.
_ONE_MORE_HOP = '"$http_x_forwarded_for, $realip_remote_addr"'
_LOOPBACK = ("127.0.0.1", "::1")


def _forwarded(external_tls: bool) -> tuple[_Forwarded, ...]:
    scheme, port = ("https", "443") if external_tls else ("$scheme", "$server_port")
    return (
        _Forwarded("X-Forwarded-For", "for", "$remote_addr", "$http_x_forwarded_for", _ONE_MORE_HOP),
        _Forwarded("X-Forwarded-Proto", "proto", scheme, "$http_x_forwarded_proto", "$http_x_forwarded_proto"),
        _Forwarded("X-Forwarded-Host", "host", "$codesensei_host", "$http_x_forwarded_host", "$http_x_forwarded_host"),
        _Forwarded("X-Forwarded-Port", "port", port, "$http_x_forwarded_port", "$http_x_forwarded_port"),
        _Forwarded("Forwarded", "forwarded", '""', "$http_forwarded", "$http_forwarded"),
    )


def site(
    project: ProjectPaths,
    *,
    hostnames: Iterable[str],
    static_url: str | None,
    own_static: str | None = None,
    media_url: str | None = None,
    media: str = MEDIA,
    media_internal: bool = False,
    certificate: str | None = None,
    key: str | None = None,
    trusted_proxies: Iterable[str] = (),
    external_tls: bool = False,
    body_size: str = "25m",
    read_timeout: int = 60,
    client_timeout: int | None = None,
    connections: int = CONNECTIONS,
    events: bool = False,
) -> str:
    """One project's site.

    `static_url` and `media_url` are paths (`/static/`); None: the proxy serves none. What lies below `own_static` is
    the project's to serve, also below `media_url`. With `media_internal` the proxy serves uploads where an answer of
    the project's names them in X-Accel-Redirect, and asks the project for everything else there. With `certificate`
    and `key` (paths on the server) the project is served over TLS, and HTTP redirects to it. `trusted_proxies` are
    networks whose X-Forwarded-* headers are believed; with `external_tls` they alone are served, as over HTTPS, and
    everybody else is redirected to it. The server itself is served too, unbelieved: it reads back what it serves.
    `body_size` is nginx's (`25m`), `read_timeout` in seconds; so is `client_timeout`, None for the server's. One
    address may have as many as `connections` requests under way, 0: any number. `events`: who asks for a stream of
    events gets it as it comes, for servers of which a slow visitor holds no process. ValueError for a value that
    nginx cannot take.
    """
    if (certificate is None) != (key is None):
        raise ValueError("a certificate and its key go together")
    if not _SIZE.fullmatch(body_size):
        raise ValueError(f"not a size: {body_size!r}")
    networks = [str(ipaddress.ip_network(network, strict=False)) for network in trusted_proxies]
    if external_tls and not networks:
        raise ValueError("TLS that ends elsewhere needs a trusted proxy")
    server_names = nginx.server_names(hostnames)
    if not server_names:
        raise ValueError("a site needs a hostname")
    # Of two that lie in one another, the inner one has its own files.
    within = bool(media_url) and (static_url or own_static or "").startswith(str(media_url))
    return render(
        "site.conf.j2",
        slug=project.slug,
        prefix="codesensei_" + project.slug.replace("-", "_"),
        root=str(project.root),
        uploads=str(project.uploads),
        media=str(project.uploads_link(media)),
        socket=str(project.door),
        kept_socket=str(project.kept_socket),
        server_names=server_names,
        static_pattern=static_url and f"^{nginx.pattern(url_path(static_url))}(?<codesensei_file>.+)$",
        media_url=media_url and url_path(media_url),
        media_before_static="" if within and static_url else "^~ ",
        own_static=url_path(str(own_static)) if within and not static_url else None,
        media_internal=media_internal,
        tls=certificate is not None,
        certificate=certificate,
        key=key,
        trusted_proxies=networks,
        served=sorted({*networks, *(str(ipaddress.ip_network(address)) for address in _LOOPBACK)})
        if external_tls
        else [],
        forwarded=_forwarded(external_tls),
        access_log=str(project.site_log),
        body_size=body_size,
        read_timeout=read_timeout,
        client_timeout=client_timeout,
        connections=connections,
        events=events,
        challenge_root=str(paths.SERVER.challenges),
    )


def base_files(*, certificate: str, key: str) -> dict[str, str]:
    """Path to text of what all projects of a server share: the default servers, which belong to none, and snippets.

    Debian's own default site also claims port 80's default_server: its link `sites-enabled/default` must go (the file
    in sites-available stays), or nginx refuses the pair. Over TLS, unknown hosts get `certificate` and 421: rejecting
    the handshake needs nginx 1.19.4. A line that ends with `#if <facts>` stays only on servers that have all these
    facts, which the step `proxy` knows.
    """
    shared = render("base.conf.j2", certificate=certificate, key=key, challenge_root=str(paths.SERVER.challenges))
    nginx_root = paths.SERVER.nginx
    snippets = {f"{nginx_root}/snippets/codesensei-{name}.conf": render(f"{name}.conf.j2") for name in SNIPPETS}
    return {**snippets, str(paths.SERVER.nginx_base): shared}


def unit_file() -> str:
    """What confines nginx's own unit, also as it serves sites that are none of ours."""
    return render("nginx.service.j2")


def url_path(url: str) -> str:
    """A STATIC_URL or MEDIA_URL as the decoded prefix that nginx compares. ValueError for anything else."""
    if not re.fullmatch(r"/[^?#]*[^/?#][^?#]*/", url) or "//" in url:
        raise ValueError(f"not a path that begins and ends with a slash: {url!r}")
    return unquote(url)
