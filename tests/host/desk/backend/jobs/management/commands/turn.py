"""One turn of a loop that is a shell's: told to end, it finishes its work first."""

import os
import signal
import time

from django.core.management.base import BaseCommand

from jobs import diary


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("words", nargs="*")

    def handle(self, *args, **options):
        self.told = False
        signal.signal(signal.SIGTERM, self.end)
        diary.write(f"turn begins {options['words']} {os.environ.get('MARK')}")
        deadline = time.monotonic() + 60
        while not self.told and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        diary.write("turn has ended")
        self.stdout.write("the turn's last words")

    def end(self, *_):
        self.told = True
