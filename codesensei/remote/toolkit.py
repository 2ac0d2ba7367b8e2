"""The scripts that run on the server, as one text that travels as a file: the engine's state has its digest alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pulumi
from pulumi_command import remote

from codesensei.remote.access import Access
from codesensei.remote.agent import folder_of
from codesensei.remote.scripts import PACKAGE, members
from codesensei.remote.step import PROGRESS, repair_words
from codesensei.render import shell
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import CLAIM

UNPACK, RUN = (Path(__file__).with_name(name) for name in ("unpack.sh", "run_toolkit.sh"))
MARK = "=== "
END = f"{MARK}end"


@dataclass(frozen=True)
class Toolkit:
    """All scripts in one shell script that unpacks them, and the first digits of its SHA-256."""

    bundle: str

    @property
    def hash(self) -> str:
        """12 hexadecimal digits that name this version of the scripts."""
        return hashlib.sha256(self.bundle.encode()).hexdigest()[:12]

    def write(self, folder: Path) -> Path:
        """Its file in a folder on this machine, in the place of an older one."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, new = folder / f"toolkit-{self.hash}.sh", folder / f"toolkit-{self.hash}.new"
        new.write_text(self.bundle)
        new.replace(file)
        for old in folder.glob("toolkit-*.sh"):
            if old != file:
                old.unlink(missing_ok=True)
        return file


def pack(package: Path = PACKAGE) -> Toolkit:
    """The bundle of all scripts, the same bytes for the same files. ValueError for what it cannot hold."""
    files = "".join(_member(name, text) for name, text in sorted(members(package).items()))
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
    server, sent = access.server, ProjectPaths(access.slug).sent_toolkit(toolkit.hash)
    # It arrives in the login user's home, because on a new server there is no place of ours yet. It is sent again to
    # what may be another machine, and whenever the step is repaired. A replacement only copies.
    machine = hashlib.sha256(server.host_key.encode()).hexdigest()[:8]
    copied = remote.CopyToRemote(
        f"{name}-file",
        connection=access.connection,
        source=pulumi.FileAsset(str(toolkit.write(folder_of(pulumi.get_stack())).absolute())),
        remote_path=sent,
        triggers=[
            access.look.copy,
            access.look.repair(CLAIM.name),
            f"{server.user}@{server.host}:{server.port} {machine}",
        ],
        opts=opts,
    )

    def line(identity: str) -> str:
        words = [CLAIM.name, str(CLAIM.format), stack, identity, str(adopt).lower(), toolkit.hash]
        return f"{access.sudo}sh -s {shell.join([sent, access.slug, *words, *repair_words(access, CLAIM.name)])}"

    return remote.Command(
        name,
        connection=access.connection,
        create=pulumi.Output.from_input(identity).apply(line),
        stdin=RUN.read_text(),
        add_previous_output_in_env=False,
        logging=PROGRESS,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[copied])),
    )
