"""Other variables, by name: plain ones with their values, secret ones with keyed digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from codesensei.story.section import Section, apart, section, shortened
from codesensei.story.served import Served
from codesensei.wire import digests, envfile
from codesensei.wire.names import variables_of
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

NAME = "variables"
LONGEST = 60
# Of a keyed digest: enough to tell two values apart.
DIGITS = 4


@dataclass(frozen=True)
class Variable:
    """What a process will read; None where the update makes it. `origin`: where it is from, if not the stack file."""

    value: str | None = field(repr=False)
    secret: bool
    origin: str = ""


def of_variables(served: Served, release: str, wanted: Mapping[str, Variable], key: str | None) -> Section:
    """From the variables that serve to those of `release`, of which secret ones get digests with the stack's `key`.

    Without a key nothing is shown that depends on a secret value.
    """
    if variables_of(served.release) == variables_of(release):
        return Section(NAME)
    if served.environment is None:
        return section(NAME, ["changed; which ones is not known: the state has others than those that serve"])
    known = envfile.parse(served.environment.content)
    secret = served.environment.secret_names
    was = {name: Variable(value, name in secret) for name, value in known.items()}
    return section(NAME, _changes(was, wanted, key))


def _changes(was: Mapping[str, Variable], wanted: Mapping[str, Variable], key: str | None) -> Iterator[str]:
    for name in sorted({*was, *wanted}):
        before, after = was.get(name), wanted.get(name)
        if after is None:
            yield f"- {name}"
        elif before is None:
            yield f"+ {name} {given(after)}"
        elif before.secret != after.secret:
            same = "the same value" if before.value == after.value else "another value"
            yield f"{name} {'is secret now' if after.secret else 'is no secret any more'}, {same}"
        elif before.value != after.value:
            yield f"{name} {_changed(before, after, key)}"


def given(variable: Variable) -> str:
    """What is said of a variable that comes."""
    if variable.origin:
        return f"({variable.origin})"
    return (
        "(secret)"
        if variable.secret or variable.value is None
        else _quoted(variable.value, shortened(variable.value, LONGEST))
    )


def _changed(was: Variable, wanted: Variable, key: str | None) -> str:
    if was.value is None or wanted.value is None:
        return f"changed ({wanted.origin or 'made in this run'})"
    if wanted.secret and not key:
        return "changed"
    if wanted.secret and key:
        before, after = (digests.keyed(key, value)[:DIGITS] for value in (was.value, wanted.value))
        return f"changed (digest {before} -> {after})"
    old, new = apart(was.value, wanted.value, LONGEST)
    return f"{_quoted(was.value, old)} -> {_quoted(wanted.value, new)}"


def _quoted(value: str, shown: str) -> str:
    """The value as it is `shown`, with its length where that is not the whole."""
    return f'"{shown}"' + (f" ({len(value)} characters)" if shown != printable(value) else "")
