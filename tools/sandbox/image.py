"""Base systems: one directory tree per Debian release and kind, built once and shared by all checkouts."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.sandbox.machine import Inheritance
from tools.sandbox.process import execute, execute_to_log, say

RELEASES = {12: "bookworm", 13: "trixie"}
KINDS = ("plain", "cloud")
FILES = Path(__file__).with_name("files")

# Raise it when the way an image is built changes in a manner that its inputs below do not show.
RECIPE = 1

PLAIN_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "openssh-server",
    "sudo",
    "ca-certificates",
    "python3-minimal",
    "iproute2",
    "procps",
    "netbase",
)
CLOUD_PACKAGES = ("ufw", "unattended-upgrades", "needrestart")
# Where the files of files/cloud go, and their modes.
CLOUD_FILES = {
    "cloud-init.sh": ("usr/bin/cloud-init", 0o755),
    "first-boot-work.sh": ("usr/local/lib/sandbox/first-boot-work", 0o755),
    "boot-upgrade.py": ("usr/local/lib/sandbox/boot-upgrade", 0o755),
    "cloud-final.service": ("etc/systemd/system/cloud-final.service", 0o644),
    "boot-upgrade.service": ("etc/systemd/system/boot-upgrade.service", 0o644),
    "sshd.conf": ("etc/ssh/sshd_config.d/50-cloud-init.conf", 0o600),
    "sudoers": ("etc/sudoers.d/90-cloud-init-users", 0o440),
    "20auto-upgrades": ("etc/apt/apt.conf.d/20auto-upgrades", 0o644),
}
CLOUD_UNITS = (
    "ufw.service",
    "cloud-final.service",
    "boot-upgrade.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
)

BUILD_TIMEOUT = 1800.0
UNUSED_SECONDS = 14 * 24 * 3600.0
# Units that want hardware or kernel interfaces which a container has not got.
MASKED_UNITS = ("systemd-udevd.service", "sys-kernel-debug.mount", "dev-hugepages.mount", "fstrim.timer")
CHROOT_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}


def cache_directory() -> Path:
    """Where all checkouts keep base systems and downloaded packages."""
    root = os.environ.get("CODESENSEI_CACHE")
    if root:
        return Path(root) / "sandbox"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "codesensei" / "sandbox"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (created when missing) for the length of a `with` block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Image:
    """What a base system is made from."""

    debian: int
    kind: str
    inherited: Inheritance

    @property
    def codename(self) -> str:
        """Debian's name of the release."""
        return RELEASES[self.debian]

    @property
    def packages(self) -> tuple[str, ...]:
        """All packages that are asked for by name."""
        return PLAIN_PACKAGES + (CLOUD_PACKAGES if self.kind == "cloud" else ())

    @property
    def key(self) -> str:
        """A digest of everything that decides the image's content."""
        digest = hashlib.sha256()
        parts = [str(RECIPE), self.codename, self.kind, " ".join(self.packages), " ".join(MASKED_UNITS)]
        parts += [self.inherited.sources(self.codename), self.inherited.apt_options]
        for part in parts:
            digest.update(part.encode() + b"\0")
        for name, content in self.inherited.certificates:
            digest.update(name.encode() + b"\0" + content + b"\0")
        if self.kind == "cloud":
            for path in sorted((FILES / "cloud").iterdir()):
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    @property
    def directory(self) -> Path:
        """Where the finished image is: it exists only when it is complete."""
        return cache_directory() / "images" / f"debian-{self.debian}-{self.kind}-{self.key}"

    @property
    def root(self) -> Path:
        """The image's file system tree; never written to once the image is finished."""
        return self.directory / "root"

    def ensure(self) -> Path:
        """Build the image unless it is in the cache, and return its tree.

        Two checkouts that need it at once share one build. Raises SandboxError when the build fails.
        """
        with locked(cache_directory() / "locks" / f"{self.directory.name}.lock"):
            if not self.directory.is_dir():
                base = Image(self.debian, "plain", self.inherited).ensure() if self.kind == "cloud" else None
                self._build(base)
            os.utime(self.directory)
        return self.root

    def _build(self, base: Path | None) -> None:
        started = time.monotonic()
        say(f"building the Debian {self.debian} base system ({self.kind}), once for all checkouts")
        aside = self.directory.with_name(self.directory.name + ".building")
        discard(aside)
        aside.mkdir(parents=True)
        root, log = aside / "root", aside / "build.log"
        if base is None:
            self._debootstrap(root, log)
        else:
            execute(["cp", "-a", "--reflink=auto", str(base), str(root)], timeout=300)
        with chroot_mounts(root, self.inherited.resolv_conf):
            self._customise(root, log)
        (aside / "image.json").write_text(json.dumps({"debian": self.debian, "kind": self.kind, "key": self.key}))
        aside.rename(self.directory)
        say(f"Debian {self.debian} ({self.kind}) is ready after {time.monotonic() - started:.0f} s")

    def _debootstrap(self, root: Path, log: Path) -> None:
        downloads = cache_directory() / "debootstrap" / self.codename
        downloads.mkdir(parents=True, exist_ok=True)
        argv = ["debootstrap", "--variant=minbase", f"--include={','.join(PLAIN_PACKAGES)}"]
        argv += [f"--cache-dir={downloads}", self.codename, str(root), self.inherited.mirror]
        # Two releases use two directories, yet one directory must not be filled by two builds at once.
        with locked(cache_directory() / "locks" / f"debootstrap-{self.codename}.lock"):
            execute_to_log(argv, log, env=dict(os.environ), timeout=BUILD_TIMEOUT)

    def _customise(self, root: Path, log: Path) -> None:
        if self.kind == "plain":
            self._customise_plain(root, log)
        else:
            self._customise_cloud(root, log)
        for path in root.glob("etc/ssh/ssh_host_*"):
            path.unlink()
        for path in root.glob("var/cache/apt/archives/*.deb"):
            path.unlink()
        (root / "etc/machine-id").write_text("")

    def _customise_plain(self, root: Path, log: Path) -> None:
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
        (root / "etc/apt/sources.list.d/debian.sources").write_text(self.inherited.sources(self.codename))
        if self.inherited.apt_options:
            (root / "etc/apt/apt.conf.d/90machine").write_text(self.inherited.apt_options)
        authorities = root / "usr/local/share/ca-certificates"
        for name, content in self.inherited.certificates:
            (authorities / name).write_bytes(content)
        (root / "etc/fstab").write_text("")
        (root / "etc/locale.conf").write_text("LANG=C.UTF-8\n")
        (root / "etc/default/locale").write_text("LANG=C.UTF-8\n")
        (root / "var/log/journal").mkdir(exist_ok=True)
        in_chroot(root, log, "update-ca-certificates")
        in_chroot(root, log, "systemctl", "enable", "systemd-networkd.service", "ssh.service")
        in_chroot(root, log, "systemctl", "mask", *MASKED_UNITS)
        # No password at all, so that the account is not "locked" but only a key opens it.
        in_chroot(root, log, "usermod", "-p", "*", "root")
        in_chroot(root, log, "apt-get", "-q", "update")

    def _customise_cloud(self, root: Path, log: Path) -> None:
        install = ["apt-get", "-q", "-y", "--no-install-recommends", "install", *CLOUD_PACKAGES]
        in_chroot(root, log, "apt-get", "-q", "update")
        in_chroot(root, log, *install)
        in_chroot(root, log, "useradd", "-m", "-u", "1000", "-s", "/bin/bash", "-p", "*", "-G", "adm,sudo", "debian")
        for name, (target, mode) in CLOUD_FILES.items():
            path = root / target
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(FILES / "cloud" / name, path)
            path.chmod(mode)
        # Only files are to be written here, so ufw gets a network of its own instead of this machine's.
        in_chroot(root, log, "ufw", "allow", "OpenSSH", isolated=True)
        configuration = root / "etc/ufw/ufw.conf"
        configuration.write_text(configuration.read_text().replace("ENABLED=no", "ENABLED=yes"))
        in_chroot(root, log, "systemctl", "enable", *CLOUD_UNITS)


def in_chroot(root: Path, log: Path, *argv: str, isolated: bool = False) -> None:
    """Run a program inside an image that is being built; `isolated` keeps this machine's network from it."""
    before = ["unshare", "--net"] if isolated else []
    execute_to_log([*before, "chroot", str(root), *argv], log, env=CHROOT_ENVIRONMENT, timeout=BUILD_TIMEOUT)


@contextlib.contextmanager
def chroot_mounts(root: Path, resolv_conf: str) -> Iterator[None]:
    """Give a tree /proc, a private /dev and name resolution while programs run in it."""
    resolv = root / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.write_text(resolv_conf)
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    mounts = [("proc", "proc", []), ("tmpfs", "run", ["-o", "mode=755"])]
    try:
        for kind, place, options in mounts:
            execute(["mount", "-t", kind, *options, kind, str(root / place)])
        yield
    finally:
        for _, place, _ in reversed(mounts):
            execute(["umount", "-l", str(root / place)], check=False)
        policy.unlink()


def discard(tree: Path) -> None:
    """Remove a tree that may hold mounts of a killed build."""
    if not tree.exists():
        return
    unmount_below(tree)
    shutil.rmtree(tree)


def unmount_below(tree: Path) -> None:
    """Unmount everything mounted at or below `tree`, deepest first."""
    prefix = str(tree)
    for place in sorted(mounted_places(), key=len, reverse=True):
        if place == prefix or place.startswith(prefix + "/"):
            execute(["umount", "-l", place], check=False)


def mounted_places() -> list[str]:
    """All mount points of this mount namespace."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1].encode().decode("unicode_escape") for line in lines]


def prune(now: float, in_use: str) -> None:
    """Remove images that no mount uses and nobody has used for two weeks; `in_use` is /proc/self/mounts."""
    for directory in (cache_directory() / "images").glob("debian-*"):
        old = now - directory.stat().st_mtime > UNUSED_SECONDS
        if old and str(directory) not in in_use:
            with locked(cache_directory() / "locks" / f"{directory.name}.lock"):
                discard(directory)
