"""django-allauth's quick start on `django-admin startproject`: people sign up and confirm their addresses."""

from __future__ import annotations

import re
import secrets
from typing import ClassVar

from tests.host.projects import startproject
from tests.host.projects.project import Json, Person, Project
from tests.host.projects.visitor import Visitor
from tests.host.projects.workshop import Workshop

QUICK_START = """
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
LOGIN_REDIRECT_URL = "/accounts/email/"
EMAIL_BACKEND = os.environ.get("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
"""
CLICK = "django.middleware.clickjacking.XFrameOptionsMiddleware',\n"


class Allauth(Project):
    """Mails go to the journal, where the links in them must be of the public host name.

    It limits attempts by the address of the client, and refuses requests without one.
    """

    slug = "allauth"
    packages = ("django-allauth~=65.21", *startproject.DJANGO)
    first_page = "/accounts/login/"
    style: ClassVar = ("h1", "color", "rgb(128, 0, 128)")

    def make(self, workshop: Workshop, debian: int) -> None:
        """The quick start, a style sheet, and an app for uploads."""
        startproject.start(workshop, ("library",))
        workshop.copy("allauth", "library")
        startproject.install(workshop, "library", "allauth", "allauth.account")
        startproject.route(workshop, "path('accounts/', include('allauth.urls'))")
        own = f"{CLICK}    'allauth.account.middleware.AccountMiddleware',\n"
        workshop.edit(startproject.SETTINGS, CLICK, own)
        workshop.edit(startproject.SETTINGS, "'DIRS': []", "'DIRS': [BASE_DIR / 'templates']")
        startproject.finish(workshop)
        workshop.append(startproject.SETTINGS, QUICK_START + 'STATICFILES_DIRS = [BASE_DIR / "static"]\n')

    def improve(self, workshop: Workshop) -> str:
        """Another title."""
        workshop.edit("templates/allauth/layouts/base.html", "Accounts</p>", "All accounts</p>")
        return "All accounts"

    def use(self, person: Person) -> Json:
        """Somebody signs up and confirms the address by the link in the mail; a document."""
        name, password = f"grace{secrets.token_hex(3)}", secrets.token_urlsafe(12)
        visitor = Visitor(person.visitor.address, person.visitor.hostname)
        values = {
            "email": f"{name}@people.example",
            "username": name,
            "password1": password,
            "password2": password,
        }
        visitor.submit(visitor.get("/accounts/signup/"), "password1", values).expect(200, "Verify Your Email")
        journal = person.server.console("journalctl --sync; journalctl -q -o cat -u allauth").stdout
        link = re.search(rf"({re.escape(visitor.origin)})(/accounts/confirm-email/\S+)", journal)
        assert link, journal[-3000:]
        page = visitor.get(link.group(2)).expect(200, name)
        visitor.post(link.group(2), page.path, page.form("csrfmiddlewaretoken").fields).expect(200)
        account = {"name": name, "password": password}
        self._enter(person, account)
        return {"account": account, "document": startproject.upload_document(person)}

    def find(self, person: Person, used: Json) -> None:
        """The account, with which its owner can log in; in the admin too; the document."""
        self._enter(person, used["account"])
        person.get("/admin/account/emailaddress/").expect(200, f"{used['account']['name']}@people.example")
        startproject.find_document(person, used["document"])

    def _enter(self, person: Person, account: Json) -> None:
        visitor = Visitor(person.visitor.address, person.visitor.hostname)
        values = {"login": account["name"], "password": account["password"]}
        page = visitor.submit(visitor.get("/accounts/login/"), "login", values)
        page.expect(200, f"{account['name']}@people.example")
