"""What several projects on one server share, and the project's own user and directories."""

from __future__ import annotations

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.render import broker, site
from components.server import Server

# A link: to a throw-away certificate that the step `proxy` makes, or to that of the project which serves by address.
DEFAULT_TLS = "/etc/codesensei/default-tls"


class Provisioning(pulumi.ComponentResource):
    """Packages, accounts and directories, nginx, the broker: none of it is live for visitors yet."""

    def __init__(self, name: str, *, stack: Stack, server: Server, opts: pulumi.ResourceOptions | None = None) -> None:
        config, database = stack.config, stack.database
        postgresql = database.kind in ("generated", "local")
        super().__init__(
            "codesensei:index:Provisioning",
            name,
            {
                "user": stack.names.user,
                "systemPackages": list(config.project.system_packages),
                "postgresql": postgresql,
            },
            opts,
        )
        access = server.access
        packages = remote.remote_step(
            f"{name}-packages",
            access,
            "packages",
            data={
                "packages": list(config.project.system_packages),
                "postgresql": postgresql,
                "port": database.port if postgresql else None,
                "extensions": list(config.database.extensions) if postgresql else [],
                "broker": True,
                # uv brings its own.
                "python": config.project.python if config.project.installer == "pip" else "",
                "certbot": config.tls.kind == "acme",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        account = remote.remote_step(
            f"{name}-account",
            access,
            "account",
            data={
                "user": stack.names.user,
                "shareUser": config.project.share_user,
                "mediaServing": config.project.media_serving,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[packages]),
        )
        shared = site.base_files(certificate=f"{DEFAULT_TLS}/certificate.pem", key=f"{DEFAULT_TLS}/key.pem")
        proxy = remote.remote_step(
            f"{name}-proxy",
            access,
            "proxy",
            data={
                "files": [
                    {"path": path, "content": text, "mode": "0644", "version": site.BASE_VERSION}
                    for path, text in shared.items()
                ],
                # A package may be a module of nginx, and some lines are only for servers that have it.
                "packages": list(config.project.system_packages),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        # Always there: projects name redis://127.0.0.1:6379 in their settings as often as in a variable.
        remote.remote_step(
            f"{name}-broker",
            access,
            "broker",
            data={
                "config": broker.config(),
                "version": broker.VERSION,
                "needed": bool(stack.broker.numbers or stack.broker.variables),
                "adopt": config.adopt,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[proxy]),
        )
        self.register_outputs({})
