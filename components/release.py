"""A release: one commit with its packages, hooks, migrations and static files, complete before anybody sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from codesensei import remote, source
from codesensei.config import Stack
from codesensei.config.project import Hooks
from components.environment import Environment
from components.server import Server

# Installed where the project's requirements do not bring one, under the project's own versions as constraints.
WEB_SERVERS = {"wsgi": ("gunicorn", "23.0.0"), "asgi": ("daphne", "4.1.2")}


@dataclass(frozen=True)
class Code:
    """What is built: the project at one commit, and what its own files say."""

    project: source.Checkout
    settings: source.SettingsFacts
    requirements: source.Closure
    migrations: tuple[str, ...]
    id: str
    packages_id: str


def read_code(stack: Stack, cache: Path | None = None) -> Code:
    """Read the project's source on this machine; every check that needs no server is done here, in preview.

    `cache` is where mirrors and archives are kept; default: the operator's own cache directory.
    """
    config = stack.config.project
    project = source.open_source(config, cache_dir=cache)
    directory = source.django_directory(project, config.directory)
    closure = source.requirements_closure(project, config.requirements, directory)
    settings = source.read_settings(project, config, closure)
    built_from = (config.python, config.installer, config.rebuild, settings.interface)
    code_id = source.code_id(project.revision, config.directory, closure, *built_from)
    packages = "\n".join((closure.digest, *built_from))
    return Code(
        project=project,
        settings=settings,
        requirements=closure,
        migrations=tuple(source.migrations(project)),
        id=code_id,
        # Requirements that are not fixed by their text alone (a local path, a moving branch) belong to one commit.
        packages_id=code_id if closure.per_release else hashlib.sha256(packages.encode()).hexdigest(),
    )


class Release(pulumi.ComponentResource):
    """`releases/<release>` on the server: built by an unprivileged user, then root's and never changed again."""

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        server: Server,
        environment: Environment,
        code: Code,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        config, project = stack.config.project, code.project
        super().__init__(
            "codesensei:index:Release",
            name,
            {
                "revision": project.revision,
                "subject": project.subject,
                "release": environment.release,
                "python": config.python or "the server's",
                "interface": code.settings.interface,
                "application": code.settings.application,
                "requirements": list(code.requirements.files),
                "migrations": list(code.migrations),
                "hooks": _hooks(config.hooks),
            },
            opts,
        )
        access = server.access
        copied = remote.copy_source(
            f"{name}-source",
            access,
            tar=project.tar_path,
            revision=project.revision,
            opts=pulumi.ResourceOptions(parent=self),
        )
        built = remote.remote_step(
            f"{name}-build",
            access,
            "build",
            args=[environment.release, project.revision],
            data=build_data(stack, code),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[copied]),
        )
        remote.remote_step(
            f"{name}-prepare",
            access,
            "prepare",
            args=[environment.release, project.revision],
            data=prepare_data(stack, code),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[built]),
        )
        self.register_outputs({"release": environment.release, "revision": project.revision})


def _declared(stack: Stack, code: Code) -> dict[str, bool | str | None]:
    """What was read of the settings, to be held against Django's own word; None where the stack config decides."""
    config, found = stack.config.project, code.settings
    asgi = None if config.interface != "auto" or config.asgi_application else found.interface == "asgi"
    wsgi = None if config.wsgi_application or found.interface == "asgi" else found.application
    return {"asgiDeclared": asgi, "wsgiDeclared": wsgi}


def build_data(stack: Stack, code: Code) -> Mapping[str, object]:
    """What the step `build` gets: where the code is, what is installed, what Django's settings must agree with."""
    config, project, server = stack.config.project, code.project, stack.config.server
    name, version = WEB_SERVERS[code.settings.interface]
    return {
        "user": stack.names.user,
        "source": {
            "tar": remote.incoming_path(stack.names.slug, project.revision, server.host_key),
            "sha256": project.tar_sha256,
        },
        "directory": code.settings.django_directory,
        "requirements": config.requirements,
        "requirementsFiles": list(code.requirements.files),
        "installFrom": code.requirements.directory,
        "inPlace": code.requirements.in_place,
        "venvId": code.packages_id,
        "python": config.python,
        "installer": config.installer,
        "server": {"name": name, "version": version},
        "settingsModule": config.settings_module,
        "interface": code.settings.interface,
        "application": code.settings.application,
        **_declared(stack, code),
        "static": config.static,
        "staticUrl": code.settings.static_url,
        "mediaUrl": code.settings.media_url if config.media_serving == "proxy" else None,
        "database": {
            "kind": stack.database.kind,
            "name": stack.database.name,
            "role": stack.database.role,
            "variables": dict(stack.database.variables),
        },
    }


def prepare_data(stack: Stack, code: Code) -> Mapping[str, object]:
    """What the step `prepare` gets: hooks, and how migrations and static files are treated."""
    config = stack.config.project
    return {
        "user": stack.names.user,
        "directory": code.settings.django_directory,
        "settingsModule": config.settings_module,
        "hooks": _hooks(config.hooks),
        "static": config.static,
        "lockTimeout": stack.config.database.lock_timeout,
    }


def _hooks(hooks: Hooks) -> dict[str, list[str]]:
    """The hooks that belong to a release; those after the switch are the switch's."""
    return {
        "beforeMigrate": list(hooks.before_migrate),
        "afterMigrate": list(hooks.after_migrate),
        "beforeCollectstatic": list(hooks.before_collectstatic),
        "afterCollectstatic": list(hooks.after_collectstatic),
    }
