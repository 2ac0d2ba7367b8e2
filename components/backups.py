"""Backups of the project's data: what the server needs to make them by itself."""

from __future__ import annotations

from pulumi import Output, ResourceOptions

from codesensei import remote
from codesensei.config import Stack
from codesensei.render import backups
from codesensei.source import Code
from codesensei.wire import steps
from codesensei.wire.steps import MADE_HERE
from components.base import Component, read_answer
from components.database import keyed
from components.generated import Generated
from components.server import Server


class Backups(Component):
    """A timer and its service, made after the switch: there is something to back up, and no deploy waits for it."""

    def __init__(
        self, *, stack: Stack, server: Server, generated: Generated, code: Code, opts: ResourceOptions
    ) -> None:
        config = stack.config.backups
        assert config is not None
        shown = {"to": config.to, "schedule": config.schedule, "keep": config.keep.model_dump(), "media": config.media}
        if config.database == "continuous":
            shown["database"] = f"continuous: restored to any moment of {config.days} days"
        given = {"host_key", "access_key", "region", "root_certificate"}
        shown |= config.model_dump(include=given, exclude_defaults=True, by_alias=True)
        secrets = {"password": stack.secrets.backup_password, "secretKey": stack.secrets.backup_key}
        shown |= {key: keyed(generated.digest_key, secret) for key, secret in secrets.items() if secret is not None}
        super().__init__(stack.slug, shown, opts)
        if stack.database.kind in ("external", "none"):
            where = "its provider has to" if stack.database.kind == "external" else "it is one of your own"
            remote.warn(f"codesensei:backups: the database is not backed up: {where}")
        data = Output.all(generated.backup_password, stack.secrets.backup_key or Output.secret("")).apply(
            lambda known: backup_data(stack, code.settings.django_directory, known[0], known[1])
        )
        answer = self.step(server.access, steps.BACKUPS, data)
        answer.apply(lambda text: read_answer(steps.BackupSaid, text, "step backups"))
        self.register_outputs({})


def backup_data(stack: Stack, directory: str, password: str, secret_key: str) -> steps.Backup:
    """What the step gets."""
    config, project, place = stack.config.backups, stack.config.project, stack.database
    assert config is not None
    database = None
    if place.kind in (*MADE_HERE, "sqlite"):
        database = steps.DatabasePlace(
            kind=place.kind, name=place.name, role=place.role, host=place.host, port=place.port
        )
    folders = tuple(dict.fromkeys((project.media, *project.shared_paths))) if config.media else ()
    return steps.Backup(
        to=config.to,
        user=stack.user,
        directory=directory,
        period=steps.PERIODS[config.schedule],
        keep=steps.KeepBackups(
            daily=config.keep.daily, weekly=config.keep.weekly, monthly=0 if config.days else config.keep.monthly
        ),
        folders=folders,
        database=database,
        service=backups.service(
            stack.paths, title=project.name or stack.slug, to=config.to, continuous=config.days > 0
        ),
        timer=backups.timer(stack.paths, title=project.name or stack.slug, schedule=config.schedule),
        days=config.days,
        host_key=config.host_key or "",
        access_key=config.access_key,
        region=config.region or "",
        root_certificate=config.root_certificate or "",
        secret_key=secret_key,
        password=password,
    )
