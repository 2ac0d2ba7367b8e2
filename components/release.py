"""A release: one commit with its packages, hooks, migrations and static files, complete before anybody sees it."""

from __future__ import annotations

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.source import Code
from codesensei.wire import codec, steps
from components.environment import Environment
from components.server import Server


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
        config, checkout = stack.config.project, code.checkout
        super().__init__(
            "codesensei:index:Release",
            name,
            {
                "revision": checkout.revision,
                "subject": checkout.subject,
                "release": environment.release,
                "python": config.python or "the server's",
                "interface": code.settings.interface,
                "application": code.settings.application,
                "requirements": list(code.requirements.files),
                "migrations": list(code.migrations),
                "hooks": codec.encode(hooks(stack)),
            },
            opts,
        )
        access = server.access
        copied = remote.copy_source(
            f"{name}-source",
            access,
            tar=checkout.tar_path,
            revision=checkout.revision,
            opts=pulumi.ResourceOptions(parent=self),
        )
        built = remote.remote_step(
            f"{name}-build",
            access,
            steps.BUILD,
            args=[environment.release, checkout.revision],
            data=build_data(stack, code),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[copied]),
        )
        remote.remote_step(
            f"{name}-prepare",
            access,
            steps.PREPARE,
            args=[environment.release, checkout.revision],
            data=prepare_data(stack, code),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[built]),
        )
        self.register_outputs({"release": environment.release, "revision": checkout.revision})


def build_data(stack: Stack, code: Code) -> steps.Build:
    """What the step `build` gets: where the code is, what is installed, what Django's settings must agree with."""
    config, settings, database = stack.config.project, code.settings, stack.database
    asgi_decided = {config.interface, config.server} != {"auto"} or config.asgi_application
    wsgi_decided = config.wsgi_application or settings.interface == "asgi"
    return steps.Build(
        user=stack.user,
        source=steps.Archive(
            tar=remote.incoming_path(stack.slug, code.checkout.revision, stack.config.server.host_key),
            sha256=code.checkout.tar_sha256,
        ),
        directory=settings.django_directory,
        settings_module=config.settings_module,
        requirements=config.requirements,
        install_from=code.requirements.directory,
        in_place=code.requirements.in_place,
        venv_id=code.packages_id,
        python=config.python,
        installer=config.installer,
        server=code.server.package,
        asgi_declared=None if asgi_decided else settings.interface == "asgi",
        wsgi_declared=None if wsgi_decided else settings.application,
        static=config.static,
        static_url=settings.static_url,
        media_url=settings.media_url if config.media_serving == "proxy" else None,
        database=steps.BuildDatabase(
            kind=database.kind, name=database.name, role=database.role, variables=database.variables
        ),
        production=stack.config.production,
    )


def prepare_data(stack: Stack, code: Code) -> steps.Prepare:
    """What the step `prepare` gets: hooks, and how migrations and static files are treated."""
    config = stack.config.project
    return steps.Prepare(
        user=stack.user,
        directory=code.settings.django_directory,
        settings_module=config.settings_module,
        hooks=hooks(stack),
        static=config.static,
        lock_timeout=stack.config.database.lock_timeout,
    )


def hooks(stack: Stack) -> steps.Hooks:
    """The hooks that belong to a release; those after the switch are the switch's."""
    given = stack.config.project.hooks
    return steps.Hooks(
        before_migrate=given.before_migrate,
        after_migrate=given.after_migrate,
        before_collectstatic=given.before_collectstatic,
        after_collectstatic=given.after_collectstatic,
    )
