"""Who signs certificates: one's own key, or a real ACME authority beside the sandbox's servers.

That is Pebble, and the DNS server that it asks.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.pebble import install

SECONDS = 20.0


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def sign(name: str) -> tuple[str, str]:
    """A certificate of one's own for a name or an address, and its key."""
    kind = "IP" if re.fullmatch(r"[0-9.]+", name) else "DNS"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += [
        "-keyout",
        "-",
        "-out",
        "-",
        "-days",
        "30",
        "-subj",
        "/CN=ours",
        "-addext",
        f"subjectAltName={kind}:{name}",
    ]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    key, rest = text.split("-----END PRIVATE KEY-----\n", 1)
    return rest, f"{key}-----END PRIVATE KEY-----\n"


@dataclass
class Authority:
    """Pebble at `address`, which asks its own DNS server where a name is and looks there on port 80."""

    address: str
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def directory(self) -> str:
        """The URL for the stack config."""
        return f"https://{self.address}:{self.ports['acme']}/dir"

    @property
    def root(self) -> str:
        """The certificate that signs the authority's own, PEM."""
        return (self.folder / "own.pem").read_text()

    def make(self) -> None:
        """Its own certificate, its ports and configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ports = {name: free_port(self.address) for name in ("acme", "management", "dns", "dns-management")}
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-keyout", "own.key", "-out", "own.pem", "-days", "7", "-subj", "/CN=Test authority"]
        words += ["-addext", f"subjectAltName=IP:{self.address}"]
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True)

    def start(self, days: float = 90) -> None:
        """Start it; its certificates are valid for `days`."""
        found = install()
        settings = {
            "listenAddress": f"{self.address}:{self.ports['acme']}",
            "managementListenAddress": f"{self.address}:{self.ports['management']}",
            "certificate": str(self.folder / "own.pem"),
            "privateKey": str(self.folder / "own.key"),
            "httpPort": 80,
            "tlsPort": 443,
            "retryAfter": {"authz": 1, "order": 1},
            "keyAlgorithm": "ecdsa",
            "profiles": {"default": {"description": "as asked", "validityPeriod": int(days * 86400)}},
        }
        config = self.folder / "pebble.json"
        config.write_text(json.dumps({"pebble": settings}))
        dns = f"{self.address}:{self.ports['dns']}"
        words = [str(found.dns), "-dnsserver", dns, "-management", f"{self.address}:{self.ports['dns-management']}"]
        words += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv4", "", "-defaultIPv6", ""]
        if "dns" not in self.processes:
            self._run("dns", words)
            self._await(self.ports["dns-management"])
        self._run("acme", [str(found.pebble), "-config", str(config), "-dnsserver", dns])
        self._await(self.ports["acme"])

    def stop(self, name: str = "acme") -> None:
        """End the authority (or `dns`), as if it were unreachable."""
        process = self.processes.pop(name, None)
        if process:
            process.terminate()
            process.wait(10)

    def lead(self, name: str, address: str) -> None:
        """Make a DNS record."""
        self._tell("add-a", {"host": name, "addresses": [address]})

    def issuers(self) -> str:
        """The certificate that signs what it issues now, PEM."""
        context = ssl._create_unverified_context()
        url = f"https://{self.address}:{self.ports['management']}/roots/0"
        with urllib.request.urlopen(url, context=context, timeout=SECONDS) as answer:
            text: str = answer.read().decode()
            return text

    def _tell(self, what: str, data: dict[str, Any]) -> None:
        url = f"http://{self.address}:{self.ports['dns-management']}/{what}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(data).encode()), timeout=SECONDS):
            pass

    def _run(self, name: str, words: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
            self.processes[name] = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=self.folder)

    def _await(self, port: int) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection((self.address, port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "acme.log").read_text()[-2000:]
                time.sleep(0.05)


@contextmanager
def authority(address: str, folder: Path) -> Iterator[Authority]:
    """An authority that runs for the length of the block."""
    made = Authority(address, folder)
    made.make()
    try:
        made.start()
        yield made
    finally:
        made.stop()
        made.stop("dns")
