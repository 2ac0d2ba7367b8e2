"""Remove what the register says is this stack's; keep data unless `onDestroy` says `drop`.

Every part looks at what is there, so a run that was cut off is completed by the next one. The register's entry goes
last but one, the toolkit's link last: until then a second run still knows everything.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.base import files, nginx, register
from codesensei.scripts.base.commands import run as command
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step, read_json
from codesensei.scripts.postgres import hba, ownership, postgresql
from codesensei.scripts.release import jobs
from codesensei.scripts.serving import certificates, default_tls, live
from codesensei.scripts.steps import account, broker, claim, preflight
from codesensei.wire import paths

UNITS = Path("/etc/systemd/system")
NGINX = Path("/etc/nginx")
NGINX_LOGS = Path("/var/log/nginx")
ROTATION = Path("/etc/logrotate.d")
SQLITE = re.compile(r".*\.(sqlite3?|db)(-wal|-shm|-journal)?")
DROP = "drop"


def run(step: Step[object]) -> None:
    """Take the project off this server."""
    entry = register.entry(step.slug)
    if entry is not None and entry.identity != step.data["identity"]:
        step.say(f"the slug {step.slug} belongs to the stack {entry.stack} now: nothing of it is removed")
        return
    if entry is not None:
        kept = _remove_all(step, entry)
        files.remove_path(step.project.memory)
        register.forget(step.slug, kept)
        step.changed(f"the register forgets {step.slug}")
        step.say("generated names and secrets end with this stack's state")
    files.remove_path(step.project.incoming)
    files.remove_path(step.project.cache)
    _remove_toolkit(step)
    if not step.changes:
        step.say(f"nothing is left of {step.slug}")


def _remove_all(step: Step[object], entry: register.Entry) -> register.Kept | None:
    served = live.Live.read(step.project)
    _units(step, entry, served)
    _files(step, served)
    certificates.remove(step)
    dropped = step.data["onDestroy"]
    database_kept = _database(step, entry, dropped["database"] == DROP)
    _broker(step, entry, dropped["database"] == DROP)
    remains = _directories(step, dropped["database"] == DROP, dropped["media"] == DROP)
    user_kept = _users(step, entry, remains)
    if not (database_kept or remains):
        return None
    role, name = database_kept or ("", "")
    return register.Kept(step.slug, entry.stack, entry.user if user_kept else "", role, name)


# Processes and configuration


def _units(step: Step[object], entry: register.Entry, served: live.Live) -> None:
    """Stop everything at once (sockets first, or they would start their service again), then remove the files."""
    extra = (f"codesensei-candidate-{step.slug}.service", jobs.unit_of(step.project))
    names = sorted({*entry.names.get("units", ()), *served.units, *extra})
    names.sort(key=lambda name: not name.endswith(".socket"))
    ours = [name for name in names if _is_ours(name) or name == extra[1]]
    running = [name for name in ours if not _inactive(name)]
    if running:
        step.say(f"stopping {', '.join(running)} (workers may finish what they do)")
        systemctl("stop", *running)
    present = [name for name in ours if (UNITS / name).exists()]
    if present:
        systemctl("disable", "--quiet", *present, check=False)
    for name in present:
        step.converge(files.remove_path(UNITS / name), f"unit {name} removed")
        if (UNITS / f"{name}.d").is_dir():
            step.say(f"kept: {UNITS / name}.d, which somebody else made")
    if present:
        systemctl("daemon-reload")
        systemctl("reset-failed", *present, check=False)


def _is_ours(name: str) -> bool:
    path = UNITS / name
    return path.is_file() and preflight.OUR_UNIT.search(path.read_text(errors="replace")) is not None


def _inactive(name: str) -> bool:
    return systemctl("is-active", name, check=False).stdout.strip() in ("inactive", "failed", "unknown", "")


def _files(step: Step[object], served: live.Live) -> None:
    """Site, log rotation, worker scripts, and whatever else the last manifest wrote."""
    slug = step.slug
    site = f"codesensei-{slug}.conf"
    sites = [NGINX / folder / site for folder in ("sites-enabled", "sites-available")]
    others = [ROTATION / f"codesensei-{slug}", paths.SERVER.config / slug]
    listed = [Path(path) for path in served.paths if _may_go(slug, path)]
    # There until nginx has forgotten the site: a run that was cut off, or refused by nginx -t, is completed.
    pending = step.project.memory / "destroy.pending"
    shown = default_tls.wanted(step, None) is not None
    if shown or any(path.is_symlink() or path.exists() for path in sites):
        files.write_file(pending, "", 0o600)
    for path in [*sites, *listed, *others]:
        step.converge(files.remove_path(path), f"{path} removed")
    default_tls.point(step, None)
    if pending.exists():
        _reload_proxy(step)
        pending.unlink()
    for log in NGINX_LOGS.glob(f"codesensei-{slug}.*log*"):
        files.remove_path(log)


def _may_go(slug: str, path: str) -> bool:
    with contextlib.suppress(Failure):
        live.refuse_foreign_paths(slug, [{"path": path}])
        return True
    return False


def _reload_proxy(step: Step[object]) -> None:
    check = command(["nginx", "-t"], check=False)
    if not check.ok:
        raise Failure(
            "nginx configuration",
            f"the site of {step.slug} is removed, but nginx -t refuses what is left, so the old one is still in use",
            "correct the file that is named, then run pulumi destroy again",
            check.stderr,
        )
    nginx.reload()


# Data


def _database(step: Step[object], entry: register.Entry, drop: bool) -> tuple[str, str] | None:
    """End the role's login and connections, or drop role and database; returns what is kept: role, database."""
    roles, databases = entry.names.get("roles", ()), entry.names.get("databases", ())
    if not roles or not postgresql.clusters():
        return None
    note = read_json(ownership.applied(step.project), {})
    port = postgresql.ensure_cluster(step, int(note.get("port", postgresql.PORT)))
    hba.withdraw(step, port)
    for role in roles:
        _end_login(step, port, role)
    if drop:
        for name in databases:
            if postgresql.rows(port, f"SELECT 1 FROM pg_database WHERE datname = {postgresql.literal(name)}"):
                postgresql.sql(
                    port, f"DROP DATABASE {postgresql.identifier(name)} WITH (FORCE);", thing=f"database {name}"
                )
                step.changed(f"database {name} dropped")
        dropped = [_drop_role(step, port, role) for role in roles]
        return None if all(dropped) else (roles[-1], "")
    for name in databases:
        step.say(f"kept: database {name} (a deployed onDestroy.database: drop removes it; {roles[-1]} may not log in)")
    return roles[-1], databases[-1] if databases else ""


def _end_login(step: Step[object], port: int, role: str) -> None:
    found = postgresql.rows(port, f"SELECT rolcanlogin FROM pg_roles WHERE rolname = {postgresql.literal(role)}")
    if not found:
        return
    if found[0]["rolcanlogin"]:
        postgresql.sql(port, f"ALTER ROLE {postgresql.identifier(role)} NOLOGIN;", thing=f"role {role}")
        step.changed(f"role {role} may not log in any more")
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {postgresql.literal(role)};"
    postgresql.sql(port, ended, thing=f"role {role}")


def _drop_role(step: Step[object], port: int, role: str) -> bool:
    if not postgresql.rows(port, f"SELECT 1 FROM pg_roles WHERE rolname = {postgresql.literal(role)}"):
        return True
    try:
        postgresql.sql(port, f"DROP ROLE {postgresql.identifier(role)};", thing=f"role {role}")
    except Failure:
        step.say(f"kept: role {role}, without login: it owns something in another database")
        return False
    step.changed(f"role {role} dropped")
    return True


def _broker(step: Step[object], entry: register.Entry, drop: bool) -> None:
    """Empty the broker databases that were this stack's alone, when its data is to go."""
    for number in entry.names.get("brokers", ()):
        with contextlib.suppress(OSError):
            left = broker.in_database(number, "DBSIZE")
            if left in ("", "0"):
                continue
            if drop:
                broker.in_database(number, "FLUSHDB")
                step.changed(f"broker database {number} emptied")
            else:
                step.say(f"kept: {left} keys in the broker's database {number}")


def _directories(step: Step[object], drop_database: bool, drop_media: bool) -> list[Path]:
    """Remove the project's directories; returns what is kept in shared."""
    project = step.project
    for path in (project.current, project.previous, project.manage):
        step.converge(files.remove_path(path), f"{path} removed")
    for path in (project.releases, project.venvs, project.environments, project.hand_over):
        step.converge(files.remove_path(path), f"{path} removed")
    remains = []
    if project.shared.is_dir():
        for path in sorted(project.shared.iterdir()):
            if _goes(path, drop_database, drop_media):
                step.converge(files.remove_path(path), f"{path} removed")
            elif not _sifted(step, path, drop_database, drop_media):
                remains.append(path)
        if not remains:
            project.shared.rmdir()
    for path in remains:
        step.say(f"kept: {path} (a deployed onDestroy.{'database' if _is_sqlite(path) else 'media'}: drop removes it)")
    if not remains and project.root.is_dir():
        left = sorted(project.root.iterdir())
        if left:
            step.say(f"kept: {', '.join(map(str, left))}, which codesensei did not make")
        else:
            project.root.rmdir()
            step.changed(f"{project.root} removed")
    return remains


def _goes(path: Path, drop_database: bool, drop_media: bool) -> bool:
    """Whether destroy removes this part of shared: what the product made, and the kind of data that is dropped."""
    found = path.lstat()
    if path.name in ("logs", "state") or stat.S_ISSOCK(found.st_mode):
        return True
    if path.name in (".env", "venv") and stat.S_ISLNK(found.st_mode):
        return True
    if path.name == "media" and path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return True
    # Everything else the project put there: a MEDIA_ROOT may have any name, and a directory may hold both.
    if path.is_dir() and not path.is_symlink():
        return drop_database and drop_media
    return drop_database if _is_sqlite(path) else drop_media


def _sifted(step: Step[object], path: Path, drop_database: bool, drop_media: bool) -> bool:
    """Remove from a directory that has both what is to go of it, a database or media; whether nothing is left."""
    if drop_database == drop_media or path.is_symlink() or not path.is_dir():
        return False
    # By open directories: what a process of the app user puts in their place meanwhile is not followed.
    removed = 0
    for _, folders, names, handle in os.fwalk(path, topdown=False):
        for name in names:
            if _is_sqlite(Path(name)) == drop_database:
                os.unlink(name, dir_fd=handle)
                removed += 1
        for name in folders:
            # Those with something left in them stay.
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=handle)
    step.converge(removed > 0, f"{removed} {'databases' if drop_database else 'files'} in {path} removed")
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()


def _is_sqlite(path: Path) -> bool:
    return SQLITE.fullmatch(path.name) is not None


# Accounts and the toolkit


def _users(step: Step[object], entry: register.Entry, remains: list[Path]) -> bool:
    """Remove the accounts that were made here and are of no more use; returns whether the app user stays."""
    _remove_user(step, step.project.build_user, account.BUILD_COMMENT)
    if not entry.user or entry.user in register.users(but=step.slug):
        return bool(entry.user)
    if remains:
        step.say(f"kept: user {entry.user}, whose files are kept")
        return True
    return not _remove_user(step, entry.user, account.APP_COMMENT)


def _remove_user(step: Step[object], name: str, comment: str) -> bool:
    """Remove an account that was made here; True when there is none afterwards."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return True
    if found.pw_gecos != comment:
        step.say(f"kept: user {name}, which codesensei did not make")
        return False
    busy = sorted(_processes_of(found.pw_uid))
    if busy:
        step.say(f"kept: user {name}, which still runs {', '.join(busy)}")
        return False
    command(["userdel", "--", name], thing=f"user {name}")
    step.changed(f"user {name} removed")
    return True


def _processes_of(uid: int) -> Iterator[str]:
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{pid}").st_uid == uid:
                    yield Path("/proc", pid, "comm").read_text().strip()


def _remove_toolkit(step: Step[object]) -> None:
    """Take the project's name from the toolkit that runs this; its files go when no project uses them."""
    files.remove_path(paths.SERVER.library / step.slug)
    with claim.no_bootstrap() as alone:
        if alone:
            claim.remove_unused_toolkits(ended=step.slug)
