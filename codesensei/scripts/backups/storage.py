"""S3 storage, as `backups.to` names it: what restic takes as it stands, in its parts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from codesensei.wire.quick import dataclass

PREFIX = "s3:"
_DEFAULT_REGION = "us-east-1"
# Most storages have the region in their name: s3.eu-central-1.amazonaws.com, s3.us-west-004.backblazeb2.com.
_OF_HOST = re.compile(r"s3[.-]([a-z0-9-]*\d)\.[a-z0-9-]+\.[a-z]+", re.IGNORECASE)


@dataclass(frozen=True)
class Storage:
    """A place in a bucket: `path` begins with a slash, and is that alone for the whole of it."""

    host: str
    port: int
    bucket: str
    path: str

    @property
    def region(self) -> str:
        """What its host's name says of the region."""
        found = _OF_HOST.fullmatch(self.host)
        return found[1].lower() if found else _DEFAULT_REGION


def parse(to: str) -> Storage | None:
    """The storage; None for a target of another kind."""
    if not to.startswith(PREFIX):
        return None
    url = urlsplit(to.removeprefix(PREFIX))
    bucket, _, path = url.path.removeprefix("/").partition("/")
    return Storage(str(url.hostname), url.port or 443, bucket, f"/{path}")
