"""On which signal a line's program finishes its work."""

from __future__ import annotations

import pytest

from codesensei.render.queues import stop_signal


@pytest.mark.proves("workers.stop-signal")
@pytest.mark.parametrize(
    ("line", "signal"),
    [
        ("python manage.py run_huey", "SIGINT"),
        ("env X=y exec ./manage.py run_huey -w 4 -k process", "SIGINT"),
        ("django-admin run_huey", "SIGINT"),
        ("python3 -m django run_huey", "SIGINT"),
        ("python manage.py djangohuey --queue first", "SIGINT"),
        ("huey_consumer.py jobs.huey", "SIGINT"),
        ("huey_consumer jobs.huey", "SIGINT"),
        ("python -m huey.bin.huey_consumer jobs.huey", "SIGINT"),
        ("cd jobs && bin/huey_consumer jobs.huey", "SIGINT"),
        ("while true; do manage.py run_huey; done", "SIGINT"),
        ("bash -c 'manage.py run_huey'", "SIGINT"),
        ("true\nmanage.py run_huey", "SIGINT"),
        ("python manage.py run_huey --graceful-signal TERM", "SIGTERM"),
        ("python manage.py run_huey --graceful-signal=TERM", "SIGTERM"),
        ("huey_consumer jobs.huey -g TERM", "SIGTERM"),
        ("python manage.py runworker thumbnails", "SIGINT"),
        ("python manage.py process_tasks", "SIGTSTP"),
        ("celery -A config worker -Q run_huey", "SIGTERM"),
        ("celery -A config worker", "SIGTERM"),
        ("rq worker high", "SIGTERM"),
        ("python manage.py rqworker", "SIGTERM"),
        ("python manage.py rundramatiq", "SIGTERM"),
        ("dramatiq jobs", "SIGTERM"),
        ("python manage.py qcluster", "SIGTERM"),
        ("python manage.py procrastinate worker", "SIGTERM"),
        ("python manage.py my_run_huey", "SIGTERM"),
        ("python manage.py run_huey_twice", "SIGTERM"),
        ("./work.sh", "SIGTERM"),
    ],
)
def test_the_signal_of_a_line(line: str, signal: str) -> None:
    assert stop_signal(line) == signal
