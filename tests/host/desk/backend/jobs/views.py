import os
import time

from django.http import HttpRequest, JsonResponse

from jobs.models import Note
from jobs.tasks import work as work_task

NAMES = ("PATH", "HOME", "DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED", "FROM_CONF", "FROM_HOOK", "GREETING")


def said(**more: object) -> JsonResponse:
    variables = {name: os.environ.get(name) for name in NAMES}
    return JsonResponse({"pid": os.getpid(), "cwd": os.getcwd(), "environ": variables, **more})


def front(request: HttpRequest) -> JsonResponse:
    return said(scheme=request.scheme, address=request.META.get("REMOTE_ADDR"))


def slow(request: HttpRequest) -> JsonResponse:
    time.sleep(float(request.GET["seconds"]))
    return said(slow=True)


def notes(request: HttpRequest) -> JsonResponse:
    if request.method == "POST":
        Note.objects.create(text=request.POST["text"])
    return said(notes=list(Note.objects.values_list("text", flat=True)) if request.method == "GET" else [])


def work(request: HttpRequest) -> JsonResponse:
    work_task.delay(request.GET["name"], float(request.GET["seconds"]))
    return said()
