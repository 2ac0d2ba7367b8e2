"""What lies between two commits: the one that serves, and the one that is asked for."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from codesensei.source.archive import Checkout
from codesensei.source.command import GitFailure, plain_git
from codesensei.source.git import has
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

# More are not counted: reading them would take longer than a reader's patience.
MOST = 1000
NAMED = 10
_FIELDS = "--format=%h%x00%ae%x00%s"


@dataclass(frozen=True)
class Side:
    """The commits that only one of the two has: how many, by how many people, and the newest as `9fdf0d4 Subject`."""

    count: int = 0
    people: int = 0
    newest: tuple[str, ...] = ()

    @property
    def counted(self) -> str:
        """The number in words."""
        number = f"more than {MOST}" if self.count > MOST else str(self.count)
        return f"{number} commit{'' if self.count == 1 else 's'}"


@dataclass(frozen=True)
class History:
    """`new` has what is asked for and does not serve, `lost` what serves and is not asked for.

    `tags` are those of the two commits, empty where one has none. `known` is False where the repository does not have
    the commit that serves, `whole` where it was cloned without all of its history.
    """

    known: bool
    new: Side = field(default_factory=Side)
    lost: Side = field(default_factory=Side)
    tags: tuple[str, str] = ("", "")
    whole: bool = True


def history(checkout: Checkout, served: str) -> History:
    """What lies between the commit `served` and the checkout's, as far as the repository on this machine knows."""
    if checkout.origin is None or not has(checkout.origin, served):
        return History(known=False)
    repository, wanted = checkout.origin.objects.parent, checkout.revision
    try:
        return History(
            True,
            _side(repository, served, wanted),
            _side(repository, wanted, served),
            (_tag(repository, served), _tag(repository, wanted)),
            plain_git(repository, "rev-parse", "--is-shallow-repository").strip() != "true",
        )
    except GitFailure:
        return History(known=False)


def _side(repository: Path, without: str, of: str) -> Side:
    words = ("log", "-z", "--no-show-signature", "--no-color", f"--max-count={MOST + 1}", _FIELDS)
    told = plain_git(repository, "-c", "core.abbrev=7", *words, f"{without}..{of}", "--")
    # With -z a NUL ends each commit as it ends each field.
    fields = told.split("\0")[:-1]
    commits = [*zip(fields[::3], fields[1::3], fields[2::3], strict=True)]
    newest = tuple(printable(f"{short} {subject}") for short, _, subject in commits[:NAMED])
    return Side(len(commits), len({person for _, person, _ in commits}), newest)


def _tag(repository: Path, commit: str) -> str:
    """The newest tag of a commit; empty where it has none."""
    words = ("for-each-ref", "--count=1", "--sort=-creatordate", "--format=%(refname:strip=2)")
    return printable(plain_git(repository, *words, f"--points-at={commit}", "refs/tags").strip())
