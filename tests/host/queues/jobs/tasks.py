"""The job, as each queue library wants it."""

import django_rq
import dramatiq
from asgiref.sync import async_to_sync
from celery import shared_task
from channels.layers import get_channel_layer
from django_q.tasks import async_task
from huey.contrib.djhuey import task

from jobs.work import work

by_celery = shared_task(work, name="by_celery")
by_dramatiq = dramatiq.actor(work)
by_huey = task(name="by_huey")(work)


def give(name: str) -> None:
    by_celery.delay(name)
    by_dramatiq.send(name)
    by_huey(name)
    django_rq.enqueue(work, name)
    async_task("jobs.work.work", name)
    async_to_sync(get_channel_layer().send)("work", {"type": "work", "name": name})
