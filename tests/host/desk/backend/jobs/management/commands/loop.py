"""A worker that is a plain manage.py command: it finishes its round when it is told to end."""

import signal
import time

from django.core.management.base import BaseCommand

from jobs import diary


class Command(BaseCommand):
    def handle(self, *args, **options):
        self.ended = False
        signal.signal(signal.SIGTERM, self.end)
        diary.write("loop begins")
        while not self.ended:
            time.sleep(0.2)
        time.sleep(1)
        diary.write("loop has ended")

    def end(self, *_):
        self.ended = True
