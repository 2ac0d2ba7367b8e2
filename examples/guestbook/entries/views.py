from functools import partial

from django.conf import settings
from django.db import transaction
from django.urls import reverse_lazy
from django.views.generic import CreateView

from entries.forms import EntryForm
from entries.models import Entry, WordCount
from entries.tasks import count_words

SHOWN = 50


class GuestbookView(CreateView):
    """The form and the latest entries."""

    form_class = EntryForm
    template_name = "entries/guestbook.html"
    success_url = reverse_lazy("guestbook")

    def form_valid(self, form):
        with transaction.atomic():
            response = super().form_valid(form)
            job = WordCount.objects.create(entry=self.object)
            # The worker must not look for the row before it is there.
            transaction.on_commit(partial(count_words.delay, job.pk))
        return response

    def get_context_data(self, **kwargs):
        entries = Entry.objects.select_related("word_count")[:SHOWN]
        return super().get_context_data(greeting=settings.GREETING, entries=entries, **kwargs)
