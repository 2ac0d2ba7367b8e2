"""The scripts that run on the server, as one readable text: a new version of the product shows as a line diff."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import remote

from codesensei.remote.access import Access
from codesensei.remote.step import PROGRESS, repair_words
from codesensei.render import shell
from codesensei.wire.steps import CLAIM

PACKAGE = Path(__file__).resolve().parent.parent
# What travels: all of it needs the standard library alone.
ROOMS = ("scripts", "webservers", "wire")
UNPACK = Path(__file__).with_name("unpack.sh")
MARK = "=== "
END = f"{MARK}end"
MAIN = '''"""The toolkit as a program: `python3 <toolkit> <slug> <step> ...`."""

import sys

from codesensei.scripts.main import main

sys.exit(main())
'''


@dataclass(frozen=True)
class Toolkit:
    """All scripts in one shell script that unpacks them, and the first digits of its SHA-256."""

    bundle: str

    @property
    def hash(self) -> str:
        """12 hexadecimal digits that name this version of the scripts."""
        return hashlib.sha256(self.bundle.encode()).hexdigest()[:12]


def pack(package: Path = PACKAGE) -> Toolkit:
    """The bundle of all scripts, the same bytes for the same files. ValueError for what it cannot hold."""
    members = {"__main__.py": MAIN, "codesensei/__init__.py": ""}
    for room in ROOMS:
        for path in [*(package / room).rglob("*.py"), *(package / room).rglob("*.sh")]:
            members[f"codesensei/{path.relative_to(package)}"] = path.read_bytes().decode()
    files = "".join(_member(name, text) for name, text in sorted(members.items()))
    return Toolkit(f'{UNPACK.read_text()}\nbundle() {{\n{files}}}\n\n{{ main "$@"; }}\n')


def _member(name: str, text: str) -> str:
    if text and not text.endswith("\n"):
        raise ValueError(f"{name} does not end with a newline")
    marked = [line for line in text.splitlines() if line.startswith(MARK)]
    if marked or "\r" in text or "\0" in text:
        raise ValueError(f"{name} has a line that the bundle cannot hold: {(marked or ['a control character'])[0]}")
    return f"take {name} <<'{END}'\n{text}{END}\n"


def toolkit_step(
    name: str,
    access: Access,
    toolkit: Toolkit,
    *,
    stack: str,
    identity: pulumi.Input[str],
    adopt: bool,
    opts: pulumi.ResourceOptions,
) -> remote.Command:
    """Bring the scripts and claim the slug for the stack (its full name, and its generated identity)."""

    def line(identity: str) -> str:
        words = [CLAIM.name, str(CLAIM.format), stack, identity, str(adopt).lower(), toolkit.hash]
        return f"{access.sudo}sh -s {shell.join([access.slug, *words, *repair_words(access, CLAIM.name)])}"

    return remote.Command(
        name,
        connection=access.connection,
        create=pulumi.Output.from_input(identity).apply(line),
        stdin=toolkit.bundle,
        add_previous_output_in_env=False,
        logging=PROGRESS,
        opts=opts,
    )
