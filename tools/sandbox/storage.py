"""A server's file system: an overlay over its image where possible, else a copy of the image."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.sandbox.errors import SandboxError
from tools.sandbox.image import mounted_places, unmount_below
from tools.sandbox.process import execute, write_json

ARCHIVES = Path("var/cache/apt/archives")
COPY_TIMEOUT = 600.0
# Renaming a directory of the image must work as on a plain disk. "volatile" spares the machine's disk every
# sync: a server that dies keeps what the kernel has, and nothing here outlives the machine.
OVERLAY_OPTIONS = (
    "redirect_dir=on,index=off,metacopy=off,volatile",
    "index=off,metacopy=off,volatile",
    "index=off",
)


def overlay_mount(lowers: Sequence[Path], upper: Path, work: Path, target: Path) -> bool:
    """Mount an overlay over `lowers` (topmost first) with the best options that the kernel takes.

    Returns False when it takes none.
    """
    for options in OVERLAY_OPTIONS:
        layers = f"lowerdir={':'.join(map(str, lowers))},upperdir={upper},workdir={work},{options}"
        done = execute(["mount", "-t", "overlay", "overlay", "-o", layers, str(target)], check=False)
        if done.returncode == 0:
            return True
    return False


def overlay_works(directory: Path) -> bool:
    """Whether `directory` can hold the writable layer of an overlay, found out by mounting a small one."""
    probe = directory / f"probe-{os.getpid()}"
    parts = [probe / part for part in ("lower", "upper", "work", "root")]
    for part in parts:
        part.mkdir(parents=True)
    lower, upper, work, target = parts
    try:
        if not overlay_mount([lower], upper, work, target):
            return False
        try:
            (target / "file").write_text("x")
        except OSError:
            return False
        return (upper / "file").exists()
    finally:
        unmount_below(target)
        shutil.rmtree(probe)


@dataclass(frozen=True)
class Storage:
    """The files of one server below `directory`.

    With an overlay, a snapshot becomes a read-only layer between image and `upper`: putting it back is a new
    empty `upper` over that layer, at once, however much the server has written. `layers.json` says which
    layers (topmost first) are under `upper` now, and which belong to each label.
    """

    directory: Path
    image: Path
    """The image's tree."""
    mode: str
    """`overlay` or `copy`."""

    @property
    def root(self) -> Path:
        """The server's file system as it sees it (mounted only between `attach` and `detach`)."""
        return self.directory / "root"

    @property
    def writable(self) -> Path:
        """What the server has written since it was made or put back; all of it in `copy` mode."""
        return self.directory / "upper" if self.mode == "overlay" else self.root

    def attach(self) -> None:
        """Make `root` ready; does nothing when it is."""
        self.root.mkdir(parents=True, exist_ok=True)
        if self.mode == "copy":
            if not (self.root / "usr").exists():
                copy_tree(self.image, self.root)
            return
        if str(self.root) in mounted_places():
            return
        work = self.directory / "work"
        # A work directory of a volatile mount refuses a second mount, on purpose; it holds nothing to keep.
        shutil.rmtree(work, ignore_errors=True)
        self.writable.mkdir(exist_ok=True)
        work.mkdir()
        lowers = [*(self._layer(layer) for layer in self._layers().current), self.image]
        if not overlay_mount(lowers, self.writable, work, self.root):
            raise SandboxError(f"The kernel refused to mount an overlay at {self.root}.")

    def detach(self) -> None:
        """Unmount `root`; in `copy` mode there is nothing to do."""
        if self.mode == "overlay":
            unmount_below(self.root)

    def save(self, label: str) -> None:
        """Keep what the server has written under this label. It must be stopped or frozen."""
        layers = self._layers()
        number = layers.last + 1
        aside = self.directory / "layers" / f"{number}.saving"
        shutil.rmtree(aside, ignore_errors=True)
        copy_tree(self.writable, aside)
        aside.rename(self._layer(number))
        saved = [number, *layers.current] if self.mode == "overlay" else [number]
        self._keep(Layers(number, layers.current, {**layers.labels, label: saved}))

    def require(self, label: str) -> list[int]:
        """The layers of this label; raises SandboxError when there is no such snapshot."""
        labels = self._layers().labels
        if label not in labels:
            known = ", ".join(sorted(labels)) or "none"
            raise SandboxError(f"There is no snapshot {label!r} of {self.directory.name} (there is: {known}).")
        return labels[label]

    def put_back(self, label: str) -> None:
        """Replace what the server has written by the snapshot. It must be stopped and detached."""
        saved = self.require(label)
        shutil.rmtree(self.writable, ignore_errors=True)
        if self.mode == "copy":
            copy_tree(self._layer(saved[0]), self.root)
            return
        layers = self._layers()
        self._keep(Layers(layers.last, saved, layers.labels))

    def remove(self) -> None:
        """Unmount and delete everything of this server."""
        unmount_below(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _layer(self, number: int) -> Path:
        return self.directory / "layers" / str(number)

    def _layers(self) -> Layers:
        path = self.directory / "layers.json"
        return Layers(**json.loads(path.read_text())) if path.exists() else Layers(0, [], {})

    def _keep(self, layers: Layers) -> None:
        """Remember the layers and delete those that nothing refers to any more."""
        write_json(self.directory / "layers.json", asdict(layers))
        wanted = layers.referred()
        for path in (self.directory / "layers").iterdir():
            if not path.name.isdigit() or int(path.name) not in wanted:
                shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Layers:
    """Which saved layers there are."""

    last: int
    """The highest number given so far."""
    current: list[int]
    """The layers under the server's own, topmost first."""
    labels: dict[str, list[int]]
    """The same for each snapshot."""

    def referred(self) -> set[int]:
        """All layers that the server or a snapshot stands on."""
        return {*self.current, *(number for numbers in self.labels.values() for number in numbers)}


def copy_tree(source: Path, target: Path) -> None:
    """Copy a tree with owners, times, links and extended attributes into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    execute(["cp", "-aT", "--reflink=auto", str(source), str(target)], timeout=COPY_TIMEOUT)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, or a copy where the two are on different file systems."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copy2(source, target)


def seed_packages(downloads: Path, root: Path) -> None:
    """Offer a server the packages that earlier servers downloaded; apt checks each against its index."""
    archives = root / ARCHIVES
    archives.mkdir(parents=True, exist_ok=True)
    for package in downloads.glob("*.deb"):
        link_or_copy(package, archives / package.name)


def harvest_packages(root: Path, downloads: Path) -> None:
    """Keep the packages that a server downloaded for the next ones."""
    downloads.mkdir(parents=True, exist_ok=True)
    for package in (root / ARCHIVES).glob("*.deb"):
        link_or_copy(package, downloads / package.name)
