"""The Django project: where its source is, how it is built, what runs."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from codesensei.config.confined import Resources, ResourcesConfig, Sandbox
from codesensei.config.types import (
    Application,
    DottedModule,
    Flag,
    Model,
    Seconds,
    Slug,
    SourcePath,
    Text,
    UnixName,
    Whole,
    at_least,
    import_root,
    matching,
    option,
    reject,
    show,
    source_path,
    unique,
    unit_text,
)
from codesensei.webservers import SERVERS
from codesensei.wire.names import is_system_user
from codesensei.wire.paths import MEDIA, OWN_FOLDER

# The host may be an alias of ~/.ssh/config, so with `_`.
_SCP_LIKE = re.compile(r"(?!-)([A-Za-z0-9_.-]+)@(?!-)([A-Za-z0-9_.-]+|\[[0-9a-f:]+\]):(?!//)[^\s]+")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/\s]*)(/[^\s]*)?", re.IGNORECASE)
# No option, no "@" alone, which is HEAD, and nothing that git reads as more than a name.
_REVISION = re.compile(
    r"(?![-/.]|@$)(?!.*(\.\.|@\{|//|/\.|\.lock(/|$)|[/.]$))[^\x00-\x20\x7f~^:?*\[\\]{1,255}", re.DOTALL
)
_REVISION_FIX = "give one commit or one tag: v1.4.0 or 4f2a9c1e"
_ACCEPTED = ("2xx", "3xx", "401", "403", "404")
# The product's own names in shared, and in a release.
_OWN_IN_SHARED = frozenset({OWN_FOLDER, ".env", "venv", "state", "gunicorn.sock", "db.sqlite3"})
RESERVED_WORKERS = frozenset({"web", "candidate"})
# Signals that a program can take note of, by the names that Linux and systemd have for them.
_STOP_SIGNALS = frozenset({"TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "TSTP", "WINCH"})


def git_url(value: str) -> str:
    """Where git finds the source: https, ssh (also `git@host:path`) or file.

    Other transports are refused, because some of them run commands. A URL stands in plain text in the state and in
    previews, so a password in it is refused, and the URL is not repeated.
    """
    if _SCP_LIKE.fullmatch(value):
        return value
    url = _URL.fullmatch(value)
    if not url or url.group(1).lower() not in {"https", "ssh", "file"}:
        fix = "use https://host/path, ssh://git@host/path, git@host:path or file:///path; for a local one, use path"
        raise reject("git-scheme", "is not a supported git URL", fix)
    login, _, host = url.group(2).rpartition("@")
    if ":" in login or (login and url.group(1).lower() == "https"):
        message = "has credentials in the URL, where the state and every preview would show them"
        raise reject("git-credentials", message, "remove them: git here uses your own SSH agent or credential helper")
    if url.group(1).lower() != "file" and not host:
        raise reject("git-host", "has no host", "write https://host/path")
    return value


def revision(value: str) -> str:
    """One commit, tag or branch, as a single name: what git check-ref-format allows, and no terminal is steered by."""
    if not _REVISION.fullmatch(value) or not value.isprintable():
        raise reject("revision", f"{show(value)} is not a commit or a tag", _REVISION_FIX)
    return value


def app_user(value: str) -> str:
    """The user that the project runs as: an ordinary one of its own (contract, "App user")."""
    if is_system_user(value):
        raise reject("system-user", f"{show(value)} is a system user", "use an ordinary user: deploy")
    return value


def python_version(value: str) -> str:
    """`""` (the server's own) or 3.x, or 3.x.y."""
    found = re.fullmatch(r"3\.(\d{1,2})(\.\d{1,2})?", value)
    if value and not (found and int(found.group(1)) >= 8):
        raise reject("python", f"{show(value)} is not a version of Python", 'write "3.12", or "" for the server\'s own')
    return value


def worker_key(value: str) -> str:
    """The name of a worker: it becomes the unit `<slug>-<name>.service`."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", value):
        fix = "use lower-case letters, digits and '-', a letter first, at most 31 characters: beat"
        raise reject("worker-name", f"{show(value)} is not the name of a worker", fix)
    if value in RESERVED_WORKERS:
        raise reject("worker-reserved", f"{show(value)} is reserved by codesensei", "choose another name: worker")
    return value


def worker(value: object) -> object:
    """A worker may be given as its command alone."""
    return {"command": value} if isinstance(value, str) else value


def stop_signal(value: str) -> str:
    """A signal on which a program finishes what it does; the name is taken without SIG too."""
    name = value.strip().upper().removeprefix("SIG")
    if name not in _STOP_SIGNALS:
        fix = "name the signal on which the program finishes its work and ends: SIGTERM, SIGINT or SIGQUIT"
        raise reject("stop-signal", f"{show(value)} is not a signal on which a program can finish its work", fix)
    return f"SIG{name}"


def command(value: str) -> str:
    """A shell line. It may have line breaks: it is run from a file."""
    if not value.strip():
        raise reject("empty-command", "the command is empty", "set a shell command, or remove it")
    if "\0" in value:
        raise reject("command-nul", "the command has a NUL character", "remove the character")
    return value


def health_path(value: str) -> str:
    """The path that is asked for when a release is proved."""
    if not re.fullmatch(r"/[!-~]*", value) or "#" in value:
        fix = "start it with '/', percent-encode the rest: /health/"
        raise reject("health-path", f"{show(value)} is not a path", fix)
    return value


def media_serving(value: object) -> object:
    """`none`, `proxy`, `internal`, or the prefix that `{internal: /protected/}` gives."""
    prefix = value["internal"] if isinstance(value, dict) and set(value) == {"internal"} else None
    if prefix is None and value not in ("none", "proxy", "internal"):
        fix = "choose none, proxy or internal, or {internal: /protected/} for views that name another prefix"
        raise reject("media-serving", "is no way to serve uploads", fix)
    if prefix is None:
        return value
    if not (isinstance(prefix, str) and re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/", prefix)):
        fix = "start and end it with '/': {internal: /protected/}"
        raise reject("internal-prefix", f"{show(str(prefix))} is not the prefix of a path", fix)
    return prefix


def status(value: object) -> str:
    """An HTTP status or a class of them: "200", "2xx"."""
    word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(word, str) or not re.fullmatch(r"[1-5](xx|\d\d)", word):
        raise reject("health-accept", f"{show(value)} is not an HTTP status", 'write "200", or "2xx" for a class')
    return word


def shared_path(value: str) -> str:
    """A folder of the source that lives in shared. What the product has there itself keeps its place."""
    path = source_path(value)
    if path == "." or path.split("/")[0] in _OWN_IN_SHARED:
        raise reject("shared-path-own", f"{show(value)} cannot be shared", "name a folder of uploads or data: media")
    if re.fullmatch(r"\.[a-zA-Z]\w{1,7}", posixpath.splitext(path)[1]):
        fix = "share the folder that it is in, and let the settings name the file there: data"
        raise reject("shared-path-file", f"{show(value)} is named like a file, and only folders are shared", fix)
    return path


def apart(values: tuple[str, ...]) -> tuple[str, ...]:
    """Paths of which none contains another."""
    for path in unique(values):
        if inner := next((other for other in values if other.startswith(f"{path}/")), None):
            raise reject("shared-path-overlap", f"{show(path)} contains {show(inner)}", f"list {path} alone")
    return values


def one_source(value: Any) -> Any:
    """Exactly one of `git` and `path`."""
    if isinstance(value, dict) and ("git" in value) == ("path" in value):
        found = "both git and path are" if "git" in value else "neither git nor path is"
        raise reject("one-source", f"{found} given", "give exactly one: {git: URL, revision: …} or {path: ../shop, …}")
    return value


GitUrl = Annotated[str, AfterValidator(git_url)]
Revision = Annotated[str, AfterValidator(revision)]
# With `-` at its end, apt would remove it.
_PACKAGE = r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9]+)?"
_PACKAGE_FIX = "write it as apt names it: libmagic1"
Package = Annotated[str, matching(_PACKAGE, "package", "the name of a package", _PACKAGE_FIX)]
_EXTRA = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRA_FIX = "write it as pyproject.toml or Pipfile names it: prod"
Extra = Annotated[str, matching(_EXTRA, "extra", "the name of an extra or of a group", _EXTRA_FIX)]
Extras = Annotated[tuple[Extra, ...], AfterValidator(unique)]
_KEPT = "the current and the previous release are always kept"
ProjectName = Annotated[Text, AfterValidator(unit_text)]
Directory = Annotated[SourcePath, AfterValidator(unit_text)]
SharedPath = Annotated[Text, AfterValidator(shared_path)]
SharedPaths = Annotated[tuple[SharedPath, ...], AfterValidator(apart)]
PythonPath = Annotated[tuple[Annotated[Text, AfterValidator(import_root)], ...], AfterValidator(unique)]
KeptReleases = Annotated[Whole, at_least(2, "keep-releases", _KEPT, "give 2 or more")]
_MIGRATION = r"[A-Za-z_]\w*\.\w+"
_MIGRATION_FIX = "write the app's label and the migration's name, without '.py': books.0003_drop_price"
MigrationName = Annotated[str, matching(_MIGRATION, "migration", "the name of a migration", _MIGRATION_FIX)]
Command = Annotated[str, AfterValidator(command)]
StopSignal = Annotated[str, AfterValidator(stop_signal)]
AppUser = Annotated[UnixName, AfterValidator(app_user)]
WorkerName = Annotated[str, AfterValidator(worker_key)]
_DEFAULT_SERVERS = [f"{s.name} for {' and '.join(s.interfaces)}" for s in SERVERS.values() if s.is_default]
MediaKind = Literal["none", "proxy", "internal"]
_MEDIA_SCHEMA = {
    "anyOf": [
        {"enum": ["none", "proxy", "internal"]},
        {
            "type": "object",
            "properties": {"internal": {"type": "string"}},
            "required": ["internal"],
            "additionalProperties": False,
        },
    ]
}
MediaServing = Annotated[str, BeforeValidator(media_serving), WithJsonSchema(_MEDIA_SCHEMA)]
SERVER_NAMES = ("auto", *SERVERS)
if TYPE_CHECKING:
    ServerName = str
else:
    ServerName = Literal[SERVER_NAMES]


def name_default(value: Any) -> Any:
    """A project without a name for people is called by its slug."""
    lacks = isinstance(value, dict) and "slug" in value and "name" not in value
    return {**value, "name": value["slug"]} if lacks else value


class SourceConfig(Model):
    """Where the project's repository is, and which commit of it is deployed."""

    git: GitUrl | None = option(None, "git URL: https, ssh or file")
    path: Text | None = option(None, "A repository on this machine, relative to the Pulumi project")
    revision: Revision = Field(description="A commit or a tag")

    _one_source = model_validator(mode="before")(one_source)


class WorkerConfig(Model):
    """A process beside the web one."""

    command: Command = Field(description="A shell line")
    singleton: Flag = option(False, "True where two must never run at once, e.g. beat")
    stop_signal: StopSignal | None = option(None, "Default: what a known queue program finishes on, else SIGTERM")
    stop_timeout: Seconds | None = option(None, "Seconds to finish its work; default: project.stopTimeout.workers")
    resources: ResourcesConfig | None = option(None, "What it may use; default: project.resources.workers")


Worker = Annotated[WorkerConfig, BeforeValidator(worker)]


class Hooks(Model):
    """Shell lines run as the app user at points of a release."""

    before_migrate: tuple[Command, ...] = ()
    after_migrate: tuple[Command, ...] = ()
    before_collectstatic: tuple[Command, ...] = ()
    after_collectstatic: tuple[Command, ...] = ()
    after_switch: tuple[Command, ...] = option((), "Failures here are reported, not undone")


class HealthCheck(Model):
    """How a release is proved before it gets traffic."""

    path: Annotated[str, AfterValidator(health_path)] = option("/", "The path that is asked for")
    timeout: Seconds = option(60, "Seconds until the release must have answered")
    accept: tuple[Annotated[str, BeforeValidator(status)], ...] = Field(
        default=_ACCEPTED, min_length=1, description='HTTP statuses: "200", or "2xx" for a class'
    )


class StopTimeout(Model):
    """Seconds that a process may take to end its work."""

    web: Seconds = option(40, "The web process")
    workers: Seconds = option(600, "Each worker")


class ProjectConfig(Model):
    """The Django project."""

    slug: Slug = Field(description="Short name: units, paths and the database are named after it")
    name: ProjectName = option("", "The project's name for people; default: the slug")
    source: SourceConfig
    directory: Directory = option(".", "Where manage.py is, relative to the source's root")
    requirements: SourcePath = option(
        "requirements.txt", "Relative to the source's root; also uv.lock, poetry.lock, pdm.lock, Pipfile.lock, …"
    )
    extras: Extras = option((), "Optional dependencies and groups of a lock file that are installed too: [prod]")
    settings_module: DottedModule = Field(description="config.settings.production")
    wsgi_application: Application | None = option(None, "Default: from the settings")
    asgi_application: Application | None = option(None, "Default: from the settings")
    interface: Literal["auto", "wsgi", "asgi"] = option("auto", "auto: asgi where the settings declare it")
    server: ServerName = option("auto", f"auto: {', '.join(_DEFAULT_SERVERS)}")
    python_path: PythonPath = option((), "Import roots beside manage.py's folder, relative to the source's root: [src]")
    user: AppUser = option("deploy", "User that the project runs as")
    share_user: Flag = option(False, "Another project on this server runs as the same user")
    shared_paths: SharedPaths = option((), "Folders that outlive releases, relative to the source's root")
    python: Annotated[str, AfterValidator(python_version)] = option("", '"": the server\'s own')
    installer: Literal["auto", "pip", "uv"] = option("auto", "auto: uv, and pip where uv cannot")
    system_packages: tuple[Package, ...] = option((), "Debian packages")
    rebuild: str = option("", "Any text; a new one builds the same commit again")
    workers: dict[WorkerName, Worker] = option({}, "Processes beside the web one, by name")
    hooks: Hooks = Hooks()
    health_check: HealthCheck = HealthCheck()
    stop_timeout: StopTimeout = StopTimeout()
    resources: Resources = option(Resources.model_construct(), "Bounds of memory, processes and processor")
    sandbox: Sandbox = option(
        Sandbox.model_construct(), "Directives of systemd to loosen, by name; false switches one off"
    )
    static: Literal["serve", "none"] = option("serve", "none: static files are elsewhere (S3, a CDN)")
    collectstatic: Literal["afterMigrate", "beforeMigrate"] = option(
        "afterMigrate", "When static files are collected, from the next release on; hooks around it move along"
    )
    media_serving: MediaServing = option(
        "none",
        "proxy: nginx serves MEDIA_URL to everybody; internal: to whom a view sends it with X-Accel-Redirect,"
        " below MEDIA_URL or, as {internal: /protected/}, below another prefix",
    )
    keep_releases: KeptReleases = option(5, "Releases kept on the server, the current and the previous one included")
    acknowledge_migrations: Annotated[tuple[MigrationName, ...], AfterValidator(unique)] = option(
        (), "Migrations that run though the serving release may not live with them: [books.0003_drop_price]"
    )

    _name_default = model_validator(mode="before")(name_default)

    @property
    def media_kind(self) -> MediaKind:
        """How uploads are served, whatever their prefix."""
        given = self.media_serving
        return "none" if given == "none" else "proxy" if given == "proxy" else "internal"

    def served_media(self, media_url: str) -> str | None:
        """The prefix below which nginx has uploads, where MEDIA_URL is `media_url`; None where it has none."""
        own = self.media_serving if self.media_serving.startswith("/") else media_url
        return None if self.media_serving == "none" else own

    @property
    def loosened(self) -> dict[str, tuple[str, ...]]:
        """What the project's processes and jobs may do beyond the usual."""
        return self.sandbox.loosened

    @property
    def media(self) -> str:
        """The folder in shared of which nginx serves uploads: the shared path of that name, however deep."""
        return next((path for path in self.shared_paths if posixpath.basename(path) == MEDIA), MEDIA)
