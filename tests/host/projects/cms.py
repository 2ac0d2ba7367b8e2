"""The project of django CMS's own starter: `djangocms .` in what `django-admin startproject` has made."""

from __future__ import annotations

import re
import secrets
from typing import ClassVar

from tests.host.projects import startproject
from tests.host.projects.chromium import Tab
from tests.host.projects.project import Json, Person, Project, picture
from tests.host.projects.visitor import Upload
from tests.host.projects.workshop import Workshop


class Cms(Project):
    """Pages with versions, a media library with thumbnails, an editor's toolbar."""

    slug = "cms"
    packages = ("django-cms==5.1.3", *startproject.DJANGO)
    style: ClassVar = ("h1", "color", "rgb(0, 0, 128)")

    def make(self, workshop: Workshop, debian: int) -> None:
        """The starter with the rules that the package brings, and a template of the site's own."""
        startproject.start(workshop, ())
        workshop.run("djangocms", ".", "--noinput", "--use-bundled-install-rules")
        workshop.copy("cms")
        workshop.append(startproject.SETTINGS, 'STATICFILES_DIRS = [BASE_DIR / "static"]\n')
        startproject.finish(workshop)

    def improve(self, workshop: Workshop) -> str:
        """Another name of the site."""
        workshop.edit("templates/cms-base.html", "Our site", "Our improved site")
        return "Our improved site"

    def use(self, person: Person) -> Json:
        """A picture in the media library, and a page that is published and so becomes the first one."""
        name, content = secrets.token_hex(4), picture()
        person.get("/admin/filer/folder/")
        token = {"csrfmiddlewaretoken": person.visitor.cookie("csrftoken")}
        sent = person.visitor.post(
            "/admin/filer/clipboard/operations/upload/no_folder/",
            "/admin/filer/folder/",
            token,
            {"file": Upload(f"{name}.png", content, "image/png")},
        ).expect(200, "original_image")
        file = re.search(r'"original_image": "([^"]+)"', sent.body)
        assert file, sent.body
        values = {"title": f"Welcome {name}", "slug": f"welcome-{name}"}
        person.fill("/admin/cms/pagecontent/add/?language=en-us", "title", values)
        versions = person.get("/admin/djangocms_versioning/pagecontentversion/?page=1")
        publish = re.search(r'"(/admin/djangocms_versioning/pagecontentversion/\d+/publish/)"', versions.body)
        assert publish, versions.body
        person.visitor.post(publish.group(1), versions.path, token).expect(200, f"Welcome {name}")
        return {"name": name, "picture": content, "file": file.group(1)}

    def find(self, person: Person, used: Json) -> None:
        """The page, the file's bytes, and its thumbnail."""
        person.get("/").expect(200, f"Welcome {used['name']}")
        assert person.get(used["file"]).content == used["picture"]
        listed = person.get("/admin/filer/folder/unfiled_images/").expect(200, f"{used['name']}.png")
        # Made when it is first asked for, and from then on led to directly.
        places = r"/admin/filer/\w+/icon/\d+/\d+|/media/filer_public_thumbnails/"
        icon = re.search(rf'src="((?:{places})[^"]*)"', listed.body)
        assert icon, listed.body
        assert person.get(icon.group(1)).headers["content-type"].startswith("image/")

    def look(self, tab: Tab, person: Person) -> None:
        """The editor's toolbar, which is made by the scripts among the static files."""
        tab.set_cookie(person.visitor.hostname, "sessionid", person.visitor.cookie("sessionid"))
        tab.open(f"{person.visitor.origin}/?toolbar_on")
        tab.until("document.querySelector('.cms-toolbar') && document.querySelector('.cms-toolbar').offsetHeight > 20")
        assert tab.failed(person.visitor.hostname) == []
        assert tab.loaded(person.visitor.hostname, "Script")
