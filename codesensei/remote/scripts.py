"""The scripts that run on the server, as texts."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# What travels: all of it needs the standard library alone.
ROOMS = ("scripts", "webservers", "wire")
MAIN = '''"""The toolkit as a program: `python3 <toolkit> <slug> <step> ...`."""

import sys

from codesensei.scripts.main import main

sys.exit(main())
'''


def members(package: Path = PACKAGE) -> dict[str, str]:
    """The text of all scripts, by the names of their files in the toolkit."""
    found = {"__main__.py": MAIN, "codesensei/__init__.py": ""}
    for room in ROOMS:
        for path in [*(package / room).rglob("*.py"), *(package / room).rglob("*.sh")]:
            found[f"codesensei/{path.relative_to(package)}"] = path.read_bytes().decode()
    return found
