"""bootstrap.sh and its fellows: what they refuse, and that the temporary directory never stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "codesensei" / "scripts"


def toolkit(folder: Path) -> Path:
    """A directory as the operator's side unpacks it."""
    (folder / "codesensei/scripts").mkdir(parents=True)
    (folder / "__main__.py").write_text("")
    shutil.copy(SCRIPTS / "run.sh", folder / "codesensei/scripts/run.sh")
    return folder


def bootstrap(*words: str, unprivileged: bool = True) -> subprocess.CompletedProcess[str]:
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if unprivileged and os.getuid() == 0 else []
    script = (SCRIPTS / "bootstrap.sh").read_text()
    argv = [*drop, "sh", "-s", "--", *words]
    return subprocess.run(argv, input=script, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that another user may remove, as the login user owns its own."""
    path = tmp_path_factory.mktemp("unpacked")
    for parent in path.parents:
        if "pytest-of-" in str(parent):
            parent.chmod(0o755)
    toolkit(path / "toolkit")
    for found in (path, *path.rglob("*")):
        found.chmod(0o777)
    return path / "toolkit"


def test_who_is_not_root_is_told_how_and_the_directory_goes(folder: Path) -> None:
    done = bootstrap(str(folder), "shop", "claim", "1", "org/codesensei/prod", "id1", "false", "hash")
    assert done.returncode == 1
    assert "codesensei:server.user to root or to a user with passwordless sudo" in done.stderr
    assert not folder.exists()


def test_an_incomplete_toolkit_is_refused_and_the_directory_goes(folder: Path) -> None:
    (folder / "__main__.py").unlink()
    done = bootstrap(str(folder), "shop", "claim", "1", "org/codesensei/prod", "id1", "false", "hash")
    assert done.returncode == 1
    assert "__main__.py is missing" in done.stderr
    assert not folder.exists()


@pytest.mark.parametrize("count", [0, 7, 10])
def test_other_words_are_a_wrong_use(count: int) -> None:
    done = bootstrap(*["x"] * count)
    assert done.returncode == 2
    assert "usage:" in done.stderr


@pytest.mark.parametrize("lacking", ["ss", ""])
@pytest.mark.slow
def test_what_a_minimal_image_lacks_is_installed_first(tmp_path: Path, lacking: str) -> None:
    """The preflight asks ss before any package of the product's is there."""
    (tmp_path / "python3").symlink_to(os.path.realpath(sys.executable))
    for name in ("sh", "mktemp", "rm"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    (tmp_path / "apt-get").chmod(0o755)
    if lacking != "ss":
        (tmp_path / "ss").symlink_to("apt-get")
    script = (SCRIPTS / "bootstrap.sh").read_text().replace('main "$@"\n', "ensure_programs\n")
    argv, environment = [str(tmp_path / "sh"), "-c", script], {"PATH": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    asked = (tmp_path / "asked").read_text().splitlines() if (tmp_path / "asked").exists() else []
    assert [line.split()[-1] for line in asked] == (["update", "iproute2"] if lacking else [])


@pytest.mark.proves("os.cloud-init")
@pytest.mark.parametrize(("seconds", "fresh"), [("0", True), ("60", True), ("60", False)])
@pytest.mark.slow
def test_a_fresh_image_is_waited_for_with_a_bound(tmp_path: Path, seconds: str, fresh: bool) -> None:
    programs, result = tmp_path / "bin", tmp_path / "result.json"
    programs.mkdir()
    (programs / "cloud-init").write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\nexec sleep {seconds}\n')
    (programs / "cloud-init").chmod(0o755)
    if not fresh:
        result.write_text("{}")
    script = (SCRIPTS / "bootstrap.sh").read_text().replace("/run/cloud-init/result.json", str(result))
    script = script.replace("CLOUD_INIT_WAIT=900\n", "CLOUD_INIT_WAIT=1\n").replace(
        'main "$@"\n', "wait_for_cloud_init\n"
    )
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False, timeout=30, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("waiting for cloud-init (at most 1 s)\n" if fresh else "")
    assert (tmp_path / "asked").exists() is fresh
    assert not fresh or (tmp_path / "asked").read_text() == "status --wait\n"


@pytest.mark.slow
@pytest.mark.proves("release.on-disk")
def test_the_toolkit_is_compiled_and_known_by_its_sources_alone(tmp_path: Path) -> None:
    """Each step starts with what is compiled already, for as long as the sources are the same."""
    unpacked = toolkit(tmp_path / "unpacked")
    module = unpacked / "codesensei/scripts/words.py"
    module.write_text("WORD = 1\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "chown").symlink_to(str(shutil.which("true")))
    library = tmp_path / "library"
    (programs / "sync").write_text(
        f'#!/bin/sh\necho "$@" >{tmp_path}/synced; ls -A {library}/toolkit >>{tmp_path}/synced\n'
    )
    (programs / "sync").chmod(0o755)
    script = (SCRIPTS / "bootstrap.sh").read_text().replace("/usr/local/lib/codesensei", str(library))
    script = script.replace('main "$@"\n', 'umask 022; place_toolkit "$1"; content_hash "$toolkit"\n')
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    argv = ["sh", "-c", script, "sh", str(unpacked)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    (installed,) = (library / "toolkit").iterdir()
    assert done.stdout.splitlines() == [f"toolkit {installed.name} installed", installed.name]
    # Its name says what is in it, so the disk has all of it before.
    unnamed = f".{installed.name}"
    assert (tmp_path / "synced").read_text().splitlines() == [f"-f {library}/toolkit/{unnamed}", unnamed]
    place = installed / "codesensei/scripts"
    assert [file.name.split(".")[0] for file in (place / "__pycache__").iterdir()] == ["words"]
    (place / "words.py").write_text("WORD = 2\n")
    asked = [sys.executable, "-I", "-B", "-c", f"import sys; sys.path.insert(0, {str(place)!r}); import words"]
    asked[-1] += "; print(words.WORD)"
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "2\n"
