"""A project's stack on a server that it shares with others, from the generator's output to what people did with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.host.projects.chromium import chromium
from tests.host.projects.project import Json, Person, Project
from tests.host.projects.visitor import Visitor
from tests.host.projects.workshop import Workshop
from tools.sandbox import Sandbox, Server
from tools.trials.stack import CHECKOUT, Stack

SCREENSHOTS = CHECKOUT / ".codesensei" / "screenshots"


@dataclass
class Deployed:
    """A project that is deployed, the person who uses it, and what they did."""

    project: Project
    stack: Stack
    workshop: Workshop
    person: Person
    used: Json = field(default_factory=dict)

    @property
    def server(self) -> Server:
        """Where it runs."""
        return self.stack.server

    @property
    def screenshot(self) -> Path:
        """Where the picture of the first page is kept."""
        return SCREENSHOTS / f"{self.project.slug}-debian-{self.server.debian}.png"

    def use(self) -> None:
        """Make an account, log in, and use the project."""
        self.project.create_superuser(self.person)
        self.project.log_in(self.person)
        self.used = self.project.use(self.person)

    def find(self) -> None:
        """Find everything again, with the session of the first log-in."""
        self.project.find(self.person, self.used)

    def look(self) -> None:
        """Look at the first page with a real browser: all files of the site's own are there and have their effect."""
        project, hostname = self.project, self.stack.hostname
        with chromium({hostname: self.server.host}) as tab:
            tab.open(f"{project.scheme}://{hostname}{project.first_page}")
            tab.screenshot(self.screenshot)
            assert tab.failed(hostname) == []
            assert tab.loaded(hostname, "Stylesheet"), "the first page has no style sheet of the site's own"
            selector, name, value = project.style
            assert tab.style(selector, name) == value
            project.look(tab, self.person)
            tab.screenshot(self.screenshot.with_stem(f"{self.screenshot.stem}-in-use"))

    def deploy_next_commit(self) -> str:
        """Commit an improvement and deploy it; returns what the first page must say now."""
        with self.workshop.reopen():
            text = self.project.improve(self.workshop)
            self.workshop.commit("Improve the first page")
        revision = self.stack.use("main")
        self.stack.up()
        assert self.stack.outputs()["revision"] == revision
        return text


@dataclass
class Shared:
    """The servers of a run, one for each Debian release, which all projects share."""

    sandbox: Sandbox
    place: Path
    servers: dict[int, Server] = field(default_factory=dict)
    projects: dict[tuple[int, type[Project]], Deployed] = field(default_factory=dict)
    outlasted: set[tuple[int, type[Project]]] = field(default_factory=set)

    def server(self, debian: int) -> Server:
        """The server, with nothing on it at the first call."""
        if debian not in self.servers:
            name = f"projects-{debian}"
            kept = name in [known.name for known in self.sandbox.servers()]
            self.servers[debian] = self.sandbox.up(name, debian)
            if kept:
                self.servers[debian].restore("blank")
            else:
                self.servers[debian].snapshot("blank")
        return self.servers[debian]

    def give(self, debian: int, project: type[Project]) -> Deployed:
        """The project, deployed and used at the first call."""
        key = (debian, project)
        if key not in self.projects:
            deployed = deploy(project(), self.server(debian), self.place / f"{project.slug}-{debian}")
            deployed.use()
            self.projects[key] = deployed
        return self.projects[key]

    def after_reboot(self, debian: int, project: type[Project]) -> Deployed:
        """The project, after a reboot that all have gone through which were there at the time."""
        deployed = self.give(debian, project)
        if (debian, project) not in self.outlasted:
            deployed.server.reboot()
            # sshd answers before the rest of the boot has ended.
            deployed.server.console("systemctl is-system-running --wait", check=False)
            self.outlasted |= {key for key in self.projects if key[0] == debian}
        return deployed


def deploy(project: Project, server: Server, directory: Path) -> Deployed:
    """Make the project, its repository and its stack, and deploy it for the first time."""
    hostname = f"{project.slug}.example"
    stack = Stack(server, directory, slug=project.slug, name="test", hostname=hostname)
    stack.make_program()
    workshop = Workshop(stack.repository, project.packages)
    with workshop.open():
        project.make(workshop, server.debian)
        revision = workshop.commit("Start the project")
    config = project.config(hostname)
    config["codesensei:server"] = {"host": server.host, "user": server.user, "hostKey": server.host_key}
    config["codesensei:server"]["hardening"] = "off"
    config["codesensei:project"]["source"] = {"path": str(stack.repository), "revision": revision}
    stack.initialise(config)
    stack.up()
    person = Person(server, Visitor(server.host, hostname, project.scheme), project.slug)
    return Deployed(project, stack, workshop, person)
