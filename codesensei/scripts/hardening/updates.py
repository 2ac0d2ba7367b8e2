"""Security updates by the distribution's own unattended-upgrades."""

from __future__ import annotations

import re
import shutil

from codesensei.scripts.base import commands, files, shared
from codesensei.scripts.base.step import Step
from codesensei.scripts.hardening import VERSION
from codesensei.wire import paths
from codesensei.wire.processes import SYSTEM_PATH

PACKAGE = "unattended-upgrades"
TEXT = """\
// Written by codesensei; shared by all its projects on this server: security updates only, and no reboot.
#clear Unattended-Upgrade::Allowed-Origins;
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern {
    "origin=Debian,codename=${distro_codename}-security,label=Debian-Security";
    "origin=Ubuntu,archive=${distro_codename}-security";
};
Unattended-Upgrade::Automatic-Reboot "false";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
"""


def by_hand() -> bool:
    """Whether somebody has switched them on already."""
    said = commands.run(["apt-config", "dump", "APT::Periodic::Unattended-Upgrade"], check=False).stdout
    there = shutil.which("unattended-upgrade", path=SYSTEM_PATH) and re.search(r'Upgrade "(?!0?")', said)
    return bool(there) and not paths.SERVER.apt_updates.is_file()


def switch_on(step: Step[object]) -> None:
    """Let apt install security updates once a day."""
    path = paths.SERVER.apt_updates
    text = shared.newest(path, TEXT, VERSION)
    step.converge(files.write_file(path, text), f"security updates: installed once a day from now on: {path} written")
    step.manage_shared(path)
    shared.remember(path, TEXT, VERSION)
