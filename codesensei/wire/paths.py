"""Every path on the server, in one place. Nothing here looks at a file system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from urllib.parse import quote

from codesensei.wire import names
from codesensei.wire.quick import dataclass

# The product's own folder in a release: links to its env file, venv and static files.
OWN_FOLDER = ".codesensei"
# Uploaded files, in shared.
MEDIA = "media"


@dataclass(frozen=True)
class ServerPaths:
    """What all projects of a server share. Only tests use values other than the defaults."""

    projects: Path = Path("/srv/codesensei")
    memory: Path = Path("/var/lib/codesensei")
    cache: Path = Path("/var/cache/codesensei")
    locks: Path = Path("/run/codesensei")
    library: Path = Path("/usr/local/lib/codesensei")
    config: Path = Path("/etc/codesensei")
    candidates: Path = Path("/run/codesensei-candidate")
    units: Path = Path("/etc/systemd/system")
    runtime_units: Path = Path("/run/systemd/system")
    local_units: Path = Path("/usr/local/lib/systemd/system")
    packaged_units: Path = Path("/usr/lib/systemd/system")
    nginx: Path = Path("/etc/nginx")
    nginx_logs: Path = Path("/var/log/nginx")
    rotation: Path = Path("/etc/logrotate.d")
    processes: Path = Path("/proc")
    cgroups: Path = Path("/sys/fs/cgroup")
    postgresql_sockets: Path = Path("/var/run/postgresql")
    brokers: Path = Path("/etc")
    broker_data: Path = Path("/var/lib/codesensei-broker")
    wal_archives: Path = Path("/var/lib/codesensei-archive")
    postgresql: Path = Path("/etc/postgresql")
    postgresql_programs: Path = Path("/usr/lib/postgresql")
    certbot: Path = Path("/etc/letsencrypt")
    authorities: Path = Path("/usr/local/share/ca-certificates")
    sshd_config: Path = Path("/etc/ssh/sshd_config.d/00-codesensei.conf")
    python_wheels: Path = Path("/usr/share/python-wheels")
    pip_settings: Path = Path("/etc/pip.conf")
    xdg_pip_settings: Path = Path("/etc/xdg/pip/pip.conf")
    ufw: Path = Path("/etc/ufw")
    apt_updates: Path = Path("/etc/apt/apt.conf.d/52unattended-upgrades-codesensei")

    @classmethod
    def below(cls, root: Path) -> ServerPaths:
        """The same paths below `root` instead of `/`."""
        return cls(**{field.name: root / str(field.default).lstrip("/") for field in fields(cls)})

    @property
    def register(self) -> Path:
        """Who owns what on this server."""
        return self.memory / "register.json"

    @property
    def incoming(self) -> Path:
        """Where the login users' copies of the source arrive, by slug."""
        return self.memory / "incoming"

    @property
    def challenges(self) -> Path:
        """Where certbot puts its answers to HTTP challenges: nginx reads there, root alone writes."""
        return self.memory / "acme-challenges"

    @property
    def toolkits(self) -> Path:
        """The toolkits, by content."""
        return self.library / "toolkit"

    @property
    def default_tls(self) -> Path:
        """Link to the certificate that is shown to visitors who name no known host."""
        return self.config / "default-tls"

    @property
    def nginx_base(self) -> Path:
        """nginx's configuration that all projects share."""
        return self.nginx / "conf.d" / "codesensei.conf"

    @property
    def nginx_unit(self) -> Path:
        """What confines nginx's own unit."""
        return self.units / "nginx.service.d" / "codesensei.conf"

    @property
    def firewall(self) -> Path:
        """The rules of the firewall that hardening sets up."""
        return self.config / "firewall.nft"

    @property
    def unknown_host(self) -> Path:
        """A throw-away certificate for them."""
        return self.config / "unknown-host"


SERVER = ServerPaths()


class _Place:
    """A path of a project, made from its slug at each use."""

    def __init__(self, of: Callable[[ProjectPaths], Path]) -> None:
        self._of = of

    def __get__(self, project: ProjectPaths, _: type[ProjectPaths]) -> Path:
        return self._of(project)


@dataclass(frozen=True)
class ProjectPaths:
    """The paths of one project; `slug` names it on its server."""

    slug: str

    root = _Place(lambda self: SERVER.projects / self.slug)
    current = _Place(lambda self: self.root / "current")  # link to the serving release
    previous = _Place(lambda self: self.root / "previous")  # link to the release that served before
    manage = _Place(lambda self: self.root / "manage")  # runs manage.py of the serving release
    releases = _Place(lambda self: self.root / "releases")
    venvs = _Place(lambda self: self.root / "venvs")
    environments = _Place(lambda self: self.root / "env")

    shared = _Place(lambda self: self.root / "shared")  # what outlives releases
    media = _Place(lambda self: self.shared / MEDIA)  # uploaded files
    logs = _Place(lambda self: self.shared / "logs")  # log files of the web process
    env_link = _Place(lambda self: self.shared / ".env")  # link to the env file of the serving release
    venv_link = _Place(lambda self: self.shared / "venv")  # link to the virtual environment of the serving release
    socket = _Place(lambda self: self.shared / "gunicorn.sock")  # where the web process listens

    uploads = _Place(lambda self: self.root / "uploads")  # root's links to what the proxy serves of shared

    # Root's place for the sockets of a hand-over, in the same file system as the live socket.
    hand_over = _Place(lambda self: self.root / "hand-over")
    # Where the proxy finds who serves: a second name of that one's socket, which the app user cannot replace.
    door = _Place(lambda self: self.hand_over / "web.sock")
    new_door = _Place(lambda self: self.hand_over / "next.sock")
    candidate_place = _Place(lambda self: self.hand_over / "candidate")  # where the candidate makes its socket
    candidate_socket = _Place(lambda self: self.candidate_place / "web.sock")
    # The live socket's name while the door leads to the candidate.
    kept_socket = _Place(lambda self: self.hand_over / "live.sock")
    candidate_home = _Place(lambda self: SERVER.candidates / self.slug)  # HOME of a candidate
    # The product's own programs that a candidate runs with.
    candidate_programs = _Place(lambda self: SERVER.candidates / f"{self.slug}.programs")

    broker_config = _Place(lambda self: self.root / "broker.conf")  # of the stack's own broker, with its password
    broker_data = _Place(lambda self: SERVER.broker_data / self.slug)  # what it keeps

    backup = _Place(lambda self: self.root / "backup")  # makes, lists, checks and restores backups

    # Root's own notes on this project; nobody else reads or writes there.
    memory = _Place(lambda self: SERVER.memory / self.slug)
    # How backups are made, their password, and how the last one went.
    backups = _Place(lambda self: self.memory / "backup")
    # What pgBackRest works with, as the user postgres: its configuration, which is root's, and a folder of its own.
    wal_archive = _Place(lambda self: SERVER.wal_archives / self.slug)
    wal_config = _Place(lambda self: self.wal_archive / "pgbackrest.conf")
    wal_work = _Place(lambda self: self.wal_archive / "work")
    # A copy of the whole cluster, for as long as one database of it is read.
    wal_scratch = _Place(lambda self: self.wal_work / "scratch")
    # Where a backup's folders are fetched to: beside those whose place they take.
    fetched_folders = _Place(lambda self: self.root / ".restore")
    # There as long as there is a copy of the database for a rehearsal, and where the socket is that leads to it.
    rehearsal = _Place(lambda self: self.memory / "rehearsal")
    rehearsal_socket = _Place(lambda self: SERVER.locks / f"rehearsal-{self.slug}")
    live = _Place(lambda self: self.memory / "live.json")  # the manifest that is live
    history = _Place(lambda self: self.memory / "history.jsonl")  # what was switched to, and when
    steps = _Place(lambda self: self.memory / "steps.jsonl")  # each run of a step, and how it ended
    proofs = _Place(lambda self: self.memory / "proofs")  # what each step did last
    job_logs = _Place(lambda self: self.memory / "logs")  # full output of the project's programs, without secrets
    sources = _Place(lambda self: self.memory / "source")  # root's own copies of the commits' archives

    # The build user's home: what pip and uv keep from one build to the next.
    cache = _Place(lambda self: SERVER.cache / self.slug)
    incoming = _Place(lambda self: SERVER.incoming / self.slug)  # where the login user's copies of the source arrive
    config = _Place(lambda self: SERVER.config / self.slug)  # workers' commands and the product's own programs
    programs = _Place(lambda self: self.config / "programs")  # the product's own programs that the processes run with
    library = _Place(lambda self: SERVER.library / self.slug)  # link to the toolkit that this project's steps run
    launcher = _Place(lambda self: self.library / "run")  # the program that runs a step
    # The project's nginx site.
    site = _Place(lambda self: SERVER.nginx / "sites-available" / f"codesensei-{self.slug}.conf")
    # What nginx writes of each request that the site took, and no other site of nginx.
    site_log = _Place(lambda self: SERVER.nginx_logs / f"codesensei-{self.slug}.access.log")
    rotation = _Place(lambda self: SERVER.rotation / f"codesensei-{self.slug}")  # rotation of the project's logs

    @property
    def build_user(self) -> str:
        """The unprivileged user that owns a release while it is made."""
        return names.build_user(self.slug)

    def sent_toolkit(self, digest: str) -> str:
        """The file, in the login user's home, in which the toolkit with this digest arrives."""
        return f".codesensei-{self.slug}-{digest}.sh"

    def sent_dump(self, sha256: str) -> str:
        """The file, in the login user's home, in which a dump for a new database arrives."""
        return f".codesensei-{self.slug}-{sha256}.dump"

    def home(self, process: str) -> Path:
        """HOME of a process."""
        return self.shared / "state" / process

    def uploads_link(self, media: str) -> Path:
        """The proxy's way to this folder of shared, which the app user cannot replace."""
        return self.uploads / quote(media, safe="")

    def worker_script(self, key: str) -> Path:
        """File with a worker's shell line."""
        return self.config / "workers" / f"{key}.sh"

    def release(self, release: str) -> Path:
        return self.releases / release

    def own_folder(self, release: str) -> Path:
        """The product's own folder in a release."""
        return self.release(release) / OWN_FOLDER

    def env_file(self, release: str) -> Path:
        """The env file of a release; releases with the same variables share it."""
        return self.environments / f"{names.variables_of(release)}.env"

    def record(self, release: str) -> Path:
        """What a release has gone through."""
        return self.memory / "release" / f"{release}.json"

    def variable_notes(self, release: str) -> Path:
        """Which variables of a release are secret, and which carry credentials that the program manages."""
        return self.memory / "release" / f"{names.variables_of(release)}.env.json"

    def tls(self, digest: str) -> Path:
        """A staged certificate and its key."""
        return self.memory / "tls" / digest

    def archive(self, revision: str) -> Path:
        """Root's own copy of a commit's archive."""
        return self.sources / f"{revision}.tar"


def unit(name: str) -> Path:
    """The file of a unit."""
    return SERVER.units / name


def site_link(site: Path) -> Path | None:
    """The link that enables a site of nginx; None for a file that is no site."""
    return site.parent.parent / "sites-enabled" / site.name if site.parent.name == "sites-available" else None


def site_target(site: Path) -> str:
    """Where that link leads."""
    return f"../sites-available/{site.name}"


def taken_copy(site: Path) -> Path:
    """Where a site of nginx is kept when a project takes its hostnames; one that is a link needs no copy."""
    return SERVER.nginx / "sites-available" / f"{site.name}.before-codesensei"
