"""S3 storage beside the sandbox's servers: Versity's gateway, which checks every signature, with TLS of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.host.authority import free_port
from tools.s3 import install
from tools.sandbox import Server

SECONDS = 20.0
NAME, REGION, BUCKET = "storage.example", "eu-test-1", "shop"
# Who owns the bucket, and somebody who may do nothing with it.
KEY, SECRET = "key-of-the-shop", "canary-of-the-storage"
STRANGER, STRANGERS_SECRET = "key-of-a-stranger", "canary-of-a-stranger"
MEBIBYTES = 300


@dataclass
class Storage:
    """The storage at `address`, with all that it keeps on a small disk of its own, which can be filled."""

    address: str
    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def to(self) -> str:
        """The place of the backups, for the stack config."""
        return f"s3:https://{NAME}:{self.port}/{BUCKET}/guestbook"

    @property
    def root(self) -> str:
        """The certificate that signs its own, PEM."""
        return (self.folder / "own.pem").read_text()

    @property
    def disk(self) -> Path:
        """Each folder is a bucket, and each file in it an object."""
        return self.folder / "disk"

    def make(self) -> None:
        """Its certificate, its accounts and its disk."""
        self.port = free_port(self.address)
        for path in (self.disk, self.folder / "accounts", self.folder / "notes"):
            path.mkdir(parents=True)
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-keyout", "own.key", "-out", "own.pem", "-days", "7", "-subj", "/CN=Test storage"]
        words += ["-addext", f"subjectAltName=DNS:{NAME}"]
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True)
        known = {KEY: (SECRET, "userplus"), STRANGER: (STRANGERS_SECRET, "user")}
        accounts = {key: {"access": key, "secret": secret, "role": role} for key, (secret, role) in known.items()}
        (self.folder / "accounts/users.json").write_text(json.dumps({"accessAccounts": accounts}))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "storage", self.disk], check=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [str(install()), "--port", f"{self.address}:{self.port}", "--region", REGION, "--quiet"]
        words += ["--cert", str(self.folder / "own.pem"), "--key", str(self.folder / "own.key")]
        words += ["--iam-dir", str(self.folder / "accounts"), "posix", "--sidecar", str(self.folder / "notes")]
        own = {"ROOT_ACCESS_KEY": "nobody", "ROOT_SECRET_KEY": os.urandom(16).hex()}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*words, str(self.disk)], stdout=log, stderr=log, env={**os.environ, **own})
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection((self.address, self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.05)

    def stop(self) -> None:
        """End it, as if it were unreachable."""
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def objects(self) -> set[str]:
        """The names of all that is kept in the bucket."""
        bucket = self.disk / BUCKET
        return {str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file()}

    def known_to(self, server: Server) -> None:
        """Lead its name to it there."""
        server.console(f"grep -q {NAME} /etc/hosts || echo '{self.address} {NAME}' >> /etc/hosts")


@contextmanager
def storage(address: str, folder: Path) -> Iterator[Storage]:
    """A storage that runs for the length of the block."""
    made = Storage(address, folder)
    made.make()
    try:
        made.start()
        yield made
    finally:
        made.stop()
        subprocess.run(["umount", "-l", made.disk], check=True)
