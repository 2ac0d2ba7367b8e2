"""A release: one commit with its packages, hooks, migrations and static files, complete before anybody sees it."""

from __future__ import annotations

from pulumi import ResourceOptions

from codesensei import remote
from codesensei.config import Stack, waived_on_server
from codesensei.source import Code
from codesensei.wire import codec, steps
from components.base import Component, warn_of
from components.environment import Environment
from components.server import Server


class Release(Component):
    """`releases/<release>` on the server: built by an unprivileged user, then owned by root and never changed.

    The step `build` unpacks the code, installs its packages, asks Django for its settings, and runs hooks, migrations
    and collectstatic, once for a release. Before the switch visitors see only what hooks and migrations change.
    """

    def __init__(
        self, *, stack: Stack, server: Server, environment: Environment, code: Code, opts: ResourceOptions
    ) -> None:
        checkout, access, release = code.checkout, server.access, environment.release
        shown = {
            "revision": checkout.revision,
            "subject": checkout.subject,
            "release": release,
            "python": stack.config.project.python or "the server's",
            "interface": code.settings.interface,
            "application": code.settings.application,
            "requirements": list(code.requirements.files),
            "migrations": list(code.migrations),
            "hooks": codec.encode(hooks(stack)),
            **_of_migrations(stack),
        }
        super().__init__(stack.slug, shown, opts)
        name, child = f"{stack.slug}-source", ResourceOptions(parent=self)
        copied = remote.copy_source(name, access, tar=checkout.tar_path, revision=checkout.revision, opts=child)
        self.before = [copied]
        built = self.step(access, steps.BUILD, build_data(stack, code), release, checkout.revision)
        built.apply(lambda answer: warn_of(answer, "step build"))
        self.register_outputs({"release": release, "revision": checkout.revision})


def _of_migrations(stack: Stack) -> dict[str, object]:
    """What the stack file says of how they run, beyond what is usual."""
    keys = {"lock_timeout", "migration_timeout", "keep_defaults", "rehearse", "dump_keep"}
    said = stack.config.database.model_dump(include=keys, exclude_defaults=True, by_alias=True)
    keys = {"collectstatic", "acknowledge_migrations"}
    return said | stack.config.project.model_dump(include=keys, exclude_defaults=True, by_alias=True)


def build_data(stack: Stack, code: Code) -> steps.Build:
    """What the step `build` gets: code and packages, what Django's settings must agree with, hooks, migrations."""
    config, settings, database = stack.config.project, code.settings, stack.database
    asgi_decided = {config.interface, config.server} != {"auto"} or config.asgi_application
    wsgi_decided = config.wsgi_application or settings.interface == "asgi"
    tar = remote.incoming_path(stack.slug, code.checkout.revision, stack.config.server.host_key)
    return steps.Build(
        user=stack.user,
        source=steps.SourceArchive(tar=tar, sha256=code.checkout.tar_sha256),
        directory=settings.django_directory,
        settings_module=config.settings_module,
        requirements=config.requirements,
        install_from=code.requirements.directory,
        in_place=code.requirements.in_place,
        venv_id=code.packages_id,
        python=config.python,
        installer=config.installer,
        hashed=code.requirements.hashed,
        lock=code.requirements.lock,
        uv=code.requirements.uv,
        server=code.server.package,
        asgi_declared=None if asgi_decided else settings.interface == "asgi",
        wsgi_declared=None if wsgi_decided else settings.application,
        static=config.static,
        static_url=settings.static_url,
        media_url=settings.media_url if config.media_kind != "none" else None,
        database=steps.BuildDatabase(
            kind=database.kind, name=database.name, role=database.role, variables=database.variables
        ),
        shared_paths=config.shared_paths,
        media=config.media,
        production=stack.config.production,
        adopt=stack.config.adopt,
        shares=stack.config.shares,
        sandbox=config.loosened,
        waived=waived_on_server(stack.config),
        plain_http=stack.scheme == "http",
        backups=stack.config.backups is not None,
        hooks=hooks(stack),
        collectstatic=config.collectstatic,
        lock_timeout=stack.config.database.lock_timeout,
        migration_timeout=stack.config.database.migration_timeout,
        acknowledge_migrations=config.acknowledge_migrations,
        dump_keep=stack.config.database.dump_keep,
        keep_defaults=stack.config.database.keep_defaults,
        rehearse=stack.config.database.rehearse,
    )


def hooks(stack: Stack) -> steps.Hooks:
    """The hooks of a release; those that run after the switch belong to the switch."""
    return steps.Hooks(**stack.config.project.hooks.model_dump(exclude={"after_switch"}))
