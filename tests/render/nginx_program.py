"""A real nginx for the tests of sites: the machine's own, else Debian's package, unpacked but not installed."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from codesensei.render import site
from codesensei.scripts.steps import proxy
from codesensei.wire import paths
from tools.engine.cache import cache_lock, cache_root, make_directory

SECONDS = 300


@functools.cache
def nginx() -> str:
    """The program; skips the test where there is none and apt cannot fetch one."""
    found = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if found:
        return found
    with cache_lock():
        target = cache_root().parent / "nginx"
        try:
            make_directory(target, _fetch)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"there is no nginx here and apt cannot fetch Debian's package ({error})")
    return str(target / "root/usr/sbin/nginx")


def _fetch(directory: Path) -> None:
    if os.geteuid() == 0:
        _run(directory, "apt-get", "-q", "update")
    _run(directory, "apt-get", "-q", "download", "nginx")
    (package,) = directory.glob("nginx_*.deb")
    _run(directory, "dpkg-deb", "-x", package.name, "root")
    # A library that is missing here shows now, not as a failed test.
    _run(directory, "root/usr/sbin/nginx", "-v")


def _run(directory: Path, *command: str) -> None:
    # apt drops root for a download, and its user cannot write here.
    sandbox = ["-o", "APT::Sandbox::User=root"] if command[0] == "apt-get" else []
    subprocess.run(
        [command[0], *sandbox, *command[1:]], cwd=directory, capture_output=True, text=True, timeout=SECONDS, check=True
    )


def configuration(folder: Path, sites: str, head: str = "") -> Path:
    """Write a whole nginx.conf, everything of it below `folder`: the base, its snippets, `sites`; returns its path."""
    certificate = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"]
    _run(folder, "openssl", "req", "-x509", *algorithm, *certificate)
    said = subprocess.run([nginx(), "-v"], capture_output=True, text=True, check=True).stderr
    known = {proxy.http2_fact(said), "ipv6"}
    pair = {"certificate": f"{folder}/certificate.pem", "key": f"{folder}/key.pem"}
    files = {path: proxy.for_server(text, known) for path, text in site.base_files(**pair).items()}
    whole = files.pop(str(paths.SERVER.nginx_base)) + sites
    for name, text in files.items():
        whole = whole.replace(f"include {name.removeprefix(f'{paths.SERVER.nginx}/')};", text)
    whole = whole.replace("/etc/tls/", f"{folder}/").replace("/var/log/nginx/", f"{folder}/")
    whole = whole.replace(str(paths.SERVER.challenges), f"{folder}/challenges")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    path = folder / "nginx.conf"
    path.write_text(f"pid {folder}/pid; {head} events {{}}\nhttp {{\n{places}\n{whole}\n}}\n")
    return path
