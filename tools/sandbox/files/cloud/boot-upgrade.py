#!/usr/bin/env python3
"""Stands for the unattended upgrade that a bought server runs at boot: holds the package locks for a while."""

import fcntl
import subprocess
import time

LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/cache/apt/archives/lock")
SECONDS = 9.0


def main() -> None:
    """Take dpkg's locks as apt does, refresh the lists, and let go after SECONDS."""
    end = time.monotonic() + SECONDS
    # dpkg and apt use POSIX record locks, which end with the process.
    handles = [open(path, "w", encoding="ascii") for path in LOCKS]  # noqa: SIM115
    for handle in handles:
        fcntl.lockf(handle, fcntl.LOCK_EX)
    subprocess.run(["apt-get", "-q", "update"], check=False)
    time.sleep(max(0.0, end - time.monotonic()))


if __name__ == "__main__":
    main()
