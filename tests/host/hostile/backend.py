"""A build backend that tries what a hostile package would try, and writes down what it could do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

HOME = "/srv/codesensei"
WHEEL = "Wheel-Version: 1.0\nGenerator: probe\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def attempt(what: Callable[[], object]) -> str:
    """What came of it."""
    try:
        return repr(what())
    except Exception as error:  # noqa: BLE001  # whatever hinders it is the result
        return f"{type(error).__name__}: {error}"


def write(path: str | Path) -> str:
    """Add to a file."""
    with open(path, "a") as file:
        file.write("x")
    return "written"


def every_release() -> list[str]:
    """Write into the code of another project."""
    return [write(path) for path in [*Path(f"{HOME}/guestbook/releases").glob("*/manage.py"), Path("/srv/none/x")]]


def setuid() -> str:
    """Leave a program that runs as somebody else."""
    file = Path.cwd() / "setuid"
    file.write_bytes(Path("/bin/true").read_bytes())
    os.chmod(file, 0o6755)
    return oct(file.stat().st_mode)


def daemon() -> int:
    """Leave a process."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(["setsid", "sleep", "86399"], stdout=quiet, stderr=quiet, start_new_session=True).pid


def weights() -> str:
    """The weights of the unit in which this runs, whatever of them this machine's kernel knows."""
    words = ["systemctl", "show", "--property=CPUWeight,IOWeight", "codesensei-job-lab.service"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


TRIES: dict[str, Callable[[], object]] = {
    "shared": lambda: write(f"{HOME}/lab/shared/planted"),
    "media": lambda: write(f"{HOME}/lab/shared/media/planted"),
    "current": lambda: os.symlink("x", f"{HOME}/lab/current"),
    "releases": lambda: os.mkdir(f"{HOME}/lab/releases/planted"),
    "venvs": lambda: os.mkdir(f"{HOME}/lab/venvs/planted"),
    "env": lambda: write(f"{HOME}/lab/env/planted"),
    "other project": lambda: write(f"{HOME}/guestbook/shared/planted"),
    "other release": every_release,
    "other variables": lambda: Path(f"{HOME}/guestbook/shared/.env").read_text(),
    "toolkit": lambda: write("/usr/local/lib/codesensei/planted"),
    "memory": lambda: os.listdir("/var/lib/codesensei/lab"),
    "unit": lambda: write("/etc/systemd/system/planted.service"),
    "cron": lambda: write("/var/spool/cron/planted"),
    "root's home": lambda: os.listdir("/root"),
    "tmp of all": lambda: write("/tmp/planted"),
    "shadow": lambda: Path("/etc/shadow").read_text(),
    "sudo": lambda: subprocess.run(["sudo", "-n", "id"], check=True),
    "device": lambda: os.mknod("device", 0o20666, os.makedev(1, 1)),
    "setuid": setuid,
    "fifo": lambda: os.mkfifo("fifo"),
    "socket": lambda: socket.socket(socket.AF_UNIX).bind("socket"),
    "hard link": lambda: os.link("/etc/passwd", "passwd"),
    "link": lambda: os.symlink("/etc/shadow", "shadow"),
    "daemon": daemon,
}


def report() -> dict[str, object]:
    """What this process is, and what it could do."""
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {
        "user": os.getuid(),
        "capabilities": status["CapEff"],
        "bounding": status["CapBnd"],
        "new privileges": status["NoNewPrivs"],
        "weights": weights().split(),
        "nice": os.nice(0),
        "tries": {name: attempt(what) for name, what in TRIES.items()},
    }


def build_wheel(directory: str, settings: object = None, metadata: object = None) -> str:
    """The hook that pip calls; the wheel has the report as its only module."""
    name = "probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(directory) / name, "w") as wheel:
        wheel.writestr("probe.py", "REPORT = " + repr(json.dumps(report())))
        wheel.writestr("probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
        wheel.writestr("probe-1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr("probe-1.0.dist-info/RECORD", "")
    return name
