"""Where a path is after all links of a tree."""

from __future__ import annotations

import pytest

from codesensei.wire import links

LINKS = {
    "current": "releases/a",
    "releases/a/static": "../../shared/static",
    "up": "..",
    "out": "a/../../x",
    "absolute": "/etc",
    "loop": "loop",
    "one": "two/x",
    "two": "one",
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ""),
        (".", ""),
        ("a//b/./c", "a/b/c"),
        ("a/../b", "b"),
        ("..", None),
        ("a/../../b", None),
        ("current/manage.py", "releases/a/manage.py"),
        ("current/static/app.css", "shared/static/app.css"),
        ("up", None),
        ("out", None),
        ("absolute/passwd", None),
        ("loop", links.CIRCLE),
        ("one", links.CIRCLE),
    ],
)
def test_a_path_is_followed_inside_the_tree_alone(path: str, found: str | None) -> None:
    assert links.resolve(LINKS, path) == found
