"""The repository of a stack's backups, by restic. Its password and keys are in files and variables of root's alone."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from codesensei.scripts.backups import settings, status
from codesensei.scripts.base import commands, files
from codesensei.scripts.base.commands import WITH_CALLER, Result, how_it_ended
from codesensei.scripts.base.step import BELOW, Failure
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Backup, KeepBackups

TAG = "codesensei"
# In seconds.
PATIENCE = 30
_TIMED_OUT = 124
_LOCKED = r"already locked"
# As C says it, and as Go does.
_FULL = r"(?i)no space left on device|disk quota exceeded"
# Of what restic puts together on this server before it sends it.
_TEMPORARY = "restic-temp-"
# The backup is made; some of the files could not be read.
_UNREAD = 3
_READS = ("cat", "snapshots", "restore")
# What restic says, what it means, and what to do.
_KNOWN = (
    (
        r"wrong password or no key found",
        "the backups there were made with another password",
        "set that one: pulumi config set --secret --path codesensei:backups.password; or choose another place",
    ),
    (
        r"Permission denied \((publickey|password|keyboard)",
        "it does not take this server's key",
        "add this line to ~/.ssh/authorized_keys there: {key}",
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION",
        "its host key is not the one in codesensei:backups.hostKey",
        "compare the two; ssh-keyscan -t ed25519 HOST tells the present one",
    ),
    (
        r"Could not resolve hostname|no such host|server misbehaving|[Cc]onnection (timed out|refused)"
        r"|[Nn]o route to host|is unreachable|i/o timeout|Client\.Timeout",
        "it cannot be reached from this server",
        "look whether it is up, and whether a firewall lets this server through",
    ),
    (_FULL, "it is full", "free some space there, or keep fewer backups"),
    (
        r"x509:|certificate (signed by unknown|is not valid|has expired)",
        "its certificate is of another name, out of date, or signed by nobody that this server knows",
        "where the storage is your own, set its root certificate: codesensei:backups.rootCertificate",
    ),
    (
        r"region .* is wrong|400 Bad Request|AuthorizationHeaderMalformed",
        "it takes nothing as it is asked, as where its region is another one",
        "set the region that the storage tells: codesensei:backups.region",
    ),
    (
        r"Access ?Denied|InvalidAccessKeyId|SignatureDoesNotMatch|access key|403 Forbidden|request signature",
        "it refuses the access key, or the key may not use this bucket",
        "correct codesensei:backups.accessKey and codesensei:backups.secretKey, or give the key the bucket",
    ),
    (
        r"ciphertext verification failed|invalid data returned|does not exist in the repository|is damaged",
        "the repository is damaged",
        "keep what is there, and set codesensei:backups.to to another place; restic check tells how much is damaged",
    ),
    (
        _LOCKED,
        "another process works in it",
        "wait for it; what another server's crash has left there is of no effect after half an hour",
    ),
)
_NONE_YET = re.compile(r"Is there a repository at the following location|repository does not exist")
_GONE = "the repository that they were made in is gone"
_ANOTHER = "another repository is there than the one that they were made in"
_IDENTITY = re.compile(r'"id":\s*"(\w+)"')


@dataclass(frozen=True)
class Snapshot:
    """One backup. `time` as restic writes it."""

    id: str
    time: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Repository:
    """Where the backups of a project are."""

    project: ProjectPaths
    settings: Backup

    @property
    def _key(self) -> Path:
        return self.project.backups / "id_ed25519"

    def public_key(self) -> str:
        """With which this server logs in to an sftp target; made when it is first asked for."""
        if not self._key.exists():
            comment = f"codesensei backups of {self.project.slug}"
            commands.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(self._key)])
        return self._key.with_suffix(".pub").read_text().strip()

    def ensure(self, *, again: bool = False) -> bool:
        """Make the repository where there is none. Failure where it cannot be used.

        So it is where backups were made there, and not in what is there now: as on a disk that is not mounted. With
        `again` somebody has asked for a new one.
        """
        if self.settings.to.startswith("/"):
            # pgBackRest has a folder in it, to which PostgreSQL's user gets through.
            mode, group = (0o710, "postgres") if self.settings.days else (0o700, "root")
            _ensure_directory(Path(self.settings.to), mode, group)
        last, found = status.read(self.project), self._reached()
        used = last.repository if last.made and last.to == self.settings.to and not again else ""
        if lacking := not found.ok:
            # It says so of a storage that refuses, too.
            if found.code == _TIMED_OUT or _known(found) or not _NONE_YET.search(found.stderr):
                raise self._failure(found)
            if used:
                raise self._lost(_GONE)
            self.call("init")
            found = self._reached()
        identity = _IDENTITY.search(found.stdout)
        if used and identity and identity[1] != used:
            raise self._lost(_ANOTHER)
        status.note(self.project, to=self.settings.to, repository=identity[1] if identity else "")
        return lacking

    def add(self, places: Iterable[Path]) -> tuple[str, list[str]]:
        """Back these up; returns the new backup's name, and the files that could not be read."""
        words = ["backup", "--json", "--tag", TAG, "--host", self.project.slug, "--", *map(str, places)]
        done = self.call(*words, accepted=_UNREAD)
        unread = _unread(done)
        if done.code == _UNREAD and not unread:
            raise self._failure(done)
        for line in reversed(done.stdout.splitlines()):
            if '"summary"' in line:
                return str(json.loads(line)["snapshot_id"])[:8], unread
        raise Failure(self._thing, "restic does not say what it has made", "", done.stdout)

    def snapshots(self) -> list[Snapshot]:
        """All backups of this project, the newest last. Failure, soon, where it cannot be reached."""
        if not (reached := self._reached()).ok:
            raise self._failure(reached)
        found = json.loads(self.call("snapshots", "--json", "--tag", TAG, "--host", self.project.slug).stdout) or []
        made = [Snapshot(one["short_id"], one["time"], tuple(one["paths"])) for one in found]
        return sorted(made, key=lambda one: one.time)

    def restore(self, snapshot: str, place: Path, into: Path) -> None:
        """Bring one place of a backup back, below another directory."""
        self.call("restore", snapshot, "--target", str(into), "--include", str(place))

    def forget(self, keep: KeepBackups, days: int = 0) -> None:
        """Remove backups beyond those to keep, or all but those of so many days, and what only they need.

        Those of a day all stay: one made by hand must not take the place of the one before a mistake.
        """
        # restic takes no 0.
        words = [f"--keep-{name}={count}" for name, count in vars(keep).items() if count and not days]
        words.append(f"--keep-within={max(days, 1)}d")
        mine = ["--tag", TAG, "--host", self.project.slug, "--group-by", "host"]
        self.call("forget", "--prune", *mine, *words)

    def _reached(self) -> Result:
        """Whether it is there and opens: restic itself tries for a quarter of an hour where nobody answers."""
        return self._run("cat", "config", limit=["timeout", "--kill-after=5", str(PATIENCE), *WITH_CALLER])

    def call(self, *words: str, accepted: int = 0) -> Result:
        """Run restic. Failure with its cause and fix, but where it ends with the status that is `accepted`."""
        done = self._run(*words)
        if not done.ok and re.search(_LOCKED, done.stderr):
            # Removes only the locks of processes that are gone.
            self._run("unlock")
            done = self._run(*words)
        if done.code not in (0, accepted):
            raise self._failure(done, words[0])
        return done

    def _run(self, *words: str, limit: Sequence[str] = ()) -> Result:
        to, options = self.settings.to, list[str]()
        if to.startswith("sftp:"):
            options, to = self._sftp()
        if self.settings.root_certificate:
            options = ["--cacert", str(settings.root_of_storage(self.project))]
        environment = {
            "RESTIC_REPOSITORY": to,
            "RESTIC_PASSWORD_FILE": str(settings.password_file(self.project)),
            "RESTIC_CACHE_DIR": str(self.project.backups / "cache"),
            "AWS_ACCESS_KEY_ID": self.settings.access_key,
            "AWS_SECRET_ACCESS_KEY": self.settings.secret_key,
            **({"AWS_DEFAULT_REGION": self.settings.region} if self.settings.region else {}),
        }
        # Who only reads needs no lock, for which a full storage has no room: what is there can still be restored.
        options += ["--no-lock"] if words[0] in _READS else []
        argv = [*WITH_CALLER, *limit, "restic", "--quiet", *options, *words]
        return commands.run(argv, env=environment, check=False)

    def _sftp(self) -> tuple[list[str], str]:
        url = urlsplit(self.settings.to)
        known, port, host = self.project.backups / "known_hosts", url.port or 22, str(url.hostname)
        name = host if port == 22 else f"[{host}]:{port}"
        files.write_file(known, f"{name} {self.settings.host_key}\n", 0o600)
        self.public_key()
        ssh = ["ssh", "-i", str(self._key), "-p", str(port), "-l", str(url.username)]
        ssh += ["-o", f"UserKnownHostsFile={known}"]
        for option in ("StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes", "ConnectTimeout=20"):
            ssh += ["-o", option]
        return ["-o", f"sftp.command={shlex.join([*ssh, host, '-s', 'sftp'])}"], f"sftp:{host}:{url.path}"

    @property
    def _thing(self) -> str:
        return f"backups in {self.settings.to}"

    def _lost(self, cause: str) -> Failure:
        begin = f"to begin again there, without the backups of before, on the server: {self.project.backup} begin"
        return Failure(self._thing, cause, f"look whether its disk is mounted; {begin}")

    def _failure(self, done: Result, command: str = "") -> Failure:
        if re.search(_FULL, done.stderr) and (command == "restore" or _TEMPORARY in done.stderr):
            return Failure("disk of this server", "it is full", "free some space on it (df -h), then try again")
        if known := _known(done):
            cause, fix = known
            return Failure(self._thing, cause, fix.format(key=self.public_key() if "{key}" in fix else ""))
        if done.code == _TIMED_OUT:
            return Failure(self._thing, f"it does not answer within {PATIENCE} seconds", "try again", done.stderr)
        if _NONE_YET.search(done.stderr):
            return Failure(self._thing, "there is no repository", "look whether its disk is mounted", done.stderr)
        fix = BELOW if done.stderr.strip() else "try again"
        return Failure(self._thing, f"restic {how_it_ended(done.code)}", fix, done.stderr)


def _unread(done: Result) -> list[str]:
    """The files that a backup lacks, as restic has named them while it read; it counts them before, too."""
    found = dict[str, None]()
    for line in done.stderr.splitlines():
        with contextlib.suppress(ValueError):
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("message_type") == "error" and said.get("during") == "archival":
                found[str(said.get("item"))] = None
    return [*found]


def _known(done: Result) -> tuple[str, str] | None:
    """Cause and fix of what it says, where we know them."""
    return next(((cause, fix) for words, cause, fix in _KNOWN if re.search(words, done.stderr)), None)


def _ensure_directory(path: Path, mode: int, group: str) -> None:
    """Make the directory. Failure where somebody but root could put something else in its place."""
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir(mode=0o755)
        found = parent.stat()
        if parent.is_symlink() or found.st_uid != files.user_id("root") or found.st_mode & 0o022:
            fix = "choose a directory whose parents belong to root and nobody else may write"
            raise Failure(f"backups in {path}", f"others than root can replace {parent}", fix)
    files.make_directory(path, mode, "root", group)
