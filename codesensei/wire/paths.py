"""Every path on the server, in one place. Nothing here looks at a file system."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from codesensei.wire import names

# The product's own folder in a release: links to its env file, venv and static files.
OWN_FOLDER = ".codesensei"


@dataclass(frozen=True)
class ServerPaths:
    """What all projects of a server share. Nobody but a test uses other values than the defaults."""

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
    brokers: Path = Path("/etc")
    certbot: Path = Path("/etc/letsencrypt")
    authorities: Path = Path("/usr/local/share/ca-certificates")

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
    def unknown_host(self) -> Path:
        """A throw-away certificate for them."""
        return self.config / "unknown-host"


SERVER = ServerPaths()


@dataclass(frozen=True)
class ProjectPaths:
    """The paths of one project; `slug` names it on its server."""

    slug: str

    @property
    def root(self) -> Path:
        return SERVER.projects / self.slug

    @property
    def build_user(self) -> str:
        """The unprivileged user that owns a release while it is made."""
        return names.build_user(self.slug)

    @property
    def current(self) -> Path:
        """Link to the serving release."""
        return self.root / "current"

    @property
    def previous(self) -> Path:
        """Link to the release that served before."""
        return self.root / "previous"

    @property
    def manage(self) -> Path:
        """Runs manage.py of the serving release."""
        return self.root / "manage"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def venvs(self) -> Path:
        return self.root / "venvs"

    @property
    def environments(self) -> Path:
        return self.root / "env"

    @property
    def shared(self) -> Path:
        """What outlives releases."""
        return self.root / "shared"

    @property
    def media(self) -> Path:
        """Uploaded files."""
        return self.shared / "media"

    @property
    def logs(self) -> Path:
        """Log files of the web process."""
        return self.shared / "logs"

    @property
    def env_link(self) -> Path:
        """Leads to the env file of the serving release."""
        return self.shared / ".env"

    @property
    def venv_link(self) -> Path:
        """Leads to the virtual environment of the serving release."""
        return self.shared / "venv"

    @property
    def socket(self) -> Path:
        """Where the proxy finds the web process."""
        return self.shared / "gunicorn.sock"

    @property
    def hand_over(self) -> Path:
        """Root's place for the sockets of a hand-over; in one file system with the live socket."""
        return self.root / "hand-over"

    @property
    def candidate_place(self) -> Path:
        """Where the candidate makes its socket."""
        return self.hand_over / "candidate"

    @property
    def candidate_socket(self) -> Path:
        return self.candidate_place / "web.sock"

    @property
    def kept_socket(self) -> Path:
        """The live socket's second name, while the first one leads to the candidate."""
        return self.hand_over / "live.sock"

    @property
    def candidate_home(self) -> Path:
        """HOME of a candidate."""
        return SERVER.candidates / self.slug

    @property
    def candidate_programs(self) -> Path:
        """The product's own programs that a candidate runs with."""
        return SERVER.candidates / f"{self.slug}.programs"

    @property
    def memory(self) -> Path:
        """Root's own notes about this project; nobody else reads or writes there."""
        return SERVER.memory / self.slug

    @property
    def live(self) -> Path:
        """The manifest that is live."""
        return self.memory / "live.json"

    @property
    def history(self) -> Path:
        """What was switched to, and when."""
        return self.memory / "history.jsonl"

    @property
    def steps(self) -> Path:
        """Each run of a step, and how it ended."""
        return self.memory / "steps.jsonl"

    @property
    def proofs(self) -> Path:
        """What each step did last."""
        return self.memory / "proofs"

    @property
    def job_logs(self) -> Path:
        """Full output of the project's programs, filtered of secrets."""
        return self.memory / "logs"

    @property
    def sources(self) -> Path:
        """Root's own copies of the commits' archives."""
        return self.memory / "source"

    @property
    def cache(self) -> Path:
        """The build user's home: what pip and uv keep from one build to the next."""
        return SERVER.cache / self.slug

    @property
    def incoming(self) -> Path:
        """Where the login user's copies of the source arrive."""
        return SERVER.incoming / self.slug

    @property
    def config(self) -> Path:
        """Workers' commands and the product's own programs."""
        return SERVER.config / self.slug

    @property
    def programs(self) -> Path:
        """The product's own programs that the processes run with."""
        return self.config / "programs"

    def sent_toolkit(self, digest: str) -> str:
        """The file, in the login user's home, in which the toolkit with this digest arrives."""
        return f".codesensei-{self.slug}-{digest}.sh"

    @property
    def library(self) -> Path:
        """Link to the toolkit that this project's steps run."""
        return SERVER.library / self.slug

    @property
    def launcher(self) -> Path:
        """The program that runs a step."""
        return self.library / "run"

    @property
    def site(self) -> Path:
        """The project's nginx site."""
        return SERVER.nginx / "sites-available" / f"codesensei-{self.slug}.conf"

    @property
    def rotation(self) -> Path:
        """Rotation of the project's logs."""
        return SERVER.rotation / f"codesensei-{self.slug}"

    def home(self, process: str) -> Path:
        """HOME of a process."""
        return self.shared / "state" / process

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
