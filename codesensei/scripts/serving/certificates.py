"""A project's certificate from an ACME authority: which one it has, and the copy of it that nginx reads.

certbot keeps its own files in its own way. nginx reads `tls/<digest>/live`, a link to a pair that is never changed, so
certificate and key change together, and what nginx refuses is put back by one rename.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx
from codesensei.scripts.base.step import Failure, Step, read_json, write_json
from codesensei.scripts.serving.live import Live
from codesensei.scripts.serving.pair import Pair, end_of, names_of, self_signed
from codesensei.wire import codec, paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.processes import SYSTEM_PATH


@dataclass(frozen=True)
class Held:
    """A pair with what it is for. `directory` is the URL of the authority that issued it; empty: self-signed."""

    pair: Pair
    directory: str = ""
    names: frozenset[str] = frozenset()
    end: float = 0.0

    @classmethod
    def read(cls, folder: Path, certificate: str, key: str, directory: str) -> Held | None:
        """The pair in a folder; None where there is none."""
        try:
            pair = Pair((folder / certificate).read_text(), (folder / key).read_text())
        except OSError:
            return None
        return cls(pair, directory, frozenset(names_of(pair)), end_of(pair))

    @property
    def id(self) -> str:
        return hashlib.sha256(self.pair.certificate.encode()).hexdigest()[:16]

    def covers(self, hostnames: Iterable[str]) -> set[str]:
        """Those of `hostnames` for which browsers may accept it now."""
        return set(hostnames) & self.names if self.directory and self.end > time.time() else set()


def lineage(project: ProjectPaths) -> str:
    """The name under which certbot keeps the project's certificate."""
    return f"codesensei-{project.slug}"


def obtained(project: ProjectPaths) -> Held | None:
    """What certbot has for the project."""
    try:
        server = re.search(r"^server\s*=\s*(\S+)", _renewal(project).read_text(), re.MULTILINE)
    except OSError:
        return None
    folder = paths.SERVER.certbot / "live" / lineage(project)
    return Held.read(folder, "fullchain.pem", "privkey.pem", server[1] if server else "unknown")


def _renewal(project: ProjectPaths) -> Path:
    return paths.SERVER.certbot / "renewal" / f"{lineage(project)}.conf"


def authority(project: ProjectPaths) -> Path:
    """Where the system finds the root certificate that the project's authority is trusted by."""
    return paths.SERVER.authorities / f"{lineage(project)}.crt"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """For which names, from which authority (the URL of its directory)."""

    hostnames: tuple[str, ...] = ()
    directory: str = ""


@dataclass
class Folder:
    """`tls/<digest>`: for which names, from which authority, and the pair that nginx reads."""

    project: ProjectPaths
    digest: str
    wanted: Wanted = Wanted()

    @classmethod
    def open(cls, project: ProjectPaths, digest: str) -> Folder:
        path = project.tls(digest) / "wanted.json"
        return cls(project, digest, codec.decode(Wanted, read_json(path, {}), str(path), kept=True))

    @classmethod
    def served(cls, project: ProjectPaths) -> Folder | None:
        """The one that the live site names; None where its certificate is not an authority's."""
        manifest = Live.read(project).manifest
        return cls.open(project, manifest.tls) if manifest and manifest.acme and manifest.tls else None

    @property
    def path(self) -> Path:
        return self.project.tls(self.digest)

    @property
    def hostnames(self) -> tuple[str, ...]:
        return self.wanted.hostnames

    @property
    def live(self) -> Held | None:
        """The pair that the link leads to."""
        # Beside the pair stands only which authority it is from.
        path = self.path / "live" / "from.json"
        source = codec.decode(Wanted, read_json(path, {}), str(path), kept=True)
        return Held.read(self.path / "live", "certificate.pem", "key.pem", source.directory)

    def make(self, wanted: Wanted) -> None:
        """Write down what is wanted."""
        for path in (self.path.parent, self.path, self.path / "pairs"):
            files.make_directory(path, 0o700)
        self.wanted = wanted
        write_json(self.path / "wanted.json", codec.encode(wanted))

    def best(self) -> Held:
        """The pair to show: for the most names, from the authority that is asked for now, valid the longest.

        Also what another folder shows is taken, so that a name keeps its certificate while others wait for theirs.
        """
        others = [Folder.open(self.project, path.name).live for path in self.path.parent.iterdir() if path != self.path]
        found = [held for held in (obtained(self.project), self.live, *others) if held and held.directory]

        def merit(held: Held) -> tuple[int, bool, float]:
            return len(held.covers(self.hostnames)), held.directory == self.wanted.directory, held.end

        best = max(found, key=merit, default=None)
        return best or self.live or Held(self_signed(self.hostnames))

    def install(self, step: Step[object]) -> bool:
        """Make the best pair the live one; nginx reads it again where the site serves with it. True when changed.

        Raises Failure where nginx refuses it; the one before stays.
        """
        best, before = self.best(), files.link_target(self.path / "live")
        loaded = self.path / "loaded"
        target = f"pairs/{best.id}"
        if before == target and loaded.is_file() and loaded.read_text() == target:
            return False
        pair = self.path / target
        files.make_directory(pair, 0o700)
        files.write_file(pair / "key.pem", best.pair.key, 0o600)
        files.write_file(pair / "certificate.pem", best.pair.certificate, 0o600)
        write_json(pair / "from.json", codec.encode(Wanted(directory=best.directory)))
        files.make_link(self.path / "live", target)
        served = Folder.served(self.project)
        if served and served.digest == self.digest:
            self._reload(before)
        files.write_file(loaded, target, 0o600)
        self._forget(before)
        where = best.directory or "this server itself (self-signed)"
        step.changed(f"certificate for {', '.join(sorted(best.names))} from {where} is in its place")
        return True

    def _reload(self, before: str | None) -> None:
        check = commands.run(["nginx", "-t"], check=False)
        if not check.ok:
            if before:
                files.make_link(self.path / "live", before)
            raise Failure(
                "nginx configuration",
                "nginx -t refuses it, so the new certificate is not in use; the one before is",
                "correct the file that is named, then run pulumi up again",
                check.stderr,
            )
        nginx.reload()

    def _forget(self, before: str | None) -> None:
        keep = {files.link_target(self.path / "live"), before}
        for pair in (self.path / "pairs").iterdir():
            if f"pairs/{pair.name}" not in keep:
                files.remove_path(pair)


def lacking(project: ProjectPaths) -> Iterator[str]:
    """What is not as the stack asks, one sentence each: read-only."""
    folder = Folder.served(project)
    if folder is None:
        return
    live, held = folder.live, obtained(project)
    covered = live.covers(folder.hostnames) if live else set()
    for name in sorted(set(folder.hostnames) - covered):
        yield f"there is no valid certificate for {name}"
    if held and live and held.id != live.id and held.end >= live.end and held.covers(folder.hostnames) >= covered:
        yield "a renewed certificate is not in use"
    if held and held.directory != folder.wanted.directory:
        yield f"the certificate is from {held.directory}"


def retire(step: Step[object], digest: str | None, acme: bool) -> None:
    """After a switch: certificates that nothing names any more go."""
    folder = step.project.memory / "tls"
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name != digest:
            files.remove_path(path)
    if not acme:
        remove(step)


def remove(step: Step[object]) -> None:
    """Let certbot forget the project's certificate, and the system its authority."""
    name = lineage(step.project)
    if _renewal(step.project).exists() and shutil.which("certbot", path=SYSTEM_PATH):
        done = commands.run(["certbot", "delete", "--non-interactive", "--cert-name", name], check=False, timeout=300)
        if done.ok:
            step.changed(f"certbot forgets {name}")
        else:
            step.say(f"kept: {name}, which certbot could not delete; on the server: certbot delete --cert-name {name}")
    trust(step, "")


def trust(step: Step[object], root: str) -> None:
    """Make the system trust the authority's own root certificate, or no longer."""
    path = authority(step.project)
    changed = files.write_file(path, root.strip() + "\n") if root else files.remove_path(path)
    if changed:
        commands.run(["update-ca-certificates"], thing="the system's authorities")
        step.changed(f"{path} {'written' if root else 'removed'}")
