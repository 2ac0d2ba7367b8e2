"""The job that every queue library runs: it writes down in the worker's HOME when it begins and ends."""

import os
import time
from pathlib import Path


def work(name: str, seconds: float) -> None:
    write(f"begin {name}")
    time.sleep(seconds)
    write(f"end {name}")


def write(event: str) -> None:
    with open(Path(os.environ["HOME"]) / "diary", "a") as diary:
        diary.write(f"{time.time():.3f} {os.getpid()} {event}\n")
