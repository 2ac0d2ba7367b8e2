"""What the projects on `django-admin startproject mysite` have in common: an app with uploads, and its use."""

from __future__ import annotations

import re
import secrets

from tests.host.projects.project import DATABASE_PACKAGES, DEPLOYED_SETTINGS, Json, Person
from tests.host.projects.visitor import Upload
from tests.host.projects.workshop import Workshop

DJANGO = ("Django~=5.2.0", *DATABASE_PACKAGES)
SETTINGS = "mysite/settings.py"
ROUTES = "mysite/urls.py"


def start(workshop: Workshop, apps: tuple[str, ...]) -> None:
    """`django-admin startproject`, and `startapp` for each app."""
    workshop.run("django-admin", "startproject", "mysite", ".")
    for app in apps:
        workshop.manage("startapp", app)


def install(workshop: Workshop, *apps: str) -> None:
    """Write apps into INSTALLED_APPS."""
    lines = "".join(f"    '{app}',\n" for app in apps)
    workshop.edit(SETTINGS, "INSTALLED_APPS = [\n", f"INSTALLED_APPS = [\n{lines}")


def route(workshop: Workshop, *lines: str) -> None:
    """Write into the project's URLs."""
    workshop.edit(ROUTES, "from django.urls import path\n", "from django.urls import include, path\n")
    own = "".join(f"    {line},\n" for line in lines)
    workshop.edit(ROUTES, "urlpatterns = [\n", f"urlpatterns = [\n{own}")


def finish(workshop: Workshop) -> None:
    """Migrations, the settings for a deploy, requirements.txt."""
    workshop.manage("makemigrations")
    workshop.append(SETTINGS, DEPLOYED_SETTINGS)
    workshop.manage("check")
    workshop.freeze()


def upload_document(person: Person) -> Json:
    """Upload a file through the admin's form."""
    title, content = f"Minutes {secrets.token_hex(4)}", secrets.token_bytes(3000)
    files = {"file": Upload("minutes.bin", content)}
    person.fill("/admin/library/document/add/", "file", {"title": title}, files).expect(200, "was added successfully")
    return {"title": title, "content": content}


def find_document(person: Person, document: Json) -> None:
    """Find the file through the admin, and get the very bytes from the link that stands there."""
    listed = person.get("/admin/library/document/").expect(200, document["title"]).body
    link = re.search(rf'href="([^"]+/change/[^"]*)">{document["title"]}<', listed)
    assert link, listed
    file = re.search(r'Currently: <a href="([^"]+)"', person.get(link.group(1)).body)
    assert file, "the admin shows no link to the file"
    assert person.get(file.group(1)).content == document["content"]
