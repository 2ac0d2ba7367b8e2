import django_rq
import redis
from django.conf import settings
from django.http import HttpRequest, JsonResponse

from jobs.tasks import give as give_to_all


def front(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"state": "open"})


def give(request: HttpRequest) -> JsonResponse:
    give_to_all(request.GET["name"])
    return JsonResponse({})


def left(request: HttpRequest) -> JsonResponse:
    """What the broker still has of jobs: waiting, or given to a worker that has not acknowledged."""
    broker, queue = redis.Redis.from_url(settings.BROKER), django_rq.get_queue()
    acks = sum(broker.scard(key) for key in broker.scan_iter("dramatiq:__acks__*"))
    return JsonResponse(
        {
            "celery": broker.llen("celery") + broker.hlen("unacked"),
            "dramatiq": broker.llen("dramatiq:default") + acks,
            "huey": broker.llen("huey.redis.office"),
            "rq": queue.count + queue.started_job_registry.count + queue.failed_job_registry.count,
            "q": broker.llen("django_q:office:q"),
        }
    )
