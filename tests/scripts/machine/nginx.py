"""nginx: it serves by what it has read last, whatever the files say by now."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.scripts.machine.filesystem import Files

SITES = "/etc/nginx/sites-enabled"
OWN_PAGE = "<html><body><center><h1>{status}</h1></center><hr><center>nginx</center></body></html>"
# A text that nginx cannot read, wherever it stands.
NONSENSE = "nonsense;"


@dataclass(frozen=True)
class Site:
    """One site as nginx has read it."""

    text: str
    name: str = ""

    @property
    def log(self) -> str:
        """The file that it writes its log into."""
        return f"{self.name.removesuffix('.conf')}.access.log"

    @cached_property
    def names(self) -> list[str]:
        return [name for line in re.findall(r"server_name ([^;]+);", self.text) for name in line.split()]

    @cached_property
    def sockets(self) -> list[str]:
        """Where it asks: a later one when nobody listens at those before."""
        return re.findall(r"unix:([^;\s]+)", self.text)


class Nginx:
    """The running nginx."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.loaded: dict[str, Site] = {}
        self.tls = ""
        # What it complains of and takes all the same.
        self.warnings = ""
        self.includes_sites = True

    def copy(self, files: Files) -> Nginx:
        """The same on another machine."""
        other = copy.copy(self)
        other._files, other.loaded = files, dict(self.loaded)
        return other

    def problem(self) -> str:
        """Why `nginx -t` refuses the files as they are; empty when it does not."""
        for path in self._enabled():
            if not path.is_file():
                return f'open() "{self._files.shown(path)}" failed (2: No such file or directory)'
            if NONSENSE in path.read_text():
                return f'unknown directive "nonsense" in {self._files.shown(path)}:1'
        return ""

    def dump(self) -> str:
        """The files as `nginx -T` prints them."""
        head = "# configuration file /etc/nginx/nginx.conf:\nhttp { include sites-enabled/*; }\n"
        found = self._enabled() if self.includes_sites else []
        texts = [
            f"# configuration file {self._files.shown(path)}:\nserver {{ {path.read_text()} }}\n" for path in found
        ]
        return head + "".join(texts)

    def read(self) -> bool:
        """Read the files again; what is refused changes nothing."""
        if self.problem():
            return False
        self.loaded = {path.name: Site(path.read_text(), path.name) for path in self._enabled()}
        return True

    def _enabled(self) -> list[Path]:
        return sorted(self._files.path(SITES).glob("[!.]*"))

    def site(self, host: str) -> Site | None:
        """The site that answers for a host."""
        return next((site for site in self.loaded.values() if host in site.names), None)
