"""What is live for a project: links, files, units. Saved before the switch changes it, and put back when it fails."""

from __future__ import annotations

import grp
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesensei.scripts.base import files, nginx, probe, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step, read_json, write_json
from codesensei.scripts.postgres import passwords
from codesensei.scripts.release import twins
from codesensei.scripts.serving import default_tls, hand_over
from codesensei.wire.paths import ProjectPaths

# Where a manifest may put files; everything else in it is refused.
ALLOWED = (
    "/etc/systemd/system/{slug}",
    "/etc/nginx/sites-available/codesensei-{slug}.",
    "/etc/logrotate.d/codesensei-{slug}",
    "/etc/codesensei/{slug}/",
)


def site_link(path: str) -> Path | None:
    """The link that enables a proxy site, for a site's file."""
    return Path(path.replace("sites-available", "sites-enabled")) if "/sites-available/" in path else None


@dataclass
class Live:
    """The last manifest that was switched to, as root keeps it."""

    project: ProjectPaths
    manifest: dict[str, Any]

    @classmethod
    def read(cls, project: ProjectPaths) -> Live:
        return cls(project, read_json(project.live, {}))

    @property
    def release(self) -> str | None:
        target = files.link_target(self.project.current)
        return Path(target).name if target else None

    @property
    def units(self) -> dict[str, dict[str, Any]]:
        return {unit["name"]: unit for unit in self.manifest.get("units", [])}

    @property
    def paths(self) -> list[str]:
        return [entry["path"] for entry in self.manifest.get("files", [])]


def refuse_foreign_paths(slug: str, entries: list[dict[str, Any]]) -> None:
    prefixes = tuple(prefix.format(slug=slug) for prefix in ALLOWED)
    for entry in entries:
        if not entry["path"].startswith(prefixes) or ".." in entry["path"]:
            raise Failure("manifest", f"{entry['path']} is not a path of this project")


def save(step: Step[object], live: Live, release: str, manifest: dict[str, Any], renewed: set[str]) -> None:
    """Write down everything that the switch to `release` may change, before it changes anything.

    `renewed` names the units whose process it replaces.
    """
    touched = sorted({*live.paths, *(entry["path"] for entry in manifest["files"])})
    links = [str(link) for path in touched if (link := site_link(path))]
    role = manifest["database"]
    journal = {
        "live": live.manifest,
        "links": {
            **{str(link): files.link_target(link) for link in (live.project.current, live.project.previous)},
            **{link: files.link_target(Path(link)) for link in links},
            **_default_tls(step, manifest),
        },
        "files": {path: _content(path) for path in touched},
        "units": {name: _unit_state(name) for name in {*live.units, *(unit["name"] for unit in manifest["units"])}},
        "renewed": sorted(renewed),
        "role": role and _role(step.slug, role),
        "twin": twins.journal(step.project, release),
    }
    files.make_directory(step.project.memory / "switch", 0o700)
    write_json(_journal(step.project), journal)


def _default_tls(step: Step[object], manifest: dict[str, Any]) -> dict[str, str | None]:
    moves = default_tls.wanted(step, manifest["defaultTls"]) is not None
    return {str(default_tls.LINK): files.link_target(default_tls.LINK)} if moves else {}


def _role(slug: str, role: dict[str, str]) -> dict[str, Any]:
    found = passwords.find(slug, role["role"], role["digest"])
    return {"name": role["role"], "verifier": found.live, "port": found.port}


def _journal(project: ProjectPaths) -> Path:
    return project.memory / "switch" / "journal.json"


def interrupted(project: ProjectPaths) -> bool:
    """Whether a switch began and neither ended nor was put back."""
    return _journal(project).exists()


def forget(project: ProjectPaths) -> None:
    """The switch has ended; what was live before is history."""
    _journal(project).unlink(missing_ok=True)


def restore(step: Step[object]) -> None:
    """Put back everything as the journal says, and start what ran."""
    project = step.project
    journal = read_json(_journal(project), None)
    if journal is None:
        return
    for name, state in journal["units"].items():
        if not state["exists"]:
            systemctl("disable", "--now", name, check=False)
    if role := journal["role"]:
        passwords.restore(role["name"], role["verifier"], role["port"])
    twins.put_back(project, journal.get("twin"))
    for path, content in journal["files"].items():
        _put_back(Path(path), content)
    for link, target in journal["links"].items():
        if target is None:
            files.remove_path(Path(link))
        else:
            files.make_link(Path(link), target)
    write_json(project.live, journal["live"])
    systemctl("daemon-reload")
    running = sorted(name for name, state in journal["units"].items() if state["active"])
    sockets = [name for name in running if name.endswith(".socket")]
    renewed = [name for name in running if name in journal["renewed"] and name not in sockets]
    if running:
        systemctl("enable", *running, check=False)
    # Each verb for all at once: several workers finish their work at the same time.
    for verb, names in (("start", sockets), ("restart", renewed), ("start", running)):
        if names:
            systemctl(verb, *names, check=False)
    if hand_over.is_away(project):
        _lead_back(project, journal["live"])
    nginx.reload()
    forget(project)


def _lead_back(project: ProjectPaths, manifest: dict[str, Any]) -> None:
    """Visitors go to the live process again once it answers; what it answers was judged when it was new."""
    health = manifest.get("health")
    if health:
        asked = {"host": health["hosts"][0], "scheme": health["scheme"], "url_path": health["path"]}

        def answers() -> bool:
            return probe.ask_socket(str(project.kept_socket), **asked, timeout=health["timeout"]).status != 0

        units.wait_until(answers, health["timeout"])
    hand_over.to_live(project)


def _content(path: str) -> dict[str, Any] | None:
    try:
        found = Path(path).stat()
        return {"text": Path(path).read_text(), "mode": found.st_mode & 0o7777, "group": found.st_gid}
    except FileNotFoundError:
        return None


def _put_back(path: Path, content: dict[str, Any] | None) -> None:
    if content is None:
        files.remove_path(path)
        return
    files.write_file(path, content["text"], content["mode"], "root", grp.getgrgid(content["group"]).gr_name)


def _unit_state(name: str) -> dict[str, bool]:
    return {
        "exists": Path("/etc/systemd/system", name).exists(),
        "active": units.is_active(name),
    }
