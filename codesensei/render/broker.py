"""The shared broker's drop-in, and the configuration and unit of a stack's own; Valkey and Redis read them alike."""

from __future__ import annotations

from codesensei.render import systemd
from codesensei.render.templates import render
from codesensei.wire import broker, names
from codesensei.wire.paths import ProjectPaths

DATABASES = 1024
# Raise it with every change to the text: if two stacks on a server differ, the newer text wins.
VERSION = 1


def config() -> str:
    """Loopback only, nothing evicted, data kept across restarts, a database number for every stack."""
    return render("broker.conf.j2", databases=DATABASES)


def own_config(paths: ProjectPaths, number: int) -> str:
    """A stack's own broker: an address of its own, nothing evicted, data kept across restarts; without its password."""
    address, data = broker.own_address(number), str(paths.broker_data)
    return render("instance.conf.j2", address=address, port=broker.OWN_PORT, data=data)


def own_unit(paths: ProjectPaths, *, user: str, title: str) -> str:
    """Its unit, with a placeholder for the program. It runs as the app user: who takes it over is no more."""
    data = paths.broker_data
    return render(
        "instance.service.j2",
        title=title,
        user=user,
        web_unit=names.web_unit(paths.slug),
        command=systemd.command([names.BROKER_PLACEHOLDER, str(paths.broker_config)]),
        identifier=f"{paths.slug}-broker",
        state=f"{data.parent.name}/{data.name}",
    )
