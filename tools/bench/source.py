"""The example project's repository, with a commit for each change that is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tools.bench.tool import Wanted
from tools.demo.history import git, make_history

BASE = "main~1"
PAGE = "entries/templates/entries/guestbook.html"


@dataclass
class Source:
    """A repository that all tools deploy from."""

    path: Path
    made: dict[str, str] = field(default_factory=dict)

    def create(self) -> Source:
        """Make the repository, in place of what is there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        make_history(self.path)
        return self

    def wanted(self, mark: str, greeting: str) -> Wanted:
        """A commit that changes one line of the page, the same one for each tool."""
        if mark not in self.made:
            git(self.path, "checkout", "--quiet", "--detach", BASE)
            page = self.path / PAGE
            page.write_text(f"{page.read_text()}<!-- {mark} -->\n")
            git(self.path, "commit", "--quiet", "--all", "--message", f"Mark the page: {mark}")
            self.made[mark] = git(self.path, "rev-parse", "HEAD").strip()
            git(self.path, "checkout", "--quiet", "main")
        return Wanted(self.made[mark], mark, greeting)
