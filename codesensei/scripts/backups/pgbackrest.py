"""The archive of the PostgreSQL cluster that has the project's database, by pgBackRest, which runs as its own user.

It is that of the whole cluster: what is restored goes to a scratch copy, and one database is read from there.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

from codesensei.scripts.backups import settings, storage
from codesensei.scripts.backups.postgres import SOCKETS
from codesensei.scripts.base import commands, files
from codesensei.scripts.base.commands import WITH_CALLER, Result, how_it_ended
from codesensei.scripts.base.step import BELOW, Failure
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.postgres.postgresql import CLUSTERS_TEXT, PORT
from codesensei.wire import ini, paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Backup

USER = "postgres"
AS_POSTGRES = (*WITH_CALLER, f"--reuid={USER}", f"--regid={USER}", "--init-groups")
# Below the directory of the backups; restic leaves alone what it has not made.
FOLDER = "postgresql"
# WAL that waits for a repository that refuses, before it is given up: a tenth of the disk, within these.
LEAST_QUEUE, MOST_QUEUE = 512 << 20, 8 << 30
FULL_DAYS = 7
# Seconds after which a deploy or a preview gives up a storage that does not answer, three times; else it is a minute.
PATIENCE, _QUICK = 5, ("info", "repo-ls", "stanza-create", "stanza-upgrade")
# A timer is late at times, and that must not make a week of eight days.
SLACK = 3600.0
# What pgBackRest says, what it means, and what to do.
_KNOWN = (
    (
        r"unable to (verify certificate|find hostname .* in certificate)",
        "its certificate is of another name, out of date, or signed by nobody that this server knows",
        "where the storage is your own, set its root certificate: codesensei:backups.rootCertificate",
    ),
    (
        r"HTTP request failed with 403",
        "it refuses the access key, or the key may not use this bucket",
        "correct codesensei:backups.accessKey and codesensei:backups.secretKey, or give the key the bucket",
    ),
    (
        r"HTTP request failed with (301|400)",
        "it takes nothing as it is asked, as where its region is another one",
        "set the region that the storage tells: codesensei:backups.region",
    ),
    (r"NoSuchBucket", "there is no such bucket", "make it, as you have made the key"),
    (
        r"HTTP request failed with 5\d\d",
        "the storage itself fails, as one that is full",
        "look at the storage, and try again",
    ),
    (
        r"unable to connect to|unable to get address|HostConnectError|timeout after .* waiting for (read|write)",
        "it cannot be reached from this server",
        "look whether it is up, and whether a firewall lets this server through",
    ),
    (
        r"is or was the repo encrypted|key/value found outside of section|CryptoError",
        "the archive there was made with another password",
        "set that one: pulumi config set --secret --path codesensei:backups.password; or choose another place",
    ),
    (
        r"unable to find backup set with stop time less than|no backup set found to restore|no prior backup exists",
        "it has no backup that is so old",
        "choose a later moment; codesensei backups lists those from which every later moment can be restored",
    ),
    (
        r"Permission denied|unable to (open|create|list).*\[13\]",
        f"the user {USER} cannot write there",
        "look at the directories above: each has to let everybody through (chmod o+x)",
    ),
    (
        r"unable to open missing file|FileMissingError|\[055\]",
        "it is not there",
        "look whether its disk is mounted; pulumi up makes an empty one where there is none",
    ),
    (r"No space left on device|Disk quota exceeded", "it is full", "free some space there, or keep fewer days"),
    (r"unable to acquire lock", "another pgBackRest works on it", "wait for its end"),
    (
        r"was not archived before the .* timeout",
        "PostgreSQL's WAL does not arrive there",
        "PostgreSQL's log has the reason: /var/log/postgresql",
    ),
    (r"backup set \S+ is not valid", "this backup's database is no longer there", "choose a newer one"),
    (
        r"unable to find primary|database system is (starting up|shutting down)|could not connect to server",
        "PostgreSQL does not answer",
        CLUSTERS_TEXT,
    ),
    (r"checksum|is corrupt|unexpected eof|unable to decompress", "the archive is damaged", "choose another backup"),
)
_NO_DATABASE = re.compile(r"database to include '.*' does not exist")
# The folder of a cluster, then timeline and number of a piece of WAL, and its digest.
_SEGMENT = re.compile(r"[0-9.]+-(?P<cluster>[0-9]+)/[0-9A-F]{16}/(?P<piece>[0-9A-F]{24})-[0-9a-f]{40}.*")
_OTHER_CLUSTER = re.compile(r"do not match the database|does not match stanza")


@dataclass(frozen=True)
class Made:
    """A backup of the cluster; `ended` is in seconds since the epoch."""

    label: str
    kind: str
    ended: float
    bytes: int


@dataclass(frozen=True)
class Gap:
    """WAL that is not in the archive: from when until when, in seconds since the epoch; None where it still goes on."""

    begins: float
    ends: float | None


@dataclass(frozen=True)
class Archive:
    """The archive of a project's cluster."""

    project: ProjectPaths
    settings: Backup

    @property
    def port(self) -> int:
        """The cluster's."""
        database = self.settings.database
        return (database.port if database else None) or PORT

    @property
    def place(self) -> str:
        """Where it is: a directory, or a place in a bucket."""
        return f"{self.settings.to}/{FOLDER}"

    @property
    def thing(self) -> str:
        """What messages call it."""
        return f"archive of PostgreSQL in {self.place}"

    def configure(self) -> bool:
        """Write what pgBackRest reads; PostgreSQL's user may read it, and nobody else."""
        wrote = files.make_directory(paths.SERVER.wal_archives, 0o711)
        wrote = files.make_directory(self.project.wal_archive, 0o750, "root", USER) or wrote
        wrote = files.make_directory(self.project.wal_work, 0o700, USER, USER) or wrote
        root, certificate = self._root_of_storage, self.settings.root_certificate.strip()
        if certificate:
            wrote = files.write_file(root, f"{certificate}\n", 0o644) or wrote
        else:
            wrote = files.remove_path(root) or wrote
        password = settings.password_file(self.project).read_text()
        try:
            text = ini.render(self._options(password))
        except ini.IniError as error:
            cause = f"pgBackRest's configuration cannot hold it: {error}"
            raise Failure(self.thing, cause, "change it in the stack file, and run pulumi up again") from None
        return files.write_file(self.project.wal_config, text, 0o640, "root", USER) or wrote

    @property
    def _root_of_storage(self) -> Path:
        """The same as restic's, where PostgreSQL's user may read it."""
        return self.project.wal_config.with_name("root.pem")

    def _options(self, password: str) -> dict[str, dict[str, object]]:
        data = postgresql.sql(self.port, "SHOW data_directory;").strip()
        queue = min(max(shutil.disk_usage(data).total // 10, LEAST_QUEUE), MOST_QUEUE)
        work = self.project.wal_work
        everywhere = {
            **self._of_repository(),
            "repo1-cipher-type": "aes-256-cbc",
            "repo1-cipher-pass": password,
            "repo1-retention-full-type": "time",
            "repo1-retention-full": self.settings.days,
            "archive-push-queue-max": queue,
            "compress-type": "lz4",
            "start-fast": "y",
            "lock-path": work / "lock",
            "spool-path": work / "spool",
            "log-level-console": "off",
            "log-level-file": "off",
            "log-level-stderr": "warn",
        }
        cluster = {"pg1-path": data, "pg1-port": self.port, "pg1-socket-path": SOCKETS}
        return {"global": everywhere, self.project.slug: cluster}

    def _of_repository(self) -> dict[str, object]:
        found, given = storage.parse(self.settings.to), self.settings
        if found is None:
            return {"repo1-path": self.place}
        options: dict[str, object] = {
            "repo1-type": "s3",
            "repo1-path": f"{found.path.rstrip('/')}/{FOLDER}",
            "repo1-s3-bucket": found.bucket,
            "repo1-s3-endpoint": found.host,
            "repo1-s3-region": given.region or found.region,
            "repo1-s3-key": given.access_key,
            "repo1-s3-key-secret": given.secret_key,
            # The bucket's name is in the path: then one certificate is enough for a storage of one's own.
            "repo1-s3-uri-style": "path",
            "repo1-storage-port": found.port,
        }
        return options | ({"repo1-storage-ca-file": self._root_of_storage} if given.root_certificate else {})

    def ensure(self) -> bool:
        """Make it where there is none. Failure where it cannot be used.

        One that another cluster has filled is taken over, with what is in it: this server has taken that one's place.
        """
        made = self.place.startswith("/") and files.make_directory(Path(self.place), 0o700, USER, USER)
        done = self._run("stanza-create")
        if not done.ok and _OTHER_CLUSTER.search(done.stderr):
            made, done = True, self._run("stanza-upgrade")
        if not done.ok:
            raise self.failure(done)
        return made

    def backup(self) -> Made:
        """Back the cluster up: all of it once a week, and else what has changed since."""
        full = [made for made in self.backups() if made.kind == "full"]
        is_due = not full or time.time() - full[-1].ended > FULL_DAYS * 86400 - SLACK
        self.call("backup", f"--type={'full' if is_due else 'incr' if self.settings.period < 86400 else 'diff'}")
        return self.backups()[-1]

    def backups(self) -> list[Made]:
        """All backups of the cluster, the newest last."""
        found: list[dict[str, Any]] = json.loads(self.call("info", "--output=json").stdout)
        made = [one for stanza in found for one in stanza.get("backup", [])]
        return [
            Made(one["label"], one["type"], one["timestamp"]["stop"], one["info"]["repository"]["delta"])
            for one in made
        ]

    def gaps(self, last: str, segment: int) -> list[Gap]:
        """What was given up of all up to the `last` piece of WAL, which PostgreSQL takes for archived.

        `segment` is the size of a piece, in bytes.
        """
        kept = f"archive/{self.project.slug}"
        listed: dict[str, Any] = json.loads(self.call("repo-ls", "--output=json", "--recurse", argument=kept).stdout)
        pieces = [(found, one["time"]) for name, one in listed.items() if (found := _SEGMENT.fullmatch(name))]
        # Each cluster that was archived there has a folder, as 17-1.
        newest = max((int(found["cluster"]) for found, _ in pieces), default=0)
        there = dict[int, float]()
        for found, when in pieces:
            if int(found["cluster"]) == newest and found["piece"][:8] == last[:8]:
                there[_number(found["piece"], segment)] = when
        numbers = sorted(there)
        gaps = [Gap(there[one], there[other]) for one, other in itertools.pairwise(numbers) if other > one + 1]
        if numbers and numbers[-1] < _number(last, segment):
            gaps.append(Gap(there[numbers[-1]], None))
        return gaps

    def check(self) -> None:
        """Bring all that PostgreSQL has written into the archive. Failure where it does not arrive."""
        self.call("check")

    def restore(self, into: Path, database: str, words: list[str]) -> None:
        """Bring the cluster into an empty folder; of the other databases only as much as it needs to start."""
        argv = [f"--pg1-path={into}", f"--tablespace-map-all={into}-tablespaces", *words]
        done = self._run("restore", f"--db-include={database}", *argv)
        if not done.ok and _NO_DATABASE.search(done.stderr):
            # It was made after the backup; the WAL has all of it.
            done = self._run("restore", *argv)
        if not done.ok:
            raise self.failure(done)

    def call(self, command: str, *words: str, argument: str = "") -> Result:
        """Run pgBackRest. Failure with its cause and fix."""
        done = self._run(command, *words, argument=argument)
        if not done.ok:
            raise self.failure(done)
        return done

    def line(self, *words: str) -> list[str]:
        """A command line; what is secret is in the configuration alone."""
        config = f"--config={self.project.wal_config}"
        return ["pgbackrest", config, f"--stanza={self.project.slug}", *words]

    def _run(self, command: str, *words: str, argument: str = "") -> Result:
        words = (*words, f"--io-timeout={PATIENCE}") if command in _QUICK else words
        arguments = [argument] if argument else []
        return commands.run([*AS_POSTGRES, *self.line(*words, command, *arguments)], check=False)

    def failure(self, done: Result) -> Failure:
        """Why it failed, in our words."""
        said = done.stderr + done.stdout
        for words, cause, fix in _KNOWN:
            if re.search(words, said):
                return Failure(self.thing, cause, fix, said)
        return Failure(self.thing, f"pgbackrest {how_it_ended(done.code)}", BELOW, said)


def _number(name: str, segment: int) -> int:
    """Which one it is, counted without a gap."""
    return int(name[8:16], 16) * ((1 << 32) // segment) + int(name[16:24], 16)
