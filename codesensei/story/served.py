"""What serves now, as far as the stack's state has it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Protocol, TypeVar

from codesensei.source import Checkout, SourceError, at
from codesensei.story.section import Section, section
from codesensei.wire import codec, envfile, steps
from codesensei.wire.codec import WireError
from codesensei.wire.manifest import Manifest
from codesensei.wire.names import code_of, variables_of
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import StepKind

D = TypeVar("D")
T = TypeVar("T")


class Done(Protocol):
    """A step that the state holds as done."""

    @property
    def words(self) -> tuple[str, ...]:
        """Those of its line."""

    @property
    def data(self) -> str:
        """What it got."""


@dataclass(frozen=True)
class Served:
    """The release and the commit that serve, and what they were made from.

    A part is None where the state has another one: of a deploy that ended before its switch, or of a version of the
    program that wrote it in another form.
    """

    release: str
    revision: str
    manifest: Manifest | None = None
    build: steps.Build | None = None
    environment: steps.Environment | None = field(default=None, repr=False)

    @classmethod
    def of(cls, release: str, revision: str, done: Mapping[str, Done]) -> Served:
        """What serves, where the stack's outputs name this release and commit."""
        return cls(
            release,
            revision,
            _given(done, steps.SWITCH, release),
            _given(done, steps.BUILD, release),
            _given(done, steps.ENVIRONMENT, variables_of(release)),
        )


def serving(release: str, state: Served, done: Mapping[str, Done], commits: Mapping[str, str]) -> Served:
    """What serves where the server says `release`; where `state` has another one, as much as is known of it.

    A run that ended between the server's switch and the writing of the state has left its earlier steps there.
    `commits` are those of releases, by the digits of their code.
    """
    if release == state.release:
        return state
    build = done.get(steps.BUILD.name)
    words = build.words if build else ()
    commit = words[3] if release in words[2:3] else commits.get(code_of(release), "")
    return Served.of(release, commit, done)


def with_same_password(served: Served, wanted: Manifest, values: Mapping[str, str | None]) -> Manifest:
    """The manifest, with the digest that serves where only the key of the digests is another, not the password.

    `values` are those of the next release's variables.
    """
    before, was = served.environment, served.manifest
    if before is None or was is None or not before.managed_names:
        return wanted
    known = envfile.parse(before.content)
    is_same = all(name in known and known[name] == values.get(name) for name in before.managed_names)
    return replace(wanted, database=was.database) if is_same and was.database and wanted.database else wanted


def of_served(name: str, served: Served, checkout: Checkout, read: Callable[[Checkout], T]) -> T | Section:
    """What is read of the commit that serves; where that cannot be, a section of this name that says why."""
    try:
        found = at(checkout, served.revision)
        if found is None:
            return section(name, ["those that serve now are not known: this repository does not have their commit"])
        return read(found)
    except SourceError as error:
        return section(name, [f"those that serve now cannot be read: {error.thing}: {error.cause}"])


def _given(done: Mapping[str, Done], kind: StepKind[D], argument: str) -> D | None:
    """What a step got, if it was run for this release, or for its variables."""
    step = done.get(kind.name)
    return None if step is None or argument not in step.words[2:3] else latest(done, kind)


def latest(done: Mapping[str, Done], kind: StepKind[D]) -> D | None:
    """What a step got when it last ran; None where the state does not tell, or tells it in another version's form."""
    step = done.get(kind.name)
    if step is None:
        return None
    with contextlib.suppress(ValueError, WireError):
        return codec.decode(kind.data, codec.plain(step.data), f"step {kind.name}", kept=True)
    return None
