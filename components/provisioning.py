"""What several projects on one server share, and the project's own user and directories."""

from __future__ import annotations

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.render import broker, site
from codesensei.wire import paths, steps
from codesensei.wire.steps import MADE_HERE
from components.server import Server


class Provisioning(pulumi.ComponentResource):
    """Packages, accounts and directories, nginx, the broker: none of it is live for visitors yet."""

    def __init__(self, name: str, *, stack: Stack, server: Server, opts: pulumi.ResourceOptions | None = None) -> None:
        config, database = stack.config, stack.database
        postgresql = database.kind in MADE_HERE
        # What a preview shows of the component.
        shown = {
            "user": stack.user,
            "systemPackages": list(config.project.system_packages),
            "postgresql": postgresql,
        }
        super().__init__("codesensei:index:Provisioning", name, shown, opts)
        access = server.access
        packages = remote.remote_step(
            f"{name}-packages",
            access,
            steps.PACKAGES,
            data=steps.Packages(
                packages=config.project.system_packages,
                postgresql=postgresql,
                port=database.port if postgresql else None,
                extensions=config.database.extensions if postgresql else (),
                # uv brings its own.
                python=config.project.python if config.project.installer == "pip" else "",
                certbot=config.tls.kind == "acme",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        account = remote.remote_step(
            f"{name}-account",
            access,
            steps.ACCOUNT,
            data=steps.Account(
                user=stack.user,
                media_serving=config.project.media_serving,
                shared_paths=config.project.shared_paths,
                media=config.project.media,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[packages]),
        )
        # A throw-away certificate that the step makes, or that of the project which serves by address.
        default = paths.SERVER.default_tls
        shared = site.base_files(certificate=f"{default}/certificate.pem", key=f"{default}/key.pem")
        proxy = remote.remote_step(
            f"{name}-proxy",
            access,
            steps.PROXY,
            data=steps.Proxy(
                files=tuple(
                    steps.SharedFile(path=path, content=text, version=site.BASE_VERSION)
                    for path, text in shared.items()
                ),
                packages=config.project.system_packages,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        # Always there: projects name redis://127.0.0.1:6379 in their settings as often as in a variable.
        remote.remote_step(
            f"{name}-broker",
            access,
            steps.BROKER,
            data=steps.Broker(
                config=broker.config(),
                version=broker.VERSION,
                needed=bool(stack.broker.numbers or stack.broker.variables),
                adopt=config.adopt,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[proxy]),
        )
        self.register_outputs({})
