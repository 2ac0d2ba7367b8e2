"""SSH by key only: a drop-in of sshd, checked before sshd reads it, and held against what sshd then says."""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from codesensei.scripts.base import commands, files, shared, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.hardening import VERSION, listening
from codesensei.wire import paths
from codesensei.wire.processes import SYSTEM_PATH

# The words for a password: PAM asks for one under the second, and the third is its older name.
_WORDS = ("passwordauthentication", "kbdinteractiveauthentication")
_OLD_WORD = "challengeresponseauthentication"
_LINE = re.compile(r'\s*(\w+)(?:\s*=\s*|\s+)"?(.+?)"?\s*$')
_INCLUDE = "begin /etc/ssh/sshd_config with: Include /etc/ssh/sshd_config.d/*.conf"
_BACK_SECONDS = 10.0
TEXT = """\
# Written by codesensei; shared by all its projects on this server. sshd takes the first value that it reads.
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


class Line(NamedTuple):
    """A line of sshd's configuration in a `Match` block: it counts more than the drop-in, for some logins."""

    file: Path
    match: str
    name: str
    value: str

    @property
    def takes_passwords(self) -> bool:
        return self.name in (*_WORDS, _OLD_WORD) and self.value.lower() == "yes"

    @property
    def needs_password(self) -> bool:
        lists = self.value.split() if self.name == "authenticationmethods" else []
        return bool(lists) and all("password" in each or "keyboard-interactive" in each for each in lists)


def close(step: Step[object], *, required: bool) -> str:
    """Refuse passwords. Returns what is still open; Failure instead where it could not be closed and is `required`."""
    path, before = paths.SERVER.sshd_config, _effective()
    if all(before.get(word) == "no" for word in _WORDS) and not path.is_file():
        step.say("SSH: takes no passwords already, so it is left as it is")
    elif problem := _unfit(before) or _write(step):
        cause, fix = problem
        if required:
            raise Failure("SSH without passwords", cause, fix)
        return f"SSH: still takes passwords: {cause}\nfix: {fix}"
    else:
        step.manage_shared(path)
        shared.remember(path, TEXT, VERSION)
    # Somebody meant these, so they stay, and are told.
    open_for = sorted({f"Match {line.match} in {line.file}" for line in _exceptions() if line.takes_passwords})
    return f"SSH: still takes passwords: {'; '.join(open_for)}\nfix: remove what is not meant" if open_for else ""


def _unfit(settings: Mapping[str, str]) -> tuple[str, str] | None:
    """What would lock people out, or leave no place for the drop-in, and its fix."""
    folder = paths.SERVER.sshd_config.parent
    if not settings:
        return "sshd -T does not show its settings", "correct sshd_config on the server"
    if settings.get("pubkeyauthentication") != "yes":
        return "sshd takes no keys", "allow them: PubkeyAuthentication yes"
    if settings.get("authenticationmethods", "any") != "any":
        return "AuthenticationMethods asks for more than a key", "close passwords in sshd_config by hand"
    for line in _exceptions():
        if line.needs_password:
            cause = f"Match {line.match} in {line.file} asks for more than a key"
            return cause, "close passwords in sshd_config by hand"
    return None if folder.is_dir() else (f"there is no {folder}", _INCLUDE)


def _write(step: Step[object]) -> tuple[str, str] | None:
    """Write the drop-in, and remove it again where sshd does not take, follow or outlive it: why, and the fix."""
    path = paths.SERVER.sshd_config
    changed = files.write_file(path, shared.newest(path, TEXT, VERSION))
    check, after = commands.run(["sshd", "-t"], check=False), _effective()
    if not check.ok or any(after.get(word) != "no" for word in _WORDS):
        files.remove_path(path)
        if check.ok:
            return f"sshd does not follow {path}", _INCLUDE
        last = (check.stderr.strip().splitlines() or ["nothing"])[-1]
        return f"sshd -t says: {last}", "correct sshd_config on the server"
    if changed:
        doors = listening.sshd()
        reloaded = systemctl("try-reload-or-restart", "ssh.service", check=False).ok
        if not reloaded or not units.wait_until(lambda: all(map(listening.greets, doors)), _BACK_SECONDS):
            files.remove_path(path)
            systemctl("restart", "ssh.service", check=False)
            return f"sshd does not reload with {path}", "on the server: systemctl status ssh"
        step.changed(f"SSH: takes keys only: {path} written")
    return None


def _effective() -> dict[str, str]:
    """sshd's settings where no `Match` block applies."""
    if shutil.which("sshd", path=SYSTEM_PATH) is None:
        return {}
    said = commands.run(["sshd", "-T"], check=False).stdout
    return {name: value for name, _, value in (line.partition(" ") for line in said.splitlines())}


def _exceptions() -> list[Line]:
    """What `Match` blocks set."""
    return [line for line in _lines(paths.SERVER.sshd_config.parent.parent / "sshd_config") if line.match]


def _lines(file: Path, match: str = "", depth: int = 16) -> Iterator[Line]:
    """The lines of a file, and of those that it includes in their places; sshd goes as deep."""
    text = ""
    with contextlib.suppress(OSError):
        text = file.read_text(errors="replace")
    for found in filter(None, map(_LINE.match, text.splitlines())):
        name, value = found[1].lower(), found[2]
        if name == "match":
            match = "" if value.lower() == "all" else value
        elif name == "include" and depth:
            for pattern in value.replace('"', "").split():
                for path in sorted(glob.glob(str(paths.SERVER.sshd_config.parent.parent / pattern))):
                    yield from _lines(Path(path), match, depth - 1)
        else:
            yield Line(file, match, name, value)
