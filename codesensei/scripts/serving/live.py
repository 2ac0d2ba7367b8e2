"""What is live for a project: links, files, units. Saved before a switch changes it, put back when the switch fails."""

from __future__ import annotations

import contextlib
import functools
import grp
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step, read_json, remove_json, write_json
from codesensei.scripts.base.visits import Door
from codesensei.scripts.postgres import passwords
from codesensei.scripts.serving import default_tls, hand_over
from codesensei.scripts.serving.health import Question
from codesensei.wire import codec, paths
from codesensei.wire.manifest import Manifest, RolePassword
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass


@dataclass(frozen=True)
class Live:
    """The manifest of the last switch, as root keeps it; None where nothing is live."""

    project: ProjectPaths
    manifest: Manifest | None

    @classmethod
    def read(cls, project: ProjectPaths) -> Live:
        data = read_json(project.live, None)
        return cls(project, codec.decode(Manifest, data, str(project.live), kept=True) if data else None)

    @property
    def release(self) -> str | None:
        target = files.link_target(self.project.current)
        return Path(target).name if target else None

    @property
    def units(self) -> list[str]:
        return [unit.name for unit in self.manifest.units] if self.manifest else []

    @property
    def contents(self) -> dict[str, str]:
        """The text of each file, by its path."""
        return dict(self.manifest.contents()) if self.manifest else {}


@dataclass(frozen=True, kw_only=True)
class SavedFile:
    """A file as it was; `group` is a number."""

    text: str
    mode: int
    group: int


@dataclass(frozen=True, kw_only=True)
class SavedUnit:
    """A unit as it was; `invocation` tells whether its process is still the same one."""

    exists: bool
    active: bool
    invocation: str = ""


@dataclass(frozen=True, kw_only=True)
class SavedPassword:
    """The verifier that the role `name` had; None for no password."""

    name: str
    verifier: str | None = field(repr=False)
    port: int


@dataclass(frozen=True, kw_only=True)
class Journal:
    """Everything that a switch may change, as it was before; kept until the switch ends or all of it is put back.

    None is what was not there. `renewed` are the units whose process the switch replaces, `role` is None where the
    password stays.
    """

    live: Manifest | None
    links: Mapping[str, str | None]
    files: Mapping[str, SavedFile | None]
    units: Mapping[str, SavedUnit]
    renewed: tuple[str, ...]
    role: SavedPassword | None

    @classmethod
    def read(cls, project: ProjectPaths) -> Journal | None:
        """The journal of a switch that neither ended nor was wholly put back; None where there is none."""
        data = read_json(_journal(project), None)
        if data is None:
            return None
        # Versions before 1.0 wrote an empty map for nothing.
        return codec.decode(cls, {**data, "live": data["live"] or None}, str(_journal(project)), kept=True)

    @property
    def running(self) -> list[str]:
        """The units that ran and can run again."""
        return sorted(name for name, unit in self.units.items() if unit.active and unit.exists)


def _journal(project: ProjectPaths) -> Path:
    return project.memory / "switch" / "journal.json"


def _ending(project: ProjectPaths) -> Path:
    return project.memory / "switch" / "ending.json"


def has_to_end(project: ProjectPaths) -> bool:
    """Whether a switch is live, and its hooks or its record may not be done."""
    return _ending(project).exists()


def ended(project: ProjectPaths) -> None:
    """Hooks and record are done."""
    remove_json(_ending(project))


def _renewing(project: ProjectPaths) -> Path:
    return project.memory / "switch" / "renewing.json"


def renew_all(project: ProjectPaths) -> None:
    """Have the next switch renew every process of the project."""
    files.make_directory(_renewing(project).parent, 0o700)
    write_json(_renewing(project), {}, copied=False)


def has_to_renew(project: ProjectPaths) -> bool:
    """Whether every process is to be renewed."""
    return _renewing(project).exists()


def is_interrupted(project: ProjectPaths) -> bool:
    """Whether a switch was interrupted, or not wholly put back."""
    return _journal(project).exists()


def is_own_path(project: ProjectPaths, path: str) -> bool:
    """Whether this project's manifest may put a file there."""
    own = (paths.unit(project.slug), project.site, project.rotation, f"{project.config}/")
    return path.startswith(tuple(map(str, own))) and ".." not in path


def refuse_foreign_paths(project: ProjectPaths, manifest: Manifest) -> None:
    """Raise Failure for a file outside this project's own places."""
    programs = f"{project.candidate_programs}/"
    foreign = [file.path for file in manifest.files if not is_own_path(project, file.path)]
    candidate = [file.path for file in manifest.candidate.files]
    foreign += [path for path in candidate if not path.startswith(programs) or ".." in path]
    for path in foreign:
        raise Failure("manifest", f"{path} is not a path of this project")


@contextlib.contextmanager
def all_or_nothing(
    step: Step[Manifest], now: Live, renewed: Collection[str], others: Collection[Path] = ()
) -> Iterator[None]:
    """Make live what the block applies; where that fails, put everything back. `renewed` as in Journal.

    `others` are files or links that the block changes, and that are not the project's own.
    """
    save(step, now, renewed, others)
    try:
        yield
        write_json(step.project.live, codec.encode(step.data))
        write_json(_ending(step.project), {}, copied=False)
        remove_json(_renewing(step.project))
        remove_json(_journal(step.project))
    except Exception as error:
        unforeseen = Failure(f"switch to {step.args[0]}", f"{error.__class__.__name__}: {error}")
        failure = error if isinstance(error, Failure) else unforeseen
        step.say("putting everything back as it was")
        try:
            restore(step)
        except Failure as left:
            failure.cause += f"\n{left.thing}: {left.cause}"
            failure.fix = f"{failure.fix}\n{left.fix}".strip()
        if failure is error:
            raise
        failure.fix = failure.fix or "everything was put back"
        raise failure from error


def save(step: Step[Manifest], now: Live, renewed: Collection[str], others: Collection[Path] = ()) -> None:
    """Record everything that the switch may change, before it changes anything."""
    project, manifest = step.project, step.data
    touched = sorted({*now.contents, *(file.path for file in manifest.files)})
    links = [project.current, project.previous, *(link for path in touched if (link := paths.site_link(Path(path))))]
    if default_tls.wanted(project, manifest.default_tls) is not None:
        links.append(paths.SERVER.default_tls)
    links += [path for path in others if path.is_symlink()]
    touched += [str(path) for path in others if not path.is_symlink()]
    was = Journal(
        live=now.manifest,
        links={str(link): files.link_target(link) for link in links},
        files={path: _file(Path(path)) for path in touched},
        units=_units(sorted({*now.units, *(unit.name for unit in manifest.units)})),
        renewed=tuple(sorted(renewed)),
        role=_password(step.slug, manifest.database) if manifest.database else None,
    )
    files.make_directory(_journal(project).parent, 0o700)
    write_json(_journal(project), codec.encode(was))


def _file(path: Path) -> SavedFile | None:
    try:
        found = path.stat()
        return SavedFile(text=files.text_of(path), mode=found.st_mode & 0o7777, group=found.st_gid)
    except FileNotFoundError:
        return None


def _units(names: list[str]) -> dict[str, SavedUnit]:
    # A unit that ended and is about to be started again counts as running.
    running = ("active", "activating", "reloading")
    return {
        name: SavedUnit(exists=paths.unit(name).exists(), active=state.active in running, invocation=state.invocation)
        for name, state in units.show_all(names).items()
    }


def _password(slug: str, role: RolePassword) -> SavedPassword | None:
    found = passwords.find(slug, role.role, role.digest)
    return None if found.live == found.staged else SavedPassword(name=role.role, verifier=found.live, port=found.port)


def restore(step: Step[object]) -> None:
    """Put everything back as the journal says, and start what ran.

    Every part is tried. Raises Failure for those that failed: the journal stays, and the next run tries again.
    """
    project, was = step.project, Journal.read(step.project)
    if was is None:
        return
    put_back = functools.partial
    places: dict[str, SavedFile | str | None] = {**was.files, **was.links}
    live = put_back(write_json, project.live, codec.encode(was.live)) if was.live else None
    # What visitors need comes first; the password before the processes that log in with it.
    parts: list[tuple[str, Callable[[], object]]] = [
        ("other units", put_back(_end_others, was)),
        *((path, put_back(_put_back_path, Path(path), saved)) for path, saved in places.items()),
        (str(project.live), live or put_back(remove_json, project.live)),
        ("sockets", put_back(_start_sockets, was)),
        ("units", put_back(systemctl, "enable", "--quiet", *was.running) if was.running else lambda: None),
        ("proxy", _reload_proxy),
        ("password", put_back(_put_back_password, was.role)),
        ("processes", put_back(_start_processes, was)),
        ("visitors", put_back(_lead_back, project, was.live)),
    ]
    left = []
    for name, part in parts:
        try:
            part()
        except Exception as error:  # noqa: BLE001  # whatever it is, the other parts are put back
            left.append(f"{name}: {str(error) or error.__class__.__name__}")
    if left:
        cause = "it could not all be put back:\n" + "\n".join(left)
        fix = "correct that on the server, then run pulumi up again: it starts by putting the rest back"
        raise Failure("what was live before the switch", cause, fix)
    ended(project)
    remove_json(_journal(project))


def _end_others(was: Journal) -> None:
    """Stop what did not run, sockets first, or they would start their service again; disable what was not there."""
    others = [name for name, unit in was.units.items() if not unit.active]
    if running := [name for name, state in units.show_all(others).items() if not state.has_ended]:
        systemctl("stop", *sorted(running, key=lambda name: (not _is_socket(name), name)))
    if new := [name for name in others if not was.units[name].exists and paths.unit(name).exists()]:
        systemctl("disable", "--quiet", *new)


def _put_back_path(path: Path, saved: SavedFile | str | None) -> None:
    """Put back a file, or a link by its target; None: there was nothing."""
    if saved is None:
        files.remove_path(path)
    elif isinstance(saved, str):
        files.make_link(path, saved)
    else:
        files.write_file(path, saved.text, saved.mode, "root", grp.getgrgid(saved.group).gr_name)


def _start_sockets(was: Journal) -> None:
    systemctl("daemon-reload")
    for name in filter(_is_socket, was.running):
        state = units.show(name)
        if state.active != "active":
            systemctl("start", name)
        elif name in was.renewed and state.invocation != was.units[name].invocation:
            units.restart_socket(name)


def _is_socket(name: str) -> bool:
    return name.endswith(".socket")


def _reload_proxy() -> None:
    # Where another site's file keeps nginx from reloading, it goes on with the configuration that it has.
    if commands.run(["nginx", "-t", "-q"], check=False).ok:
        nginx.reload(start=True)


def _put_back_password(role: SavedPassword | None) -> None:
    if role and passwords.stored_verifier(role.port, role.name) != role.verifier:
        passwords.restore(role.name, role.verifier, role.port)


def _start_processes(was: Journal) -> None:
    """Start what ran, and replace each process that the switch replaced; leave the others alone."""
    before = units.show_all([name for name in was.running if not _is_socket(name)])
    ended = [name for name, state in before.items() if state.active != "active"]
    others = [name for name, state in before.items() if state.invocation != was.units[name].invocation]
    renewed = [name for name in before if name in was.renewed and name in (*ended, *others)]
    ended = [name for name in ended if name not in was.renewed]
    # Each verb once for all: several workers finish their work at the same time.
    for verb, names in (("restart", renewed), ("start", ended)):
        if names:
            systemctl(verb, *names, check=False)
    # A unit that was started and failed by itself again is as it was.
    after = units.show_all([*renewed, *ended])
    same = [name for name, state in after.items() if state.invocation == before[name].invocation != ""]
    if left := [name for name, state in after.items() if state.active == "inactive" or name in same]:
        raise Failure(", ".join(left), "not started again")


def _lead_back(project: ProjectPaths, manifest: Manifest | None) -> None:
    """Send visitors to the live process again once it answers, whatever it answers: that was checked at its switch."""
    if not hand_over.is_away(project):
        return
    if manifest:
        question, seconds = Question(manifest.health, manifest.health.hosts[0]), manifest.health.timeout
        door = Door(socket=str(project.kept_socket))
        units.wait_until(lambda: question.ask(door, seconds).answers[0].status != 0, seconds)
    hand_over.to_live(project)
