"""What programs on a server see of an env file: after a shell has read it, and in a unit of systemd's."""

from __future__ import annotations

import hashlib
import json
import shlex

from codesensei.wire import envfile
from tools.sandbox import Server

READERS = ("dash", "bash", "systemd", "python")
# The last reader asks Python for os.environ; the others show the process's own block by env -0.
SCRIPT = r"""
import hashlib, json, os, shutil, subprocess, sys

folder = "/run/codesensei-reading"
unit = "/run/systemd/system/codesensei-reading-{}@.service"
environ = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k[0] == 'V'}))"
programs = {"systemd": "/usr/bin/env -0", "python": f'/usr/bin/python3 -c "{environ}"'}


def digest(value):
    return hashlib.sha256(value).hexdigest()[:16]


def from_block(block):
    pairs = (entry.partition(b"=") for entry in block.split(b"\0") if entry.startswith(b"V"))
    return {name.decode(): digest(value) for name, _, value in pairs}


def from_json(text):
    return {name: digest(value.encode("utf-8", "surrogatepass")) for name, value in json.loads(text or "{}").items()}


def by_shell(shell, path):
    line = 'set -eu; set -a; . "$1"; exec /usr/bin/env -0'
    done = subprocess.run([shell, "-c", line, shell, path], env={"PATH": "/usr/bin:/bin"}, capture_output=True)
    return from_block(done.stdout) if done.returncode == 0 else {}


def by_unit(reader, count):
    with open(unit.format(reader), "w") as file:
        file.write(f"[Service]\nType=oneshot\nEnvironmentFile={folder}/%i.env\nExecStart={programs[reader]}\n"
                   f"StandardOutput=file:{folder}/%i.{reader}\n")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    names = [f"codesensei-reading-{reader}@{number}.service" for number in range(count)]
    subprocess.run(["systemctl", "start", *names], stderr=subprocess.DEVNULL)
    found = []
    for number in range(count):
        path = f"{folder}/{number}.{reader}"
        content = open(path, "rb").read() if os.path.exists(path) else b""
        found.append(from_json(content) if reader == "python" else from_block(content))
    subprocess.run(["systemctl", "reset-failed", "codesensei-reading-*"])
    os.unlink(unit.format(reader))
    return found


files = json.load(sys.stdin)
shutil.rmtree(folder, ignore_errors=True)
os.mkdir(folder)
try:
    for number, text in enumerate(files):
        with open(f"{folder}/{number}.env", "w", encoding="utf-8", newline="") as file:
            file.write(text)
    found = {shell: [by_shell(f"/bin/{shell}", f"{folder}/{number}.env") for number in range(len(files))]
             for shell in ("dash", "bash")}
    found.update({reader: by_unit(reader, len(files)) for reader in programs})
finally:
    shutil.rmtree(folder)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
print(json.dumps(found))
"""


def digest(value: str) -> str:
    """What the server says instead of a value."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def differences(server: Server, batches: list[dict[str, str]]) -> dict[str, list[str]]:
    """By reader, the values (shortened) that are not read back from the files that the renderer makes of them."""
    texts = json.dumps([envfile.render(variables) for variables in batches]).encode()
    done = server.console(f"python3 -c {shlex.quote(SCRIPT)}", input=texts, timeout=300)
    read: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    assert set(read) == set(READERS)
    return {
        reader: [
            ascii(value)[:200]
            for variables, seen in zip(batches, files, strict=True)
            for name, value in variables.items()
            if seen.get(name) != digest(envfile.meaning(envfile.Written(value)))
        ]
        for reader, files in read.items()
    }
