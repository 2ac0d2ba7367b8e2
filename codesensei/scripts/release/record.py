"""What a release has gone through: root keeps one record for each, and only the functions here change it.

unpacking -> unpacked -> built -> preparing -> prepared -> served. A release that is made again starts over; one that
another replaced before it ever served is abandoned. `failed` names the step that ended in an error, and is empty again
once that step has succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import PurePath
from typing import Any, Literal

from codesensei.scripts.base import files
from codesensei.scripts.base.step import read_json, write_json
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass

State = Literal["unpacking", "unpacked", "built", "preparing", "prepared", "served", "abandoned"]
UNMADE: State = "unpacking"


@dataclass(frozen=True, kw_only=True)
class DatabaseFacts:
    """An entry of DATABASES; what it does not have is empty."""

    engine: str
    name: str
    user: str
    host: str
    port: str


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a setting leads to: of Redis the number, of a queue, a cache or a database where it is, or a path."""

    setting: str
    kind: str
    host: str
    port: str
    name: str


@dataclass(frozen=True, kw_only=True)
class CheckFact:
    """What a check of Django's for a deploy has found; `hint` may be empty."""

    id: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class VisitorFacts:
    """Settings with which visitors may find the site broken, as `ask_visitors.py` says them."""

    sessions_in: str = ""
    layers_in_memory: tuple[str, ...] = ()
    secure_cookies: tuple[str, ...] = ()
    cookie_domains: Mapping[str, str] = field(default_factory=dict)
    upload_mode: str = "0644"
    mail_to: str = ""
    # Whether static files get names with a digest of their content.
    static_renamed: bool = True
    # A field of a model whose files have an address that nothing answers.
    uploads_unserved: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What Django says about the project's settings, without any secret; what is not set is empty."""

    django: str
    databases: Mapping[str, DatabaseFacts]
    allowed_hosts: tuple[str, ...]
    debug: bool
    installed_staticfiles: bool
    media_root: str
    media_url: str
    static_root: str
    static_url: str
    asgi_application: str
    wsgi_application: str
    # Whether any storage for uploads writes to MEDIA_ROOT; S3's does not.
    uploads_on_disk: bool = True
    settings_module: str = ""
    # Of all variables, the stack's and others, those that are no longer as the process was given them.
    overridden: tuple[str, ...] = ()
    # What another project could use as well; None where an earlier version of the program asked.
    shared: tuple[Use, ...] | None = None
    # Variables that the settings asked for, that nobody gave, and that may lead to a broker.
    unset: tuple[str, ...] = ()
    # Where settings and variables lead that the project can use outside its own folder; None where an earlier version
    # of the program asked.
    places: tuple[str, ...] | None = None
    # Whether uploads get a mode that RestrictSUIDSGID= refuses.
    sets_id: bool = False
    # None where an earlier version of the program asked.
    checks: tuple[CheckFact, ...] | None = None
    # Tables of Django's cache in the database, which migrate does not make.
    cache_tables: tuple[str, ...] = ()
    # None where an earlier version of the program asked.
    visitors: VisitorFacts | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One release. `venv` is the name of its packages' directory; `seconds` how long each phase took.

    `settings_module` and `user` are what it was made for; others need another release. `warnings` are said when it is
    switched to.
    """

    state: State
    failed: str = ""
    revision: str = ""
    settings_module: str = ""
    user: str = ""
    venv: str = ""
    facts: Facts | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def is_built(self) -> bool:
        return self.facts is not None and self.state in ("built", "preparing", "prepared", "served", "abandoned")

    @property
    def is_prepared(self) -> bool:
        return self.state in ("prepared", "served")


def read(project: ProjectPaths, name: str) -> Record:
    """The record of a release; if there is none, that of a release that is not made yet."""
    path = project.record(name)
    data = read_json(path, {})
    return codec.decode(Record, data if "state" in data else _earlier(data), str(path), kept=True)


def every(project: ProjectPaths) -> Iterator[Record]:
    """The records of all releases that were made and not removed yet."""
    for path in sorted(project.record("").parent.glob("*-*.json")):
        yield read(project, path.stem)


def databases_that_serve(project: ProjectPaths) -> set[str]:
    """The names of the databases with which the release that serves works; none where nobody knows."""
    target = files.link_target(project.current)
    facts = read(project, PurePath(target).name).facts if target else None
    return {found.name for found in facts.databases.values()} if facts else set()


def begin(project: ProjectPaths, name: str, *, revision: str, settings_module: str, user: str) -> None:
    """Start over: the release is about to be made."""
    _write(project, name, Record(state=UNMADE, revision=revision, settings_module=settings_module, user=user))


def unpacked(project: ProjectPaths, name: str) -> None:
    """The code is in place."""
    _write(project, name, replace(read(project, name), state="unpacked"))


def uses(project: ProjectPaths, name: str, venv: str) -> None:
    """These packages are being made for the release."""
    _write(project, name, replace(read(project, name), venv=venv))


def built(project: ProjectPaths, name: str, facts: Facts, seconds: Mapping[str, float]) -> None:
    """Code and packages are in place, and Django was asked for its settings."""
    _write(project, name, replace(read(project, name), state="built", failed="", facts=facts, seconds=seconds))


def serves_with(project: ProjectPaths, name: str, facts: Facts) -> None:
    """What Django says in the process that serves is what counts."""
    _write(project, name, replace(read(project, name), facts=facts))


def preparing(project: ProjectPaths, name: str) -> None:
    """Hooks may change the code from now on: an interrupted release is unpacked again."""
    _write(project, name, replace(read(project, name), state="preparing"))


def warned(project: ProjectPaths, name: str, warnings: Iterable[str]) -> None:
    """What the switch shall say of the release."""
    _write(project, name, replace(read(project, name), warnings=tuple(warnings)))


def warned_too(project: ProjectPaths, name: str, warnings: Iterable[str]) -> None:
    """What it shall say besides."""
    warned(project, name, dict.fromkeys([*read(project, name).warnings, *warnings]))


def prepared(project: ProjectPaths, name: str, seconds: Mapping[str, float]) -> None:
    """The release is complete and root's, and never changes again."""
    record = read(project, name)
    seconds = {**record.seconds, **seconds}
    _write(project, name, replace(record, state="prepared", failed="", seconds=seconds))


def served(project: ProjectPaths, name: str) -> None:
    """The release was switched to."""
    _write(project, name, replace(read(project, name), state="served", failed=""))


def failed(project: ProjectPaths, name: str, step: str) -> None:
    """A step ended in an error; the state stays."""
    if project.record(name).exists():
        _write(project, name, replace(read(project, name), failed=step))


def linked(project: ProjectPaths) -> set[str]:
    """The release that serves, and the one that did before it."""
    targets = map(files.link_target, (project.current, project.previous))
    return {PurePath(target).name for target in targets if target}


def abandon_others(project: ProjectPaths, name: str) -> None:
    """Another release is being made: those that never served never will."""
    spared = {name, *linked(project)}
    for path in project.record(name).parent.glob("*-*.json"):
        record = read(project, path.stem)
        # A run that was cut off may not have written down that one serves.
        if path.stem not in spared and record.state not in ("served", "abandoned"):
            _write(project, path.stem, replace(record, state="abandoned"))


def _write(project: ProjectPaths, name: str, record: Record) -> None:
    write_json(project.record(name), codec.encode(record))


def _earlier(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record as versions of the program before 1.0 kept it."""
    facts, made_for = data.get("facts"), data.get("prepared") or {}
    known: dict[str, State] = {"served": "served", "prepared": "prepared", "built": "built"}
    state = next((state for key, state in known.items() if data.get(key)), UNMADE)
    found: dict[str, Any] = {name: data[name] for name in ("revision", "venv", "seconds") if data.get(name)}
    found |= {name: made_for[name] for name in ("settingsModule", "user") if name in made_for}
    if isinstance(facts, dict):
        found["facts"] = {
            **{name: facts[name] for name in ("django", "allowedHosts", "debug", "installedStaticfiles")},
            **{codec.key_of(name.lower()): value for name, value in facts.items() if name.isupper()},
            "databases": {
                alias: {key.lower(): value for key, value in database.items()}
                for alias, database in facts["databases"].items()
            },
        }
    return {"state": state, **found}
