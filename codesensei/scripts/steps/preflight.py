"""What is checked on the server before anything is changed there: each refusal names the thing, its owner, the fix."""

from __future__ import annotations

import contextlib
import grp
import pwd
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from codesensei.scripts.base import host, register
from codesensei.scripts.base.commands import run as command
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.serving.live import Live
from codesensei.scripts.steps import account
from codesensei.wire import paths

MEBIBYTE = 1024 * 1024
DISK = {paths.SERVER.projects: 1024 * MEBIBYTE, paths.SERVER.memory: 512 * MEBIBYTE}
INODES = 20_000
MEMORY_NEEDED = 128 * MEBIBYTE
DATABASE_WAIT = 5.0
SERVED_BY = ("nginx",)
LOCAL_DATABASES = ("generated", "local")
POWERFUL_GROUPS_TEXT = (
    "adm admin disk docker incus incus-admin kmem kvm libvirt lxd root shadow sudo systemd-journal wheel"
)
POWERFUL_GROUPS = frozenset(POWERFUL_GROUPS_TEXT.split())
SERVICE_USERS_TEXT = (
    "_apt backup bin daemon games irc landscape list lp mail man messagebus news nginx nobody polkitd "
    "pollinate postgres proxy redis root sshd sys syslog tcpdump tss uuidd valkey www-data"
)
SERVICE_USERS = frozenset(SERVICE_USERS_TEXT.split())
# Units of the system and of what the product installs, also before they are there.
RESERVED_UNITS_TEXT = (
    "apache2 apt-daily chrony cloud-init containerd cron crond dbus docker fail2ban getty logrotate mariadb "
    "memcached mysql network networking nftables nginx ntp polkit postgresql rabbitmq-server redis "
    "redis-server rsyslog serial-getty ssh sshd sudo systemd ufw unattended-upgrades user valkey valkey-server"
)
RESERVED_UNITS = frozenset(RESERVED_UNITS_TEXT.split())
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
OUR_UNIT = re.compile(r"^Description=.*\(codesensei\)\s*$", re.MULTILINE)
OUR_SITE = "codesensei"


def run(step: Step[object]) -> None:
    """Check the machine, the app user and every name; then claim the names in the register."""
    data = step.data
    _machine(step)
    _ports(data.get("ports", []))
    entry = register.entry(step.slug)
    if entry is None or entry.identity != data["identity"]:
        whose = f"it belongs to the stack {entry.stack} now" if entry else "the register does not know it"
        raise Failure(f"slug {step.slug}", whose, "run pulumi up again, with codesensei:adopt: true to take it over")
    _user(step, entry)
    for unit in data.get("units", []):
        _unit(entry, unit, bool(data.get("adopt")))
    _hostnames(data.get("hostnames", []))
    names = {
        "units": data.get("units", []),
        "hostnames": data.get("hostnames", []),
        "brokers": [str(number) for number in data.get("brokerNumbers", [])],
    }
    plan = data.get("database") or {"kind": "none"}
    if plan["kind"] == "external":
        _external(step, plan)
    if plan["kind"] in LOCAL_DATABASES:
        names |= _database(step, plan)
    claimed = register.claim(step.slug, names, user=data["user"], adopt=bool(data.get("adopt")))
    # What an earlier deploy claimed and never made live is free again; what is served stays until the switch ends it.
    served = Live.read(step.project)
    hosts = served.manifest.get("health", {}).get("hosts", [])
    kept = {"units": {*names["units"], *served.units}, "hostnames": {*names["hostnames"], *hosts}}
    claimed = register.settle(step.slug, kept) or claimed
    step.converge(claimed, f"names claimed for the stack {entry.stack}")


# The machine


def _machine(step: Step[object]) -> None:
    system = host.system()
    if not system.supported and not step.data.get("allowUnsupported"):
        raise Failure(
            system.name,
            f"this system is not supported (supported: {host.SUPPORTED_TEXT})",
            "use a server with one of them, or try it with codesensei:allowUnsupported: true",
        )
    if not host.runs_systemd():
        raise Failure("systemd", "it is not process 1 of this machine", "use a server that boots with systemd")
    for path, needed in DISK.items():
        space = host.space(path)
        if space.bytes < needed:
            raise Failure(
                f"disk of {path}",
                f"{space.bytes // MEBIBYTE} MiB are free, and {needed // MEBIBYTE} MiB are needed",
                "free some space (df -h; apt-get clean; journalctl --vacuum-size=200M) or use a bigger disk",
            )
        if space.inodes is not None and space.inodes < INODES:
            raise Failure(
                f"disk of {path}",
                f"{space.inodes} inodes are free, and {INODES} are needed",
                "remove directories with many small files (on the server: df -i)",
            )
    memory = host.available_memory()
    if memory < MEMORY_NEEDED:
        raise Failure(
            "memory",
            f"{memory // MEBIBYTE} MiB are available, and {MEMORY_NEEDED // MEBIBYTE} MiB are needed beside what runs",
            "add memory or a swap file, or end something on the server (free -m)",
        )


def _ports(ports: Iterable[int]) -> None:
    for listener in host.listeners(ports):
        if listener.process not in SERVED_BY:
            who = f"the process {listener.process} ({listener.pid})" if listener.pid else "an unknown process"
            raise Failure(
                f"port {listener.port}",
                f"{who} listens on {listener.address}:{listener.port}, and nginx needs this port",
                f"on the server: systemctl disable --now the service of {listener.process}, or use another server",
            )


# The app user


def _user(step: Step[object], entry: register.Entry) -> None:
    data = step.data
    user = data["user"]
    thing, other = f"user {user}", "choose another codesensei:project.user"
    if user == data.get("loginUser"):
        raise Failure(thing, "codesensei logs in as this user, and the app user must have no such power", other)
    if user in SERVICE_USERS or user.startswith(("systemd-", "csb-")):
        raise Failure(thing, "this account belongs to the system", other)
    _user_is_plain(user, thing, other)
    sharing = [item.slug for item in register.entries().values() if item.user == user and item.slug != step.slug]
    if sharing and entry.user != user and not data.get("shareUser"):
        raise Failure(
            thing,
            f"the project {', '.join(sharing)} runs as this user: each could read the other's secrets and files",
            f"{other}, or accept that with codesensei:project.shareUser: true",
        )
    if entry.user and entry.user != user and step.project.shared.exists() and not data.get("adopt"):
        raise Failure(
            thing,
            f"this project runs as {entry.user}, and its media, logs and state belong to that user",
            f"put codesensei:project.user: {entry.user} back; or stop the project, give the files to {user} on the "
            f"server (chown -hR --from={entry.user} {user}:{user} {step.project.shared}/*), and set adopt: true once",
        )


def _user_is_plain(user: str, thing: str, fix: str) -> None:
    """Refuse a user that could become root; one that does not exist may have a rule waiting for it."""
    groups = [group.gr_name for group in grp.getgrall() if user in group.gr_mem]
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        groups.append(user)
    else:
        groups.append(grp.getgrgid(found.pw_gid).gr_name)
        if found.pw_uid == 0:
            raise Failure(thing, "its user id is 0: it is root", fix)
        if found.pw_gecos != account.APP_COMMENT and found.pw_uid < 100:
            raise Failure(thing, "this account belongs to the system", fix)
        _not_listed_by_sudo(user, thing, fix)
    powerful = sorted(set(groups) & POWERFUL_GROUPS)
    if powerful:
        raise Failure(thing, f"it is in the group {', '.join(powerful)}, which gives it the power of root", fix)
    for path, line in sudo_rules(user, groups):
        raise Failure(thing, f"a sudo rule names it: {line[:120]} ({path})", f"{fix}, or take the rule out")


def _not_listed_by_sudo(user: str, thing: str, fix: str) -> None:
    # sudo knows more sources than files (LDAP, sssd), and says so in English only under C.
    try:
        said = command(["sudo", "-n", "-l", "-U", user], env={"LC_ALL": "C"}, check=False, timeout=30)
    except Failure:
        return
    if "may run the following commands" in said.stdout:
        rule = said.stdout.strip().splitlines()[-1].strip()
        raise Failure(thing, f"sudo lets it run: {rule[:120]}", f"{fix}, or take the rule out")


def sudo_rules(user: str, groups: Iterable[str], path: Path = Path("/etc/sudoers")) -> Iterator[tuple[Path, str]]:
    """The rules of sudoers files that give `user`, or one of its groups, anything; with the file each is in."""
    lines = list(_sudo_lines(path, set()))
    aliases: dict[str, list[str]] = {}
    for _, line in lines:
        head, _, rest = line.partition(" ")
        if head == "User_Alias":
            for definition in rest.split(":"):
                name, _, members = definition.partition("=")
                aliases[name.strip()] = [member.strip() for member in members.split(",")]
    named = {user, "ALL", *(f"%{group}" for group in groups), *_numbers(user, groups)}
    for _ in aliases:
        named |= {name for name, members in aliases.items() if named & set(members)}
    for file, line in lines:
        if re.match(r"Defaults|\w+_Alias\b", line) or "=" not in line:
            continue
        if named & set(_users_of(line.partition("=")[0])):
            yield file, line


def _users_of(left: str) -> list[str]:
    """The user list of a rule: what stands before its host list (`a, b HOST`)."""
    joined = re.sub(r"\s*,\s*", ",", left.strip())
    first = re.match(r"(?:\\.|\"[^\"]*\"|[^\s\\])+", joined)
    return [word.strip('"').replace("\\", "") for word in first[0].split(",")] if first else []


def _numbers(user: str, groups: Iterable[str]) -> set[str]:
    numbers = set()
    with contextlib.suppress(KeyError):
        numbers.add(f"#{pwd.getpwnam(user).pw_uid}")
    for group in groups:
        with contextlib.suppress(KeyError):
            numbers.add(f"%#{grp.getgrnam(group).gr_gid}")
    return numbers


def _sudo_lines(path: Path, seen: set[Path]) -> Iterator[tuple[Path, str]]:
    """Lines of a sudoers file and of what it includes, continued ones joined, without comments."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    for raw in path.read_text(errors="replace").replace("\\\n", " ").splitlines():
        include = re.match(r"\s*[@#]include(dir)?\s+(\S+)", raw)
        if include:
            target = path.parent / include[2].strip('"').replace("%h", socket.gethostname())
            # sudo skips names with a dot or a tilde at the end in a directory.
            found = sorted(target.iterdir()) if include[1] and target.is_dir() else [] if include[1] else [target]
            for item in found:
                if not include[1] or not ("." in item.name or item.name.endswith("~")):
                    yield from _sudo_lines(item, seen)
            continue
        line = re.sub(r"(^|\s)#(?![0-9]).*", "", raw).strip()
        if line:
            yield path, re.sub(r"\s+", " ", line)


# Names


def _unit(entry: register.Entry, unit: str, adopt: bool) -> None:
    name = unit.rpartition(".")[0]
    fix = "choose another codesensei:project.slug, or another name for the worker"
    if name in RESERVED_UNITS or name.startswith(("systemd-", "postgresql@", "user@", "dbus-")):
        raise Failure(f"unit {unit}", "this name belongs to the system", fix)
    found = next((path for folder in UNIT_FOLDERS if (path := Path(folder, unit)).exists() or path.is_symlink()), None)
    if found is None or entry.has("units", unit):
        return
    whose = register.owner("units", unit)
    ours = found.is_file() and OUR_UNIT.search(found.read_text(errors="replace")) is not None
    if not ours:
        raise Failure(
            f"unit {unit}", f"{found} was not written by codesensei", f"{fix}; or remove that unit on the server first"
        )
    if not adopt:
        owner = f"the stack {whose.stack} (slug {whose.slug})" if whose else "a stack that this server no longer knows"
        raise Failure(f"unit {unit}", f"it belongs to {owner}", f"{fix}, or take it over with codesensei:adopt: true")


def _hostnames(hostnames: Iterable[str]) -> None:
    wanted = {name.lower() for name in hostnames}
    for path, names in served_names().items():
        taken = sorted(wanted & names)
        if taken:
            raise Failure(
                f"hostname {', '.join(taken)}",
                f"the nginx site {path}, which codesensei did not write, serves it already",
                f"take the name (or the whole site) out of {path}, or choose another hostname",
            )


def served_names(folder: Path = Path("/etc/nginx")) -> dict[Path, set[str]]:
    """The server names of the nginx files that are in use and not ours, by file."""
    found: dict[Path, set[str]] = {}
    for pattern in ("nginx.conf", "conf.d/*.conf", "sites-enabled/*"):
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and not path.name.startswith(OUR_SITE):
                found[path] = server_names(path.read_text(errors="replace"))
    return {path: names for path, names in found.items() if names}


def server_names(text: str) -> set[str]:
    """What the server_name lines of an nginx file name, in lower case, without quotes."""
    plain = re.sub(r"(^|\s)#.*", "", text)
    names: set[str] = set()
    for found in re.finditer(r"(?:^|[\s;{}])server_name\s+([^;]*);", plain):
        names |= {name.strip("\"'").lower() for name in found[1].split()}
    return names - {"_", ""}


# The database


def _database(step: Step[object], plan: dict[str, Any]) -> dict[str, list[str]]:
    """Check the names of role and database; returns those that can be claimed now."""
    name, role, port = plan["name"], plan["role"], int(plan["port"] or postgresql.PORT)
    adopt = bool(step.data.get("adopt"))
    ownership.refuse_reserved(name, role)
    if not adopt:
        ownership.refuse_moved(step, port, name, role)
    there = postgresql.clusters()
    if any(cluster.online and cluster.port == port for cluster in there):
        ownership.refuse_foreign(step, port, name, role, adopt)
    elif there:
        # Nobody can look into a cluster that is down: the step that starts it looks, and claims what it finds free.
        return {}
    return {"databases": [name], "roles": [role]}


def _external(step: Step[object], plan: dict[str, Any]) -> None:
    if plan["port"]:
        check_reachable(plan["host"], int(plan["port"]))
    else:
        step.say(f"database host {plan['host']}: not tried, because its URL names no port")


def check_reachable(name: str, port: int) -> None:
    """Raise Failure unless one of the host's addresses, IPv4 or IPv6, takes a connection from this server."""
    fix = "let this server's address in at the database's firewall, and check host and port of DATABASE_URL"
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Failure(f"database host {name}", f"its name cannot be resolved from here ({error})", fix) from None
    errors = []
    for family, kind, protocol, _, address in found[:6]:
        try:
            with socket.socket(family, kind, protocol) as connection:
                connection.settimeout(DATABASE_WAIT)
                connection.connect(address)
                return
        except OSError as error:
            errors.append(f"{address[0]}: {error}")
    raise Failure(f"database {name}:{port}", f"it cannot be reached from this server ({'; '.join(errors)})", fix)
