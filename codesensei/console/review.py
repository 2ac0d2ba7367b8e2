"""`codesensei review`: a stack for each branch, made from another stack, deployed, listed and removed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from codesensei.config.load import parsed
from codesensei.config.project import SourceConfig
from codesensei.config.secrecy import StackFile, UnreadableStackFile, read_stack_file, secrecy_of
from codesensei.console import pinning, stackfile
from codesensei.console.derive import PREFIX, Review, derive, slug_of, stack_of
from codesensei.console.engine import PROJECT, Engine, stacks
from codesensei.console.errors import CommandError
from codesensei.console.server import Server
from codesensei.remote.agent import folder_of
from codesensei.source import SourceError, branches, checkout_of
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

Say = Callable[[str], None]
DUMP = b"PGDMP"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Deployed:
    """A review stack that was made or brought to another commit."""

    stack: str
    branch: str
    revision: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Known:
    """A review stack, as its file and its state have it; `gone` is None where nobody can tell of its branch."""

    stack: str
    branch: str = ""
    base: str = ""
    url: str = ""
    gone: bool | None = None
    why: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a new review stack is made with; an existing one keeps what it has."""

    apps_domain: str = ""
    data: bool = False
    dump: Path | None = None
    without: tuple[str, ...] = ()


def up(branch: str, base: Engine, wanted: Wanted, say: Say) -> Deployed:
    """Make the branch's stack where it is not there, bring it to the branch's commit, and deploy it.

    After a failure the same call goes on: it keeps what is there.
    """
    digest = _digest(wanted.dump) if wanted.dump else ""
    slug = _slug(_plain(base.name), base)
    engine = Engine(stack_of(slug_of(slug, branch)))
    file = pinning.file_of(engine.name)
    mark = _mark(file)
    _refuse_other(engine, mark, branch, base)
    if mark is None:
        values, sealed = base.opened()
        raw = parsed(values)
        commit = _commit(_source(raw, base), branch)
        review = derive(
            raw,
            base.name,
            branch,
            commit.revision,
            secrecy=secrecy_of(raw, sealed, _places(pinning.file_of(base.name))),
            apps_domain=wanted.apps_domain,
            data=wanted.data,
            dump=digest,
            without=wanted.without,
        )
        for note in review.notes:
            say(f"note: {note}")
        _make(engine, review, file, base.name)
        say(f"made the stack {engine.name} from {base.name}: {file}")
    else:
        _refuse_late(engine.name, mark, wanted, digest)
        if engine.name not in stacks():
            engine.init()
        commit = pinning.pin(engine.name, f"refs/heads/{branch}")
    say(f"{branch} is at {commit.revision[:12]} {printable(commit.subject)}")
    if wanted.dump:
        server = Server.of(engine)
        server.send(wanted.dump, ProjectPaths(server.slug).sent_dump(digest))
        say(f"sent {wanted.dump}")
    engine.change(say, "up", "--yes", "--skip-preview")
    return Deployed(engine.name, branch, commit.revision, _outputs(engine.state()).get("url", ""))


def find(name: str, base: str) -> str | None:
    """The review stack of a branch, or of this name; None where there is none. CommandError where there are several.

    Both stacks may be named with organization and project.
    """
    base, name = Engine(base).name, _alone(name)
    known = _of_files() | ({name: {}} if name.startswith(PREFIX) else {})
    there = [one for one in stacks() if one.startswith(PREFIX)]
    known |= {one: mark for one in there if one not in known and (mark := _state_mark(Engine(one)))}
    if name in known and (name in there or pinning.file_of(name).exists()):
        return name
    found = [one for one, mark in known.items() if mark.get("branch") == name and base in ("", mark.get("stack"))]
    if base and not found:
        made = stack_of(slug_of(_slug(_plain(base), Engine(base)), name))
        found = [made] if made in there else []
    if len(found) > 1:
        raise CommandError(f"branch {name}", f"several stacks are for it: {', '.join(found)}", "name one of them")
    return found[0] if found else None


def _alone(name: str) -> str:
    """The name of a review stack without organization and project; a branch, and anything else, as it is."""
    organization, *others = name.split("/")
    is_full = organization and len(others) == 2 and others[0] == PROJECT and others[1].startswith(PREFIX)
    return others[1] if is_full else name


def down(stack: str, say: Say) -> None:
    """Destroy a review stack with its data, and remove its state and its file; done before, it does nothing.

    CommandError for a stack that is none, is production, or has something protected.
    """
    engine, file = Engine(stack), pinning.file_of(stack)
    _refuse_unmarked(engine, file)
    if stack in stacks():
        if engine.state().get("resources"):
            engine.change(say, "destroy", "--yes", "--skip-preview")
        engine.remove()
    for path in (file, _new(file)):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder_of(stack), ignore_errors=True)
    say(f"{stack} is removed, with its database, its uploads and its file")


def known() -> list[Known]:
    """All review stacks, and whether their branches are there still."""
    there, files = stacks(), _of_files()
    names = sorted({one for one in there if one.startswith(PREFIX)} | set(files))
    asked: dict[str, frozenset[str] | SourceError] = {}
    return [_known(name, files.get(name, {}), name in there, asked) for name in names]


def _known(name: str, mark: Mapping[str, Any], is_stack: bool, asked: dict[str, frozenset[str] | SourceError]) -> Known:
    state = Engine(name).state() if is_stack else {}
    mark = mark or _mark_in(state)
    branch, base = str(mark.get("branch", "")), str(mark.get("stack", ""))
    one = Known(stack=name, branch=branch, base=base, url=_outputs(state).get("url", ""))
    if not branch:
        return replace(one, why="neither its file is here nor does its state say whose it is")
    try:
        source = _source(_plain(name if pinning.file_of(name).exists() else base), Engine(name))
    except CommandError as error:
        return replace(one, why=error.message.partition("\n")[0])
    key = str(source)
    if key not in asked:
        try:
            asked[key] = branches(source)
        except SourceError as error:
            asked[key] = error
    found = asked[key]
    if isinstance(found, SourceError):
        return replace(one, why=f"{found.thing}: {found.cause}")
    return replace(one, gone=branch not in found, why="" if is_stack else "there is its file alone")


def _make(engine: Engine, review: Review, file: Path, base: str) -> None:
    """The stack, then its file in one rename: one that is there is complete."""
    if engine.name not in stacks():
        engine.init()
    provider = stackfile.read(pinning.file_of(base)).get("secretsprovider")
    others = {"secretsprovider": provider} if provider else {}
    new = _new(file)
    head = f"Written by codesensei review up, from the stack {base}. It goes with codesensei review down."
    try:
        new.write_text(stackfile.text_of(review.plain, head, others))
        for place, value in review.secrets.items():
            engine.set_secret(new, ".".join(place), value)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def _new(file: Path) -> Path:
    """Where a stack file is written; the engine knows its form by the end of the name."""
    return file.with_name(f".new-{file.name}")


def _commit(source: SourceConfig, branch: str) -> Any:
    try:
        where = source.model_dump(exclude_none=True)
        return checkout_of(SourceConfig.model_validate({**where, "revision": f"refs/heads/{branch}"}))
    except ValidationError:
        raise CommandError(f"branch {printable(branch)}", "it cannot be one of that source", "name a branch") from None
    except SourceError as error:
        raise CommandError(error.thing, error.cause, error.fix) from None


def _places(file: Path) -> StackFile:
    try:
        return read_stack_file(file.read_text(), file.name)
    except UnreadableStackFile as error:
        raise CommandError(error.name, error.cause, error.fix) from None


def _source(raw: Mapping[str, Any], engine: Engine) -> SourceConfig:
    try:
        return SourceConfig.model_validate(raw["project"]["source"])
    except (ValidationError, KeyError, TypeError):
        fix = "pulumi preview tells what is wrong in it"
        raise CommandError(f"stack {engine.stack}", "its config names no source", fix) from None


def _slug(raw: Mapping[str, Any], engine: Engine) -> str:
    try:
        return str(raw["project"]["slug"])
    except (KeyError, TypeError):
        fix = "pulumi preview tells what is wrong in it"
        raise CommandError(f"stack {engine.stack}", "its config names no project", fix) from None


def _digest(dump: Path) -> str:
    """The SHA-256 of a dump in the form that pg_restore reads."""
    fix = "make it with: pg_dump --format=custom"
    try:
        with dump.open("rb") as file:
            head = file.read(len(DUMP))
            found = hashlib.sha256(head)
            while block := file.read(CHUNK):
                found.update(block)
    except OSError as error:
        raise CommandError(str(dump), f"it cannot be read: {error.strerror}", fix) from None
    if head != DUMP:
        raise CommandError(str(dump), "it is no dump that pg_restore reads", fix)
    return found.hexdigest()


# What says that a stack is a review stack: its file, and the first resource in its state


def _mark(file: Path) -> Mapping[str, Any] | None:
    """The key reviewOf of a stack file; None where there is none, or only what the engine has made of a new stack."""
    plain = _plain(file.name.removeprefix("Pulumi.").removesuffix(".yaml")) if file.exists() else {}
    if not plain:
        return None
    found = plain.get("reviewOf")
    return found if isinstance(found, dict) else {}


def _state_mark(engine: Engine) -> Mapping[str, Any]:
    return _mark_in(engine.state()) if engine.name in stacks() else {}


def _mark_in(state: Mapping[str, Any]) -> Mapping[str, Any]:
    for one in state.get("resources") or ():
        if one.get("type") == "codesensei:index:Server":
            found = one.get("inputs", {}).get("reviewOf")
            return found if isinstance(found, dict) else {}
    return {}


def _outputs(state: Mapping[str, Any]) -> Mapping[str, str]:
    resources: Iterable[Mapping[str, Any]] = state.get("resources") or ()
    return next((one.get("outputs", {}) for one in resources if one.get("type") == "pulumi:pulumi:Stack"), {})


def _of_files() -> dict[str, Mapping[str, Any]]:
    found = {}
    for file in sorted(pinning.FOLDER.glob(f"Pulumi.{PREFIX}*.yaml")):
        if mark := _mark(file):
            found[file.name.removeprefix("Pulumi.").removesuffix(".yaml")] = mark
    return found


def _plain(stack: str) -> dict[str, Any]:
    """The config in a stack file, keys without the namespace; secrets stay encrypted."""
    found = stackfile.read(pinning.file_of(stack)).get("config")
    return parsed({str(key).removeprefix("codesensei:"): value for key, value in (found or {}).items()})


def _refuse_other(engine: Engine, mark: Mapping[str, Any] | None, branch: str, base: Engine) -> None:
    """Refuse a stack that is for something else."""
    if mark is not None and not mark:
        fix = "rename the branch, or that stack"
        raise CommandError(f"stack {engine.name}", "its file does not say that it is a review stack", fix)
    mark = mark or _state_mark(engine)
    if mark and (mark.get("branch"), mark.get("stack")) != (branch, base.name):
        whose = f"{mark.get('branch')} from {mark.get('stack')}"
        fix = f"remove that one first: codesensei review down {engine.name}"
        raise CommandError(f"stack {engine.name}", f"it is for the branch {whose}", fix)


def _refuse_late(stack: str, mark: Mapping[str, Any], wanted: Wanted, digest: str) -> None:
    """Refuse what only a new stack can be made with."""
    late = {
        "--data": wanted.data and not mark.get("dataFrom"),
        "--dump": bool(digest) and mark.get("dump") != digest,
        "--apps-domain": bool(wanted.apps_domain),
        "--without": bool(wanted.without),
    }
    for option in (option for option, is_late in late.items() if is_late):
        fix = f"remove it first (codesensei review down {stack}), or edit its file"
        raise CommandError(f"stack {stack}", f"it is there already, and {option} is for a new one", fix)


def _refuse_unmarked(engine: Engine, file: Path) -> None:
    """Refuse to remove what may be anything but a review stack."""
    thing, fix = f"stack {engine.name}", "pulumi destroy removes it, if that is what you want"
    if not engine.name.startswith(PREFIX):
        raise CommandError(thing, f"it is no review stack, whose names begin with {PREFIX}", fix)
    if (mark := _mark(file)) is not None:
        if not mark:
            raise CommandError(thing, f"{file} does not say that it is a review stack (codesensei:reviewOf)", fix)
        if str(_plain(engine.name).get("production", "false")).lower() == "true":
            raise CommandError(thing, "it is production", fix)
    state = engine.state() if engine.name in stacks() else {}
    resources = state.get("resources") or []
    if resources and not _mark_in(state):
        raise CommandError(thing, "its state does not say that it is a review stack", fix)
    if held := [one["urn"].rpartition("::")[2] for one in resources if one.get("protect")]:
        raise CommandError(thing, f"{held[0]} is protected", "pulumi state unprotect, if it is to be removed")
