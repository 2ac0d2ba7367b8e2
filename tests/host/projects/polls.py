"""The project of Django's own tutorial: `django-admin startproject mysite`, `startapp polls`."""

from __future__ import annotations

import re
import secrets
from typing import ClassVar

from tests.host.projects import startproject
from tests.host.projects.project import Json, Person, Project
from tests.host.projects.workshop import Workshop


class Polls(Project):
    """Nothing is at `/`, as in the tutorial."""

    slug = "polls"
    packages = startproject.DJANGO
    first_page = "/polls/"
    style: ClassVar = ("h1", "color", "rgb(0, 128, 0)")

    def make(self, workshop: Workshop, debian: int) -> None:
        """The tutorial, and an app for uploads."""
        startproject.start(workshop, ("polls", "library"))
        workshop.copy("polls", "library")
        startproject.install(workshop, "polls.apps.PollsConfig", "library")
        startproject.route(workshop, "path('polls/', include('polls.urls'))")
        startproject.finish(workshop)

    def improve(self, workshop: Workshop) -> str:
        """Another heading."""
        workshop.edit("polls/templates/polls/index.html", "<h1>Polls</h1>", "<h1>All our polls</h1>")
        return "All our polls"

    def use(self, person: Person) -> Json:
        """A question with two choices, a vote, a document."""
        question = f"What is new {secrets.token_hex(4)}"
        values = {
            "question_text": question,
            "choice_set-0-choice_text": "Nothing",
            "choice_set-1-choice_text": "The sky",
        }
        person.fill("/admin/polls/question/add/", "question_text", values).expect(200, "was added successfully")
        page = person.get(self.first_page)
        link = re.search(rf'href="(/polls/\d+/)">{question}<', page.body)
        assert link, page.body
        choice = re.search(r'value="(\d+)"> The sky', person.get(link.group(1)).body)
        assert choice
        person.fill(link.group(1), "choice", {"choice": choice.group(1)}).expect(200, "The sky: 1 vote<")
        return {"question": question, "path": link.group(1), "document": startproject.upload_document(person)}

    def find(self, person: Person, used: Json) -> None:
        """The question on the first page, the vote, the document."""
        person.get(self.first_page).expect(200, used["question"])
        person.get(f"{used['path']}results/").expect(200, "The sky: 1 vote<")
        startproject.find_document(person, used["document"])
