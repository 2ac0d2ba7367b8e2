from django.db import models


class Entry(models.Model):
    """What a visitor wrote."""

    name = models.CharField(max_length=80)
    message = models.TextField(max_length=1000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "entries"

    def __str__(self):
        return f"{self.name}, {self.created_at:%d %B %Y}"


class WordCount(models.Model):
    """The job that counts an entry's words; the worker fills in the result."""

    entry = models.OneToOneField(Entry, on_delete=models.CASCADE, related_name="word_count")
    queued_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    words = models.PositiveIntegerField(null=True, blank=True)

    def __str__(self):
        return "queued" if self.finished_at is None else f"{self.words} words"
