from celery import shared_task

from .models import Report, Tick


@shared_task
def count_words(number):
    report = Report.objects.get(pk=number)
    report.words = len(report.text.split())
    report.save()


@shared_task
def tick():
    Tick.objects.create()
