from celery import shared_task
from django.utils import timezone

from entries.models import WordCount


@shared_task
def count_words(word_count_id):
    """Count the words of one entry."""
    job = WordCount.objects.select_related("entry").get(pk=word_count_id)
    job.words = len(job.entry.message.split())
    job.finished_at = timezone.now()
    job.save(update_fields=["words", "finished_at"])
