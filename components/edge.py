"""The edge proxy: under which names and with which certificate the project answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import pulumi

from codesensei import remote
from codesensei.config import Acme, Stack
from codesensei.render import site
from components.processes import File
from components.release import Code
from components.server import Server

TLS_FOLDER = "/var/lib/codesensei/{slug}/tls/{digest}"
ACME_FOLDER = f"{TLS_FOLDER}/live"


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
        super().__init__(
            "codesensei:index:EdgeProxy",
            name,
            {
                "hostnames": list(hostnames),
                "tls": config.tls.kind,
                "authority": config.tls.acme.directory if config.tls.kind == "acme" else "none",
                "trustedProxies": list(config.trusted_proxies),
                "bodySize": config.limits.body_size,
                "readTimeout": config.limits.read_timeout,
                "static": code.settings.static_url if config.project.static == "serve" else "none",
                "media": code.settings.media_url if config.project.media_serving == "proxy" else "none",
            },
            opts,
        )
        names: pulumi.Output[list[str]] = pulumi.Output.all(*hostnames)
        self.tls: pulumi.Output[str] | None = None
        if config.tls.kind == "files":
            certificate = config.tls.certificate
            self.tls = pulumi.Output.from_input(_digest(certificate))
            data = {"certificate": certificate, "key": stack.secrets.tls_key}
            self._stage(f"{name}-tls", server, data)
        if config.tls.kind == "selfSigned":
            self.tls = names.apply(lambda known: _digest("\n".join(known)))
            self._stage(f"{name}-tls", server, {"selfSigned": names})
        if config.tls.kind == "acme":
            self.tls = self._obtain(f"{name}-acme", server, config.tls.acme, names)
        # TLS names no host where the address is asked for, so this certificate is shown to all who name none.
        self.default_tls: pulumi.Output[str] | None = None
        if self.tls is not None and not (config.domains or config.apps_domain):
            self.default_tls = self.tls.apply(lambda digest: TLS_FOLDER.format(slug=stack.names.slug, digest=digest))
        tls = self.tls if self.tls is not None else pulumi.Output.from_input("")
        text = pulumi.Output.all(names, tls).apply(lambda known: _site(stack, code, known[0], known[1]))
        self.files: list[File] = [{"path": stack.names.site_path, "content": text, "mode": "0644"}]
        self.register_outputs({"hostnames": list(hostnames)})

    def _stage(self, name: str, server: Server, data: Mapping[str, object]) -> None:
        assert self.tls is not None
        remote.remote_step(
            name, server.access, "tls", args=[self.tls], data=data, opts=pulumi.ResourceOptions(parent=self)
        )

    def _obtain(self, name: str, server: Server, acme: Acme, names: pulumi.Output[list[str]]) -> pulumi.Output[str]:
        """Have a certificate before the switch. What cannot be had is a warning: the site serves with what there is."""
        digest: pulumi.Output[str] = names.apply(lambda known: _digest("\n".join([acme.directory, *known])))
        obtained = remote.remote_step(
            name,
            server.access,
            "acme",
            args=[digest],
            data={
                "hostnames": names,
                "directory": acme.directory,
                "email": acme.email or "",
                "rootCertificate": acme.root_certificate or "",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        obtained.stdout.apply(_warn)
        return digest


def _warn(said: str) -> None:
    for warning in json.loads(said.splitlines()[-1])["warnings"]:
        pulumi.warn(warning)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _site(stack: Stack, code: Code, hostnames: list[str], tls: str) -> str:
    config, names = stack.config, stack.names
    folder = (ACME_FOLDER if config.tls.kind == "acme" else TLS_FOLDER).format(slug=names.slug, digest=tls)
    return site.site(
        names,
        hostnames=hostnames,
        static_url=code.settings.static_url if config.project.static == "serve" else None,
        media_url=code.settings.media_url if config.project.media_serving == "proxy" else None,
        certificate=f"{folder}/certificate.pem" if tls else None,
        key=f"{folder}/key.pem" if tls else None,
        trusted_proxies=config.trusted_proxies,
        body_size=config.limits.body_size,
        read_timeout=config.limits.read_timeout,
    )
