"""What a switch has to change: the manifest it was given, held against what is live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesensei.scripts.base import files, units
from codesensei.scripts.base.step import Step
from codesensei.scripts.postgres import passwords
from codesensei.scripts.release import twins
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import default_tls, live
from codesensei.scripts.serving.live import Live

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """From what is live, `now`, to the manifest with which `release` serves.

    Every answer is asked of the server anew: after the switch has applied the manifest it is another.
    """

    step: Step
    now: Live
    release: Release
    manifest: Manifest

    def named(self, *kinds: str) -> list[str]:
        """The manifest's units of these kinds (socket, web, worker), in the order of the kinds."""
        return [unit["name"] for kind in kinds for unit in self.manifest["units"] if unit["kind"] == kind]

    def is_needed(self) -> bool:
        """Whether anything differs, or does not run."""
        entries = self.manifest["files"]
        links = [link for entry in entries if (link := live.site_link(entry["path"]))]
        return (
            self.of_code()
            or bool(self.now.manifest != self.manifest)
            or any(map(_file_differs, entries))
            or any(files.link_target(link) is None for link in links)
            or default_tls.wanted(self.step, self.manifest["defaultTls"]) is not None
            or self.of_password()
            or not all(map(units.is_active, self.named("socket", "web", "worker")))
        )

    def of_code(self) -> bool:
        """Whether other code gets live: another release, or the same one prepared again."""
        return self.now.release != self.release.name or twins.waits(self.release.project, self.release.name)

    def of_password(self) -> bool:
        """Whether the database role gets another password."""
        role = self.manifest["database"]
        if role is None:
            return False
        found = passwords.find(self.step.slug, role["role"], role["digest"])
        return found.live != found.staged

    def of_web(self) -> bool:
        """Whether the web process must start anew: other code, another unit, or it does not run."""
        web = self.named("web")
        before = self._contents_now()
        wanted = {f"/etc/systemd/system/{name}" for name in web}
        entries = [entry for entry in self.manifest["files"] if entry["path"] in wanted]
        another = any(before.get(entry["path"]) != entry["content"] for entry in entries)
        return self.of_code() or another or not all(map(units.is_active, web))

    def stale(self) -> set[str]:
        """Units whose process must be a new one: the code is another, or what the unit runs is."""
        before = self._contents_now()
        changed = {
            entry.get("renews") or Path(entry["path"]).name
            for entry in self.manifest["files"]
            if before.get(entry["path"]) != entry["content"] or _file_differs(entry)
        }
        stale = {unit["name"] for unit in self.manifest["units"]} & changed
        if self.of_code() or self.of_password():
            stale |= set(self.named("web", "worker"))
        return stale

    def _contents_now(self) -> dict[str, str]:
        return {entry["path"]: entry["content"] for entry in self.now.manifest.get("files", [])}


def _file_differs(entry: dict[str, Any]) -> bool:
    try:
        return bool(Path(entry["path"]).read_text() != entry["content"])
    except FileNotFoundError:
        return True
