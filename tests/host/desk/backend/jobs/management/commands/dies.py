"""A worker that ends after some seconds."""

import time

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("seconds", type=float)

    def handle(self, *args, **options):
        time.sleep(options["seconds"])
        raise CommandError("this worker has nothing to live for")
