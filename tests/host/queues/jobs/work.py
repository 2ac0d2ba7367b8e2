"""The job that every queue library runs: it writes down in the worker's HOME when it begins and ends."""

import os
import time
from pathlib import Path


def work(name: str) -> None:
    """Work until the test lets the worker's jobs end, by a file in its HOME."""
    home = Path(os.environ["HOME"])
    write(home, f"begin {name}")
    while not (home / "enough").exists():
        time.sleep(0.05)
    write(home, f"end {name}")


def write(home: Path, event: str) -> None:
    with open(home / "diary", "a") as diary:
        diary.write(f"{time.time():.3f} {os.getpid()} {event}\n")
