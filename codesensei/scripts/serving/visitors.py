"""What visitors would find broken though the site answers: sessions, cookies, uploads and mail."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress

from codesensei.scripts.release.record import Facts, VisitorFacts
from codesensei.scripts.release.release import Release
from codesensei.wire.manifest import Manifest

MAIL_SECONDS = 3.0
NO_MODE = "none"
_SENDS_NONE = ("console", "dummy", "filebased", "locmem")
# For these browsers keep secure cookies without HTTPS.
_OWN_MACHINE = ("localhost", "127.0.0.1", "[::1]")


def warnings(release: Release, manifest: Manifest) -> Iterator[str]:
    """One sentence for each setting."""
    facts = release.facts
    found = facts.visitors
    if found is None:
        return
    yield from _alone(found, manifest)
    yield from _secure_cookies(found, manifest)
    yield from _domains(found, manifest)
    yield from _uploads(facts, found, release, manifest)
    yield from _mail(found, manifest)


def _alone(found: VisitorFacts, manifest: Manifest) -> Iterator[str]:
    """What each process has for itself."""
    if found.sessions_in:
        yield (
            f"sessions are kept in {found.sessions_in} alone, which each process has for itself: visitors are logged"
            " out as soon as another process answers, and by each deploy; set SESSION_ENGINE ="
            ' "django.contrib.sessions.backends.cached_db", or let that cache use Redis (codesensei:broker.env)'
        )
    processes, workers = manifest.candidate.workers or 1, manifest.named("worker")
    if found.layers_in_memory and (processes > 1 or workers):
        those = [f"{processes} web processes" if processes > 1 else "the web process", *workers]
        yield (
            f"{', '.join(found.layers_in_memory)} is in the memory of one process: what it sends does not reach others"
            f" ({', '.join(those)}); use channels_redis with a URL of codesensei:broker.env"
        )


def _secure_cookies(found: VisitorFacts, manifest: Manifest) -> Iterator[str]:
    health = manifest.health
    has_https = health.scheme == "https" or health.external_tls or _trusts_a_proxy(manifest)
    if not found.secure_cookies or has_https or all(host in _OWN_MACHINE for host in health.hosts):
        return
    names = " and ".join(found.secure_cookies)
    yield (
        f"{names} {'are' if len(found.secure_cookies) > 1 else 'is'} True, and the site has no HTTPS: browsers do not"
        f" keep these cookies, so nobody can log in or send a form; set codesensei:tls, or {names} = False until then"
    )


def _trusts_a_proxy(manifest: Manifest) -> bool:
    """Whether the site believes a proxy before it, which may have HTTPS."""
    return any("real_ip_header" in text for _, text in manifest.contents())


def _domains(found: VisitorFacts, manifest: Manifest) -> Iterator[str]:
    for setting, domain in sorted(found.cookie_domains.items()):
        plain = domain.lower().lstrip(".")
        lost = [host for host in manifest.health.hosts if not _is_below(host.lower(), plain)]
        if lost:
            yield (
                f"{setting} is {domain}: browsers do not keep that cookie at {', '.join(lost)}, so nobody can log in or"
                f" send a form there; take it out of the settings, or name a domain that all hostnames are in"
            )


def _is_below(host: str, domain: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host.strip("[]"))
        return host == domain
    return f".{host.removeprefix('*.')}".endswith(f".{domain}")


def _uploads(facts: Facts, found: VisitorFacts, release: Release, manifest: Manifest) -> Iterator[str]:
    """Files that nobody serves, or that nginx, which is in no group of the app user's, may not read."""
    if manifest.media_url is None and found.uploads_unserved:
        yield (
            f"files of {found.uploads_unserved} have addresses below MEDIA_URL, {facts.media_url}, which nobody serves:"
            " visitors get 404; set project.mediaServing: proxy, or internal where a view decides who gets them; where"
            " views send them under other addresses, take MEDIA_URL out of the settings"
        )
    if not manifest.media_url or not facts.uploads_on_disk:
        return
    mode = found.upload_mode
    if mode == NO_MODE:
        which = "FILE_UPLOAD_PERMISSIONS is None: uploads above 2.5 MB get the mode 0600"
    elif not int(mode, 8) & 0o004 and not (int(mode, 8) & 0o040 and _passes_group_on(release, manifest)):
        which = f"FILE_UPLOAD_PERMISSIONS gives uploads the mode {mode}"
    else:
        return
    yield (
        f"{which}, and nginx, which serves {manifest.media_url}, may not read them: visitors get 403; set"
        " FILE_UPLOAD_PERMISSIONS = 0o644, or project.mediaServing: none; for those that are there already, on the"
        f" server: chmod -R o+rX {release.project.shared / manifest.media}"
    )


def _passes_group_on(release: Release, manifest: Manifest) -> bool:
    with suppress(OSError):
        return bool(os.stat(release.project.shared / manifest.media).st_mode & stat.S_ISGID)
    return False


def _mail(found: VisitorFacts, manifest: Manifest) -> Iterator[str]:
    place = found.mail_to
    if "." in place and ":" not in place:
        backend = place.rsplit(".", 2)[-2]
        if manifest.production and backend in _SENDS_NONE:
            yield f"EMAIL_BACKEND is {place}: no mail is sent to anybody; set it and EMAIL_HOST in the settings"
        return
    host, _, port = place.rpartition(":")
    if host and port.isdigit() and (why := _unreachable(host, int(port))):
        hint = "; many providers close port 25: use 587" if port == "25" else ""
        yield (
            f"the mail server {place} cannot be reached from this server ({why}): no mail is sent; check EMAIL_HOST and"
            f" EMAIL_PORT, and the outbound firewall{hint}"
        )


def _unreachable(host: str, port: int) -> str:
    """Why nothing accepts a connection there; empty where something does."""
    try:
        socket.create_connection((host, port), MAIL_SECONDS).close()
    except (OSError, UnicodeError) as error:
        return str(error)
    return ""
