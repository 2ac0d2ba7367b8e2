"""What several projects on one server share, and the project's own user and directories."""

from __future__ import annotations

from pulumi import ResourceOptions

from codesensei.config import Stack
from codesensei.render import broker, site
from codesensei.wire import paths, steps
from codesensei.wire.steps import MADE_HERE, SharedFile
from components.base import Component
from components.server import Server


class Provisioning(Component):
    """Packages, accounts and directories, nginx, the broker: visitors see none of it yet."""

    def __init__(self, *, stack: Stack, server: Server, opts: ResourceOptions) -> None:
        config, project, database, access = stack.config, stack.config.project, stack.database, server.access
        postgresql = database.kind in MADE_HERE
        shown = {"user": stack.user, "systemPackages": list(project.system_packages), "postgresql": postgresql}
        super().__init__(stack.slug, shown, opts)
        packages = steps.Packages(
            packages=project.system_packages,
            postgresql=postgresql,
            port=database.port if postgresql else None,
            extensions=config.database.extensions if postgresql else (),
            # uv brings its own.
            python=project.python if project.installer == "pip" else "",
            certbot=config.tls.kind == "acme",
        )
        account = steps.Account(
            user=stack.user,
            media_serving=project.media_kind,
            shared_paths=project.shared_paths,
            media=project.media,
        )
        self.step(access, steps.PACKAGES, packages)
        self.step(access, steps.ACCOUNT, account)
        # A throwaway certificate that the step makes, or that of the project that serves by address.
        default = paths.SERVER.default_tls
        shared = site.base_files(certificate=f"{default}/certificate.pem", key=f"{default}/key.pem").items()
        files = tuple(SharedFile(path=path, content=text, version=site.BASE_VERSION) for path, text in shared)
        self.step(access, steps.PROXY, steps.Proxy(files=files, packages=project.system_packages))
        # Even without a variable: projects write redis://127.0.0.1:6379 into their settings just as often.
        needed = bool(stack.broker.numbers or stack.broker.variables)
        drop_in = steps.Broker(config=broker.config(), version=broker.VERSION, needed=needed, adopt=config.adopt)
        self.step(access, steps.BROKER, drop_in)
        self.register_outputs({})
