"""Workers that end as soon as they have begun."""

from tests.host.broken.case import Broken

CASES = (
    Broken(
        "a worker's option does not exist",
        config={"project.workers.mail": "celery -A config worker --no-such-option"},
        switched=True,
        error="guestbook-mail.service on SERVER: it ended within SECONDS s of its start (exit-code, status 2): the command has an option that the program does not know: --no-such-option",
        fix="fix the command in the stack file",
    ),
    Broken(
        "a worker's program does not exist",
        config={"project.workers.mail": "huey_consumer config.huey"},
        error="workers that cannot start on SERVER: guestbook-mail.service: there is no program huey_consumer",
        fix="fix the command in project.workers",
    ),
    Broken(
        "a worker's application does not exist",
        config={"project.workers.mail": "celery -A shop worker"},
        error="workers that cannot start on SERVER: guestbook-mail.service: celery -A shop worker cannot load the project: the module shop cannot be found",
        fix="add its package to the requirements file (its name may differ: environ is django-environ); if it is the project's own, commit it, and check project.directory and project.pythonPath",
    ),
    Broken(
        "a worker's port is in use",
        config={"project.workers.mail": "python -m http.server 5432 --bind 127.0.0.1"},
        switched=True,
        error="guestbook-mail.service on SERVER: it ended within SECONDS s of its start (exit-code, status 1): the port that it listens on is already in use",
        fix="choose another port, or stop what listens there (on the server: ss -tlnp)",
    ),
    Broken(
        "a worker ends at once",
        config={"project.workers.mail": "echo nothing to do"},
        switched=True,
        error="guestbook-mail.service on SERVER: it ended within SECONDS s of its start (success, status 0)",
        fix="fix its command in project.workers",
    ),
    Broken(
        "a worker fails",
        write={
            "entries/management/__init__.py": "",
            "entries/management/commands/__init__.py": "",
            "entries/management/commands/listen.py": "from django.core.management.base import BaseCommand\n\n\n"
            "class Command(BaseCommand):\n    def handle(self, **options):\n"
            '        raise ConnectionError("the mail server does not answer")\n',
        },
        config={"project.workers.mail": "python manage.py listen"},
        switched=True,
        error="guestbook-mail.service on SERVER: it ended within SECONDS s of its start (exit-code, status 1): ConnectionError: the mail server does not answer (entries/management/commands/listen.py, line 6)",
        fix="fix its command in project.workers",
    ),
)
