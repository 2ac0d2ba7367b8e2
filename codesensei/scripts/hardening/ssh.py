"""SSH by key only: a drop-in of sshd, checked before sshd reads it, and held against what sshd then says."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from codesensei.scripts.base import commands, files
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.wire import paths
from codesensei.wire.processes import SYSTEM_PATH

# The words for a password: PAM asks for one under the second.
_WORDS = ("passwordauthentication", "kbdinteractiveauthentication")
_INCLUDE = "begin /etc/ssh/sshd_config with: Include /etc/ssh/sshd_config.d/*.conf"
TEXT = """\
# Written by codesensei; shared by all its projects on this server. sshd takes the first value that it reads.
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


def close(step: Step[object], *, required: bool) -> str:
    """Refuse passwords. Returns why it could not; Failure instead where it is `required`."""
    path, before = paths.SERVER.sshd_config, _effective()
    if before.get(_WORDS[0]) == "no" and not path.is_file():
        step.say("SSH: takes no passwords already, so it is left as it is")
        return ""
    if problem := _unfit(before) or _write(step):
        cause, fix = problem
        if required:
            raise Failure("SSH without passwords", cause, fix)
        return f"SSH: still takes passwords: {cause}\nfix: {fix}"
    step.manage_shared(path)
    return ""


def _unfit(settings: Mapping[str, str]) -> tuple[str, str] | None:
    """What would lock people out, or leave no place for the drop-in, and its fix."""
    folder = paths.SERVER.sshd_config.parent
    if not settings:
        return "sshd -T does not show its settings", "correct sshd_config on the server"
    if settings.get("pubkeyauthentication") != "yes":
        return "sshd takes no keys", "allow them: PubkeyAuthentication yes"
    if settings.get("authenticationmethods", "any") != "any":
        return "AuthenticationMethods asks for more than a key", "close passwords in sshd_config by hand"
    return None if folder.is_dir() else (f"there is no {folder}", _INCLUDE)


def _write(step: Step[object]) -> tuple[str, str] | None:
    """Write the drop-in, and remove it again where sshd refuses it or does not follow it: why, and the fix."""
    path = paths.SERVER.sshd_config
    changed = files.write_file(path, TEXT)
    check, after = commands.run(["sshd", "-t"], check=False), _effective()
    if not check.ok or any(after.get(word) != "no" for word in _WORDS):
        files.remove_path(path)
        if check.ok:
            return f"sshd does not follow {path}", _INCLUDE
        last = (check.stderr.strip().splitlines() or ["nothing"])[-1]
        return f"sshd -t says: {last}", "correct sshd_config on the server"
    if changed:
        systemctl("try-reload-or-restart", "ssh.service")
        step.changed(f"SSH: takes keys only: {path} written")
    return None


def _effective() -> dict[str, str]:
    """sshd's settings for root; a `Match` block counts."""
    if shutil.which("sshd", path=SYSTEM_PATH) is None:
        return {}
    said = commands.run(["sshd", "-T", "-C", "user=root,host=localhost,addr=127.0.0.1"], check=False).stdout
    return {name: value for name, _, value in (line.partition(" ") for line in said.splitlines())}
