"""A private package index and git repositories for it, on the server's own loopback interface."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import zipfile

from tools.sandbox import Server

USER = "builder"
PASSWORD = "p@ss/w:rd%of#the index"
ENCODED = "p%40ss%2Fw%3Ard%25of%23the%20index"
PORT = 8765
FOLDER = "/root/index"
SCRIPT = """
import base64, functools, http.server, json, sys

port, login, folder = int(sys.argv[1]), sys.stdin.read(), sys.argv[2]
wanted = "Basic " + base64.b64encode(login.encode()).decode()


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/open/") or self.headers.get("Authorization") == wanted:
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        self.send_header("Content-Length", "0")
        self.end_headers()


print("ready", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Handler, directory=folder)).serve_forever()
"""


def wheel(name: str, version: str, files: dict[str, str], requires: tuple[str, ...] = ()) -> bytes:
    """A pure wheel with these modules; the same bytes each time."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0)), text)
    return stream.getvalue()


def hash_of(data: bytes) -> str:
    """As requirements files write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def start_index(server: Server, wheels: dict[str, bytes]) -> str:
    """Serve these wheels (`name-version` to bytes), for USER with PASSWORD alone; returns the URL without both."""
    server.console(f"rm -rf {FOLDER} && mkdir -p {FOLDER}/simple {FOLDER}/open")
    for label, data in wheels.items():
        name = label.rpartition("-")[0]
        file = f"{label}-py3-none-any.whl"
        page = f'<a href="{file}#{hash_of(data).replace(":", "=")}">{file}</a><br>\n'
        folder = f"{FOLDER}/simple/{name.replace('_', '-')}"
        server.console(f"mkdir -p {folder} && printf %s {shlex.quote(page)} >> {folder}/index.html")
        server.console(f"cat > {folder}/{file}", input=data)
    server.console(f"cat > {FOLDER}/serve.py", input=SCRIPT.encode())
    server.console(f"umask 077; cat > {FOLDER}/login", input=f"{USER}:{PASSWORD}".encode())
    server.console(
        "systemctl stop test-index.service 2>/dev/null; systemctl reset-failed test-index.service", check=False
    )
    server.console(
        f"systemd-run --quiet --unit=test-index --property=StandardInput=file:{FOLDER}/login"
        f" /usr/bin/python3 {FOLDER}/serve.py {PORT} {FOLDER}"
    )
    server.console(f"timeout 20 sh -c 'until ss -ltn | grep -q 127.0.0.1:{PORT}; do sleep 0.05; done'")
    return f"http://127.0.0.1:{PORT}/simple/"


def serve_repository(server: Server, name: str, files: dict[str, str]) -> tuple[str, str]:
    """A git repository beside the index, open to everybody; returns its URL and its commit."""
    place = f"/root/work-{name}"
    server.console(f"rm -rf {place} && mkdir -p {place} && git init -q -b main {place}")
    for path, text in files.items():
        server.console(f"mkdir -p $(dirname {place}/{path}) && cat > {place}/{path}", input=text.encode())
    author = "-c user.name=T -c user.email=t@example.com"
    server.console(f"cd {place} && git add --all && git {author} commit -qm Start && git tag v1")
    bare = f"{FOLDER}/open/{name}.git"
    server.console(f"rm -rf {bare}; git clone -q --bare {place} {bare} && git -C {bare} update-server-info")
    revision = server.console(f"git -C {bare} rev-parse main").stdout.strip()
    return f"http://127.0.0.1:{PORT}/open/{name}.git", revision


def found_in(server: Server, needles: list[str], places: str) -> dict[str, str]:
    """Which files below `places` hold one of the texts; the journal is looked through too."""
    script = (
        "import json, os, subprocess, sys\n"
        "needles, found = json.load(sys.stdin), {}\n"
        "def look(name, data):\n"
        "    for needle in needles:\n"
        "        if needle.encode() in data: found[name] = needle\n"
        "for place in sys.argv[1].split():\n"
        "    for folder, _, names in os.walk(place):\n"
        "        for name in names:\n"
        "            path = os.path.join(folder, name)\n"
        "            if os.path.isfile(path) and not os.path.islink(path): look(path, open(path, 'rb').read())\n"
        "look('journal', subprocess.run(['journalctl', '-q', '--no-pager', '-b', '-a'], capture_output=True).stdout)\n"
        "print(json.dumps(found))\n"
    )
    line = f"python3 -c {shlex.quote(script)} {shlex.quote(places)}"
    said: dict[str, str] = json.loads(server.console(line, input=json.dumps(needles).encode()).stdout)
    return said
