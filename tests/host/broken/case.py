"""What a broken project is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.trials.stack import CHECKOUT, Stack

# The commit that serves; every broken one stands on it.
BASE = "main~2"


@dataclass(frozen=True)
class Broken:
    """One change that no deploy can serve, with the message that it must give.

    `error` and `fix` are the whole text, where RELEASE stands for the release's name, COMMIT for a short commit and
    SERVER for the server's name.
    """

    name: str
    error: str
    fix: str
    # The repository: new files, removed ones, and (before, after) in those of the example.
    write: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    replace: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    # The stack file: values by path, None to take one out; and the revision where it is one of the example's own.
    config: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    # Commands on the server before and after.
    before: str = ""
    after: str = ""
    # Whether it ends in preview, with nothing run; and whether the switch has begun and put everything back.
    preview: bool = False
    switched: bool = False
    # Words that the lines of the log must have.
    log: str = ""
    # Runs in `make test` too.
    quick: bool = False
    # On this Debian only.
    debian: int = 0

    def apply(self, stack: Stack) -> None:
        """Write the change into repository, stack file and server."""
        files = dict(self.write)
        for name, (old, new) in self.replace.items():
            text = files.get(name) or (CHECKOUT / "examples" / "guestbook" / name).read_text()
            assert old in text, f"{name} has no {old!r}"
            files[name] = text.replace(old, new)
        if files or self.remove:
            revision = stack.commit(files, BASE, self.name, remove=self.remove)
            stack.set("project.source.revision", revision)
        elif self.revision:
            stack.use(self.revision)
        for path, value in self.config.items():
            stack.set(path, value)
        for name, value in self.secrets.items():
            stack.set_secret(f"codesensei:secretEnv.{name}", value)
        if self.before:
            stack.server.console(self.before)
