"""Everything that the product manages on a server, in one picture that can be compared."""

from __future__ import annotations

import json

from tools.sandbox import Server

SCRIPT = r"""
import hashlib, json, os, subprocess, sys

ROOTS = ["/srv/codesensei", "/etc/codesensei", "/etc/nginx", "/etc/systemd/system", "/etc/logrotate.d",
         "/usr/local/lib/codesensei", "/var/lib/codesensei", "/etc/postgresql", "/etc/redis", "/etc/valkey",
         "/run/systemd/system", "/etc/passwd", "/etc/group"]
# What processes write while they serve, and the diary of the steps themselves.
ALIVE = ("/shared/logs/", "/shared/state/", "/steps.jsonl", "/proofs/", "/shared/gunicorn.sock", "/logs/")
UNITS = ["nginx.service", "redis-server.service", "valkey-server.service", "postgresql@*.service", "codesensei-*"]


def picture(path):
    found = os.lstat(path)
    kind = oct(found.st_mode)
    if os.path.islink(path):
        content = os.readlink(path)
    elif os.path.isfile(path):
        content = hashlib.sha256(text(path)).hexdigest()
    else:
        content = ""
    return [content, kind, found.st_uid, found.st_gid, found.st_ino, found.st_mtime_ns]


def text(path):
    content = open(path, "rb").read()
    # Django writes its entries as the file system lists the files.
    return json.dumps(json.loads(content), sort_keys=True).encode() if path.endswith("/staticfiles.json") else content


def walk(root):
    yield root
    for folder, folders, files in os.walk(root):
        for name in sorted(folders + files):
            yield os.path.join(folder, name)


def alive(path):
    return any(part in path + "/" for part in ALIVE)


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout


slugs = sys.argv[1:]
paths = {path: picture(path) for root in ROOTS if os.path.lexists(root) for path in walk(root) if not alive(path)}
# A folder whose diary is written again has another time.
for path in paths:
    if path.startswith("/var/lib/codesensei") and os.path.isdir(path):
        paths[path][-1] = 0
units = [name for slug in slugs for name in (slug + ".service", slug + ".socket", slug + "-*.service")] + UNITS
states = output("systemctl", "show", "--property=Id,ActiveState,SubState,MainPID,NRestarts,UnitFileState,"
                "ActiveEnterTimestampMonotonic,ExecMainStartTimestampMonotonic", *units)
nginx = output("pgrep", "-x", "nginx")
roles = output("runuser", "-u", "postgres", "--", "psql", "-XAtc",
               "SELECT rolname, rolcanlogin, rolpassword FROM pg_authid UNION ALL "
               "SELECT datname, true, pg_get_userbyid(datdba)::text FROM pg_database ORDER BY 1, 3")
print(json.dumps({**paths, "units": states, "nginx": nginx, "roles": roles}))
"""


def fingerprint(server: Server, *slugs: str) -> dict[str, object]:
    """Content, mode, owner, inode and time of every managed path, and units, nginx's processes, roles."""
    done = server.console(f"cd / && python3 - {' '.join(slugs)}", input=SCRIPT.encode(), timeout=120)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def difference(before: dict[str, object], after: dict[str, object]) -> dict[str, tuple[object, object]]:
    """What differs, by path."""
    return {
        path: (before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    }


def outside_releases(found: dict[str, tuple[object, object]], slug: str) -> list[str]:
    """The paths that differ and are more than inert files of a release which is not served.

    Those are the release's own directory, env file and venv, and root's notes about them.
    """
    inert = (
        f"/srv/codesensei/{slug}/releases",
        f"/srv/codesensei/{slug}/env",
        f"/srv/codesensei/{slug}/venvs",
        f"/srv/codesensei/{slug}/hand-over",
        f"/var/lib/codesensei/{slug}/release",
        f"/var/lib/codesensei/{slug}/database",
        f"/var/lib/codesensei/{slug}/source",
        "/var/lib/codesensei/incoming",
        # The names that the failed deploy would have used are held for it until the next one.
        "/var/lib/codesensei/register",
        # What follows a migration runs again at the next one.
        f"/var/lib/codesensei/{slug}/unfinished-migrate",
        "/run/systemd/system",
    )
    return [path for path in found if not path.startswith(inert)]
