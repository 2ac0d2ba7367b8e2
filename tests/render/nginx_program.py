"""A real nginx for the tests of sites: the machine's own, else Debian's package, unpacked but not installed."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

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
    """Write a whole nginx.conf, everything of it below `folder`; returns its path."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    sites = sites.replace("/var/log/nginx/", f"{folder}/")
    path = folder / "nginx.conf"
    path.write_text(f"pid {folder}/pid; {head} events {{}}\nhttp {{\n{places}\n{sites}\n}}\n")
    return path
