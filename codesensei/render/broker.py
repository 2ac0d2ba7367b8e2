"""The broker's drop-in, read by Valkey and Redis alike."""

from __future__ import annotations

from codesensei.render.templates import render

DATABASES = 1024
# Raise it with every change of the text: of two stacks on one server, the newer text wins.
VERSION = 1


def config() -> str:
    """Loopback only, nothing evicted, everything kept over a restart, a database number for every stack."""
    return render("broker.conf.j2", databases=DATABASES)
