import time

from django.http import HttpRequest, HttpResponse

from notes.models import Note


def front(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Note.objects.count()))


def write(request: HttpRequest) -> HttpResponse:
    Note.objects.create(text=request.POST["text"])
    return HttpResponse("written")


def slow(request: HttpRequest) -> HttpResponse:
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("slept")


def upload(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))
