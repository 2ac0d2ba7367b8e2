"""The Django project: where its source is, how it is built, what runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

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
    matching,
    reject,
    show,
)
from codesensei.webservers import SERVERS
from codesensei.wire.names import is_system_user

_SCP_LIKE = re.compile(r"([A-Za-z0-9_.-]+)@([A-Za-z0-9.-]+|\[[0-9a-f:]+\]):(?!//)[^\s]+")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/\s]*)(/[^\s]*)?", re.IGNORECASE)
_PYTHON = re.compile(r"3\.(\d{1,2})(\.\d{1,2})?")
_WORKER = re.compile(r"[a-z][a-z0-9-]{0,30}")
_STATUS = re.compile(r"[1-5](xx|\d\d)")
RESERVED_WORKERS = frozenset({"web", "candidate"})


def git_url(value: str) -> str:
    """Where git finds the source: https, ssh (also `git@host:path`) or file.

    Other transports are refused, because some of them run commands. A URL stands in plain text in the state and in
    previews, so a password in it is refused, and the URL is not repeated.
    """
    if _SCP_LIKE.fullmatch(value):
        return value
    url = _URL.fullmatch(value)
    if not url or url.group(1).lower() not in {"https", "ssh", "file"}:
        raise reject(
            "git-scheme",
            "is not a supported git URL",
            "use https://host/path, ssh://git@host/path, git@host:path or file:///path; for a local one, use path",
        )
    login, _, host = url.group(2).rpartition("@")
    if ":" in login or (login and url.group(1).lower() == "https"):
        raise reject(
            "git-credentials",
            "has credentials in the URL, where the state and every preview would show them",
            "remove them: git here uses your own SSH agent or credential helper",
        )
    if url.group(1).lower() != "file" and not host:
        raise reject("git-host", "has no host", "write https://host/path")
    return value


def app_user(value: str) -> str:
    """The user that the project runs as: an ordinary one of its own (contract, "App user")."""
    if is_system_user(value):
        raise reject("system-user", f"{show(value)} is a system user", "use an ordinary user: deploy")
    return value


def python_version(value: str) -> str:
    """`""` (the server's own) or 3.x, or 3.x.y."""
    found = _PYTHON.fullmatch(value)
    if value and not (found and int(found.group(1)) >= 8):
        raise reject("python", f"{show(value)} is not a version of Python", 'write "3.12", or "" for the server\'s own')
    return value


def worker_key(value: str) -> str:
    """The name of a worker: it becomes the unit `<slug>-<name>.service`."""
    if not _WORKER.fullmatch(value):
        raise reject(
            "worker-name",
            f"{show(value)} is not the name of a worker",
            "use lower-case letters, digits and '-', a letter first, at most 31 characters: beat",
        )
    if value in RESERVED_WORKERS:
        raise reject("worker-reserved", f"{show(value)} is reserved by codesensei", "choose another name: worker")
    return value


def worker(value: object) -> object:
    """A worker may be given as its command alone."""
    return {"command": value} if isinstance(value, str) else value


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
        raise reject(
            "health-path", f"{show(value)} is not a path", "start it with '/', percent-encode the rest: /health/"
        )
    return value


def status(value: object) -> str:
    """An HTTP status or a class of them: "200", "2xx"."""
    word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(word, str) or not _STATUS.fullmatch(word):
        raise reject("health-accept", f"{show(value)} is not an HTTP status", 'write "200", or "2xx" for a class')
    return word


def one_source(value: Any) -> Any:
    """Exactly one of `git` and `path`."""
    if isinstance(value, dict) and ("git" in value) == ("path" in value):
        found = "both git and path are" if "git" in value else "neither git nor path is"
        raise reject("one-source", f"{found} given", "give exactly one: {git: URL, revision: …} or {path: ../shop, …}")
    return value


GitUrl = Annotated[str, AfterValidator(git_url)]
# One commit, tag or branch, as a single name.
Revision = Annotated[
    str,
    matching(
        r"(?!.*(\.\.|@\{|//))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}",
        "revision",
        "a commit or a tag",
        "give one commit or one tag: v1.4.0 or 4f2a9c1e",
    ),
]
Package = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?", "package", "the name of a package", "write it as apt names it: libmagic1"
    ),
]
Command = Annotated[str, AfterValidator(command)]
SERVER_NAMES = ("auto", *SERVERS)
if TYPE_CHECKING:
    ServerName = str
else:
    ServerName = Literal[SERVER_NAMES]


def name_default(value: Any) -> Any:
    """A project without a name for people is called by its slug."""
    return (
        {**value, "name": value["slug"]}
        if isinstance(value, dict) and "slug" in value and "name" not in value
        else value
    )


class SourceConfig(Model):
    """Where the project's repository is, and which commit of it is deployed."""

    git: GitUrl | None = Field(default=None, description="git URL: https, ssh or file")
    path: Text | None = Field(default=None, description="A repository on this machine, relative to the Pulumi project")
    revision: Revision = Field(description="A commit or a tag")

    _one_source = model_validator(mode="before")(one_source)


class WorkerConfig(Model):
    """A process beside the web one."""

    command: Command = Field(description="A shell line")
    singleton: Flag = Field(default=False, description="True where two must never run at once, e.g. beat")


class Hooks(Model):
    """Shell lines run as the app user at points of a release."""

    before_migrate: tuple[Command, ...] = ()
    after_migrate: tuple[Command, ...] = ()
    before_collectstatic: tuple[Command, ...] = ()
    after_collectstatic: tuple[Command, ...] = ()
    after_switch: tuple[Command, ...] = Field(default=(), description="Failures here are reported, not undone")


class HealthCheck(Model):
    """How a release is proved before it gets traffic."""

    path: Annotated[str, AfterValidator(health_path)] = Field(default="/", description="The path that is asked for")
    timeout: Seconds = Field(default=60, description="Seconds until the release must have answered")
    accept: tuple[Annotated[str, BeforeValidator(status)], ...] = Field(
        default=("2xx", "3xx", "401", "403", "404"),
        min_length=1,
        description='HTTP statuses: "200", or "2xx" for a class',
    )


class StopTimeout(Model):
    """Seconds that a process may take to end its work."""

    web: Seconds = Field(default=40, description="The web process")
    workers: Seconds = Field(default=600, description="Each worker")


class ProjectConfig(Model):
    """The Django project."""

    slug: Slug = Field(description="Short name: units, paths and the database are named after it")
    name: Text = Field(default="", description="The project's name for people; default: the slug")
    source: SourceConfig
    directory: SourcePath = Field(default=".", description="Where manage.py is, relative to the source's root")
    requirements: SourcePath = Field(default="requirements.txt", description="Relative to the source's root")
    settings_module: DottedModule = Field(description="config.settings.production")
    wsgi_application: Application | None = Field(default=None, description="Default: from the settings")
    asgi_application: Application | None = Field(default=None, description="Default: from the settings")
    interface: Literal["auto", "wsgi", "asgi"] = Field(
        default="auto", description="auto: asgi where the settings declare it"
    )
    server: ServerName = Field(
        default="auto",
        description="auto: "
        + ", ".join(f"{s.name} for {' and '.join(s.interfaces)}" for s in SERVERS.values() if s.is_default),
    )
    user: Annotated[UnixName, AfterValidator(app_user)] = Field(
        default="deploy", description="User that the project runs as"
    )
    share_user: Flag = Field(default=False, description="Another project on this server runs as the same user")
    python: Annotated[str, AfterValidator(python_version)] = Field(default="", description='"": the server\'s own')
    installer: Literal["pip", "uv"] = "pip"
    system_packages: tuple[Package, ...] = Field(default=(), description="Debian packages")
    rebuild: str = Field(default="", description="Any text; a new one builds the same commit again")
    workers: dict[Annotated[str, AfterValidator(worker_key)], Annotated[WorkerConfig, BeforeValidator(worker)]] = Field(
        default={}, description="Processes beside the web one, by name"
    )
    hooks: Hooks = Hooks()
    health_check: HealthCheck = HealthCheck()
    stop_timeout: StopTimeout = StopTimeout()
    static: Literal["serve", "none"] = Field(
        default="serve", description="none: static files are elsewhere (S3, a CDN)"
    )
    media_serving: Literal["none", "proxy"] = Field(
        default="none", description="proxy: nginx serves MEDIA_URL to everybody"
    )
    keep_releases: Annotated[
        Whole,
        AfterValidator(
            at_least(2, "keep-releases", "the current and the previous release are always kept", "give 2 or more")
        ),
    ] = Field(default=5, description="Releases kept on the server, the current and the previous one included")

    _name_default = model_validator(mode="before")(name_default)
