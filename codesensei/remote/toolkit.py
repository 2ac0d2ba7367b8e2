"""The scripts that run on the server, as one readable text: a new version of the product shows as a line diff."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import remote

from codesensei.remote.access import Access
from codesensei.remote.look import FIRST_STEP
from codesensei.remote.step import digest_of, options
from codesensei.render import shell

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
MARK = "=== "
END = f"{MARK}end\n"
MAIN = '''"""The toolkit as a program: `python3 <toolkit> <slug> <step> ...`."""

import sys

from codesensei.scripts.main import main

sys.exit(main())
'''
# Unpacks the bundle into a new directory with POSIX tools, whatever the login shell is. It demands the end mark,
# because a broken connection would cut the bundle in the middle. bootstrap.sh removes the directory.
UNPACK = (
    "set -eu; umask 077; d=$(mktemp -d); mkdir -p $d/codesensei/scripts; "
    'awk "/^=== end\\$/ {done = 1; exit} '
    '/^=== / {if (f) close(f); f = \\"$d/\\" substr(\\$0, 5); printf \\"\\" > f; next} '
    '{print > f} END {exit !done}" || { rm -rf $d; exit 1; }; '
    'exec SUDOsh $d/codesensei/scripts/bootstrap.sh $d "$@"'
)


@dataclass(frozen=True)
class Toolkit:
    """All scripts in one text, and the first digits of its SHA-256."""

    bundle: str

    @property
    def hash(self) -> str:
        """12 hexadecimal digits that name this version of the scripts."""
        return hashlib.sha256(self.bundle.encode()).hexdigest()[:12]


def pack(scripts: Path = SCRIPTS) -> Toolkit:
    """The bundle of all scripts, the same bytes for the same files. ValueError for what it cannot hold."""
    members = {"__main__.py": MAIN, "codesensei/__init__.py": ""}
    for path in sorted([*scripts.glob("*.py"), *scripts.glob("*.sh")]):
        members[f"codesensei/scripts/{path.name}"] = path.read_bytes().decode()
    return Toolkit("".join(_member(name, text) for name, text in sorted(members.items())) + END)


def _member(name: str, text: str) -> str:
    if text and not text.endswith("\n"):
        raise ValueError(f"{name} does not end with a newline")
    marked = [line for line in text.splitlines() if line.startswith(MARK)]
    if marked or "\r" in text or "\0" in text:
        raise ValueError(f"{name} has a line that the bundle cannot hold: {(marked or ['a control character'])[0]}")
    return f"{MARK}{name}\n{text}"


def unpack_line(sudo: str, words: list[str]) -> str:
    """The command that unpacks a bundle from standard input and brings it to its place."""
    return shell.join(["sh", "-c", UNPACK.replace("SUDO", sudo), "toolkit", *words])


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
        words = [stack, identity, str(adopt).lower()]
        mend = access.look.mend(FIRST_STEP, digest_of([FIRST_STEP, "1", *words], ""))
        return unpack_line(access.sudo, [access.slug, *words, *([f"mend={mend}"] if mend else [])])

    return remote.Command(
        name,
        connection=access.connection,
        create=pulumi.Output.from_input(identity).apply(line),
        stdin=toolkit.bundle,
        add_previous_output_in_env=False,
        logging=remote.Logging.STDOUT_AND_STDERR,
        opts=options(access, opts),
    )
