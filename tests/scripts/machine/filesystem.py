"""A scratch directory that stands for `/`: the calls of `os` and `open` lead there while a step runs."""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import pathlib
import re
import shutil
import socket
import stat
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripts.machine.calls import Calls, How, Kind

# What stays where it is: the interpreter's files, this checkout, and the kernel's own view of the running process.
CHECKOUT = str(Path(__file__).parents[3])
KEPT = (CHECKOUT, sys.prefix, sys.base_prefix, "/dev/", "/proc/self/")
# What is renamed to its own name at once: no name of it means anything.
TEMPORARY = re.compile(r"\..+\.(\d+|[a-z0-9_]{8})")
ONE_PATH = (
    *("stat", "lstat", "readlink", "chmod", "listdir", "access", "utime", "statvfs", "rmdir"),
    *("mkdir", "unlink", "remove"),
)
READS = ("stat", "lstat", "readlink", "listdir", "access", "utime", "statvfs", "chmod")


class Entry:
    """One entry of a listed directory, under the name that the product knows."""

    def __init__(self, folder: str, entry: os.DirEntry[str]) -> None:
        self.name, self.path, self._entry = entry.name, os.path.join(folder, entry.name), entry

    def __fspath__(self) -> str:
        return self.path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)


class Listing:
    """What `os.scandir` gives."""

    def __init__(self, folder: str, entries: Any) -> None:
        self._folder, self._entries = folder, entries

    def __iter__(self) -> Listing:
        return self

    def __next__(self) -> Entry:
        return Entry(self._folder, next(self._entries))

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries.close()


class Files:
    """The scratch directory, and the calls that change it."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.calls = Calls()
        # Is called before every change.
        self.watch: Callable[[str], None] = lambda text: None
        self._quiet = False

    def place(self, path: Any) -> Any:
        """Where a path of the server is really; what is no path is given back."""
        if isinstance(path, int) or path is None:
            return path
        text = os.fsdecode(path)
        if not text.startswith("/") or text.startswith((self.root, *KEPT)):
            return path
        return self.root + text

    def path(self, text: str | Path) -> Path:
        """The same for a test's own use."""
        return Path(self.root + str(text))

    def shown(self, path: Any) -> str:
        """A path as the server has it."""
        return os.fsdecode(path).removeprefix(self.root)

    def copy_to(self, other: Files) -> None:
        """Fill another scratch directory, which is empty, with the same; of sockets there is no copy."""
        for folder, folders, names in os.walk(self.root):
            place = other.root + folder.removeprefix(self.root)
            for name in (*folders, *names):
                source, target = f"{folder}/{name}", f"{place}/{name}"
                mode = os.lstat(source).st_mode
                if stat.S_ISLNK(mode):
                    os.symlink(os.readlink(source), target)
                elif stat.S_ISDIR(mode):
                    os.mkdir(target)
                    os.chmod(target, stat.S_IMODE(mode))
                elif stat.S_ISREG(mode):
                    shutil.copy2(source, target)

    def resolve(self, path: str) -> str:
        """Where a path of the server leads when all links in it are followed, as the server has it."""
        parts, found = path.strip("/").split("/"), ""
        for _ in range(100):
            if not parts:
                return found or "/"
            part = parts.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                found = found.rpartition("/")[0]
                continue
            here = f"{found}/{part}"
            if self.path(here).is_symlink():
                target = os.readlink(self.path(here))
                if target.startswith("/"):
                    found = ""
                parts = [*target.strip("/").split("/"), *parts]
            else:
                found = here
        raise AssertionError(f"{path} leads nowhere")

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the file system's calls lead here until the patch is undone."""
        for name, call in self._wrapped().items():
            monkeypatch.setattr(os, name, call)
            # Python 3.10 keeps the calls of pathlib apart.
            accessor = getattr(pathlib, "_NormalAccessor", None)
            if accessor is not None and hasattr(accessor, name):
                monkeypatch.setattr(accessor, name, staticmethod(call))
        opened = self._open(builtins.open)
        for place in (builtins, io, getattr(pathlib, "_NormalAccessor", io)):
            monkeypatch.setattr(place, "open", staticmethod(opened) if isinstance(place, type) else opened)
        monkeypatch.setattr(tarfile, "bltn_open", opened)
        monkeypatch.setattr(shutil, "rmtree", self._rmtree(shutil.rmtree))
        monkeypatch.setattr(socket.socket, "connect", self._connect(socket.socket.connect))

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """What is done inside is the machine's own doing and no call of the product."""
        was, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = was

    def _wrapped(self) -> dict[str, Callable[..., Any]]:
        calls: dict[str, Callable[..., Any]] = {
            name: self._read(getattr(os, name)) if name in READS else self._change(name, getattr(os, name))
            for name in ONE_PATH
        }
        for name in ("rename", "replace"):
            calls[name] = self._rename(getattr(os, name))
        calls["link"] = self._link(os.link)
        calls["symlink"] = self._symlink(os.symlink)
        calls["open"] = self._read(os.open)
        calls["scandir"] = self._scandir(os.scandir)
        calls["fsync"] = lambda handle: None
        # Whose a file is, this machine does not know.
        calls["chown"] = calls["fchown"] = lambda *_, **__: None
        return calls

    def _begin(self, text: str, path: Any) -> bool:
        """Note a change of a name; True where it is to fail when it is done. Raises OSError where it fails at once."""
        if self._quiet:
            return False
        self.before_change(text)
        how = self.calls.begin(Kind.FILE, text)
        if how is How.REFUSED:
            self.fail(path)
        return how is How.LATE

    def before_change(self, text: str) -> None:
        with self.quiet():
            self.watch(text)

    def fail(self, path: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), self.shown(path))

    def _read(self, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda path=".", *args, **options: real(self.place(path), *args, **options)

    def _change(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def change(path: Any, *args: Any, **options: Any) -> Any:
            late = False
            # What has a temporary name, or is reached by a handle, is part of another change.
            if "dir_fd" not in options and not TEMPORARY.fullmatch(os.path.basename(os.fsdecode(path))):
                late = self._begin(f"{name} {self.shown(path)}", path)
            done = real(self.place(path), *args, **options)
            if late:
                self.fail(path)
            return done

        return change

    def _rename(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def rename(source: Any, target: Any, **options: Any) -> None:
            here = self.place(source)
            text = f"rename {self.shown(source)} {self.shown(target)}"
            if TEMPORARY.fullmatch(os.path.basename(here)):
                is_link = stat.S_ISLNK(self._lstat(here).st_mode)
                text = (
                    f"lead {self.shown(target)} to {self._readlink(here)}" if is_link else f"write {self.shown(target)}"
                )
            late = self._begin(text, target)
            real(here, self.place(target), **options)
            if late:
                self.fail(target)

        return rename

    _lstat = staticmethod(os.lstat)
    _readlink = staticmethod(os.readlink)

    def _link(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def link(source: Any, target: Any, **options: Any) -> None:
            late = self._begin(f"link {self.shown(source)} {self.shown(target)}", target)
            real(self.place(source), self.place(target), **options)
            if late:
                self.fail(target)

        return link

    def _symlink(self, real: Callable[..., Any]) -> Callable[..., Any]:
        # The target is text; where the link leads is decided when it is followed.
        return lambda target, path, *args, **options: real(target, self.place(path), *args, **options)

    def _scandir(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def scandir(path: Any = ".") -> Any:
            place = self.place(path)
            return real(path) if place is path else Listing(os.fsdecode(path), real(place))

        return scandir

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opened(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if not isinstance(file, int) and set(mode) & set("wax+"):
                self._begin(f"append to {self.shown(file)}", file)
            return real(self.place(file), mode, *args, **options)

        return opened

    def _rmtree(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def rmtree(path: Any, *args: Any, **options: Any) -> None:
            late = self._begin(f"remove {self.shown(path)}", path)
            with self.quiet():
                real(self.place(path), *args, **options)
            if late:
                self.fail(path)

        return rmtree

    def _connect(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def connect(connection: socket.socket, address: Any) -> None:
            real(connection, self.place(address) if isinstance(address, (str, bytes)) else address)

        return connect
