"""The example project as its visitors see it: through the edge proxy, with the public hostname."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from tools.demo import checks
from tools.demo.browser import Browser, Page


@dataclass(frozen=True)
class Site:
    """A site at `address`, asked for under `hostname`."""

    address: str
    hostname: str

    @property
    def browser(self) -> Browser:
        """A new visitor."""
        return Browser(f"http://{self.address}/", self.hostname)

    def get(self, path: str = "/") -> Page:
        """One page."""
        return self.browser.get(path)

    def headers(self, path: str) -> list[tuple[str, str]]:
        """All headers of one page, also those that come twice; names in lower case."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": self.hostname})
            return [(name.lower(), value) for name, value in connection.getresponse().getheaders()]
        finally:
            connection.close()

    def greets(self, greeting: str) -> bool:
        """Whether the page answers and shows this greeting."""
        page = self.get()
        return page.status == 200 and f'class="greeting">{greeting}<' in page.body

    def write(self) -> checks.Entry:
        """Write a row through the form; returns it."""
        return checks.check_entry(self.browser)[1]

    def await_job(self, entry: checks.Entry) -> None:
        """Wait until the worker has finished the job of this entry; raises DemoError after a minute."""
        checks.check_job(self.browser, entry)

    def shows(self, entry: checks.Entry) -> bool:
        """Whether the page still has this entry."""
        return checks.find_entry(self.get().body, entry.text) is not None
