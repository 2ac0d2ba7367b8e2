"""Secrets that are easy to find, and a search for them wherever somebody could see them."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from urllib.parse import quote

from tools.trials.stack import Stack, eventually

SAMPLES = "/root/samples"

# Every command line of every process, as often as it can be read.
SAMPLER = r"""
import os, time
seen = set()
with open("/root/samples", "ab", buffering=0) as file:
    while True:
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    line = open(f"/proc/{name}/cmdline", "rb").read().replace(b"\0", b" ") + b"\n"
                except OSError:
                    continue
                if line not in seen:
                    seen.add(line)
                    file.write(line)
        time.sleep(0.005)
"""

# Patterns come on standard input, because an argument would be in the process list.
SEARCH = r"""
import json, os, subprocess, sys

patterns = {name: [bytes.fromhex(form) for form in forms] for name, forms in json.load(sys.stdin).items()}
hits = set()


def look(place, data):
    for name, forms in patterns.items():
        if any(form in data for form in forms):
            hits.add((place, name))


def output(*argv):
    return subprocess.run(argv, capture_output=True).stdout


def folder(place, *roots):
    for root in roots:
        for at, _, names in os.walk(root):
            for name in names:
                path = os.path.join(at, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as file:
                        look(place + " " + path if VERBOSE else place, file.read())


VERBOSE = "verbose" in sys.argv
subprocess.run(["journalctl", "--sync"])
look("journal", output("journalctl", "-a", "-o", "export"))
folder("/var/log", "/var/log")
folder("root's memory", "/var/lib/codesensei", "/run/codesensei")
folder("unit files", "/etc/systemd/system", "/run/systemd/system", "/run/systemd/transient")
listed = output("systemctl", "list-units", "--all", "--plain", "--no-legend").decode().split("\n")
look("systemctl show", output("systemctl", "show", "--", *[line.split()[0] for line in listed if line.strip()]))
look("process lists", open("/root/samples", "rb").read())
open_to_all = output("runuser", "-u", "nobody", "--", "find", "/etc", "/srv", "/var", "/run", "/tmp", "/usr/local",
                     "/home", "/opt", "/root", "-xdev", "-type", "f", "-readable")
for path in open_to_all.decode(errors="surrogateescape").splitlines():
    try:
        with open(path, "rb") as file:
            look("files open to all" + (" " + path if VERBOSE else ""), file.read())
    except OSError:
        continue
print(json.dumps(sorted(hits)))
"""


def canary() -> str:
    """A value that no two encodings write alike."""
    first, second, third = (secrets.token_hex(4) for _ in range(3))
    return f"{first}'\"{second} $\\ü/{third}%+&"


def forms(value: str) -> dict[str, list[bytes]]:
    """How a value may be written, by encoding."""
    data = value.encode()
    return {
        "raw": [data],
        "percent": [quote(value, safe="").encode(), quote(value).encode()],
        "JSON": [json.dumps(value)[1:-1].encode(), json.dumps(value, ensure_ascii=False)[1:-1].encode()],
        "shell": [value.replace("'", quoted).encode() for quoted in ("'\\''", "'\"'\"'")]
        + ["".join(f"\\{char}" if char in '"\\$`' else char for char in value).encode()],
        # In a longer text the same bytes come out in one of three ways.
        "base64": [base64.b64encode(b"x" * shift + data)[2 * shift : -4] for shift in range(3)],
    }


def patterns(values: dict[str, str]) -> dict[str, list[bytes]]:
    """All forms of all values, by `name, encoding`."""
    return {f"{name}, {kind}": found for name, value in values.items() for kind, found in forms(value).items()}


def start_sampler(stack: Stack) -> None:
    """Begin to note the command lines of the server's processes."""
    stack.server.put("/root/sampler.py", SAMPLER.encode(), 0o600)
    stack.server.console("systemd-run --quiet --unit=sampler python3 /root/sampler.py")
    eventually(stack.server, f"test -s {SAMPLES}")


def search_server(stack: Stack, values: dict[str, str]) -> set[tuple[str, str]]:
    """Place, and name with encoding, of every canary on the server that somebody may see."""
    wanted = {name: [form.hex() for form in found] for name, found in patterns(values).items()}
    stack.server.put("/root/search.py", SEARCH.encode(), 0o600)
    done = stack.server.console("python3 /root/search.py verbose", input=json.dumps(wanted).encode(), timeout=300)
    return {(place, name) for place, name in json.loads(done.stdout)}


def search_texts(texts: dict[str, str], values: dict[str, str]) -> set[tuple[str, str]]:
    """The same for texts of this machine, by place."""
    return {
        (place, name)
        for place, text in texts.items()
        for name, found in patterns(values).items()
        if any(form in text.encode() for form in found)
    }


def texts_of(folder: Path, since: float = 0) -> dict[str, str]:
    """All files below a folder that were written since then."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime >= since)
    return {str(path): path.read_text(errors="replace") for path in files}
