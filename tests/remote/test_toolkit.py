"""The bundle: the same bytes for the same scripts, unpacked whole by the server's own tools or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from codesensei.remote import scripts as texts
from codesensei.remote import toolkit

SHELLS = [name for name in ("sh", "dash", "bash", "busybox") if shutil.which(name)]
BOOTSTRAP = """#!/bin/sh
# Stands in for the real one: shows what arrived, and where.
set -eu
cp -R "$1" "$KEPT"
shift
printf '%s\\n' "$@" >"$KEPT/arguments"
"""
NASTY = "print('$HOME `id` \\\\ %s \"quoted\" é')\n\n  # === not at the start of the line\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with files of every kind, in a room that travels and in one that does not."""
    scripts = tmp_path / "package" / "scripts"
    for room in (*texts.ROOMS, "remote"):
        (scripts.parent / room).mkdir(parents=True)
    (scripts / "bootstrap.sh").write_text(BOOTSTRAP)
    (scripts / "nasty.py").write_text(NASTY)
    (scripts.parent / "wire" / "empty.py").write_text("")
    (scripts / "notes.txt").write_text("not a script\n")
    (scripts.parent / "remote" / "operators.py").write_text("import pulumi\n")
    return scripts.parent


def unpack(bundle: str, tmp_path: Path, *words: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    """Run the bundle as a server would: a shell reads it from a pipe."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "KEPT": str(tmp_path / "kept"), "TMPDIR": str(work)}
    argv = [shell, *(["sh"] if shell == "busybox" else []), "-s", *words]
    return subprocess.run(argv, input=bundle, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_the_same_scripts_make_the_same_bytes(package: Path) -> None:
    first = toolkit.pack(package)
    for file in package.rglob("*.*"):
        os.utime(file, (0, 0))
    assert toolkit.pack(package) == first
    (package / "scripts" / "nasty.py").write_text(NASTY + "# one more line\n")
    assert toolkit.pack(package).hash != first.hash


def test_an_edited_script_is_a_line_diff(package: Path) -> None:
    before = toolkit.pack(package).bundle.splitlines()
    (package / "scripts" / "nasty.py").write_text(NASTY + "# one more line\n")
    after = toolkit.pack(package).bundle.splitlines()
    assert [line for line in after if line not in before] == ["# one more line"]
    assert len(after) == len(before) + 1


@pytest.mark.parametrize("shell", SHELLS)
def test_it_arrives_as_it_was(shell: str, package: Path, tmp_path: Path) -> None:
    words = ["shop", "acme/codesensei/prod", "an identity's", "false", "repair=3"]
    done = unpack(toolkit.pack(package).bundle, tmp_path, *words, shell=shell)
    assert done.returncode == 0, done.stderr
    arrived = tmp_path / "kept"
    found = {str(it.relative_to(arrived)): it.read_text() for it in arrived.rglob("*") if it.is_file()}
    assert found == {
        "__main__.py": texts.MAIN,
        "codesensei/__init__.py": "",
        "codesensei/scripts/bootstrap.sh": BOOTSTRAP,
        "codesensei/wire/empty.py": "",
        "codesensei/scripts/nasty.py": NASTY,
        "arguments": "".join(f"{word}\n" for word in words),
    }


@pytest.mark.slow
def test_a_bundle_that_was_cut_off_is_not_used(package: Path, tmp_path: Path) -> None:
    bundle = toolkit.pack(package).bundle
    # Before it nothing can be told of a cut; it is in the first packet of the connection.
    beginning = bundle.index("EXIT\n") + len("EXIT\n")
    lengths = {*range(beginning, len(bundle) - 1, 11), *range(len(bundle) - 30, len(bundle) - 1)}
    used = [length for length in sorted(lengths) if unpack(bundle[:length], tmp_path, "shop").returncode == 0]
    assert used == []
    assert not (tmp_path / "kept").exists()
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=== codesensei/evil.py\n", "line that the bundle cannot hold: === codesensei/evil.py"),
        ("=== end\n", "line that the bundle cannot hold: === end"),
        ("no newline", "does not end with a newline"),
        ("windows\r\n", "a control character"),
    ],
)
def test_what_a_bundle_cannot_hold_is_refused(text: str, said: str, package: Path) -> None:
    (package / "wire" / "bad.py").write_bytes(text.encode())
    with pytest.raises(ValueError, match=f"bad.py .*{said}"):
        toolkit.pack(package)


@pytest.mark.slow
def test_the_product_s_own_scripts_can_be_packed_and_started(tmp_path: Path) -> None:
    """The toolkit needs nothing beside itself: a copy of it, alone in a directory, knows its steps."""
    bundle = toolkit.pack().bundle.replace(
        'sh "$directory/codesensei/scripts/bootstrap.sh" "$directory" "$@"', 'mv "$directory" "$KEPT"'
    )
    assert unpack(bundle, tmp_path).returncode == 0
    folder = tmp_path / "kept"
    command = ["python3", "-I", "-B", str(folder), "shop", "no-such-step", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 2
    assert "there is no step named no-such-step" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_what_has_arrived_is_run(shell: str, tmp_path: Path) -> None:
    (tmp_path / ".codesensei-shop-1.sh").write_text('printf "%s\\n" "$@"\n')
    argv = [*([shell, "sh"] if shell == "busybox" else [shell]), "-s"]

    def run(file: str) -> subprocess.CompletedProcess[str]:
        words, script = [*argv, file, "shop", "claim", "a b"], toolkit.RUN.read_text()
        return subprocess.run(words, input=script, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run(".codesensei-shop-1.sh").stdout == "shop\nclaim\na b\n"
    lost = run(".codesensei-shop-2.sh")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert ".codesensei-shop-2.sh has gone from the home of" in lost.stderr
    assert 'fix: pulumi up --replace "**::server-toolkit-file"' in lost.stderr
