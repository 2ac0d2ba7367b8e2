"""The peers: a shell script over one SSH connection, pyinfra, Ansible."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.bench.peers.facts import HERE, Facts
from tools.bench.peers.install import python_of
from tools.bench.tool import CASES, Tool, ToolError, Wanted
from tools.sandbox import Server

SHELL = HERE / "with_bash"
UV = "uv==0.9.9"
SECONDS = 600
ANSIBLE = HERE / "with_ansible"
PYINFRA = HERE / "with_pyinfra"


def script(name: str, variables: Mapping[str, str]) -> str:
    """The command line that runs a script of ours on a server with these variables."""
    words = (f"{key}={value}" for key, value in variables.items())
    return shlex.join(["env", *words, "bash", "-c", (SHELL / f"{name}.sh").read_text()])


class Peer(Tool):
    """A tool whose project has the same layout, units and site as that of the other peers."""

    cases = tuple(case for case in CASES if case != "preview")
    slug: str
    number: int
    # What it runs, and its own requirements; a script needs none.
    folder: Path | None = None
    python: Path

    def __init__(self, server: Server, directory: Path, source: Path) -> None:
        self.server = server
        self.facts = Facts(self.slug, self.number, source, directory / self.slug)
        self.hostname = self.facts.hostname
        self.wanted: Wanted | None = None

    def prepare(self) -> None:
        """Its packages here; there Debian's packages, a user, and uv."""
        if self.folder:
            self.python = python_of(self.folder / "requirements.txt")
        self.server.run(script("provision", {"UV": UV}), timeout=SECONDS)

    def wipe(self) -> None:
        """Take off units, site, database and files."""
        self.server.run(script("wipe", self.facts.place))
        for archive in self.facts.directory.glob("*.tar"):
            archive.unlink()

    def aim(self, case: str, wanted: Wanted) -> None:
        """Write the inventory."""
        self.wanted = wanted
        self.facts.write(wanted)

    def processes(self) -> list[str]:
        """The main processes of web and worker, both at work in the directory of the wanted release."""
        assert self.wanted
        release = self.facts.release(self.wanted.revision)
        said = self.server.run(script("serving", self.facts.place)).stdout
        current, *units = said.splitlines()
        if current != release or any(line.split()[1::2] != ["active", release] for line in units):
            raise ToolError(f"{self.name}: {release} does not serve: {'; '.join(said.splitlines())}")
        return [line.split()[2] for line in units]

    def execute(self, command: Sequence[str], variables: Mapping[str, str]) -> str:
        """Run a peer's command; returns what it printed."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYINFRA_"))}
        return finish(self.name, command, own | dict(variables), self.facts.directory)


class Bash(Peer):
    """No tool: the steps one after another, over one connection."""

    name = "bash"
    slug = "bash"
    number = 1
    installer = "pip"
    command = "one `ssh` connection with tools/bench/peers/with_bash/release.sh"

    def run(self, case: str) -> str:
        """Send the script, and the archive on its standard input."""
        assert self.wanted
        mode = case if case in ("first", "rollback") else "deploy"
        variables = self.facts.environment(self.wanted) | {"MODE": mode, "INSTALLER": self.installer}
        command = [*self.server.ssh_argv(), "--", script("release", variables)]
        if case == "rollback":
            return finish(self.name, command)
        archive = ["git", "-C", str(self.facts.source), "archive", "--format=tar", self.wanted.revision]
        # The script reads nothing where it has the release already.
        with subprocess.Popen(archive, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
            assert source.stdout
            return finish(self.name, command, stdin=source.stdout.fileno())


class BashWithUv(Bash):
    """The same with uv in the place of pip, which only a first deploy shows."""

    name = "bash, uv"
    slug = "bash-uv"
    number = 2
    installer = "uv"
    command = "the same script, which installs with uv"
    cases = ("first",)


class Pyinfra(Peer):
    """pyinfra, one process."""

    name = "pyinfra"
    folder = PYINFRA
    slug = "pyinfra"
    number = 3
    command = "`pyinfra -y … deploy.py`, at first `setup.py deploy.py`, back `rollback.py`"

    def run(self, case: str) -> str:
        """Run its command."""
        known = known_hosts(self.server)
        files = {"first": ["setup", "deploy"], "rollback": ["rollback"]}.get(case, ["deploy"])
        data = {"ssh_strict_host_key_checking": "yes", "ssh_known_hosts_file": known, "ssh_config_file": os.devnull}
        command = [
            str(self.python),
            "-m",
            "pyinfra",
            "-y",
            "--user",
            "root",
            "--key",
            str(self.server.private_key_path),
        ]
        for key, value in data.items():
            command += ["--data", f"{key}={value}"]
        command += [self.server.host, *(str(PYINFRA / f"{name}.py") for name in files)]
        facts = str(self.facts.directory / "facts.json")
        return self.execute(command, {"PEER_FACTS": facts, "PYINFRA_PROGRESS": "off"})


class Ansible(Peer):
    """Ansible at its best: pipelining, one kept connection, no facts gathered."""

    name = "Ansible"
    folder = ANSIBLE
    slug = "ansible"
    number = 4
    command = "`ansible-playbook … deploy.yml`, at first `setup.yml deploy.yml`, back `rollback.yml`"

    def prepare(self) -> None:
        """Its own files, too: a socket's path is short, which a checkout's need not be."""
        self.home = tempfile.TemporaryDirectory(prefix="bench-")
        super().prepare()

    def run(self, case: str) -> str:
        """Run its command."""
        options = {"ControlMaster": "auto", "ControlPersist": "60s", "IdentitiesOnly": "yes"}
        options |= {"StrictHostKeyChecking": "yes", "UserKnownHostsFile": known_hosts(self.server)}
        files = {"first": ["setup", "deploy"], "rollback": ["rollback"]}.get(case, ["deploy"])
        command = [str(self.python), "-m", "ansible", "playbook", "-i", f"{self.server.host},", "-u", "root"]
        command += ["--private-key", str(self.server.private_key_path)]
        command += ["-e", f"@{self.facts.directory / 'facts.json'}", *(str(ANSIBLE / f"{name}.yml") for name in files)]
        variables = {
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": self.home.name,
            "ANSIBLE_SSH_ARGS": shlex.join(["-F", "none", *(f"-o{name}={value}" for name, value in options.items())]),
            # It refuses to start where the locale is not one of these.
            "LC_ALL": "C.UTF-8",
        }
        return self.execute(command, variables)


def known_hosts(server: Server) -> str:
    """The file with the server's host key."""
    path = server.directory / "known_hosts_of_peers"
    path.write_text(f"{server.host} {server.host_key}\n")
    return str(path)


def finish(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    *,
    stdin: int = subprocess.DEVNULL,
) -> str:
    """Run a command and return what it printed; raises ToolError with the end of that."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=directory,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{name} did not end within {SECONDS} s") from None
    if done.returncode:
        raise ToolError(f"{name} failed with exit code {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout
