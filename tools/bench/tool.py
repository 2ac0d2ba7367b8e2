"""One way to deploy: the product, or one of its peers."""

from __future__ import annotations

from dataclasses import dataclass

from tools.sandbox import Server
from tools.trials.site import Site

# In the order in which a round has them; `preview` is the product's alone.
CASES = ("first", "code", "rollback", "variable", "nothing", "preview", "visited")


class ToolError(Exception):
    """Why a tool could not be installed, or what it failed at."""


@dataclass(frozen=True)
class Wanted:
    """What shall serve: a commit, the mark that it writes into the page, and the greeting that a variable has."""

    revision: str
    mark: str
    greeting: str


class Tool:
    """A tool with a project of its own on a server; `cases` are those that it is measured in."""

    name: str
    # What one runs, for the reader of the table.
    command: str
    cases: tuple[str, ...] = CASES
    # It deploys nothing, so it is no peer.
    floor = False
    server: Server
    hostname: str

    def prepare(self) -> None:
        """Have the server ready for a first deploy, Debian's packages included; it is not measured."""
        raise NotImplementedError

    def wipe(self) -> None:
        """Take the project and its downloads off the server; it is not measured."""
        raise NotImplementedError

    def aim(self, case: str, wanted: Wanted) -> None:
        """Write down what shall serve, as its user would; it is not measured."""
        raise NotImplementedError

    def run(self, case: str) -> str:
        """Deploy that, or preview it; returns what was printed. Raises ToolError."""
        raise NotImplementedError

    def processes(self) -> list[str]:
        """The main processes of web and worker; raises ToolError where one does not run what `aim` asked for."""
        raise NotImplementedError

    @property
    def site(self) -> Site:
        """The project as its visitors see it."""
        return Site(self.server.host, self.hostname)

    def check(self, wanted: Wanted) -> list[str]:
        """Raise ToolError unless visitors see what is wanted; returns the main processes."""
        page = self.site.get()
        expected = (f"<!-- {wanted.mark} -->", f'class="greeting">{wanted.greeting}<')
        missing = [text for text in expected if text not in page.body]
        if page.status != 200 or missing:
            raise ToolError(f"{self.name}: the page has status {page.status} and lacks {missing}")
        return self.processes()
