"""The edge proxy: the host names and the certificate that the project is served with."""

from __future__ import annotations

import hashlib

from pulumi import Output, ResourceOptions

from codesensei.config import Stack
from codesensei.render import site
from codesensei.source import Code
from codesensei.wire import steps
from codesensei.wire.manifest import File
from codesensei.wire.steps import AcmeSaid
from components.base import Component, read_answer
from components.generated import Generated
from components.server import Server


class EdgeProxy(Component):
    """The project's nginx site and its certificate, which is staged under its digest before the switch uses it."""

    def __init__(
        self, *, stack: Stack, server: Server, code: Code, generated: Generated, opts: ResourceOptions
    ) -> None:
        config, settings, hostnames = stack.config, code.settings, generated.hostnames
        static = settings.static_url if config.project.static == "serve" else None
        media = config.project.served_media(settings.media_url)
        shown = {
            "hostnames": hostnames,
            "tls": config.tls.kind,
            "authority": config.tls.acme.directory if config.tls.kind == "acme" else "none",
            "trustedProxies": list(config.trusted_proxies),
            "bodySize": config.limits.body_size,
            "readTimeout": config.limits.read_timeout,
            "clientTimeout": config.limits.client_timeout or "the server's",
            "connections": config.limits.connections or "any",
            "static": static or "none",
            "media": media or "none",
        }
        if config.tls.kind == "acme" and config.tls.acme.email:
            shown["email"] = config.tls.acme.email
        super().__init__(stack.slug, shown, opts)
        names: Output[list[str]] = Output.all(*hostnames)
        self.tls = self._certificate(stack, server, names)
        # TLS sends no host name for an address, so everyone who sends none gets this certificate.
        self.default_tls: Output[str] | None = None
        if self.tls is not None and not (config.domains or config.apps_domain):
            self.default_tls = self.tls.apply(lambda digest: str(stack.paths.tls(digest)))
        events = settings.interface == "asgi"
        text = Output.all(names, self.tls).apply(
            lambda known: _site(stack, known[0], known[1], settings.static_url, media, events=events)
        )
        self.files = text.apply(lambda known: (File(path=str(stack.paths.site), content=known),))
        self.register_outputs({"hostnames": hostnames})

    def _certificate(self, stack: Stack, server: Server, names: Output[list[str]]) -> Output[str] | None:
        """Stage the certificate. Returns its digest; None without TLS."""
        tls = stack.config.tls
        if tls.kind == "files":
            certificate, key = tls.certificate, stack.secrets.tls_key or Output.secret("")
            digest = Output.from_input(_digest(certificate))
            data = key.apply(lambda known: steps.Tls(certificate=certificate, key=known))
            self.step(server.access, steps.TLS, data, digest)
            return digest
        if tls.kind == "selfSigned":
            digest = names.apply(lambda known: _digest("\n".join(known)))
            self.step(server.access, steps.TLS, names.apply(lambda known: steps.Tls(self_signed=tuple(known))), digest)
            return digest
        if tls.kind == "acme":
            # Before the switch. What the authority refuses is a warning: the site serves with what is there.
            directory, email, root = tls.acme.directory, tls.acme.email or "", tls.acme.root_certificate or ""
            digest = names.apply(lambda known: _digest("\n".join([directory, *known])))
            wanted = names.apply(
                lambda known: steps.Acme(
                    hostnames=tuple(known), directory=directory, email=email, root_certificate=root
                )
            )
            said = self.step(server.access, steps.ACME, wanted, digest)
            said.apply(lambda text: read_answer(AcmeSaid, text, "step acme"))
            return digest
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _site(
    stack: Stack,
    hostnames: list[str],
    tls: str | None,
    static: str,
    media: str | None,
    *,
    events: bool,
) -> str:
    config = stack.config
    serves_static = config.project.static == "serve"
    folder = stack.paths.tls(tls or "") / ("live" if config.tls.kind == "acme" else "")
    return site.site(
        stack.paths,
        hostnames=hostnames,
        static_url=static if serves_static else None,
        own_static=None if serves_static else static,
        media_url=media,
        media=config.project.media,
        media_internal=config.project.media_kind == "internal",
        certificate=f"{folder}/certificate.pem" if tls else None,
        key=f"{folder}/key.pem" if tls else None,
        trusted_proxies=config.trusted_proxies,
        external_tls=config.tls.kind == "external",
        body_size=config.limits.body_size,
        read_timeout=config.limits.read_timeout,
        client_timeout=config.limits.client_timeout,
        connections=config.limits.connections,
        events=events,
    )
