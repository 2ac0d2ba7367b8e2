"""remote.CopyToRemote: what is copied where, and when again."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.servers import Sshd
from tests.conformance.stack import Entry, Json, Run, Stack, resource

BIG_FILE_BYTES = 3_000_000


@dataclass(frozen=True)
class Copies:
    """The stack after a first and a second run, the files of both ends, and what each run left."""

    stack: Stack
    local: Path
    remote: Path
    second: Run
    destroyed: Run
    after_first: dict[str, str]
    modes: dict[str, str]
    after_second: dict[str, str]
    after_destroy: dict[str, str]


def tree(root: Path) -> dict[str, str]:
    """Every file below a folder by its relative name, with its content; folders with "/"."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        found[name] = "/" if path.is_dir() else path.read_bytes()[:40].decode(errors="replace")
    return found


@pytest.fixture(scope="module")
def copies(new_stack: StackFactory, sshd: Sshd) -> Copies:
    """Copies of each kind of source, then changes to some, then the destruction of the stack."""
    stack = new_stack("copies")
    local, remote = stack.directory / "local", stack.directory / "remote"
    (local / "site" / "empty").mkdir(parents=True)
    (local / "site" / "page").write_text("page 1")
    (local / "site" / "link").symlink_to("page")
    (local / "script").write_text("script 1")
    (local / "script").chmod(0o755)
    (local / "private").write_text("private 1")
    (local / "private").chmod(0o600)
    (local / "same").write_text("same")
    (local / "big").write_bytes(os.urandom(BIG_FILE_BYTES))
    with tarfile.open(local / "ball.tgz", "w:gz") as ball:
        ball.add(local / "same", "same")
    (remote / "folder").mkdir(parents=True)
    (remote / "kept-mode").write_text("old")
    (remote / "kept-mode").chmod(0o640)

    def copy(name: str, source: Json, target: str, **more: object) -> Entry:
        return resource(
            "remote.CopyToRemote",
            name,
            connection=sshd.connection(**more.pop("connection", {})),  # type: ignore[arg-type]
            source=source,
            remote_path=str(remote / target),
            **more,
        )

    def file(name: str) -> Json:
        return {"$file": str(local / name)}

    def program(text: str, timeout: int, same: str, moved: str, trigger: str) -> list[Entry]:
        return [
            copy("text", {"$text": text}, "text"),
            copy("file", file("script"), "deep/er/script"),
            copy("private", file("private"), "private"),
            copy("kept-mode", file("private"), "kept-mode"),
            copy("into-folder", file("same"), "folder"),
            copy("folder", {"$archive": str(local / "site")}, "whole"),
            copy("contents", {"$archive": f"{local / 'site'}/"}, "flat"),
            copy("ball", {"$archive": str(local / "ball.tgz")}, "ball.tgz"),
            copy("big", file("big"), "big"),
            copy("drifted", file("same"), "drifted", connection={"per_dial_timeout": timeout}),
            copy("renamed", file(same), "renamed"),
            copy("renamed-too", file(same), "renamed-too", connection={"per_dial_timeout": timeout}),
            copy("moved", file("same"), moved),
            copy("triggered", file("same"), "triggered", triggers=[trigger]),
        ]

    stack.up(program("text 1", 15, "same", "moved-1", "a"))
    after_first = tree(remote)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in remote.rglob("*") if path.is_file()}
    assert (remote / "big").read_bytes() == (local / "big").read_bytes()
    for name in ("drifted", "renamed", "renamed-too", "triggered"):
        (remote / name).write_text("drifted")
    (local / "same-2").write_text("same")
    (local / "script").chmod(0o700)
    (local / "site" / "page").rename(local / "site" / "other-page")
    (local / "site" / "link").unlink()
    second = stack.up(program("text 2", 14, "same-2", "moved-2", "b"))
    after_second = tree(remote)
    destroyed = stack.run("destroy", "--yes", "--skip-preview")
    return Copies(stack, local, remote, second, destroyed, after_first, modes, after_second, tree(remote))


def test_kinds_of_source(copies: Copies) -> None:
    """A text, a file (into a folder that exists, or to a path whose parents are made) and an archive's file.

    An archive file is copied as it is, not unpacked.
    """
    assert copies.after_first["text"] == "text 1"
    assert copies.after_first["deep/er/script"] == "script 1"
    assert copies.after_first["folder/same"] == "same"
    assert (copies.remote / "ball.tgz").read_bytes() == (copies.local / "ball.tgz").read_bytes()


def test_directories(copies: Copies) -> None:
    """A directory goes into the target under its own name; with a slash at its end only its contents do.

    Empty folders are made, and links are followed.
    """
    expected = {"empty": "/", "page": "page 1", "link": "page 1"}
    whole = {
        name.removeprefix("whole/site/"): text for name, text in copies.after_first.items() if "whole/site/" in name
    }
    flat = {name.removeprefix("flat/"): text for name, text in copies.after_first.items() if "flat/" in name}
    assert whole == expected
    assert flat == expected
    assert not (copies.remote / "flat" / "link").is_symlink()


def test_modes_are_lost(copies: Copies) -> None:
    """Modes do not travel: new files get what the umask leaves of 0666, existing ones keep theirs."""
    assert copies.modes["script"] == copies.modes["private"] == "0o644"
    assert copies.modes["kept-mode"] == "0o640"


def test_changed_content_is_copied(copies: Copies) -> None:
    """New content is an update that copies."""
    assert copies.second.operations()["text"] == ["update"]
    assert copies.second.detailed_diff("text").keys() == {"source"}
    assert copies.after_second["text"] == "text 2"


def test_nothing_is_ever_deleted(copies: Copies) -> None:
    """Stale files stay when a directory is copied again, and a destroy leaves everything."""
    assert copies.second.operations()["folder"] == ["update"]
    assert copies.after_second["whole/site/other-page"] == "page 1"
    assert copies.after_second["whole/site/page"] == "page 1"
    assert set(copies.destroyed.operations()["folder"]) == {"delete"}
    assert copies.after_destroy == copies.after_second


def test_connection_change_copies_nothing(copies: Copies) -> None:
    """A change of the connection alone is an update that does not copy, even over a file that drifted."""
    assert copies.second.operations()["drifted"] == ["update"]
    assert copies.after_second["drifted"] == "drifted"


def test_only_the_content_counts(copies: Copies) -> None:
    """The same content from another path, or with another mode, is no change."""
    assert copies.second.operations()["renamed"] == ["same"]
    assert copies.second.operations()["file"] == ["same"]
    assert copies.after_second["renamed"] == "drifted"


def test_same_content_is_no_difference(copies: Copies) -> None:
    """Beside another change, too, the path of the source is no difference and nothing is copied."""
    assert copies.second.operations()["renamed-too"] == ["update"]
    assert not [path for path in copies.second.detailed_diff("renamed-too") if path.startswith("source")]
    assert copies.after_second["renamed-too"] == "drifted"


def test_other_target_is_copied(copies: Copies) -> None:
    """Another remotePath is an update that copies there and leaves the old file."""
    assert copies.second.operations()["moved"] == ["update"]
    assert copies.after_second["moved-1"] == copies.after_second["moved-2"] == "same"


def test_trigger_copies_again(copies: Copies) -> None:
    """A changed trigger replaces the copy, which copies all again."""
    assert "replace" in copies.second.operations()["triggered"]
    assert copies.after_second["triggered"] == "same"


def test_text_into_a_folder_fails(new_stack: StackFactory, sshd: Sshd) -> None:
    """A text needs a file's path as its target, and a missing source fails the run."""
    stack = new_stack("text-into-folder")
    target = str(stack.directory)
    entry = resource(
        "remote.CopyToRemote", "text", connection=sshd.connection(), source={"$text": "x"}, remote_path=target
    )
    run = stack.up([entry], succeed=False)
    assert f"remote path {target} is a directory; when using a text asset, remotePath must be a file path" in run.error(
        "text"
    )
