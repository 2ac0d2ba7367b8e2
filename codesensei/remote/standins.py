"""Stand-ins for Pulumi's plugins are for demos, tests and trials: a production stack runs on them only if asked to.

They say what they are: the language host by a variable of the program's environment, a resource plugin by a file
beside its program.
"""

from __future__ import annotations

import os
from pathlib import Path

from codesensei.remote.errors import RemoteError

HOST_VARIABLE = "CODESENSEI_LANGUAGE_HOST"
MARK = "STAND-IN"
# Set by a user who wants them anyway.
VARIABLE, ACCEPTED = "CODESENSEI_STANDINS", "accept"


def stand_ins() -> list[str]:
    """The plugins of this run that are stand-ins."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    found = [path.parent.name for path in sorted((home / "plugins").glob(f"resource-*/{MARK}"))]
    return (["the language host"] if os.environ.get(HOST_VARIABLE) == MARK else []) + found


def refuse_stand_ins() -> None:
    """Raise RemoteError where this run has a stand-in, unless the environment accepts it."""
    found = stand_ins()
    if found and os.environ.get(VARIABLE) != ACCEPTED:
        cause = f"it is true, and this run is on stand-ins for Pulumi's own plugins: {', '.join(found)}"
        fix = "install Pulumi (https://www.pulumi.com/docs/install/), and where get.pulumi.com can be reached run\n"
        fix += '    make engine && eval "$(python3 -m tools.engine env)"\n'
        fix += f"    or deploy on the stand-ins anyway: export {VARIABLE}={ACCEPTED}"
        raise RemoteError("codesensei:production", cause, fix)
