"""What each step did last, kept on the server: the look compares it with what is there now."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step, fingerprint, read_json, write_json
from codesensei.wire import codec, paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass

# Longer texts are not kept, and not compared line by line.
LONGEST_TEXT = 2**16


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One step: the digest of what it was last given, and what the files that it manages were like afterwards.

    `shared` are files that all projects write; `running` is the digest of a run that has not ended. `texts` are those
    of files without secrets. `owners` are the numbers of the users whose a folder is, `packages` those of the
    system, several with spaces between where any of them will do.
    """

    applied: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    running: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, int] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changed:
    """A path of which the fingerprint was `then` and is `now`."""

    path: str
    then: str
    now: str

    @property
    def words(self) -> str:
        """What a person reads of it first."""
        return f"{self.path} {'is gone' if self.now == 'absent' else 'was changed by hand'}"

    @property
    def has_another_text(self) -> bool:
        """Whether a file has another content, not only another owner or mode."""
        return self.now.startswith("file:") and self.now.rpartition(":")[2] != self.then.rpartition(":")[2]


def path_of(project: ProjectPaths, step: str) -> Path:
    return project.proofs / f"{step}.json"


def read(project: ProjectPaths, step: str) -> Proof:
    """The proof of a step; an empty one where it has never run."""
    path = path_of(project, step)
    return codec.decode(Proof, read_json(path, {}), str(path), kept=True)


def _write(step: Step[object], proof: Proof) -> None:
    path = path_of(step.project, step.name)
    if path.parent.is_dir():
        write_json(path, codec.encode(proof), copied=False)


def shared_path() -> Path:
    """The fingerprints of the files that all projects share; written only under the server's lock."""
    return paths.SERVER.memory / "shared.json"


def _shared() -> dict[str, str]:
    return dict(read_json(shared_path(), {}))


def begin(step: Step[object]) -> None:
    """Note that the step has started; the note shows that a run was interrupted."""
    _write(step, replace(read(step.project, step.name), running=step.digest))


def finish(step: Step[object]) -> None:
    """Note how the step left its files."""
    if step.shared:
        write_json(shared_path(), _shared() | {name: fingerprint(name) for name in step.shared}, copied=False)
    managed = {name: fingerprint(name) for name in step.managed}
    texts = {name: text for name in step.shown if (text := _short_text(name)) is not None}
    owners = {name: os.lstat(name).st_uid for name in step.owned}
    left = Proof(
        applied=step.digest,
        files=managed,
        shared=tuple(step.shared),
        texts=texts,
        owners=owners,
        packages=tuple(step.packages),
        users=tuple(step.users),
    )
    _write(step, left)


def _short_text(path: str) -> str | None:
    content = files.read_foreign(Path(path), limit=LONGEST_TEXT + 1)
    try:
        return content.decode() if len(content) <= LONGEST_TEXT else None
    except UnicodeDecodeError:
        return None


def abandon(step: Step[object]) -> None:
    """Note that the step failed and left everything as it was."""
    proof = read(step.project, step.name)
    if proof.running:
        _write(step, replace(proof, running=""))


def changed(proof: Proof) -> list[Changed]:
    """The files that differ from what the step left."""
    shared = _shared()
    then = {**proof.files, **{name: shared.get(name, "") for name in proof.shared}}
    found = (Changed(name, left, fingerprint(name)) for name, left in sorted(then.items()))
    return [each for each in found if each.now != each.then]


def drift(proof: Proof) -> list[str]:
    """What differs from what the step left: changed files, or a step that never ended."""
    found = [*(each.words for each in changed(proof)), *_disowned(proof)]
    found += [f"user {name} is gone" for name in proof.users if not files.is_user(name)]
    if proof.running:
        found.append("an earlier run was interrupted")
    return found


def _disowned(proof: Proof) -> Iterator[str]:
    """The folders that are gone, or another user's than the step left them; root's own link may be there instead."""
    for path, owner in sorted(proof.owners.items()):
        try:
            found = os.lstat(path)
        except OSError:
            yield f"{path} is gone"
            continue
        # A link whose owner counts is one of the files.
        led = stat.S_ISLNK(found.st_mode) and found.st_uid == 0 and path not in proof.files
        if found.st_uid != owner and not led:
            yield f"{path} belongs to {files.user_name(found.st_uid)}, not to {files.user_name(owner)}"
