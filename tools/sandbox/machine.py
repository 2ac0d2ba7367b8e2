"""What this machine has and lacks, and what its servers inherit from it."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.sandbox.errors import SandboxError
from tools.sandbox.process import execute, execute_to_log, say

INSTEAD = "`make demo SERVER=user@host` uses a real server instead."
CAP_SYS_ADMIN = 21
# On a machine with systemd-resolved the first names only a stub; the second has the real name servers.
RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
CA_DIRECTORY = Path("/usr/local/share/ca-certificates")

# A program (or file) that must exist, and the Debian package that brings it.
REQUIRED = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "nft": "nftables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}

# Options of this machine's apt that its servers need too to reach the same mirror.
APT_OPTIONS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Retries",
    "Acquire::ForceIPv4",
)
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY_MIRROR = "http://deb.debian.org/debian-security"


def has_capability(status: str, number: int) -> bool:
    """Whether the effective capabilities in a /proc/PID/status text contain capability `number`."""
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return match is not None and bool(int(match.group(1), 16) >> number & 1)


def why_not_here(system: str, uid: int, status: str) -> str | None:
    """One sentence that says why no server can run here and what to do, or None when it can."""
    if system != "Linux":
        return f"Throw-away servers need Linux and this is {system}: {INSTEAD}"
    if uid != 0:
        return f"Throw-away servers need root: run the same command with sudo, or {INSTEAD}"
    if not has_capability(status, CAP_SYS_ADMIN):
        return (
            "Throw-away servers need to mount file systems and this container may not "
            f"(CAP_SYS_ADMIN is missing): start it with all capabilities, or {INSTEAD}"
        )
    return None


def missing_packages(required: Mapping[str, str] = REQUIRED) -> list[str]:
    """The Debian packages whose program or file is not on this machine."""
    lacking = (
        package
        for thing, package in required.items()
        if not (Path(thing).exists() if thing.startswith("/") else shutil.which(thing, path=search_path()))
    )
    return sorted(set(lacking))


def search_path() -> str:
    """PATH with the system directories, which a root shell made by `su` may lack."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"])


def require() -> None:
    """Make sure servers can run here, installing Debian packages that are missing after saying so.

    Raises SandboxError with one sentence when they cannot.
    """
    system = platform.system()
    status = Path("/proc/self/status").read_text() if system == "Linux" else ""
    reason = why_not_here(system, os.geteuid(), status)
    if reason is not None:
        raise SandboxError(reason)
    os.environ["PATH"] = search_path()
    install_missing(REQUIRED, "Throw-away servers need", f"Install them, or {INSTEAD}")


def install_missing(required: Mapping[str, str], who_needs: str, fix: str = "Install them.") -> None:
    """Install the Debian packages that are missing, after saying so; raises SandboxError where that cannot be done."""
    packages = missing_packages(required)
    if not packages:
        return
    listed = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise SandboxError(f"{who_needs} what these Debian packages bring: {listed}. {fix}")
    say(f"installing on this machine, by apt-get: {listed}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    log = Path("/var/log/codesensei-sandbox-apt.log")
    execute_to_log(["apt-get", "-q", "update"], log, env=environment, timeout=300)
    execute_to_log(
        [
            "apt-get",
            "-q",
            "-y",
            "-o",
            "DPkg::Lock::Timeout=300",
            "install",
            "--no-install-recommends",
            *packages,
        ],
        log,
        env=environment,
        timeout=900,
    )


@dataclass(frozen=True)
class Source:
    """One apt source of this machine."""

    uri: str
    suite: str


def parse_one_line_sources(text: str) -> Iterator[Source]:
    """The `deb` lines of a sources.list file."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line)
        if match:
            yield Source(match.group(1), match.group(2))


def parse_deb822_sources(text: str) -> Iterator[Source]:
    """The enabled `deb` stanzas of a .sources file."""
    without_comments = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", without_comments):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite)


def machine_sources(directory: Path = Path("/etc/apt")) -> list[Source]:
    """All apt sources of this machine."""
    found: list[Source] = []
    for path in (directory / "sources.list", *sorted(directory.glob("sources.list.d/*"))):
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".sources":
            found.extend(parse_deb822_sources(text))
        elif path.suffix == ".list":
            found.extend(parse_one_line_sources(text))
    return found


def mirrors(sources: Iterable[Source], codename: str) -> tuple[str, str]:
    """The Debian mirror and the security mirror that this machine uses, as two URIs.

    `codename` is this machine's own release. On a machine that is no Debian, or whose mirror is of a kind
    that debootstrap cannot read, these are Debian's own.
    """
    main, security = "", ""
    for source in sources:
        if not re.match(r"https?://", source.uri):
            continue
        if source.suite == codename and not main:
            main = source.uri
        if source.suite in {f"{codename}-security", f"{codename}/updates"} and not security:
            security = source.uri
    return (main or DEFAULT_MIRROR).rstrip("/"), (security or DEFAULT_SECURITY_MIRROR).rstrip("/")


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """The fields of this machine's os-release file."""
    if not path.is_file():
        return {}
    pairs = re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', path.read_text(), re.MULTILINE)
    return dict(pairs)


def server_sources(main: str, security: str, codename: str) -> str:
    """The text of a server's debian.sources: release, updates and security."""
    signed = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    return (
        f"Types: deb\nURIs: {main}\nSuites: {codename} {codename}-updates\nComponents: main\n{signed}\n"
        f"Types: deb\nURIs: {security}\nSuites: {codename}-security\nComponents: main\n{signed}"
    )


def server_apt_options(dump: str) -> str:
    """The apt options that a server takes over, out of the text of `apt-config dump`."""
    wanted = {option.lower() for option in APT_OPTIONS}
    lines = [line for line in dump.splitlines() if line.partition(" ")[0].lower() in wanted]
    return "".join(f"{line}\n" for line in lines)


def is_loopback(text: str) -> bool:
    """Whether a URL or address in `text` means the machine itself, which a server cannot reach by it."""
    return re.search(r"(^|[/@\s])(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)([:/\s]|$)", text) is not None


def resolver(candidates: Iterable[Path] = RESOLVERS) -> str:
    """A resolv.conf for servers: this machine's name servers that are not on its loopback interface."""
    for path in candidates:
        if not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        usable = [line for line in lines if not (line.startswith("nameserver") and is_loopback(line))]
        if any(line.startswith("nameserver") for line in usable):
            return "".join(f"{line}\n" for line in usable if not line.startswith("#"))
    say("this machine's name servers are on its loopback interface only, so servers cannot resolve names.")
    return ""


def environment_file(extra_certificates: bool, environment: Mapping[str, str]) -> str:
    """The text of a server's /etc/environment: proxies of this machine and, where it re-signs TLS, trust."""
    lines = [
        f'{name}="{environment[name]}"'
        for name in PROXY_VARIABLES
        if environment.get(name) and not is_loopback(environment[name])
    ]
    if extra_certificates:
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        lines += [f'SSL_CERT_FILE="{bundle}"', 'UV_SYSTEM_CERTS="1"', 'UV_NATIVE_TLS="1"']
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class Inheritance:
    """What servers take over from this machine; part of an image's identity."""

    mirror: str
    security_mirror: str
    apt_options: str
    certificates: tuple[tuple[str, bytes], ...]
    """File name and content of each extra certificate authority."""
    resolv_conf: str
    environment: str
    pip_conf: str

    def sources(self, codename: str) -> str:
        """The debian.sources text for a server of this release."""
        return server_sources(self.mirror, self.security_mirror, codename)


def inheritance() -> Inheritance:
    """Read what servers take over from this machine."""
    release = os_release()
    sources = machine_sources() if release.get("ID") == "debian" else []
    main, security = mirrors(sources, release.get("VERSION_CODENAME", ""))
    dump = execute(["apt-config", "dump"]).stdout if shutil.which("apt-config") else ""
    options = "".join(f"{line}\n" for line in server_apt_options(dump).splitlines() if not is_loopback(line))
    certificates = tuple((path.name, path.read_bytes()) for path in sorted(CA_DIRECTORY.rglob("*.crt")))
    pip_conf = Path("/etc/pip.conf")
    return Inheritance(
        mirror=main,
        security_mirror=security,
        apt_options=options,
        certificates=certificates,
        resolv_conf=resolver(),
        environment=environment_file(bool(certificates), os.environ),
        pip_conf=pip_conf.read_text() if pip_conf.is_file() else "",
    )
