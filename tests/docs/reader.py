"""Somebody who follows the documents: types what they print into a shell, as it is printed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import CHECKOUT, blocks
from tests.docs.table import RUN_BY
from tests.host.projects.terminal import converse
from tools import setup
from tools.demo.history import AUTHOR, git
from tools.engine.cache import cache_root
from tools.sandbox import Server

SECONDS = 600
# A line that fails ends a block; where the shell is and what it has exported is kept for the next one.
SCRIPT = """
set -eo pipefail
. {state}
trap '{{ declare -px; printf "cd %q\\n" "$PWD"; }} > {state}' EXIT
{text}"""
HIDDEN = ("PULUMI", "CODESENSEI", "SSH_", "GIT_", "PYTEST")


@dataclass
class Reader:
    """A reader with an empty home folder. `test` is whose blocks these are in the table, `replaced` what the documents
    print only as an example: texts, and what takes their place."""

    test: str
    home: Path
    replaced: Mapping[str, str]
    variables: Mapping[str, str]
    typed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        (self.home / "bin").mkdir(parents=True)
        (self.home / "bin/python3").symlink_to(Path(sys.base_prefix, "bin/python3"))
        (self.home / ".gitconfig").write_text("[user]\nname = {}\nemail = {}\n".format(*AUTHOR))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
        kept |= {"HOME": str(self.home), "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}", "NO_COLOR": "1"}
        # What a reader answers with `yes`.
        kept |= {"PULUMI_SKIP_CONFIRMATIONS": "true", "CODESENSEI_CACHE": str(cache_root().parent)}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in {**kept, **self.variables}.items()]
        self.state.write_text(f"{''.join(lines)}cd {shlex.quote(str(self.home))}\n")

    @property
    def state(self) -> Path:
        """What the shell knows between two blocks."""
        return self.home / ".shell"

    def text(self, place: str) -> str:
        """What is to be typed for the block at this place."""
        assert RUN_BY.get(place) == self.test, f"the table does not give {place} to {self.test}"
        self.typed.add(place)
        text = blocks("sh", "yaml", "python")[place].text
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text

    def types(self, place: str, input: str = "", answers: tuple[tuple[str, str], ...] = ()) -> str:
        """Type a block, which must succeed; returns what it shows. `input` is typed at once, `answers` when asked."""
        return self.shell(self.text(place), input, answers)

    def shell(self, text: str, input: str = "", answers: tuple[tuple[str, str], ...] = ()) -> str:
        """Type something of one's own."""
        argv = ["bash", "-c", SCRIPT.format(state=shlex.quote(str(self.state)), text=text)]
        if answers:
            return converse(argv, list(answers))
        done = subprocess.run(
            argv, input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        return done.stdout

    def types_on(self, server: Server, place: str) -> str:
        """Type a block as root on the server."""
        return server.console(self.text(place)).stdout

    def ends(self) -> None:
        """Everything that the table gives to this test has been typed."""
        assert {place for place, test in RUN_BY.items() if test == self.test} == self.typed

    def may_log_in(self, server: Server, *others: Server) -> None:
        """Let `ssh` use this server's key, which is that of the others, too.

        `-t` gets a terminal although nobody sits at one.
        """
        options, *more = [
            dict(word[2:].split("=", 1) for word in one.ssh_argv() if word.startswith("-o"))
            for one in (server, *others)
        ]
        known = " ".join(one["UserKnownHostsFile"] for one in (options, *more))
        lines = [f"{name} {value}" for name, value in {**options, "UserKnownHostsFile": known}.items()]
        config, program = self.home / "ssh_config", self.home / "bin/ssh"
        config.write_text("\n".join([f"IdentityFile {server.private_key_path}", *lines]) + "\n")
        terminal = 'case " $* " in *" -t "*) set -- -t "$@" ;; esac'
        program.write_text(f'#!/bin/sh\n{terminal}\nexec {shutil.which("ssh")} -F {config} "$@"\n')
        program.chmod(0o755)


def origin(path: Path) -> Path:
    """A repository that can be cloned and pushed to, with the files of this checkout as they are now.

    The packages that are installed here come with it, so that `make setup` finds them and installs nothing.
    """
    made_of = (Path(sys.prefix) / ".requirements").read_text()
    assert made_of == setup.fingerprint(setup.CONSTRAINTS, setup.PROGRAM, setup.DEVELOPMENT), "run make setup"
    work = path / "work"
    listed = git(CHECKOUT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in filter(lambda name: (CHECKOUT / name).is_file(), listed):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, work / name)
    (work / ".venv").symlink_to(sys.prefix)
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "Start")
    git(path, "clone", "--quiet", "--bare", str(work), str(path / "shop-servers.git"))
    return path / "shop-servers.git"
