"""What several projects on one server share, and the project's own user and directories."""

from __future__ import annotations

from pulumi import Output, ResourceOptions

from codesensei import remote
from codesensei.config import Stack
from codesensei.render import broker, site
from codesensei.wire import paths, steps
from codesensei.wire.steps import MADE_HERE, SharedFile
from components.base import Component, warn_of
from components.generated import Generated
from components.server import Server

CLOSES = "a firewall lets in SSH, 80 and 443 only, SSH takes keys only, and security updates install themselves"


class Provisioning(Component):
    """Packages, accounts and directories, nginx, the broker: visitors see none of it yet."""

    def __init__(self, *, stack: Stack, server: Server, generated: Generated, opts: ResourceOptions) -> None:
        config, project, database, access = stack.config, stack.config.project, stack.database, server.access
        postgresql = database.kind in MADE_HERE
        shown: dict[str, object] = {"user": stack.user, "systemPackages": list(project.system_packages)}
        shown["postgresql"] = postgresql
        if stack.broker.shared:
            shown["broker"] = "the server's, without a password: every user of the server can read and change it"
        if config.server.hardening == "on":
            shown["hardening"] = CLOSES
        _say_what_closes(stack, access)
        super().__init__(stack.slug, shown, opts)
        installed = self.step(access, steps.PACKAGES, packages_data(stack))
        installed.apply(lambda answer: warn_of(answer, "step packages"))
        self.step(access, steps.ACCOUNT, account_data(stack))
        # A throwaway certificate that the step makes, or that of the project that serves by address.
        default = paths.SERVER.default_tls
        shared = site.base_files(certificate=f"{default}/certificate.pem", key=f"{default}/key.pem").items()
        files = tuple(SharedFile(path=path, content=text, version=site.BASE_VERSION) for path, text in shared)
        unit = SharedFile(path=str(paths.SERVER.nginx_unit), content=site.unit_file(), version=site.BASE_VERSION)
        self.step(access, steps.PROXY, steps.Proxy(files=files, packages=project.system_packages, unit=unit))
        # Even without a variable: projects write redis://127.0.0.1:6379 into their settings just as often.
        needed, version = stack.broker.shared, broker.VERSION
        drop_in = steps.Broker(config=broker.config(), version=version, needed=needed, adopt=config.adopt)
        self.step(access, steps.BROKER, drop_in)
        if stack.broker.own and generated.broker_number is not None:
            known = Output.all(generated.broker_number, generated.broker_password)
            self.step(access, steps.INSTANCE, known.apply(lambda both: _instance(stack, int(both[0]), both[1])))
        self.register_outputs({})


def packages_data(stack: Stack) -> steps.Packages:
    """What the step `packages` gets."""
    config, project, database = stack.config, stack.config.project, stack.database
    postgresql = database.kind in MADE_HERE
    return steps.Packages(
        packages=project.system_packages,
        postgresql=postgresql,
        port=database.port if postgresql else None,
        extensions=config.database.extensions if postgresql else (),
        # uv brings its own, and alone has patch releases.
        python="" if project.installer == "uv" or project.python.count(".") == 2 else project.python,
        uv=project.installer == "auto" and project.python != "",
        certbot=config.tls.kind == "acme",
        hardening=config.server.hardening,
        backups=config.backups is not None,
        continuous=config.backups is not None and config.backups.database == "continuous",
    )


def account_data(stack: Stack) -> steps.Account:
    """What the step `account` gets."""
    project = stack.config.project
    return steps.Account(
        user=stack.user, media_serving=project.media_kind, shared_paths=project.shared_paths, media=project.media
    )


def _say_what_closes(stack: Stack, access: remote.Access) -> None:
    """Say before the stack's first deploy what it will close."""
    hardening, look = stack.config.server.hardening, access.look
    first, others = look.blank or not look.repairs, look.register and set(look.register.slugs) - {stack.slug}
    if hardening == "off" or not first or (hardening == "auto" and others):
        return
    condition = "" if hardening == "on" else "if nothing but SSH runs there yet, "
    off = "to leave all that to you, set codesensei:server.hardening to off"
    remote.warn(f"{stack.config.server.host}: {condition}{CLOSES}; {off}")


def _instance(stack: Stack, number: int, password: str) -> steps.Instance:
    title = stack.config.project.name or stack.slug
    return steps.Instance(
        user=stack.user,
        number=number,
        config=broker.own_config(stack.paths, number),
        unit=broker.own_unit(stack.paths, user=stack.user, title=title),
        password=password,
    )
