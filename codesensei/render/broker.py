"""The broker's drop-in, read by Valkey and Redis alike."""

from __future__ import annotations

from codesensei.render.templates import render

DATABASES = 1024
# Raise it with every change to the text: if two stacks on a server differ, the newer text wins.
VERSION = 1


def config() -> str:
    """Loopback only, nothing evicted, data kept across restarts, a database number for every stack."""
    return render("broker.conf.j2", databases=DATABASES)
