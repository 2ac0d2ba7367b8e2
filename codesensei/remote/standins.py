"""Stand-ins for Pulumi's own plugins: for demos, tests and trials, and under no production stack without a word.

They say what they are: the language host by a variable of the program's environment, the resource plugins by a file
beside their program.
"""

from __future__ import annotations

import os
from pathlib import Path

from codesensei.remote.errors import RemoteError

HOST_VARIABLE = "CODESENSEI_LANGUAGE_HOST"
MARK = "STAND-IN"
# What somebody says who wants them all the same.
VARIABLE, ACCEPTED = "CODESENSEI_STANDINS", "accept"


def stand_ins() -> list[str]:
    """The plugins of this run that are stand-ins."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    found = [path.parent.name for path in sorted((home / "plugins").glob(f"resource-*/{MARK}"))]
    return (["the language host for Python"] if os.environ.get(HOST_VARIABLE) == MARK else []) + found


def refuse_stand_ins() -> None:
    """Raise RemoteError where this run has a stand-in, unless the environment accepts it."""
    found = stand_ins()
    if found and os.environ.get(VARIABLE) != ACCEPTED:
        raise RemoteError(
            "codesensei:production",
            f"it is true, and these plugins are stand-ins for Pulumi's own: {', '.join(found)}",
            "run make engine where get.pulumi.com can be reached, which installs the official ones; "
            f"or accept the stand-ins with {VARIABLE}={ACCEPTED} in the environment",
        )
