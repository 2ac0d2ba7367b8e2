"""On which Debian releases a test runs."""

from __future__ import annotations

import pytest

RELEASES = (12, 13)


def each_debian(first: int) -> pytest.MarkDecorator:
    """Run a test on this release, and on the others where there is time (`make test-full`)."""
    others = [pytest.param(release, marks=pytest.mark.full) for release in RELEASES if release != first]
    return pytest.mark.parametrize("deployed", [first, *others], indirect=True)


def on_debian(first: int) -> pytest.MarkDecorator:
    """The same for tests of other stacks, which take the release as `debian`."""
    others = [pytest.param(release, marks=pytest.mark.full) for release in RELEASES if release != first]
    return pytest.mark.parametrize("debian", [first, *others])
