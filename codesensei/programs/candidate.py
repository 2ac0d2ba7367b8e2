"""What every candidate's program begins with: it says what it serves with, and runs as the live process would.

Runs inside the project's own Python, from the folder of the candidate's programs. Root puts `ask_django.py` there,
which asks Django while a release is built: in the process that serves, the answers must be the same.
"""

from __future__ import annotations

import json
import os
import runpy
import traceback
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LIVE, ASKING, SAID = "live.py", "ask_django.py", "settings.json"
# Before the project can change it.
asking = runpy.run_path(str(FOLDER / ASKING))
home = os.environ["HOME"]


def say() -> None:
    """Write into its HOME what Django says now that the project is loaded; where it says nothing, so does this."""
    try:
        text = json.dumps(asking["facts"]())
        own = Path(home, f"{SAID}.{os.getpid()}")
        own.write_text(text)
        own.replace(Path(home, SAID))
    except Exception:  # noqa: BLE001  # whatever it is, the request that follows tells more
        traceback.print_exc()


def live(name: str) -> dict[str, Any]:
    """Run the program of the live process under the module's name `name`; returns what it defines."""
    path = FOLDER / LIVE
    defined: dict[str, Any] = {"__name__": name, "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), defined)
    return defined
