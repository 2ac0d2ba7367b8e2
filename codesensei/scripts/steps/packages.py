"""Install what is missing; apt is touched only then. What a blank server leaves open is closed."""

from __future__ import annotations

import platform
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence

from codesensei.scripts.base import commands, host
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.hardening import harden
from codesensei.scripts.postgres import postgresql
from codesensei.wire.names import EXTENSION_ALIASES, EXTENSION_PACKAGES
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.said import Said
from codesensei.wire.steps import Packages

BASE = (
    "build-essential ca-certificates git iproute2 libpq-dev logrotate openssl pkg-config python3-dev python3-venv"
).split()
# Any of these will do; the first is installed where there is none.
NGINX = ("nginx-light", "nginx-core", "nginx-full", "nginx-extras", "nginx")
BROKERS = ("valkey-server", "redis-server")
PACKAGES_KEY, EXTENSIONS_KEY = "codesensei:project.systemPackages", "codesensei:database.extensions"
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]+)?")
LOCK_WAIT = 900.0
NETWORK_TRIES = 4
PAUSE = 5.0
SOURCES = "/etc/apt/sources.list"
NONE: Mapping[str, str] = {}
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "DEBCONF_NONINTERACTIVE_SEEN": "true"}
QUIET |= {"APT_LISTCHANGES_FRONTEND": "none", "UCF_FORCE_CONFFOLD": "1"}
# needrestart would ask questions, or restart services that are not ours.
QUIET |= {"NEEDRESTART_SUSPEND": "1", "NEEDRESTART_MODE": "l"}
OPTIONS = (
    f"-q -y -oDPkg::Lock::Timeout={LOCK_WAIT:.0f} -oAcquire::Retries=3 -oDpkg::Use-Pty=0"
    " -oDpkg::Options::=--force-confdef -oDpkg::Options::=--force-confold"
).split()
LOCKED = re.compile(r"Could not get lock|Unable to acquire the dpkg frontend lock|Unable to lock directory")
NETWORK = re.compile(
    r"Temporary failure resolving|Could not resolve|Could not connect|Connection (timed out|failed|refused|reset)"
    r"|Failed to fetch|Hash Sum mismatch|File has unexpected size|Unable to connect|Network is unreachable"
    r"|\b50[0234] +[A-Z]|Some index files failed to download"
)
# What apt refuses of a list: by its date, and for what else.
EARLY = re.compile(
    r"Release file for \S+ is not valid yet \(invalid (for another [^)]+)\)|Not live (until \d{4}-\d\d-\d\d)"
)
EXPIRED = re.compile(r"Release file for (\S+) is expired")
BROKEN = re.compile(
    r"The repository '([^']+?)(?: (?:In)?Release)?' (?:does not have|does no longer have|is no[\w ]+ signed)"
)
ABSENT = re.compile(r"Unable to locate package (\S+)|Package '?([^' ]+)'? has no installation candidate")


def run(step: Step[Packages]) -> None:
    """Install the product's own packages, the database server, the broker and the project's packages."""
    data = step.data
    plan = harden.plan(step, data.hardening)
    apt = Apt(step)
    wanted = [*plan.packages, *BASE, *(_valid(name) for name in data.packages)]
    wanted += [*apt.one_of(NGINX), *_python(apt, data), *apt.one_of(BROKERS)]
    wanted += ["certbot"] if data.certbot else []
    wanted += ["restic", "openssh-client"] if data.backups else []
    wanted += ["pgbackrest"] if data.continuous else []
    wanted += ["postgresql"] if data.postgresql and not postgresql_major() else []
    apt.ensure(wanted, dict.fromkeys(data.packages, PACKAGES_KEY))
    if data.postgresql:
        port = data.port or postgresql.PORT
        versions = [cluster.version for cluster in postgresql.clusters() if cluster.port == port]
        extensions = extension_packages(data.extensions, *versions or [postgresql_major()])
        apt.ensure(extensions, dict.fromkeys(extensions, EXTENSIONS_KEY))
        wanted = [name for name in wanted if name != "postgresql"] + [f"postgresql-{postgresql_major()}", *extensions]
    _need(step, wanted)
    if warnings := harden.apply(step, plan):
        step.result = Said(warnings=warnings)


def _need(step: Step[Packages], wanted: Iterable[str]) -> None:
    """Remember what must stay installed."""
    for names in (NGINX, BROKERS):
        step.need_package(*names)
    for name in wanted:
        if name not in (*NGINX, *BROKERS):
            step.need_package(name)


def _python(apt: Apt, data: Packages) -> list[str]:
    """The packages of a Python other than the server's own; one that was installed by hand is used as it is."""
    wanted = data.python
    names = [f"python{wanted}", f"python{wanted}-venv", f"python{wanted}-dev"]
    if not wanted or set(names) <= installed(names):
        return []
    apt.refresh()
    if apt.candidate(names[0]):
        return names
    if data.uv or shutil.which(names[0], path=SYSTEM_PATH):
        return []
    cause = f"{host.system().name} has no package {names[0]} (its own Python is {platform.python_version()})"
    fix = "leave project.python empty for the server's own, or set project.installer to uv, which brings its own"
    raise apt.lacks(f"Python {wanted}", cause, fix)


def extension_packages(extensions: Iterable[str], major: str) -> list[str]:
    """The packages that these extensions need; PostgreSQL's own need none."""
    named = (EXTENSION_ALIASES.get(name, name) for name in extensions)
    return sorted({f"postgresql-{major}-{EXTENSION_PACKAGES[name]}" for name in named if name in EXTENSION_PACKAGES})


def postgresql_major() -> str:
    """The newest installed PostgreSQL server, as `15`; empty when there is none."""
    found = commands.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Package}\n", "postgresql-*"], check=False)
    majors = re.findall(r"^installed postgresql-(\d+)$", found.stdout, re.MULTILINE)
    return max(majors, key=int, default="")


def installed(names: Iterable[str]) -> set[str]:
    """Those of `names` that are installed."""
    if not (names := list(names)):
        return set()
    pattern = "-f=${db:Status-Status} ${Package}\n${db:Status-Status} ${Package}:${Architecture}\n"
    found = commands.run(["dpkg-query", "-W", pattern, *names], check=False)
    there = {line.split()[1] for line in found.stdout.splitlines() if line.startswith("installed ")}
    return there & set(names)


def satisfied(names: Iterable[str]) -> set[str]:
    """Those of `names` that are installed, or that an installed package provides, as libmagic1t64 does libmagic1."""
    names = set(names)
    there = installed(names)
    # A web server or a broker that is only called so has other files than those that the product writes.
    if not (missing := names - there - {*NGINX, *BROKERS}):
        return there
    found = commands.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Provides}\n"], check=False)
    lines = [line.removeprefix("installed ") for line in found.stdout.splitlines() if line.startswith("installed ")]
    return there | missing & {name for line in lines for name in re.findall(r"(?:^|, )([^\s,:]+)", line)}


def lacking(needed: Sequence[str]) -> list[str]:
    """What of the packages that a step has noted is no longer installed, in words."""
    there = satisfied(name for names in needed for name in names.split())
    gone = [names.split() for names in needed if not there & {*names.split()}]
    return [
        f"package {names[0]} is not installed" if len(names) == 1 else f"none of {', '.join(names)} is installed"
        for names in gone
    ]


def _valid(name: str) -> str:
    """Refuse what apt-get would read as an option or as a request to remove (`name-`)."""
    if not NAME.fullmatch(name):
        fix = f"correct {PACKAGES_KEY} (lower-case letters, digits, + . -)"
        raise Failure(f"package {name!r}"[:120], "this is not a package name", fix)
    return name


class Apt:
    """apt-get for one step: lists are fetched once, and only when something is missing."""

    def __init__(self, step: Step[object]) -> None:
        self.step = step
        self.fresh = False
        # What it said of lists that it could not fetch, and sources that it cannot use.
        self.unfetched = ""
        self.broken: list[str] = []

    def ensure(self, names: list[str], keys: Mapping[str, str]) -> None:
        """Install those of `names` that are missing; `keys` has the key of the stack config for each that it names."""
        there = satisfied(names)
        missing = [name for name in dict.fromkeys(names) if name not in there]
        if not missing:
            return
        self.refresh()
        self.step.say(f"installing {', '.join(missing)}")
        self._apt_get(["install", "--no-install-recommends", "--", *missing], keys)
        self.step.changed(f"installed {', '.join(missing)}")

    def one_of(self, names: tuple[str, ...]) -> list[str]:
        """The first of `names` that can be installed; none where one is installed."""
        if installed(names):
            return []
        self.refresh()
        return [next((name for name in names if self.candidate(name)), names[-1])]

    def candidate(self, name: str) -> bool:
        """Whether apt has a version of `name` to install."""
        policy = commands.run(["apt-cache", "policy", name], check=False).stdout
        return bool(re.search(r"^ +Candidate: (?!\(none\)$)\S", policy, re.MULTILINE))

    def refresh(self) -> None:
        """Fetch the package lists, once."""
        if not self.fresh:
            self.step.say("fetching package lists")
            self._apt_get(["update"])
            self.fresh = True

    def lacks(self, thing: str, cause: str, *fixes: str) -> Failure:
        """What to raise for what no package list has; some of them may not be here."""
        if self.broken:
            fixes = (f"repair or remove what apt cannot use, in {SOURCES}.d: {', '.join(self.broken)}", *fixes)
        if self.unfetched:
            cause = "the package lists that are here do not have it, and others could not be fetched"
            fixes = ("check the server's network and DNS, then run pulumi up again", *fixes)
        whole = f"let {SOURCES} or {SOURCES}.d name the whole archive of {host.system().name} (with universe on Ubuntu)"
        return Failure(thing, cause, "; or ".join(fixes or (whole,)), self.unfetched)

    def _absent(self, names: Sequence[str], keys: Mapping[str, str]) -> Failure:
        """What to raise for packages that no list has: only what the stack config names can be corrected there."""
        fixes = []
        for key in dict.fromkeys(keys[name] for name in names if name in keys):
            fix = f"correct {key}; to search, on the server: apt-cache search <word>"
            if key == EXTENSIONS_KEY:
                fix = f"remove it from {key}, or add PostgreSQL's own apt repository on the server (apt.postgresql.org)"
            fixes.append(fix)
        cause = f"{host.system().name} has no package of this name"
        return self.lacks(f"package {', '.join(names)}", cause, *fixes)

    def _apt_get(self, words: list[str], keys: Mapping[str, str] = NONE) -> None:
        tries, deadline = 0, time.monotonic() + LOCK_WAIT
        while True:
            done = commands.run(["apt-get", *OPTIONS, *words], env=QUIET, check=False)
            said = done.stdout + done.stderr
            # `update` ends with 0 even when nothing could be fetched.
            if done.ok and not (words == ["update"] and NETWORK.search(done.stderr)):
                return
            if LOCKED.search(said) and time.monotonic() < deadline:
                holder = re.search(r"held by process (\d+) \(([^)]*)\)", said)
                who = f"process {holder[1]} ({holder[2]})" if holder else "another process"
                self.step.say(f"waiting for {who}, which holds apt's lock")
                time.sleep(PAUSE)
            elif NETWORK.search(said) and tries + 1 < NETWORK_TRIES:
                tries += 1
                self.step.say(f"apt-get {words[0]} met a network error, trying again ({tries})")
                time.sleep(PAUSE * tries)
            elif done.ok:
                self.step.say("some package lists could not be fetched; continuing with those that are here")
                self.unfetched = done.stderr
                return
            elif words == ["update"] and not EARLY.search(said) and (broken := BROKEN.findall(said)):
                # Of another program, most often; what is missing without it, the installation tells.
                self.broken = list(dict.fromkeys(broken))
                self.step.say(f"apt cannot use {', '.join(self.broken)}; continuing with the other package lists")
                return
            elif absent := [first or second for first, second in ABSENT.findall(said)]:
                raise self._absent(list(dict.fromkeys(absent)), keys)
            else:
                raise _explained(words, done)


def _explained(words: list[str], done: Result) -> Failure:
    """Why apt-get failed."""
    said = done.stdout + done.stderr
    if LOCKED.search(said):
        cause, fix = f"another process held apt's lock for {LOCK_WAIT:.0f} s", "wait for it, then run pulumi up again"
    elif early := EARLY.search(said):
        cause = f"the server's clock is behind: package lists are not valid {early[1] or early[2]}"
        fix = "on the server: timedatectl set-ntp true; then compare date -u with the time of your machine"
    elif expired := EXPIRED.search(said):
        cause = f"the package list {expired[1]} has expired: its mirror is not kept up, or the server's clock is ahead"
        fix = f"compare date -u there with the time of your machine; or name another mirror in {SOURCES}.d"
    elif "dpkg was interrupted" in said:
        cause, fix = "an earlier installation was interrupted", "on the server: sudo dpkg --configure -a"
    elif "No space left on device" in said:
        cause, fix = "the disk is full", "free some space; on the server: apt-get clean"
    elif NETWORK.search(said):
        cause = "the package servers cannot be reached"
        fix = "check the server's network and DNS, then run pulumi up again"
    else:
        cause, fix = f"apt-get ended with status {done.code}", f"on the server: apt-get {' '.join(words)}"
    return Failure(f"apt-get {words[0]}", cause, fix, said)
