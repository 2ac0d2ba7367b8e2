"""Another release: which commits come and go, and what else it is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from codesensei.source import Checkout, History, Side, history
from codesensei.source.history import MOST
from codesensei.story.section import Section, section, shortened
from codesensei.story.served import Served
from codesensei.wire import codec, steps

NAME = "release"
# What a person calls the parts of a build, and what an empty one means.
_PARTS = {
    "directory": "directory",
    "settings_module": "settingsModule",
    "requirements": "requirements",
    "python": "python",
    "installer": "installer",
    "static": "static",
}
OTHER_BUILD = "the state has another build than the one that serves: Python, installer, web server or hooks may change"
_EMPTY = {"python": "the server's"}


def ended(release: str, url: str) -> Section:
    """The last line of an update: what serves now, as the switch has read it back."""
    return Section("live", (f"{url} serves {release}",))


def of_release(served: Served, name: str, checkout: Checkout, build: steps.Build) -> Section:
    """From the release that serves to `name`, which is made from the rest."""
    if name == served.release:
        return Section(NAME)
    found = history(checkout, served.revision) if checkout.revision != served.revision else None
    head = f"{served.release} -> {name}, {_way(found, served.revision, checkout)}"
    if checkout.branch:
        head += f", branch {checkout.branch}"
    commits = (*_commits("+", found.new), *_commits("-", found.lost)) if found else ()
    return Section(NAME, (shortened(head), *commits, *section(NAME, *_others(served.build, build)).entries))


def _way(found: History | None, served: str, checkout: Checkout) -> str:
    """How one gets from the commit that serves to the one that is asked for."""
    # What follows it must not be what a long line loses.
    wanted = shortened(f"{checkout.short} {checkout.subject}", 40)
    if found is None:
        return f"the same commit {wanted}"
    if not served:
        return f"to {wanted}; which commit serves is not in the state"
    if not found.known:
        # A repository that a URL names was asked for it just now.
        is_fetched = checkout.origin is not None and bool(checkout.origin.url)
        where = "the repository any more" if is_fetched else "this repository (git fetch brings it)"
        return f"to {wanted}; {served[:7]}, which serves, is not in {where}"
    # A release's own name is none of a commit.
    words = [f"commit {served[:7]} -> {checkout.short}"]
    if any(found.tags):
        words.append(" -> ".join(tag or "no tag" for tag in found.tags))
    new, lost = found.new, found.lost
    if new.count and lost.count:
        words.append(f"sideways to {wanted}: {_counted(new)}, without {lost.counted} that serve now")
    elif lost.count:
        words.append(f"goes back over {lost.counted} to {wanted}")
    else:
        words.append(_counted(new))
    if not found.whole:
        words.append("counted in a clone without its whole history")
    return ", ".join(words)


def _counted(side: Side) -> str:
    return f"{side.counted} by {side.people} {'person' if side.people == 1 else 'people'}"


def _commits(sign: str, side: Side) -> tuple[str, ...]:
    count = "many" if side.count > MOST else side.count - len(side.newest)
    more = [f"{sign} and {count} more"] if side.count > len(side.newest) else []
    return tuple(shortened(line) for line in (*(f"{sign} {commit}" for commit in side.newest), *more))


def _others(serves: steps.Build | None, build: steps.Build) -> Iterator[list[str]]:
    """What else is different code: parts of the build, and hooks."""
    if serves is None:
        # A deploy that ended before its switch has left another one's, or an earlier version in another form.
        yield [OTHER_BUILD]
        return
    for name, called in _PARTS.items():
        was, wanted = (getattr(of, name) or _EMPTY.get(name, "none") for of in (serves, build))
        if was != wanted:
            yield [f"{called} {was} -> {wanted}"]
    if serves.server != build.server:
        yield [f"web server {serves.server.name} -> {build.server.name}"]
    for name, before, after in _hooks(serves.hooks, build.hooks):
        yield [f"{name} - {line}" for line in before if line not in after]
        yield [f"{name} + {line}" for line in after if line not in before]
        if before != after and sorted(before) == sorted(after):
            yield [f"{name} in another order"]


def _hooks(was: steps.Hooks, wanted: steps.Hooks) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    for field in dataclasses.fields(steps.Hooks):
        yield f"hook {codec.key_of(field.name)}", getattr(was, field.name), getattr(wanted, field.name)
