"""The edge proxy: under which names and with which certificate the project answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pulumi

from codesensei import remote
from codesensei.config import Acme, Stack
from codesensei.render import site
from codesensei.source import Code
from codesensei.wire import steps
from codesensei.wire.manifest import File
from codesensei.wire.said import from_line
from codesensei.wire.steps import AcmeSaid
from components.server import Server


class EdgeProxy(pulumi.ComponentResource):
    """The project's nginx site, and its certificate, which is staged under its digest before the switch names it."""

    def __init__(
        self,
        name: str,
        *,
        stack: Stack,
        server: Server,
        code: Code,
        hostnames: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        config = stack.config
        # What a preview shows of the component.
        shown = {
            "hostnames": list(hostnames),
            "tls": config.tls.kind,
            "authority": config.tls.acme.directory if config.tls.kind == "acme" else "none",
            "trustedProxies": list(config.trusted_proxies),
            "bodySize": config.limits.body_size,
            "readTimeout": config.limits.read_timeout,
            "static": code.settings.static_url if config.project.static == "serve" else "none",
            "media": code.settings.media_url if config.project.media_serving == "proxy" else "none",
        }
        super().__init__("codesensei:index:EdgeProxy", name, shown, opts)
        names: pulumi.Output[list[str]] = pulumi.Output.all(*hostnames)
        self.tls: pulumi.Output[str] | None = None
        if config.tls.kind == "files":
            certificate = config.tls.certificate
            self.tls = pulumi.Output.from_input(_digest(certificate))
            key = stack.secrets.tls_key or pulumi.Output.secret("")
            self._stage(f"{name}-tls", server, key.apply(lambda known: steps.Tls(certificate=certificate, key=known)))
        if config.tls.kind == "selfSigned":
            self.tls = names.apply(lambda known: _digest("\n".join(known)))
            self._stage(f"{name}-tls", server, names.apply(lambda known: steps.Tls(self_signed=tuple(known))))
        if config.tls.kind == "acme":
            self.tls = self._obtain(f"{name}-acme", server, config.tls.acme, names)
        # TLS names no host where the address is asked for, so this certificate is shown to all who name none.
        self.default_tls: pulumi.Output[str] | None = None
        if self.tls is not None and not (config.domains or config.apps_domain):
            self.default_tls = self.tls.apply(lambda digest: str(stack.paths.tls(digest)))
        tls = self.tls if self.tls is not None else pulumi.Output.from_input("")
        text = pulumi.Output.all(names, tls).apply(lambda known: _site(stack, code, known[0], known[1]))
        self.files = text.apply(lambda known: (File(path=str(stack.paths.site), content=known),))
        self.register_outputs({"hostnames": list(hostnames)})

    def _stage(self, name: str, server: Server, data: pulumi.Output[steps.Tls]) -> None:
        assert self.tls is not None
        remote.remote_step(
            name, server.access, steps.TLS, args=[self.tls], data=data, opts=pulumi.ResourceOptions(parent=self)
        )

    def _obtain(self, name: str, server: Server, acme: Acme, names: pulumi.Output[list[str]]) -> pulumi.Output[str]:
        """Have a certificate before the switch. What cannot be had is a warning: the site serves with what there is."""
        digest: pulumi.Output[str] = names.apply(lambda known: _digest("\n".join([acme.directory, *known])))
        obtained = remote.remote_step(
            name,
            server.access,
            steps.ACME,
            args=[digest],
            data=names.apply(
                lambda known: steps.Acme(
                    hostnames=tuple(known),
                    directory=acme.directory,
                    email=acme.email or "",
                    root_certificate=acme.root_certificate or "",
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        obtained.stdout.apply(_warn)
        return digest


def _warn(said: str) -> None:
    for warning in from_line(AcmeSaid, said, "acme").warnings:
        pulumi.warn(warning)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _site(stack: Stack, code: Code, hostnames: list[str], tls: str) -> str:
    config = stack.config
    folder = stack.paths.tls(tls) / ("live" if config.tls.kind == "acme" else "")
    return site.site(
        stack.paths,
        hostnames=hostnames,
        static_url=code.settings.static_url if config.project.static == "serve" else None,
        media_url=code.settings.media_url if config.project.media_serving == "proxy" else None,
        certificate=f"{folder}/certificate.pem" if tls else None,
        key=f"{folder}/key.pem" if tls else None,
        trusted_proxies=config.trusted_proxies,
        body_size=config.limits.body_size,
        read_timeout=config.limits.read_timeout,
    )
