"""The project of Wagtail's own generator: `wagtail start`."""

from __future__ import annotations

import re
import secrets
from typing import ClassVar

from tests.host.projects.project import DATABASE_PACKAGES, Json, Person, Project, picture
from tests.host.projects.visitor import Upload
from tests.host.projects.workshop import Workshop

PRODUCTION = """
import os

import dj_database_url

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split(",")
DATABASES = {"default": dj_database_url.config(conn_max_age=60)}
MEDIA_ROOT = os.environ["MEDIA_ROOT"]
INSTALLED_APPS += ["django.contrib.postgres"]
"""
NEWER_DJANGO = "Django>=6.1,<6.2"
OLDER_DJANGO = "Django>=5.2,<5.3"


class Wagtail(Project):
    """Settings in a package, hashed static files, pages, pictures with renditions, documents."""

    slug = "wagtail"
    packages = ("wagtail==8.0.1",)
    settings = "mysite.settings.production"
    style: ClassVar = ("body", "max-width", "960px")

    def make(self, workshop: Workshop, debian: int) -> None:
        """The generator's output; Django as it asks for, where the server's Python is new enough."""
        workshop.run("wagtail", "start", "mysite", ".")
        workshop.append("requirements.txt", "\n".join([*DATABASE_PACKAGES, ""]))
        workshop.append("mysite/settings/production.py", PRODUCTION)
        if debian == 12:
            workshop.edit("requirements.txt", NEWER_DJANGO, OLDER_DJANGO)

    def improve(self, workshop: Workshop) -> str:
        """Another welcome."""
        page = "home/templates/home/welcome_page.html"
        workshop.edit(page, "Welcome to your new Wagtail site!", "Welcome to our improved site!")
        return "Welcome to our improved site!"

    def use(self, person: Person) -> Json:
        """A picture, a document and a published page, all through Wagtail's own admin."""
        name, picture_, text = secrets.token_hex(4), picture(), secrets.token_bytes(2000)
        person.fill(
            "/admin/images/add/",
            "focal_point_x",
            {"title": f"Picture {name}"},
            {"file": Upload(f"{name}.png", picture_, "image/png")},
        ).expect(200, f"Picture {name}")
        person.fill(
            "/admin/documents/add/",
            "file",
            {"title": f"Document {name}"},
            {"file": Upload(f"{name}.txt", text, "text/plain")},
        ).expect(200, f"Document {name}")
        values = {
            "title": f"About {name}",
            "slug": f"about-{name}",
            "action-publish": "action-publish",
        }
        person.fill("/admin/pages/add/home/homepage/3/", "action-publish", values).expect(200, f"About {name}")
        return {"name": name, "picture": picture_, "text": text}

    def find(self, person: Person, used: Json) -> None:
        """The page as a visitor sees it, the document's bytes, the picture and its rendition."""
        name = used["name"]
        person.get(f"/about-{name}/").expect(200, f"About {name}")
        link = re.search(rf'href="(/documents/\d+/{name}\.txt)"', person.get("/admin/documents/").body)
        assert link, "the document is not listed"
        assert person.get(link.group(1)).content == used["text"]
        assert person.get(f"/media/original_images/{name}.png").content == used["picture"]
        rendition = re.search(rf'src="(/media/images/{name}[^"]+)"', person.get("/admin/images/").body)
        assert rendition, "the picture is not listed"
        assert person.get(rendition.group(1)).headers["content-type"] == "image/png"
