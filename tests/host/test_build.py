"""A release is built on the server: its code unpacked, its packages installed by a user that can do nothing else."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.wire import steps
from codesensei.wire.steps import SourceArchive
from tests.host.workshop import START, Workshop
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

BOTH = pytest.mark.parametrize("debian", [12, 13])
ON_13 = pytest.mark.parametrize("debian", [13])
ON_12 = pytest.mark.parametrize("debian", [12])


@pytest.fixture
def lab(debian: int, first_deploys: Callable[[int], Stack], place: Path) -> Workshop:
    """A workshop on the server of the deployed stack, which is put back before others use it."""
    stack = first_deploys(debian)
    stack.dirty = True
    return Workshop(stack.server, place / f"lab-{debian}").open()


PROBE = (Path(__file__).parent / "hostile" / "backend.py").read_text()
BACKEND = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
HOSTILE = {
    **START,
    "requirements.txt": START["requirements.txt"] + "./libs/probe\n",
    "libs/probe/pyproject.toml": BACKEND,
    "libs/probe/backend.py": PROBE,
}


@BOTH
@pytest.mark.full
def test_a_hostile_package_can_do_nothing_but_fill_its_directory(lab: Workshop, debian: int) -> None:
    before = lab.server.console("stat -c '%a %u %h' /etc/passwd /etc/shadow").stdout
    built = lab.build(HOSTILE)
    report = json.loads(lab.python(built, "import probe; print(probe.REPORT)"))
    assert report["user"] == int(lab.server.console(f"id -u {lab.build_user}").stdout)
    assert report["capabilities"] == report["bounding"] == "0000000000000000"
    assert report["new privileges"] == "1"
    assert (sorted(report["weights"]), report["nice"]) == (["CPUWeight=20", "IOWeight=20"], 10)
    # What it may do in its own directory; what is odd there goes when root takes over.
    harmless = {"fifo", "socket", "link", "daemon", "tmp of all"}
    assert {name for name, said in report["tries"].items() if "Error" not in said} - harmless == set(), report["tries"]
    planted = (
        "find / -xdev -name planted\\* -not -path '/proc/*'; pgrep -fa '[s]leep 86399'; pgrep -U " + lab.build_user
    )
    assert lab.server.console(planted, check=False).stdout == ""
    trees = f"{built.path} {built.venv}"
    # The marker and the product's own folder are root's alone.
    ours = "-name .codesensei -prune -o ! -name .complete"
    odd = "! -user root -o ! -group lab -o ! -type l -perm /6022 -o ! -type f ! -type d ! -type l"
    odd = f"find {trees} {ours} \\( {odd} \\) -print"
    assert lab.server.console(odd).stdout == ""
    assert lab.server.console("stat -c '%a %u %h' /etc/passwd /etc/shadow").stdout == before


@ON_13
@pytest.mark.full
def test_a_hard_link_to_a_file_of_root_s_is_never_taken_over(lab: Workshop) -> None:
    """Where the kernel lets users make one: the link is put there by hand, while a hook waits for it."""
    waits = "touch assets/ready; timeout 60 sh -c 'until test -e assets/victim; do sleep 0.1; done'"
    files = {**START, "assets/more.txt": "x"}
    assets = f"{lab.root}/releases/*/assets"
    link = f"cd $(dirname $(ls {assets}/ready)) && ln /srv/codesensei/victim victim"
    lab.server.console("install -m 644 /dev/null /srv/codesensei/victim")
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(lab.build, files, {"hooks": {"beforeCollectstatic": [waits]}}, succeed=False)
        lab.server.console(f"timeout 120 sh -c 'until test -e {assets}/ready; do sleep 0.1; done'; {link}")
        said = building.result().said
    assert "victim is a hard link to a file of root's" in said
    assert (
        lab.server.console("stat -c '%a %U %G' /srv/codesensei/victim; rm /srv/codesensei/victim").stdout
        == "644 root root\n"
    )


def hostile_archive(member: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in START.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
        inner = tarfile.TarInfo("a/b/up")
        inner.type, inner.linkname = tarfile.SYMTYPE, "../.."
        tar.addfile(inner)
        tar.addfile(member, io.BytesIO(b"x" * member.size))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 1 if kind == tarfile.REGTYPE else 0
    return info


ARCHIVES = {
    "absolute": (member("/srv/codesensei/planted"), "leads out of the project"),
    "dots": (member("../../planted"), "leads out of the project"),
    "device": (member("planted", tarfile.CHRTYPE), "is a device or a pipe"),
    "link out": (member("planted", tarfile.SYMTYPE, "/etc/shadow"), "is a link out of the project (/etc/shadow)"),
    "chained link": (member("planted", tarfile.SYMTYPE, "a/b/up/../x"), "is a link out of the project (a/b/up/../x)"),
    "hard link": (member("planted", tarfile.LNKTYPE, "../../etc/passwd"), "is a hard link out of the project"),
    "behind a link": (member("a/b/up/planted"), "lies behind a link"),
    "own folder": (member(".codesensei/env"), "has the name of the product's own folder"),
}


@pytest.mark.full
@ON_12
@pytest.mark.proves("source.refused", "source.checked")
def test_a_hostile_or_damaged_archive_is_refused_before_anything_is_unpacked(lab: Workshop) -> None:
    built = lab.build(START)
    for name, (bad, reason) in ARCHIVES.items():
        data = hostile_archive(bad)
        release, revision = "aaaaaaa-" + built.release[-7:], hashlib.sha1(name.encode()).hexdigest()
        tar = f"/var/lib/codesensei/incoming/lab/{revision[:12]}.tar"
        lab.server.put(tar, data)
        step = replace(built.data, source=SourceArchive(tar=tar, sha256=hashlib.sha256(data).hexdigest()))
        ok, said = lab.step(steps.BUILD, step, release, revision, check=False)
        assert not ok, name
        assert said.startswith("error: source on "), said
        assert reason in said, f"{name}: {said}"
        assert lab.server.console(f"test -e {lab.root}/releases/{release}", check=False).returncode == 1
    damaged = replace(built.data, source=SourceArchive(tar=tar, sha256="0" * 64))
    lab.server.put(tar, hostile_archive(member("x")))
    ok, said = lab.step(steps.BUILD, damaged, release, "e" * 40, check=False)
    assert not ok
    assert "the archive arrived damaged" in said
    absent = replace(built.data, source=replace(damaged.source, tar="/x/none.tar"))
    ok, said = lab.step(steps.BUILD, absent, release, "d" * 40, check=False)
    assert "the archive /var/lib/codesensei/incoming/lab/none.tar is not there" in said
    assert "fix: run it again: pulumi up --replace '**lab-source'" in said
    assert lab.server.console("find /srv /etc -name 'planted*'").stdout == ""
    modes = lab.server.console("stat -c '%a %U' /var/lib/codesensei/incoming/lab /var/lib/codesensei/lab/source").stdout
    assert modes == "700 root\n700 root\n"
