"""Every step on the server: its name, its data, its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Generic, Literal, TypeVar

from codesensei.wire.manifest import Manifest
from codesensei.wire.paths import MEDIA
from codesensei.wire.quick import dataclass
from codesensei.wire.rehearsal import Rehearse
from codesensei.wire.said import Said
from codesensei.wire.sandbox import Loosened
from codesensei.wire.table_locks import Table

D = TypeVar("D")
DatabaseKind = Literal["generated", "local", "external", "sqlite", "none"]
# What reads a file that says which packages are installed, where it is not one of pip's.
LockTool = Literal["uv", "poetry", "pdm", "pipenv", "pylock", "pyproject"]
# `auto` is on where the stack finds the server blank.
Hardening = Literal["auto", "on", "off"]
# The kinds that are created on the server.
MADE_HERE: tuple[DatabaseKind, ...] = ("generated", "local")
# Begins a word of a step's line that makes the engine run the step again, and means nothing to the step.
REPAIR = "repair="
# Begins the line on standard error with which a step tells the program what it did; nobody is shown it.
RESULT = "codesensei-result: "
# Begins a line in which a server tells a preview what the first steps would refuse.
FORESEEN = "codesensei-foreseen:"
# Begins the line in which it tells what the project's database was asked.
OF_DATABASE = "codesensei-database:"
# In the line of that question, what comes after it are migrations.
MIGRATIONS = "migrations:"
# Only so many of them are told with what the server knows.
MOST_TABLES, MOST_MIGRATIONS = 50, 200


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """For a step whose line says everything."""


@dataclass(frozen=True, kw_only=True)
class DatabasePlace:
    """Where the project's database is."""

    kind: DatabaseKind
    name: str
    role: str
    host: str
    port: int | None


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """Everything that the stack wants for itself."""

    stack: str
    identity: str
    slug: str
    user: str
    login_user: str
    units: tuple[str, ...]
    hostnames: tuple[str, ...]
    ports: tuple[int, ...]
    broker_numbers: tuple[int, ...]
    database: DatabasePlace | None
    share_user: bool
    adopt: bool
    allow_unsupported: bool
    shares: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Packages:
    """What to install. `python` is a version like 3.12, or empty for the server's own; with `uv` it may be lacking.

    `hardening`: what the server leaves open is closed in the same step, because only before it the server is blank.
    """

    packages: tuple[str, ...]
    postgresql: bool
    port: int | None
    extensions: tuple[str, ...]
    python: str
    certbot: bool
    hardening: Hardening = "auto"
    backups: bool = False
    continuous: bool = False
    uv: bool = False


@dataclass(frozen=True, kw_only=True)
class Account:
    """The app user, who may read uploads, and what else it writes below shared.

    `shared_paths` are folders of the source, `media` that of the uploads, all relative to shared.
    """

    user: str
    media_serving: Literal["none", "proxy", "internal"]
    shared_paths: tuple[str, ...] = ()
    media: str = MEDIA


@dataclass(frozen=True, kw_only=True)
class SharedFile:
    """A file that all projects of a server share: of two texts the one of the higher version stays."""

    path: str
    content: str
    version: int
    mode: str = "0644"


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """nginx's base configuration. `packages` run it again: one may be a module for which some lines are.

    `unit` is what confines nginx.
    """

    files: tuple[SharedFile, ...]
    packages: tuple[str, ...]
    unit: SharedFile | None = None


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The shared broker's drop-in; `needed` where a variable of the stack leads to it."""

    config: str
    version: int
    needed: bool
    adopt: bool


@dataclass(frozen=True, kw_only=True)
class Instance:
    """The stack's own broker: its configuration without the password, its unit with a placeholder for the program."""

    user: str
    number: int
    config: str
    unit: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class DatabaseAccount:
    """Which database is used under which role, with a digest of the password; only the digest may change."""

    name: str
    role: str
    port: int | None
    digest: str


@dataclass(frozen=True, kw_only=True)
class Fill:
    """What a new database is made of: that of the project with this slug, or the dump with this SHA-256."""

    project: str = ""
    dump: str = ""


@dataclass(frozen=True, kw_only=True)
class Database:
    """The role and database to create. An empty password: the role logs in over the socket under its own name.

    `fill`: a database that is not there is made of another one; default: an empty one.
    """

    account: DatabaseAccount
    host: str
    user: str
    extensions: tuple[str, ...]
    adopt: bool
    fill: Fill | None = None
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A release's env file, and what must be known of its variables.

    `secret_names` are filtered out of every output; `managed_names` hold credentials that the program keeps in force,
    so a release that is brought back gets the current ones.
    """

    content: str = field(repr=False)
    secret_names: tuple[str, ...]
    managed_names: tuple[str, ...]
    account: DatabaseAccount | None
    user: str


@dataclass(frozen=True, kw_only=True)
class SourceArchive:
    """The commit's archive: where it arrives, and its SHA-256."""

    tar: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Companion:
    """A package without which a web server lacks something: installed where none of `modules` is there."""

    modules: tuple[str, ...]
    name: str
    version: str


@dataclass(frozen=True, kw_only=True)
class WebServerPackage:
    """What serves the project, installed where the requirements do not bring it."""

    name: str
    version: str
    companions: tuple[Companion, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BuildDatabase:
    """What the settings must agree with; `variables` are those that the program fills, by the part they hold."""

    kind: DatabaseKind
    name: str
    role: str
    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LockFile:
    """What is installed, as another tool than pip writes it: `tool` reads it.

    `extras` and `groups` are installed too: optional dependencies, and groups of dependencies.
    """

    tool: LockTool
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Shell lines that run before the switch."""

    before_migrate: tuple[str, ...] = ()
    after_migrate: tuple[str, ...] = ()
    before_collectstatic: tuple[str, ...] = ()
    after_collectstatic: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Build:
    """The code and packages of a release, what Django's settings must agree with, and what runs before the switch.

    `directory` is where manage.py is, `requirements` relative to the source's root, `install_from` the folder that its
    paths are relative to. `in_place`: packages are used where they lie in the release, and serve no other. `venv_id`
    names their content. `hashed`: a requirement has a hash. `lock`: `requirements` is the file of another tool than
    pip. `uv`: which versions of uv the project takes, where the usual one is none of them: `>=0.9.13`.
    `asgi_declared` and `wsgi_declared` are what was read of the settings, None where the stack config decides.
    `media_url` where the proxy serves uploads. `shared_paths` are the folders that lead to shared.
    `production` refuses what the policy finds and `waived` does not name; with `plain_http` the site has no HTTPS, and
    with `backups` the stack file asks for them. `adopt` takes over what the settings use and another stack has,
    `shares` names what both may use, and `sandbox` is what the project's programs may do beyond the usual.
    `lock_timeout` and `migration_timeout` in seconds; 0: migrations wait, and hold their locks, forever.
    `acknowledge_migrations` run though the serving release may not live with them: `books.0003_drop_price`. Before one
    that is destructive the database is dumped, and of these dumps `dump_keep` stay. `keep_defaults`: defaults of new
    columns stay in the database for the serving release. `rehearse`: which plans run on a copy first.
    """

    user: str
    source: SourceArchive
    directory: str
    settings_module: str
    requirements: str
    install_from: str
    in_place: bool
    venv_id: str
    python: str
    installer: Literal["auto", "pip", "uv"]
    server: WebServerPackage
    asgi_declared: bool | None
    wsgi_declared: str | None
    static: Literal["serve", "none"]
    static_url: str
    media_url: str | None
    database: BuildDatabase
    hooks: Hooks
    lock_timeout: int
    hashed: bool = False
    lock: LockFile | None = None
    shared_paths: tuple[str, ...] = ()
    media: str = MEDIA
    production: bool = False
    adopt: bool = False
    shares: tuple[str, ...] = ()
    sandbox: Loosened = field(default_factory=dict)
    waived: tuple[str, ...] = ()
    plain_http: bool = False
    backups: bool = False
    collectstatic: Literal["afterMigrate", "beforeMigrate"] = "afterMigrate"
    acknowledge_migrations: tuple[str, ...] = ()
    dump_keep: int = 3
    keep_defaults: bool = True
    migration_timeout: int = 0
    rehearse: Rehearse = "auto"
    uv: str = ""


@dataclass(frozen=True, kw_only=True)
class Tls:
    """A certificate with its key, or the names for which one is made on the server."""

    certificate: str = ""
    key: str = field(default="", repr=False)
    self_signed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Acme:
    """A certificate from an authority; `root_certificate` is PEM text of one that the server must trust."""

    hostnames: tuple[str, ...]
    directory: str
    email: str
    root_certificate: str


@dataclass(frozen=True, kw_only=True)
class AcmeSaid(Said):
    """What could not be obtained, as warnings."""


# A backup that is young enough for the policy, in seconds: a day, and what a daily timer and a long backup are late by.
FRESH_BACKUP = 26 * 3600.0
# Seconds between two backups, by the word of the stack config.
PERIODS = {"hourly": 3600, "daily": 86400, "weekly": 7 * 86400}


@dataclass(frozen=True, kw_only=True)
class KeepBackups:
    """Of how many days, weeks and months the last backup is kept."""

    daily: int
    weekly: int
    monthly: int


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What is backed up, where to and how often: `period` in seconds.

    `folders` are relative to shared. `host_key` is that of an sftp target; `access_key`, `secret_key`, `region` and
    `root_certificate` (PEM text) are for S3, the last two empty where they are not said.
    With `days`, the database is archived continuously, and can be restored to any moment of so many days.
    """

    to: str
    user: str
    directory: str
    period: int
    keep: KeepBackups
    folders: tuple[str, ...]
    database: DatabasePlace | None
    service: str
    timer: str
    days: int = 0
    host_key: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    region: str = ""
    root_certificate: str = ""
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class BackupSaid(Said):
    """What keeps the target from taking backups, as warnings."""


@dataclass(frozen=True, kw_only=True)
class OnDestroy:
    """What happens to the data."""

    database: Literal["keep", "drop"]
    media: Literal["keep", "drop"]


@dataclass(frozen=True, kw_only=True)
class Destroy:
    """Whose things to remove: all that the register has for this stack."""

    stack: str
    identity: str
    slug: str
    on_destroy: OnDestroy


@dataclass(frozen=True, kw_only=True)
class SeenStep:
    """What a step did last: the digest of what it was given, and what has changed since.

    `changes` has lines that say how, by the words of the drift; what stands left of `->`, or behind `-`, is there now.
    `refused` is the part of the drift at which the step fails until somebody has decided.
    """

    applied: str
    drift: tuple[str, ...]
    changes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


# Ends what is said of a role whose password is not the one that serves.
ANOTHER_PASSWORD = "has another password"


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One thing that differs from what `step` left, and lines that say how."""

    step: str
    thing: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong on the server and that no step repairs by running again."""

    thing: str
    cause: str
    fix: str


def never_made_again(release: str, was: tuple[str, str], wanted: tuple[str, str]) -> Finding | None:
    """Why a release that serves cannot be made for other settings, or another app user; None where both are the same.

    `was` and `wanted` are the settings module and the user.
    """
    if was == wanted:
        return None
    fix = f"set project.rebuild: {wanted[0]}, so that a new release is made"
    cause = f"it serves with the settings {was[0]} as the user {was[1]}, and a release never changes"
    return Finding(thing=f"release {release}", cause=cause, fix=fix)


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What the first steps would refuse on a server, and sentences of what else a deploy would change for others."""

    refused: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the project's processes take, in bytes: `each` is one process of a unit on average, `available` is left."""

    available: int
    each: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class AskedOfDatabase:
    """What a look asks of the project's database: how large tables are, and which migrations are applied."""

    tables: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()

    @classmethod
    def read(cls, words: Sequence[str]) -> AskedOfDatabase:
        """As a line of the launcher has it."""
        cut = words.index(MIGRATIONS) if MIGRATIONS in words else len(words)
        return cls(tables=tuple(words[:cut]), migrations=tuple(words[cut + 1 :]))

    def words(self) -> list[str]:
        """For such a line, with a bound."""
        migrations = [MIGRATIONS, *self.migrations[:MOST_MIGRATIONS]] if self.migrations else []
        return [*self.tables[:MOST_TABLES], *migrations]


NOTHING_ASKED = AskedOfDatabase()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one look at the server finds; nothing where nothing was deployed."""

    identity: str = ""
    steps: Mapping[str, SeenStep] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    # The step of the project that runs right now, with its process and since when.
    deploying: str = ""
    # The releases that are there, and those that have served, the latest first.
    releases: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    # The migrations whose new columns have their defaults in the database still.
    kept_defaults: tuple[str, ...] = ()
    # The age of the newest backup in seconds; None where there is none.
    backup_age: float | None = None
    memory: Memory | None = None


@dataclass(frozen=True, kw_only=True)
class SeenInDatabase:
    """Rows and sizes of the tables that were asked for and are there, and those of the migrations that are applied."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    migrations: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepKind(Generic[D]):
    """One step.

    `lock`: the project's own, or the server's where several projects share what it changes. `secret`: nothing of its
    data is shown or kept. Raise `format` when its script makes something else from the same data, and what is on the
    servers must be rebuilt; not for a script that is only faster, clearer or better at failing: the next real change
    will run it anyway.
    """

    name: str
    data: type[D]
    lock: Literal["project", "server"] = "project"
    secret: bool = False
    format: int = 1
    # It works on a release while another one serves on.
    of_release: bool = False


CLAIM = StepKind("claim", Nothing, lock="server")
PREFLIGHT = StepKind("preflight", Preflight, lock="server")
PACKAGES = StepKind("packages", Packages, lock="server")
ACCOUNT = StepKind("account", Account, lock="server", format=3)
PROXY = StepKind("proxy", Proxy, lock="server")
BROKER = StepKind("broker", Broker, lock="server")
INSTANCE = StepKind("instance", Instance, secret=True)
DATABASE = StepKind("database", Database, secret=True)
ENVIRONMENT = StepKind("environment", Environment, secret=True, of_release=True)
BUILD = StepKind("build", Build, of_release=True)
TLS = StepKind("tls", Tls, secret=True)
ACME = StepKind("acme", Acme)
SWITCH = StepKind("switch", Manifest, of_release=True)
BACKUPS = StepKind("backups", Backup, secret=True)
DESTROY = StepKind("destroy", Destroy)
# Not a resource: certbot calls it after a renewal.
RENEWED = StepKind("renewed", Nothing)

_OF_SERVER = (CLAIM, PREFLIGHT, PACKAGES, ACCOUNT, PROXY, BROKER)
_OF_PROJECT = (INSTANCE, DATABASE, ENVIRONMENT, BUILD, TLS, ACME, SWITCH, BACKUPS, DESTROY, RENEWED)
STEPS: Mapping[str, StepKind[object]] = {step.name: step for step in (*_OF_SERVER, *_OF_PROJECT)}  # type: ignore[misc]
