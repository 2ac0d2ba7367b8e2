"""What a switch has to change: its manifest compared with what is live."""

from __future__ import annotations

import contextlib
from pathlib import Path

from codesensei.scripts.base import files, units
from codesensei.scripts.base.step import Step
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.postgres import passwords
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import default_tls, live
from codesensei.scripts.serving.live import Live
from codesensei.wire import paths
from codesensei.wire.manifest import File, Manifest, means_another
from codesensei.wire.quick import dataclass


@dataclass(frozen=True)
class Change:
    """From what is live, `now`, to the step's manifest with `release`. Each answer is read from the server again."""

    step: Step[Manifest]
    now: Live
    release: Release
    # Files of nginx that the switch disables.
    taken: tuple[str, ...] = ()

    @property
    def manifest(self) -> Manifest:
        return self.step.data

    def others(self) -> list[Path]:
        """What of somebody else's the switch changes."""
        taken = [Path(name) for name in self.taken]
        return [*taken, *(paths.taken_copy(path) for path in taken if not path.is_symlink())]

    def is_needed(self) -> bool:
        """Whether anything differs, or does not run, or would not after a reboot."""
        return (
            self.of_code()
            or bool(self.taken)
            or self.now.manifest != self.manifest
            or any(map(_differs, self.manifest.files))
            or default_tls.wanted(self.step.project, self.manifest.default_tls) is not None
            or self.of_password()
            or not all(map(_is_in_order, self._states().values()))
            or bool(self._left_behind())
            or self._of_variables()
        )

    def _states(self) -> dict[str, UnitState]:
        return units.show_all([unit.name for unit in self.manifest.units])

    def _left_behind(self) -> set[str]:
        """Units that run the release as it was before it was made again."""
        return {name for name, state in self._states().items() if units.is_left_behind(state)}

    def of_code(self) -> bool:
        """Whether another release becomes live."""
        return self.now.release != self.release.name

    def of_password(self) -> bool:
        """Whether the database role gets another password."""
        role = self.manifest.database
        found = passwords.find(self.step.slug, role.role, role.digest) if role else None
        return found is not None and found.live != found.staged

    def of_web(self) -> bool:
        """Whether the web process must be replaced: other code, another text of its files, or it does not run."""
        web = self.manifest.web
        renewed = self._of_files() | self._left_behind()
        return self.of_code() or self._of_variables() or web in renewed or not units.is_active(web)

    def _of_variables(self) -> bool:
        """Whether processes may run with variables that somebody had changed by hand."""
        return live.has_to_renew(self.step.project)

    def proxy_knows_door(self) -> bool:
        """Whether the live site leads to the door; before there were doors, it led to the live socket's own name."""
        return f"unix:{self.step.project.door}" in self.now.contents.get(str(self.step.project.site), "")

    def stale(self) -> set[str]:
        """Units whose process must be replaced: the code is another, or what the unit runs is."""
        stale = self._of_files() | self._left_behind()
        if self.of_code() or self.of_password() or self._of_variables():
            stale |= set(self.manifest.named("web", "worker"))
        return stale

    def _of_files(self) -> set[str]:
        """Units that run by another text than the manifest's, or would by the one on the disk."""
        was, wanted = self.now.contents, self.manifest.files
        changed = [
            file for file in wanted if any(means_another(text, file) for text in (was.get(file.path), _text(file)))
        ]
        return {unit.name for unit in self.manifest.units} & {_renewed(file) for file in changed}


def restarts(was: Live, path: str) -> list[str]:
    """A line for each unit that restarts when this file or link is put back."""
    if path == str(was.project.current):
        return again(was)
    for file in was.manifest.files if was.manifest else ():
        name = _renewed(file)
        with contextlib.suppress(OSError):
            if file.path == path and name in was.units and means_another(_text(file), file):
                return [f"{name} restarts"]
    return []


def again(live: Live) -> list[str]:
    """A line for each process, where all of them restart."""
    return [f"{name} restarts" for name in (live.manifest.named("web", "worker") if live.manifest else ())]


def _renewed(file: File) -> str:
    """The unit that a change of this file renews."""
    return file.renews or Path(file.path).name


def _is_in_order(state: UnitState) -> bool:
    return (state.active, state.file) == ("active", "enabled")


def _differs(file: File) -> bool:
    """Whether it, or the link by which nginx reads it, is not as a switch leaves it."""
    path = Path(file.path)
    link = paths.site_link(path)
    led_away = link is not None and files.link_target(link) != paths.site_target(path)
    return led_away or not files.is_same(path, file.content, int(file.mode, 8), "root", file.group)


def _text(file: File) -> str | None:
    try:
        return files.text_of(Path(file.path))
    except FileNotFoundError:
        return None
