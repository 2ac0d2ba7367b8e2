"""Start and end one container by systemd-nspawn."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tools.sandbox.cgroups import POLL_SECONDS, cgroup
from tools.sandbox.errors import SandboxError
from tools.sandbox.image import FILES, unmount_below
from tools.sandbox.process import tail

RUNTIME = Path("/run/systemd/nspawn")
INIT_TIMEOUT = 30.0
# SIGRTMIN+3 asks systemd as init to shut down (systemd(1)).
SHUT_DOWN = signal.SIGRTMIN + 3


@dataclass(frozen=True)
class Container:
    """What systemd-nspawn needs to know of one server."""

    machine: str
    hostname: str
    root: Path
    bridge: str
    cgroup: str
    log: Path
    binds: tuple[tuple[Path, str], ...] = ()
    """Directories of this machine and where the server sees them, writable."""
    nested: bool = False
    """Whether servers can be started inside this server."""

    def argv(self) -> list[str]:
        """The command line of systemd-nspawn."""
        options = [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--boot",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=pipe",
            f"--directory={self.root}",
            f"--machine={self.machine}",
            f"--hostname={self.hostname}",
            f"--network-bridge={self.bridge}",
            "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
        ]
        options += [f"--bind={source}:{target}" for source, target in self.binds]
        if self.nested:
            # Without the right to load modules, the unit that tries at boot is skipped instead of failing.
            options += ["--capability=all", "--drop-capability=CAP_SYS_MODULE"]
            options += ["--system-call-filter=@mount bpf keyctl add_key"]
        return options

    def environment(self) -> dict[str, str]:
        """The environment of systemd-nspawn; nothing else of this machine's gets in.

        The server always sees cgroup v2 alone: systemd 256 and newer refuse the older layouts. Whether its
        /tmp is on disk or in memory is left to its own release, as on a real machine.
        """
        variables = {
            "PATH": os.environ.get("PATH", ""),
            "LC_ALL": "C",
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            "SYSTEMD_NSPAWN_TMPFS_TMP": "0",
        }
        if self.nested:
            variables["SYSTEMD_NSPAWN_API_VFS_WRITABLE"] = "network"
        return variables

    def start(self) -> None:
        """Start the container and return when its init runs; raises SandboxError when it ends at once."""
        self.clear_runtime()
        group = cgroup(self.cgroup)
        group.create()
        # The keeper is inside before it goes to the background, so the group is populated from here on.
        argv = [str(FILES / "enter-cgroups.sh"), str(group.keeper), "--", "setsid", "--fork"]
        argv += [str(FILES / "keep-booted.sh"), *map(str, group.directories), "--", *self.argv()]
        with self.log.open("ab") as log:
            started = log.tell()
            subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                cwd="/",
                check=False,
            )
        deadline = time.monotonic() + INIT_TIMEOUT
        while group.init() is None:
            if not group.populated() or time.monotonic() > deadline:
                with self.log.open("rb") as log:
                    log.seek(started)
                    said = tail(log.read().decode(errors="replace"))
                raise SandboxError(f"The server {self.hostname} did not start; systemd-nspawn said:\n{said}")
            time.sleep(POLL_SECONDS)

    def running(self) -> bool:
        """Whether any of its processes is alive."""
        return cgroup(self.cgroup).populated()

    def shut_down(self, timeout: float = 30.0) -> None:
        """Let the server's systemd stop everything in order; kill what is left after `timeout` seconds."""
        group = cgroup(self.cgroup)
        init = group.init()
        if init is not None:
            os.kill(init, SHUT_DOWN)
            with contextlib.suppress(SandboxError):
                group.wait_empty(timeout)
        self.kill()

    def kill(self) -> None:
        """End all its processes at once, like a pulled plug, and clean up behind systemd-nspawn."""
        group = cgroup(self.cgroup)
        group.kill()
        group.remove()
        self.clear_runtime()

    def clear_runtime(self) -> None:
        """Remove what a killed systemd-nspawn leaves in /run."""
        for kind in ("propagate", "unix-export"):
            directory = RUNTIME / kind / self.machine
            unmount_below(directory)
            if directory.is_dir():
                shutil.rmtree(directory, ignore_errors=True)
