"""Every path, unit and host name of a stack, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from codesensei.config.stack import StackConfig


@dataclass(frozen=True)
class Names:
    """Names derived from the config alone; all paths are on the server."""

    slug: str
    user: str
    directory: str
    domains: tuple[str, ...]
    apps_domain: str | None
    server: str
    scheme: str
    stack: str

    @classmethod
    def of(cls, config: StackConfig, stack: str) -> Names:
        """The names of a stack; `stack` is its full name, organization/project/stack."""
        return cls(
            slug=config.project.slug,
            user=config.project.user,
            directory=config.project.directory,
            domains=config.domains,
            apps_domain=config.apps_domain,
            server=config.server.host,
            scheme="http" if config.tls.kind == "off" else "https",
            stack=stack,
        )

    @property
    def group(self) -> str:
        """The app user's primary group has the user's name."""
        return self.user

    @property
    def root(self) -> str:
        """The project's directory."""
        return f"/srv/codesensei/{self.slug}"

    @property
    def current(self) -> str:
        """Link to the serving release."""
        return f"{self.root}/current"

    @property
    def previous(self) -> str:
        """Link to the release that served before."""
        return f"{self.root}/previous"

    @property
    def releases(self) -> str:
        """Directory of the releases."""
        return f"{self.root}/releases"

    @property
    def shared(self) -> str:
        """What outlives releases."""
        return f"{self.root}/shared"

    @property
    def media(self) -> str:
        """Uploaded files."""
        return f"{self.shared}/media"

    @property
    def logs(self) -> str:
        """Log files of the web process."""
        return f"{self.shared}/logs"

    @property
    def venv(self) -> str:
        """Virtual environment of the serving release."""
        return f"{self.shared}/venv"

    @property
    def env_link(self) -> str:
        """Environment file of the serving release."""
        return f"{self.shared}/.env"

    def state(self, process: str) -> str:
        """HOME of a process."""
        return f"{self.shared}/state/{process}"

    def release(self, release: str) -> str:
        """Directory of a release."""
        return f"{self.releases}/{release}"

    def env_file(self, release: str) -> str:
        """Environment file of a release."""
        return f"{self.root}/env/{release}.env"

    @property
    def django_directory(self) -> str:
        """Where manage.py of the serving release is."""
        return self.current if self.directory == "." else f"{self.current}/{self.directory}"

    @property
    def socket(self) -> str:
        """Socket of the web process."""
        return f"{self.shared}/gunicorn.sock"

    @property
    def web_unit(self) -> str:
        """Unit of the web process."""
        return f"{self.slug}.service"

    @property
    def socket_unit(self) -> str:
        """Unit that holds the web socket."""
        return f"{self.slug}.socket"

    def worker_unit(self, key: str) -> str:
        """Unit of a worker."""
        return f"{self.slug}-{key}.service"

    def worker_script(self, key: str) -> str:
        """File with a worker's shell line."""
        return f"/etc/codesensei/{self.slug}/workers/{key}.sh"

    def program(self, name: str) -> str:
        """A program or settings file of the product's own that the processes run with."""
        return f"/etc/codesensei/{self.slug}/programs/{name}"

    @property
    def candidate_unit(self) -> str:
        """Unit of a release that is being proved."""
        return f"codesensei-candidate-{self.slug}.service"

    @property
    def candidate_socket(self) -> str:
        """Socket of a release that is being proved; in one file system with the live one, whose place it takes."""
        return f"{self.root}/hand-over/candidate/web.sock"

    @property
    def candidate_home(self) -> str:
        """HOME of a release that is being proved."""
        return f"/run/codesensei-candidate/{self.slug}"

    def candidate_program(self, name: str) -> str:
        """The same as `program`, for a release that is being proved."""
        return f"/run/codesensei-candidate/{self.slug}.programs/{name}"

    @property
    def site_path(self) -> str:
        """The project's nginx site."""
        return f"/etc/nginx/sites-available/codesensei-{self.slug}.conf"

    @property
    def logrotate_path(self) -> str:
        """Rotation of the project's logs."""
        return f"/etc/logrotate.d/codesensei-{self.slug}"

    def hostnames(self, generated: str | None = None) -> list[str]:
        """Names that the project answers to; `generated` is the stack's own label or full name below appsDomain.

        Without any, the server's address.
        """
        names = list(self.domains)
        if generated and self.apps_domain:
            full = generated if generated.endswith(f".{self.apps_domain}") else f"{generated}.{self.apps_domain}"
            names.append(full)
        return names or [self.server]

    def url(self, generated: str | None = None) -> str:
        """An address that opens in a browser."""
        host = self.hostnames(generated)[0]
        return f"{self.scheme}://[{host}]/" if ":" in host else f"{self.scheme}://{host}/"
