"""Where backups go, how often they are made, and how many are kept."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from codesensei.config.edge import authority_root
from codesensei.config.server import HostKey
from codesensei.config.types import Flag, Model, Whole, at_least, matching, option, reject, show

_DIRECTORY = re.compile(r"(/[A-Za-z0-9_@+.-]+)+")
_SFTP = re.compile(r"sftp://[a-z_][a-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*(:[1-9]\d{0,4})?(/[A-Za-z0-9_@+.-]+)+")
_S3 = re.compile(r"s3:https://[A-Za-z0-9][A-Za-z0-9.-]*(:[1-9]\d{0,4})?(/[A-Za-z0-9_.-]+)+")
# Where others write, where a reboot removes things, or where the program and the system have their own.
_NOT_BELOW = "/srv/codesensei /var/lib/codesensei /etc /usr /bin /sbin /lib /boot /dev /proc /sys /run /tmp /var/tmp"
_FORMS = "/backups/shop, sftp://user@host/path or s3:https://host/bucket/path"


def target(value: str) -> str:
    """A directory of the server, or storage elsewhere."""
    if ".." in value.split("/") or not any(form.fullmatch(value) for form in (_DIRECTORY, _SFTP, _S3)):
        raise reject("backup-target", f"{show(value)} is not a place for backups", f"write {_FORMS}")
    if value.startswith("/") and any(posixpath.commonpath([value, place]) == place for place in _NOT_BELOW.split()):
        message = f"{show(value)} is where the system, the project or anybody else writes"
        raise reject("backup-directory", message, "choose a directory of root's on another disk: /backups/shop")
    return value


AccessKey = Annotated[
    str, matching(r"[!-~]*", "backup-access-key-text", "the name of an access key", "write it as the storage tells it")
]
Region = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]*", "backup-region", "the region of an S3 storage", "write it like eu-central-1")
]
Root = Annotated[str, authority_root("backup-root-certificate", "backups.rootCertificate")]
Count = Annotated[Whole, at_least(0, "backup-keep", "a number of backups is 0 or more", "set 7, or remove the line")]


class Keep(Model):
    """How many backups stay: the last one of each of so many days, weeks and months."""

    daily: Count = option(7, "Days of which the last backup is kept")
    weekly: Count = option(4, "Weeks of which the last backup is kept")
    monthly: Count = option(6, "Months of which the last backup is kept")


class BackupsConfig(Model):
    """Encrypted backups of the database and of uploads. `password` and `secretKey` are secrets, so not here."""

    to: Annotated[str, AfterValidator(target)] = Field(description=_FORMS)
    schedule: Literal["hourly", "daily", "weekly"] = option("daily", "How often a backup is made")
    keep: Keep = Keep()
    database: Literal["dump", "continuous"] = option(
        "dump", "continuous: PostgreSQL's whole server is archived, and the database restored to any moment"
    )
    media: Flag = option(True, "Whether uploads and the folders of sharedPaths are in it")
    host_key: HostKey | None = option(None, "Public key of the host of an sftp:// target: ssh-ed25519 AAAA…")
    access_key: AccessKey = option("", "Name of the access key of an s3: target")
    region: Region | None = option(None, "Region of an s3: target; default: what its host's name says, or us-east-1")
    root_certificate: Root | None = option(
        None, "Root certificate of an s3: target that no public authority has signed, PEM text"
    )

    @property
    def days(self) -> int:
        """Of how many days every moment can be restored; 0 without continuous backups."""
        return max(self.keep.daily, 7 * self.keep.weekly) if self.database == "continuous" else 0
