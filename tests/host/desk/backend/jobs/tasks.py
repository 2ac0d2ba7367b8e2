import os
import time

from celery import shared_task

from jobs import diary


@shared_task
def work(name: str, seconds: float) -> None:
    diary.write(f"begin {name}")
    time.sleep(seconds)
    diary.write(f"end {name}")


@shared_task
def tick() -> None:
    diary.write(f"tick {os.environ.get('MARK', '')}")
