"""Everything that shall be live of a project, in one value: what the switch is given, and what root keeps of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from codesensei.wire.paths import MEDIA
from codesensei.wire.quick import dataclass
from codesensei.wire.said import Said
from codesensei.wire.sandbox import Loosened

UnitKind = Literal["socket", "web", "worker"]
# What a socket's unit does when it begins to listen.
_AT_START = re.compile(r"^(ExecStartPost=|#).*\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of root's. `mode` in octal digits; `renews` is the unit that must start again after a change."""

    path: str
    content: str
    mode: str = "0644"
    group: str = "root"
    renews: str = ""


def means_another(text: str | None, file: File) -> bool:
    """Whether what runs by this text is another than by the file; a socket goes on when only its beginning differs."""
    if text is None or not file.path.endswith(".socket"):
        return text != file.content
    return _AT_START.sub("", text) != _AT_START.sub("", file.content)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A unit that runs. `stop_timeout` in seconds; `command` is a worker's line of the stack config."""

    name: str
    kind: UnitKind
    stop_timeout: int
    singleton: bool = False
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The web process of a release that is being proved.

    `unit` is its text, with placeholders for the release's name and for the number of its processes, which is `workers`
    where there is room; None: the server has no such number, or it is secret.
    """

    unit: str
    files: tuple[File, ...]
    workers: int | None


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a release is proved: asked under each of `hosts` for `path`, within `timeout` seconds.

    `external_tls`: the public's HTTPS ends before the server, so its proxy is asked over HTTP.
    """

    path: str
    timeout: int
    accept: tuple[str, ...]
    hosts: tuple[str, ...]
    scheme: Literal["http", "https"]
    external_tls: bool = False


@dataclass(frozen=True, kw_only=True)
class RolePassword:
    """The database role, and the digest under which its password is staged."""

    role: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is not in it is not live.

    `homes` are the processes that have a HOME; `tls` is the digest of the certificate, `acme` whether an authority
    renews it, `default_tls` its folder where it is shown to visitors who name no host. `production` refuses DEBUG where
    `waived` does not name it, `adopt` disables sites of nginx that have the project's hostnames, `media_url` is where
    the proxy serves uploads, which are in the folder `media` of shared; with `media_internal` only to whom the project
    sends them. `shares` names what the settings use and another stack may use too. With `own_broker` the stack has a
    broker of its own, with `backups` a timer that makes backups.
    `sandbox` is what jobs may do beyond the usual; units say it.
    """

    slug: str
    user: str
    directory: str
    settings_module: str
    files: tuple[File, ...]
    units: tuple[Unit, ...]
    homes: tuple[str, ...]
    candidate: Candidate
    health: HealthCheck
    database: RolePassword | None
    url: str
    keep_releases: int
    after_switch: tuple[str, ...]
    tls: str | None
    acme: bool
    default_tls: str | None
    production: bool = False
    adopt: bool = False
    shares: tuple[str, ...] = ()
    media_url: str | None = None
    media: str = MEDIA
    media_internal: bool = False
    own_broker: bool = False
    sandbox: Loosened = field(default_factory=dict)
    backups: bool = False
    waived: tuple[str, ...] = ()

    def named(self, *kinds: UnitKind) -> list[str]:
        """The units of these kinds, in the order of the kinds."""
        return [unit.name for kind in kinds for unit in self.units if unit.kind == kind]

    @property
    def web(self) -> str:
        """The web process's unit."""
        (name,) = self.named("web")
        return name

    def contents(self) -> Iterator[tuple[str, str]]:
        """Path and text of each file."""
        return ((file.path, file.content) for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Switched(Said):
    """What the switch says of what it serves, read back.

    `served`: the last releases that have served, each with the time when it last began to.
    """

    release: str
    revision: str
    url: str
    served: Mapping[str, str] = field(default_factory=dict)
