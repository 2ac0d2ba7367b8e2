"""The broker's drop-in, read by Valkey and Redis alike."""

from __future__ import annotations

from codesensei.render.templates import render

DATABASES = 1024


def config() -> str:
    """Loopback only, nothing evicted, everything kept over a restart, a database number for every stack."""
    return render("broker.conf.j2", databases=DATABASES)
