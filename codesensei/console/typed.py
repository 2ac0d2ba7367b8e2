"""Paths as somebody has typed them: relative to the folder in which the command was called."""

from __future__ import annotations

import os

# The program itself runs in the checkout; bin/codesensei says where it was called.
FROM = "CODESENSEI_FROM"


def typed_path(path: str) -> str:
    """The path as the program finds it: an absolute one where it was typed in another folder than the checkout."""
    folder = os.environ.get(FROM) or os.getcwd()
    return path if os.path.realpath(folder) == os.getcwd() else os.path.normpath(os.path.join(folder, path))
