"""What a server looks like when nothing is under way, so that two can be compared that were reached by other ways."""

from __future__ import annotations

from dataclasses import dataclass

from tools.sandbox import Server
from tools.trials.fingerprint import fingerprint

# Differ from run to run: they hold times.
_PASSING = (
    "/var/lib/codesensei/register.json",
    "/var/lib/codesensei/guestbook/history.jsonl",
    "/var/lib/codesensei/guestbook/release/",
    "/srv/codesensei/guestbook/shared/media/",
    "/run/systemd/system/",
    # Copies of the source; a revert that has nothing to build leaves its own to the next build.
    "/var/lib/codesensei/incoming/guestbook/",
)
_PSQL = "cd / && runuser -u postgres -- psql -XAt -d guestbook -c"
_COLUMNS = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
_OURS = "/srv/codesensei/guestbook /var/lib/codesensei /etc/nginx /etc/systemd/system"
# What is no file, each by the shell command that shows it.
_REST = {
    "schema": f"{_PSQL} \"{_COLUMNS} WHERE table_schema = 'public' ORDER BY 1, 2\"",
    "invalid indexes": f"{_PSQL} 'SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid'",
    "units": "systemctl list-units --all --plain --no-legend 'guestbook*' 'codesensei*' | awk '{print $1,$3,$4}'",
    "enabled": "systemctl list-unit-files --no-legend 'guestbook*' | awk '{print $1, $2}' | sort",
    "services": "systemctl is-active nginx postgresql redis-server valkey-server | sort",
    "processes of builds": "ps -eo user:32,args | grep '^csb-'",
    "hand-over": "ls /srv/codesensei/guestbook/hand-over",
    "journal": "ls /var/lib/codesensei/guestbook/switch",
    "temporary files": f"find {_OURS} -name '.*.????????' -not -path '*/releases/*' -not -path '*/venvs/*'",
}


@dataclass(frozen=True)
class Picture:
    """Files by path (content, mode, owner, group) and everything else by name."""

    files: dict[str, tuple[object, ...]]
    rest: dict[str, str]


def take(server: Server) -> Picture:
    """The picture of a server now."""
    found = fingerprint(server, "guestbook")
    files = {
        # Byte code holds when its source was installed.
        path: ("" if path.endswith(".pyc") else value[0], *value[1:4])
        for path, value in found.items()
        if path.startswith("/") and isinstance(value, list) and not path.startswith(_PASSING)
    }
    return Picture(files, {name: server.console(line, check=False).stdout for name, line in _REST.items()})


def wrong(asked: Picture, seen: Picture, *, also: Picture | None = None) -> list[str]:
    """What differs from what was asked; a release that was built and does not serve may be there.

    `also` is what the schema may be too: a migration is not taken back.
    """
    found = []
    for path in sorted({*asked.files, *seen.files}):
        if asked.files.get(path) != seen.files.get(path) and (path in asked.files or not _is_inert(path)):
            found.append(f"{path}: {seen.files.get(path, 'gone')} instead of {asked.files.get(path, 'nothing')}")
    for name, text in asked.rest.items():
        allowed = {text, also.rest[name]} if also and name == "schema" else {text}
        if seen.rest[name] not in allowed:
            found.append(f"{name}: {seen.rest[name].split()} instead of {text.split()}")
    return found


def _is_inert(path: str) -> bool:
    root = "/srv/codesensei/guestbook"
    inert = tuple(f"{root}/{name}" for name in ("releases/", "env/", "venvs/", "previous"))
    return path.startswith((*inert, "/var/lib/codesensei/guestbook/"))
