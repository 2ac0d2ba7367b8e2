"""Names on a server: those that a stack gets, and those that it may not take."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

# How a release is called, `<code7>-<env7>`, and where its name stands in texts that are the same for all releases.
RELEASE = re.compile(r"[0-9a-f]{7}-[0-9a-f]{7}")
RELEASE_PLACEHOLDER = "@release@"
# Where the number of web processes stands in a candidate's unit: the server puts as many there as its memory allows.
WORKERS_PLACEHOLDER = "@workers@"
# Where the program stands in the unit of a stack's own broker: the server knows which it has.
BROKER_PLACEHOLDER = "/usr/bin/@broker@"

# Names that the product itself uses where each slug has its place.
_OWN_SLUGS = frozenset({"toolkit", "incoming", "acme-challenges", "unknown-host", "default-tls"})
# Accounts of Debian, Ubuntu and of what the product installs, also before they are there.
_SYSTEM_USERS = frozenset(
    """
    _apt backup bin daemon dnsmasq fwupd-refresh games gnats irc landscape list lp lxd mail man messagebus news nginx
    nobody polkitd pollinate postgres proxy redis root sshd sync sys syslog tcpdump tss uucp uuidd valkey www-data
    """.split()
)
_SYSTEM_UNITS = re.compile(
    r"(ssh|sshd|nginx|apache2|postgresql(@.*)?|postgres|redis(-server|-sentinel)?|valkey(-server|-sentinel)?"
    r"|mysql|mariadb|memcached|rabbitmq-server|postfix|exim4|cron|crond|rsyslog|logrotate|dbus(-.*)?|polkit|udev"
    r"|user(@.*)?|rescue|emergency|getty.*|serial-getty.*|sudo|systemd(-.*)?|apt-daily(-upgrade)?|dpkg-db-backup"
    r"|unattended-upgrades|snapd|cloud-(init(-local|-main|-network)?|config|final)|docker|containerd|ufw|nftables"
    r"|fail2ban|certbot|networking|network|network-manager|ntp|chrony|codesensei(-.*)?)\.(service|socket)"
)
_SYSTEM_DATABASES = re.compile(r"postgres|public|none|current_(user|role)|session_user|template\d*|pg_.*")

# Extensions of PostgreSQL 14 to 17 that the owner of a database may create.
TRUSTED_EXTENSIONS = frozenset(
    """
    btree_gin btree_gist citext cube dict_int fuzzystrmatch hstore intarray isn lo ltree pgcrypto pg_trgm plperl seg
    tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp
    """.split()
)
# Extensions that are packages of their own, by what comes after postgresql-<major>-.
EXTENSION_PACKAGES = {
    "postgis": "postgis-3",
    "postgis_raster": "postgis-3",
    "postgis_tiger_geocoder": "postgis-3",
    "postgis_topology": "postgis-3",
    "vector": "pgvector",
}
# What people call an extension, by the name that PostgreSQL has for it.
EXTENSION_ALIASES = {"pgvector": "vector"}


def is_pattern(hostname: str) -> bool:
    """Whether it stands for all names below a domain: `*.example.com`."""
    return hostname.startswith("*.")


def asked_name(hostname: str) -> str:
    """The name to ask for: of a pattern one that nobody has, because which of them the project knows is its own."""
    return f"codesensei-probe{hostname[1:]}" if is_pattern(hostname) else hostname


def is_served(hostname: str, hostnames: Iterable[str]) -> bool:
    """Whether one of these is this name, or a pattern that it fits."""
    return any(hostname == name or (is_pattern(name) and hostname.endswith(name[1:])) for name in hostnames)


def release_name(code_id: str, env_id: str) -> str:
    """`<code7>-<env7>`."""
    return f"{code_id[:7]}-{env_id[:7]}"


def code_of(release: str) -> str:
    """The part of a release's name that tells its code."""
    return release.partition("-")[0]


def variables_of(release: str) -> str:
    """The part of a release's name that tells its variables."""
    return release.rpartition("-")[2]


def kept_releases(served: Iterable[str], keep: int) -> set[str]:
    """The newest release of each of the last `keep` commits, of those that have served, the latest first."""
    newest: dict[str, str] = {}
    for release in served:
        newest.setdefault(code_of(release), release)
    return {*[*newest.values()][:keep]}


def web_unit(slug: str) -> str:
    """Unit of the web process."""
    return f"{slug}.service"


def stack_units(slug: str, workers: Iterable[str]) -> tuple[str, ...]:
    """All units of a stack: socket, web process, workers."""
    return (socket_unit(slug), web_unit(slug), *(worker_unit(slug, key) for key in sorted(workers)))


def socket_unit(slug: str) -> str:
    """Unit that holds the web socket."""
    return f"{slug}.socket"


def worker_unit(slug: str, key: str) -> str:
    """Unit of a worker."""
    return f"{slug}-{key}.service"


def worker_key(slug: str, unit: str) -> str:
    """The worker of a unit, as the stack file calls it."""
    return unit.removeprefix(f"{slug}-").removesuffix(".service")


def candidate_unit(slug: str) -> str:
    """Unit of a release that is being proved."""
    return f"codesensei-candidate-{slug}.service"


def broker_unit(slug: str) -> str:
    """Unit of the stack's own broker."""
    return f"codesensei-broker-{slug}.service"


def backup_units(slug: str) -> tuple[str, str]:
    """Timer and service of the stack's backups."""
    return f"codesensei-backup-{slug}.timer", f"codesensei-backup-{slug}.service"


def job_unit(slug: str) -> str:
    """Unit of the project's program that a step runs."""
    return f"codesensei-job-{slug}.service"


def build_user(slug: str) -> str:
    """The unprivileged user that unpacks and installs; one per project, 12 characters."""
    return "csb-" + hashlib.sha256(slug.encode()).hexdigest()[:8]


def is_own_slug(name: str) -> bool:
    """True for names that no project can have, because the product has them."""
    return name in _OWN_SLUGS or name.startswith("codesensei-")


def is_system_user(name: str) -> bool:
    """True for accounts of the system and of the product's own."""
    return name in _SYSTEM_USERS or name.startswith(("systemd-", "csb-"))


def is_system_unit(name: str) -> bool:
    """True for units of the distributions and of what the product installs."""
    return bool(_SYSTEM_UNITS.fullmatch(name))


def is_system_database(name: str) -> bool:
    """True for names of PostgreSQL's own, as role or database: postgres, public, current_user, template1, pg_*."""
    return bool(_SYSTEM_DATABASES.fullmatch(name))
