"""A generator's production-ready layout: `django-api-starter new`, with settings per environment, environ, JWT,
Celery worker and beat, requirements/production.txt, HTTPS demanded by the settings."""

from __future__ import annotations

import json
import secrets
from typing import ClassVar

from tests.host.projects.project import Json, Person, Project, picture
from tests.host.projects.visitor import Upload, Visitor
from tests.host.projects.workshop import Workshop

NEWER_DJANGO = "Django>=6.1,<7"
OLDER_DJANGO = "Django>=5.2,<6"
MEDIA_ROOT = 'MEDIA_ROOT = BASE_DIR / "media"'
TASK = "from apps.accounts.tasks import flush_expired_tokens as t; t.delay().get(timeout=60); print('the task is done')"


class Starter(Project):
    """Its settings redirect to HTTPS, send HSTS and secure cookies: the stack serves TLS."""

    slug = "starter"
    packages = ("django-api-starter==0.2.0",)
    settings = "conf.settings.production"
    first_page = "/admin/login/"
    scheme = "https"
    style: ClassVar = ("#header", "background-color", "rgb(65, 118, 144)")

    def make(self, workshop: Workshop, debian: int) -> None:
        """The generator's output; uploads where a deploy wants them; Django for the server's Python."""
        workshop.run("django-api-starter", "new", "shopapi", ".", "--yes", "--celery")
        workshop.edit("conf/settings/base.py", MEDIA_ROOT, 'MEDIA_ROOT = env("MEDIA_ROOT", default=BASE_DIR / "media")')
        if debian == 12:
            workshop.edit("requirements/base.txt", NEWER_DJANGO, OLDER_DJANGO)

    def project_config(self) -> Json:
        """The processes that its README names."""
        return {
            "requirements": "requirements/production.txt",
            "healthCheck": {"path": "/health/", "accept": ["200"]},
            "workers": {
                "worker": "celery -A conf worker -l info --concurrency 1",
                "beat": {"command": "celery -A conf beat -l info", "singleton": True},
            },
        }

    def more_config(self) -> Json:
        """TLS, and a number of the broker for cache and queue."""
        return {"codesensei:tls": "selfSigned", "codesensei:broker": {"env": {"REDIS_URL": "url"}}}

    def superuser(self, person: Person) -> list[tuple[str, str]]:
        """Users of this project have addresses for names."""
        return [
            ("Email:", person.email),
            ("Name:", person.name),
            ("Password:", person.password),
            ("Password (again):", person.password),
        ]

    def login(self, person: Person) -> str:
        """The address."""
        return person.email

    def improve(self, workshop: Workshop) -> str:
        """A title of the admin."""
        workshop.append("conf/urls.py", 'admin.site.site_header = "The shop\'s office"\n')
        return "The shop&#x27;s office"

    def use(self, person: Person) -> Json:
        """An account over the API and a token for it; a picture in the admin; a task."""
        name, content = f"grace-{secrets.token_hex(3)}", picture()
        account = {"email": f"{name}@people.example", "password": secrets.token_urlsafe(12), "name": name}
        anonymous = Visitor(person.visitor.address, person.visitor.hostname, "https")
        data = {**account, "password_confirm": account["password"]}
        anonymous.send("POST", "/api/v1/auth/register/", data).expect(201)
        path = f"/admin/accounts/user/{self._enter(person, account)['user']['id']}/change/"
        person.fill(path, "phone", {}, {"profile_picture": Upload("grace.png", content, "image/png")})
        assert "the task is done" in person.manage(f'shell -c "{TASK}"')
        return {"account": account, "picture": content}

    def find(self, person: Person, used: Json) -> None:
        """The account, its picture's bytes, and that tasks are done."""
        answer = self._enter(person, used["account"])
        visitor = Visitor(person.visitor.address, person.visitor.hostname, "https")
        own = {"Authorization": f"Bearer {answer['tokens']['access']}"}
        me = json.loads(visitor.send("GET", "/api/v1/auth/me/", None, own).expect(200).body)
        origin, separator, path = me["profile_picture"].partition("/media/")
        assert (origin, separator) == (visitor.origin, "/media/")
        assert visitor.get(f"/media/{path}").expect(200).content == used["picture"]
        person.get("/admin/accounts/user/").expect(200, used["account"]["email"])
        assert "the task is done" in person.manage(f'shell -c "{TASK}"')
        unencrypted = Visitor(person.visitor.address, person.visitor.hostname)
        assert unencrypted.ask("GET", "/health/").headers["location"] == f"{visitor.origin}/health/"

    def _enter(self, person: Person, account: Json) -> Json:
        visitor = Visitor(person.visitor.address, person.visitor.hostname, "https")
        data = {"email": account["email"], "password": account["password"]}
        answer: Json = json.loads(visitor.send("POST", "/api/v1/auth/login/", data).expect(200).body)
        return answer
