"""Sites of nginx that somebody else wrote and that would get visitors of the project."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from codesensei.scripts.base import register
from codesensei.scripts.base.sites import Configuration, Site
from codesensei.scripts.base.step import Failure
from codesensei.scripts.base.together import raise_all
from codesensei.wire import paths
from codesensei.wire.names import asked_name, is_pattern, is_served
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass

PORTS = (80, 443)
NO_NAMES = {"", "_"}


@dataclass(frozen=True)
class Rival:
    """A file of nginx's: what of the project's it has, why, and the fix.

    `removable`: it serves nothing else, so `adopt` disables it. `of_stack`: another project's site.
    """

    file: str
    thing: str
    cause: str
    fix: str
    removable: bool = False
    of_stack: bool = False


def refuse(found: Iterable[Rival], *, adopt: bool) -> None:
    """Raise Failure for rivals, but those that `adopt` disables."""
    left = [rival for rival in found if not (adopt and rival.removable)]
    raise_all(Failure(rival.thing, rival.cause, rival.fix) for rival in left)


def rivals(
    configuration: Configuration, project: ProjectPaths, hostnames: Iterable[str], addresses: Collection[str]
) -> list[Rival]:
    """Those that have one of `hostnames`, or all that comes to one of the server's own `addresses`."""
    wanted = sorted({f"[{name}]" if ":" in name else name.lower() for name in hostnames})
    found = []
    for file, group in _by_file(configuration, project).items():
        names = {name for site in group for name in site.names} - NO_NAMES
        taken = [name for name in wanted if any(_claims(one, name) for one in names)]
        alone = sorted({listen.address for site in group for listen in site.listens} & set(addresses))
        if taken:
            others = sorted(one for one in names if not any(_claims(one, name) for name in wanted))
            found.append(_named(file, ", ".join(taken), others))
        elif alone:
            what = f"the nginx site {file} listens on this address itself, so nginx gives it all requests to it"
            fix = f"write the listen lines of {file} without the address"
            found.append(Rival(file, f"address {', '.join(alone)}", what, fix))
    return found


def displaced(configuration: Configuration, project: ProjectPaths, hostnames: Iterable[str]) -> list[str]:
    """Sentences: which other sites had these hostnames by a pattern, and which have one that a pattern is for.

    nginx prefers a name that is written out, then the longer pattern, then a regular expression.
    """
    said = []
    for file, group in _by_file(configuration, project).items():
        theirs = dict.fromkeys(one for site in group for one in site.names)
        for one, name in itertools.product(theirs, hostnames):
            if _is_below(one, name):
                said.append(f"{file} serves {one}, so this project does not, although it has {name}")
            elif not _claims(one, name) and _covers(one, asked_name(name)):
                said.append(f"{file} has served {name} as {one}; this project does now")
    return said


def nameless(configuration: Configuration, project: ProjectPaths) -> list[Rival]:
    """Sites that are found only because no other one is, and are no default: the first project takes their visitors."""
    base, default = paths.SERVER.nginx_base, paths.SERVER.nginx / "sites-enabled" / "default"
    if str(base) in configuration.files:
        return []
    cause = "the nginx site {} has no server_name, and with codesensei an unknown host is no project's"
    fix = "in {}, write its hostnames as server_name, or default_server into each of its listen lines; or remove it"
    return [
        Rival(file, f"hosts without a name in {file}", cause.format(file), fix.format(file))
        for file, group in _by_file(configuration, project).items()
        if file != str(default) and any(_is_lost(site) for site in group)
    ]


def _is_lost(site: Site) -> bool:
    return not set(site.names) - NO_NAMES and len(site.default_of) < len(site.listens)


def _by_file(configuration: Configuration, project: ProjectPaths) -> dict[str, list[Site]]:
    """The sites for visitors that are not the project's or shared by all projects, by the file that they are in."""
    ours = {os.path.realpath(path) for path in (project.site, paths.SERVER.nginx_base)}
    found: dict[str, list[Site]] = {}
    for site in configuration.sites:
        if os.path.realpath(site.file) not in ours and any(listen.port in PORTS for listen in site.listens):
            found.setdefault(site.file, []).append(site)
    return found


def _named(file: str, taken: str, others: list[str]) -> Rival:
    slugs = register.entries()
    slug = next((slug for slug in slugs if os.path.realpath(file) == os.path.realpath(ProjectPaths(slug).site)), "")
    cause = f"the nginx site {file}, which codesensei did not write, already serves it"
    fix = f"remove the name (or the whole site) from {file}, or choose another hostname"
    if slug:
        cause = f"the nginx site of the stack {slugs[slug].stack} (slug {slug}) serves it"
        fix = "remove it from that stack and deploy that, or choose another hostname"
    folder = Path(file).parent
    removable = not others and folder.parent == paths.SERVER.nginx and folder.name in ("sites-enabled", "conf.d")
    if removable:
        fix += ", or take the site's place with codesensei:adopt: true"
    elif others:
        fix += f" (adopt cannot take its place: it serves {', '.join(others)} too)"
    return Rival(file, f"hostname {taken}", cause, fix, removable, of_stack=bool(slug))


def _claims(pattern: str, name: str) -> bool:
    """Whether a server_name is this very name or pattern; a leading dot stands for the name and all below it."""
    return name in (pattern, pattern.removeprefix("."), f"*{pattern}" if pattern.startswith(".") else pattern)


def _is_below(one: str, name: str) -> bool:
    """Whether a server_name is for less than the pattern `name`."""
    plain = one.removeprefix("*").lstrip(".")
    return is_pattern(name) and not one.startswith("~") and is_served(plain, [name])


def _covers(pattern: str, name: str) -> bool:
    """Whether a server_name with a wildcard, or a regular expression, is also for this name."""
    if pattern.startswith("~"):
        with contextlib.suppress(re.error):
            # PCRE names its groups without the P.
            return re.search(re.sub(r"\(\?<(?=\w)", "(?P<", pattern[1:]), name) is not None
    if pattern.startswith(("*.", ".")):
        return name.endswith(pattern.removeprefix("*"))
    return pattern.endswith(".*") and name.startswith(pattern[:-1])
