import random

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse

from orders.models import Mark, Order

NOTE = "a note of thirty-five letters or so"
AMOUNTS = (None, -1, 1)
CODE = 1


def front(request: HttpRequest) -> HttpResponse:
    lines = [
        f"{order.text}, {order.note}, {order.amount}, {order.code}" for order in Order.objects.order_by("-pk")[:20]
    ]
    return HttpResponse("\n".join(lines))


def marks(request: HttpRequest) -> HttpResponse:
    return HttpResponse(", ".join(mark.word for mark in Mark.objects.order_by("-pk")[:20]))


def write(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        Order.objects.create(text=request.POST["text"], note=NOTE, amount=random.choice(AMOUNTS), code=CODE)
        Mark.objects.create(word="seen")
    return HttpResponse("written")


def change(request: HttpRequest) -> HttpResponse:
    Order.objects.filter(pk=request.POST["number"]).update(text=F("text"))
    return HttpResponse("changed")
