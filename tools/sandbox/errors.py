"""The one error that the sandbox raises on purpose."""

from __future__ import annotations


class SandboxError(Exception):
    """Something the sandbox cannot do; its text is one or two sentences: what, and the fix."""
