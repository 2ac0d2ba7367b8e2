"""`codesensei init`: the stack file for a first deploy, from a few answers and the project's own repository."""

from __future__ import annotations

import posixpath
import re
import subprocess
from collections.abc import Iterable
from dataclasses import field
from typing import Any

from pydantic import ValidationError

from codesensei.config.project import SourceConfig
from codesensei.console import pinning, stackfile
from codesensei.console.derive import checked
from codesensei.console.engine import Engine, stacks
from codesensei.console.errors import CommandError
from codesensei.console.typed import typed_path
from codesensei.source import (
    Checkout,
    SourceError,
    branches,
    checkout_of,
    find_module,
    names_assigned,
    names_read,
    started_with,
)
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

SCAN_SECONDS = 20.0
KEY_TYPE = "ed25519"
_LONGEST_SLUG = 31
_MAIN = ("main", "master", "trunk", "develop")
_OF_PRODUCTION = ("production", "prod", "live")
# In the order in which a deploy should take them.
_REQUIREMENTS = (
    *("requirements.txt", "requirements/production.txt", "requirements/prod.txt", "requirements/base.txt"),
    *("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "pyproject.toml"),
)
_SECRET_KEY = "SECRET_KEY"
_URL = re.compile(r"\w+://|[^/\s]+@[^/\s]+:")


@dataclass(frozen=True)
class Found:
    """What the repository tells: its newest commit, and what the stack file can say of it.

    `settings` are the modules that may be the settings of a server, the likeliest first; `secret_keys` are variables of
    SECRET_KEY, and `other_keys` are named like them.
    """

    checkout: Checkout
    source: dict[str, str]
    slug: str
    directory: str
    requirements: str
    settings: tuple[str, ...]
    secret_keys: tuple[str, ...]
    other_keys: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What nobody but the operator knows; `host_key` is a line of ssh-keyscan without the host."""

    host: str
    host_key: str
    settings: str
    user: str = "root"
    port: int = 22
    domain: str = ""
    email: str = ""


@dataclass(frozen=True)
class Written:
    """A stack that was made, and the file that describes it."""

    stack: str
    file: str
    revision: str
    notes: tuple[str, ...] = field(default=())


def refuse_existing(stack: str) -> None:
    """CommandError for a stack file that says something already."""
    file = pinning.file_of(Engine(stack).name)
    if file.exists() and (stackfile.read(file).get("config") or {}):
        raise CommandError(str(file), "it is there already", "edit it; pulumi preview tells what is wrong in it")


def look(repository: str, branch: str = "") -> Found:
    """Read the newest commit of a branch (default: the repository's main one). Nothing of it is run."""
    source = {"git": repository} if _URL.match(repository) else {"path": typed_path(repository)}
    try:
        there = branches(_source({**source, "revision": "refs/heads/main"}))
        branch = (
            branch or next((name for name in _MAIN if name in there), "") or (min(there) if len(there) == 1 else "")
        )
        if not branch:
            raise CommandError(repository, "which branch is to be deployed is not known", "name it: --branch main")
        checkout = checkout_of(_source({**source, "revision": f"refs/heads/{branch}"}))
    except SourceError as error:
        raise CommandError(error.thing, error.cause, error.fix) from None
    slug, directory = _slug(repository), _directory(checkout)
    settings = tuple(_settings(checkout, directory))
    secret_keys, other_keys = _secret_keys(checkout, directory, settings, slug)
    return Found(
        checkout,
        {**source, "revision": checkout.revision},
        slug,
        directory,
        next((name for name in _REQUIREMENTS if name in checkout.files), ""),
        settings,
        secret_keys,
        other_keys,
    )


def scan(host: str, port: int) -> str:
    """The server's host key as it shows it to everybody: who asks has to compare it."""
    words = ["ssh-keyscan", "-T", "10", "-t", KEY_TYPE, "-p", str(port), host]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SCAN_SECONDS, check=False)
    except FileNotFoundError:
        raise CommandError("ssh-keyscan", "it is not installed", "install it: apt-get install openssh-client") from None
    except subprocess.TimeoutExpired:
        done = None
    lines = done.stdout.splitlines() if done else []
    key = next((line.partition(" ")[2] for line in lines if f" ssh-{KEY_TYPE} " in line), "")
    if not key:
        fix = "check its name and port, and that it is on; or name the key: --host-key 'ssh-ed25519 AAAA…'"
        raise CommandError(f"server {host}", f"it shows no {KEY_TYPE} key on port {port}", fix)
    return key


def fingerprint(key: str) -> str:
    """As a provider's console and `ssh-keygen -l` show it. CommandError for what is no key."""
    words = ["ssh-keygen", "-l", "-f", "-"]
    try:
        done = subprocess.run(words, input=f"{key}\n", capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CommandError("ssh-keygen", "it is not installed", "install it: apt-get install openssh-client") from None
    if done.returncode or not (found := re.search(r"SHA256:\S+", done.stdout)):
        raise CommandError("the host key", "it is none", "give a line like: ssh-ed25519 AAAA…")
    return found[0]


def write(stack: str, found: Found, answers: Answers) -> Written:
    """Make the stack and its file; nothing is connected to but the engine's backend."""
    engine = Engine(stack)
    plain, file = _config(found, answers), pinning.file_of(engine.name)
    checked(plain, stack)
    if engine.name not in stacks():
        engine.init()
    others = {key: value for key, value in (stackfile.read(file) if file.exists() else {}).items() if key != "config"}
    head = "Written by codesensei init; Pulumi.example.yaml explains every key."
    new = file.with_name(f".new-{file.name}")
    new.write_text(stackfile.text_of(plain, head, others))
    new.replace(file)
    return Written(stack, str(file), found.checkout.revision, tuple(_notes(stack, found, answers)))


def _notes(stack: str, found: Found, answers: Answers) -> Iterable[str]:
    """What is left for a person to decide."""
    if not answers.domain:
        yield "without codesensei:domains, visitors reach it by the server's address"
    elif not answers.email:
        yield "without codesensei:tls, it is served over HTTP: set tls: {acme: {email: …}} for a certificate"
    if not found.requirements:
        yield f"no requirements file was found: set project.requirements ({', '.join(_REQUIREMENTS[:1])}, uv.lock, …)"

    for name in map(printable, found.other_keys):
        words = f"pulumi config set --stack {stack} --secret --path codesensei:secretEnv.{name}"
        yield f"{name} may be a key that another service gave you, so it is not generated: {words}"


def _config(found: Found, answers: Answers) -> dict[str, Any]:
    server: dict[str, Any] = {"host": answers.host, "user": answers.user, "hostKey": answers.host_key}
    if answers.port != 22:
        server["port"] = answers.port
    project: dict[str, Any] = {"slug": found.slug, "source": found.source, "settingsModule": answers.settings}
    if found.directory != ".":
        project["directory"] = found.directory
    root, _ = find_module(found.checkout, found.directory, answers.settings)
    if root not in ("", found.directory):
        project["pythonPath"] = [root]
    if found.requirements not in ("", _REQUIREMENTS[0]):
        project["requirements"] = found.requirements
    config: dict[str, Any] = {"server": server, "project": project}
    if answers.domain:
        config["domains"] = [answers.domain]
    if answers.email:
        config["tls"] = {"acme": {"email": answers.email}}
    if found.secret_keys:
        config["generateSecrets"] = list(found.secret_keys)
    return config


def _source(value: dict[str, str]) -> SourceConfig:
    try:
        return SourceConfig.model_validate(value)
    except ValidationError as error:
        thing = printable(value.get("git") or value.get("path") or "")
        raise CommandError(thing, error.errors()[0]["msg"], "give a git URL, or a directory on this machine") from None


def _slug(repository: str) -> str:
    name = posixpath.basename(repository.rstrip("/")).removesuffix(".git").rpartition(":")[2]
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return re.sub(r"^[^a-z]+", "", words)[:_LONGEST_SLUG].rstrip("-") or "project"


def _directory(checkout: Checkout) -> str:
    """Where manage.py is, the highest one; the repository's root where there is none."""
    places = [posixpath.dirname(name) or "." for name in checkout.files if posixpath.basename(name) == "manage.py"]
    return min(places, key=lambda place: (place.count("/") + (place != "."), place), default=".")


def _settings(checkout: Checkout, directory: str) -> Iterable[str]:
    """Modules of settings, those for production first, then the one that manage.py or its like names."""
    default = started_with(checkout, directory)
    packages = {default, default.rpartition(".")[0]} if default else set()
    for package in sorted(packages - {""}, key=len, reverse=True):
        for name in _OF_PRODUCTION:
            module = f"{package}.{name}"
            if any(find_module(checkout, directory, module)):
                yield module
    if default:
        yield default


def _secret_keys(
    checkout: Checkout, directory: str, settings: Iterable[str], slug: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variables with the key that Django signs with, in the settings or beside them; and others named like one."""
    folders = {posixpath.dirname(find_module(checkout, directory, module)[1]) for module in settings}
    files = [name for name in checkout.files if posixpath.dirname(name) in folders and name.endswith(".py")]
    usual = {"", "DJANGO_", f"{slug.replace('-', '_').upper()}_"}
    assigned = names_assigned(checkout, sorted(files), _SECRET_KEY)
    named = [name for name in names_read(checkout, sorted(files)) if name.endswith(_SECRET_KEY)]
    own = [name for name in named if name.removesuffix(_SECRET_KEY) in usual]
    known = dict.fromkeys((*assigned, *own))
    return tuple(known), tuple(name for name in named if name not in known)
