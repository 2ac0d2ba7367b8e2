"""A REST project: django-admin startproject, Django REST framework, Celery with a worker, beat with its schedule in
the database."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any, ClassVar

from tests.host.projects import startproject
from tests.host.projects.project import Json, Person, Project
from tests.host.projects.workshop import Workshop

REST = """
REST_FRAMEWORK = {"DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissionsOrAnonReadOnly"]}
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
"""
SECONDS = 90.0
POLL_SECONDS = 0.5


class Api(Project):
    """Reports that a worker counts the words of; a clock that beat makes tick, as somebody has told it in the admin."""

    slug = "api"
    packages = ("djangorestframework~=3.18", "celery[redis]~=5.6", "django-celery-beat~=2.8", *startproject.DJANGO)
    style: ClassVar = (".navbar", "position", "fixed")

    def make(self, workshop: Workshop, debian: int) -> None:
        """The frameworks' own first steps."""
        startproject.start(workshop, ("reports", "library"))
        workshop.copy("api", "library")
        startproject.install(workshop, "rest_framework", "django_celery_beat", "reports", "library")
        routes = ("path('', include('reports.urls'))", "path('api-auth/', include('rest_framework.urls'))")
        startproject.route(workshop, *routes)
        startproject.finish(workshop)
        workshop.append(startproject.SETTINGS, REST)

    def project_config(self) -> Json:
        """A worker, and one beat."""
        return {
            "workers": {
                "worker": "celery -A mysite worker -l info --concurrency 1",
                "beat": {"command": "celery -A mysite beat -l info", "singleton": True},
            }
        }

    def more_config(self) -> Json:
        """A number of the broker."""
        return {"codesensei:broker": {"env": {"CELERY_BROKER_URL": "url"}}}

    def improve(self, workshop: Workshop) -> str:
        """A name for the API."""
        workshop.edit(
            "reports/urls.py", "router.register", 'router.get_api_root_view().cls.__doc__ = "Our API."\nrouter.register'
        )
        return "Our API."

    def use(self, person: Person) -> Json:
        """A report over the API and its task; a schedule in the admin, and its first ticks; a document."""
        text = f"four words and {secrets.token_hex(4)}"
        person.get("/reports/")
        made = person.visitor.send("POST", "/reports/", {"text": text}).expect(201)
        report = json.loads(made.body)["url"]
        self._await(person, f"{report}?format=json", lambda found: found["words"] == 4)
        interval = {"every": "1", "period": "seconds"}
        person.fill("/admin/django_celery_beat/intervalschedule/add/", "every", interval)
        schedules = person.get("/admin/django_celery_beat/intervalschedule/").body
        number = re.search(r"/admin/django_celery_beat/intervalschedule/(\d+)/change/", schedules)
        assert number, schedules
        task = {"name": "The clock", "regtask": "reports.tasks.tick", "interval": number.group(1)}
        person.fill("/admin/django_celery_beat/periodictask/add/", "regtask", task).expect(200, "The clock")
        self._await_ticks(person)
        return {"report": report, "text": text, "document": startproject.upload_document(person)}

    def find(self, person: Person, used: Json) -> None:
        """The report with what the worker found, the document, and that the clock goes on."""
        found = json.loads(person.get(f"{used['report']}?format=json").body)
        assert (found["text"], found["words"]) == (used["text"], 4)
        person.get("/admin/django_celery_beat/periodictask/").expect(200, "The clock")
        startproject.find_document(person, used["document"])
        self._await_ticks(person)

    def _await_ticks(self, person: Person) -> None:
        before = json.loads(person.get("/ticks/?format=json").body)["count"]
        self._await(person, "/ticks/?format=json", lambda found: found["count"] >= before + 2)

    def _await(self, person: Person, path: str, holds: Any) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds(found := json.loads(person.get(path).body)):
            assert time.monotonic() < deadline, f"{path} says {found} after {SECONDS:g} s"
            time.sleep(POLL_SECONDS)
