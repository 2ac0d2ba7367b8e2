"""A project's certificate from an ACME authority, and the copy of it that nginx reads.

nginx reads not certbot's own files but `tls/<digest>/live`, a link to a pair that never changes: certificate and key
are replaced together, and a pair that nginx refuses is taken back by one rename.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx, units
from codesensei.scripts.base.step import Step, read_json, write_json
from codesensei.scripts.serving.live import Live
from codesensei.scripts.serving.pair import Pair, end_of, names_of, plain, self_signed, valid_for
from codesensei.wire import codec, paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Finding

# Before a certificate ends, days.
WARN_DAYS = 14
WARN_ACME_DAYS = 20
TIMER = "certbot.timer"


@dataclass(frozen=True)
class Held:
    """A pair and what it is for. `directory` is the URL of the issuing authority, empty for a self-signed one."""

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
        """Those of `hostnames` for which browsers can accept it now."""
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
    """Where the system finds the root certificate of the project's authority."""
    return paths.SERVER.authorities / f"{lineage(project)}.crt"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A certificate that is wanted: its names, and the URL of the authority's directory."""

    hostnames: tuple[str, ...] = ()
    directory: str = ""


@dataclass
class Folder:
    """`tls/<digest>`: the certificate that is wanted, and the pair that nginx reads."""

    project: ProjectPaths
    digest: str
    wanted: Wanted = Wanted()

    @classmethod
    def open(cls, project: ProjectPaths, digest: str) -> Folder:
        path = project.tls(digest) / "wanted.json"
        return cls(project, digest, codec.decode(Wanted, read_json(path, {}), str(path), kept=True))

    @classmethod
    def served(cls, project: ProjectPaths) -> Folder | None:
        """The folder of the live site; None where its certificate is not from an authority."""
        manifest = Live.read(project).manifest
        return cls.open(project, manifest.tls) if manifest and manifest.acme and manifest.tls else None

    @property
    def path(self) -> Path:
        return self.project.tls(self.digest)

    @property
    def live(self) -> Held | None:
        """The pair that the link points to."""
        # from.json holds only the authority.
        path = self.path / "live" / "from.json"
        source = codec.decode(Wanted, read_json(path, {}), str(path), kept=True)
        return Held.read(self.path / "live", "certificate.pem", "key.pem", source.directory)

    def make(self, wanted: Wanted) -> None:
        """Record what is wanted."""
        for path in (self.path.parent, self.path, self.path / "pairs"):
            files.make_directory(path, 0o700)
        self.wanted = wanted
        write_json(self.path / "wanted.json", codec.encode(wanted))

    def best(self) -> Held:
        """The pair to serve: for the most names, then from the wanted authority, then valid the longest."""
        # From other folders, too: a name keeps its certificate while others wait for theirs.
        others = [Folder.open(self.project, path.name).live for path in self.path.parent.iterdir() if path != self.path]
        found = [held for held in (obtained(self.project), self.live, *others) if held and held.directory]

        def merit(held: Held) -> tuple[int, bool, float]:
            return len(held.covers(self.wanted.hostnames)), held.directory == self.wanted.directory, held.end

        best = max(found, key=merit, default=None)
        return best or self.live or Held(self_signed(self.wanted.hostnames))

    def install(self, step: Step[object]) -> bool:
        """Make the best pair the live one, and have nginx read it if the site serves with it. True when changed.

        Raises Failure where nginx refuses it; the previous one stays.
        """
        best, before = self.best(), files.link_target(self.path / "live")
        loaded, target = self.path / "loaded", f"pairs/{best.id}"
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
        for old in pair.parent.iterdir():
            if f"pairs/{old.name}" not in (target, before):
                files.remove_path(old)
        where = best.directory or "this server itself (self-signed)"
        step.changed(f"certificate for {', '.join(sorted(best.names))} from {where} installed")
        return True

    def _reload(self, before: str | None) -> None:
        check = commands.run(["nginx", "-t"], check=False)
        if not check.ok:
            if before:
                files.make_link(self.path / "live", before)
            meaning = "the new certificate is not in use, the one before is"
            raise nginx.refusal(check.stderr, self.project.slug, meaning)
        nginx.reload()


def lacking(project: ProjectPaths) -> Iterator[str]:
    """What differs from what the stack asks for, one sentence each. Changes nothing."""
    folder = Folder.served(project)
    if folder is None:
        return
    wanted, live, held = folder.wanted, folder.live, obtained(project)
    covered = live.covers(wanted.hostnames) if live else set()
    for name in sorted(set(wanted.hostnames) - covered):
        yield f"there is no valid certificate for {name}"
    if held and live and held.id != live.id and held.end >= live.end and held.covers(wanted.hostnames) >= covered:
        yield "a renewed certificate is not in use"
    if held and held.directory != wanted.directory:
        yield f"the certificate is from {held.directory}"
    # Another certbot than Debian's has a timer of its own.
    if units.show(TIMER).file:
        yield from units.amiss(TIMER)


def ending(project: ProjectPaths) -> Iterator[Finding]:
    """The certificate that visitors get, where it ends soon."""
    manifest = Live.read(project).manifest
    if not manifest or not manifest.tls:
        return
    folder = project.tls(manifest.tls) / ("live" if manifest.acme else ".")
    try:
        pair = Pair((folder / "certificate.pem").read_text(), "")
    except OSError:
        return
    if not valid_for(pair, WARN_ACME_DAYS if manifest.acme else WARN_DAYS):
        end = time.strftime("%Y-%m-%d", time.gmtime(end_of(pair)))
        # certbot renews a month ahead.
        renew = "it was to be renewed by now; on the server: certbot renew, and journalctl -u certbot"
        fix = renew if manifest.acme else "put a current one into codesensei:tls"
        yield Finding(thing="certificate", cause=f"it ends on {end}", fix=fix)


def uncovered(project: ProjectPaths, digest: str | None, hostnames: Sequence[str]) -> list[str]:
    """Sentences: for which hostnames the certificate is not. A pattern is for names of one label more."""
    path = project.tls(digest or "") / "certificate.pem"
    if digest is None or not path.is_file():
        return []
    names = names_of(Pair(path.read_text(), ""))
    bare = [name for name in hostnames if not {plain(name.strip("[]")), f"*.{name.partition('.')[2]}"} & names]
    said = f"the certificate in codesensei:tls is for {', '.join(sorted(names)) or 'no host name'}, not for"
    return [f"{said} {name}: browsers refuse it there" for name in bare]


def retire(step: Step[object], digest: str | None, acme: bool) -> None:
    """After a switch: remove the certificates that are not in use any more."""
    for path in step.project.memory.glob("tls/*"):
        if path.name != digest:
            files.remove_path(path)
    if not acme:
        remove(step)


def remove(step: Step[object]) -> None:
    """Delete the project's certificate from certbot, and its authority from those that the system trusts."""
    name = lineage(step.project)
    if _renewal(step.project).exists() and shutil.which("certbot", path=SYSTEM_PATH):
        done = commands.run(["certbot", "delete", "--non-interactive", "--cert-name", name], check=False, timeout=300)
        if done.ok:
            step.changed(f"{name} deleted from certbot")
        else:
            step.say(f"kept: {name}, which certbot could not delete; on the server: certbot delete --cert-name {name}")
    trust(step, "")


def trust(step: Step[object], root: str) -> None:
    """Make the system trust this root certificate of the project's authority; an empty one: trust none."""
    path = authority(step.project)
    changed = files.write_file(path, root.strip() + "\n") if root else files.remove_path(path)
    if changed:
        commands.run(["update-ca-certificates"], thing="the system's authorities")
        step.changed(f"{path} {'written' if root else 'removed'}")
