"""Static files, hooks, and web processes that do not answer as they should."""

from tests.host.broken.case import Broken
from tests.host.broken.settings import PRODUCTION, setting

VIEWS = "entries/views.py"
GET = "    def get_context_data(self, **kwargs):\n"
QUIET = {PRODUCTION: ("LOGGING = {", "LOGGING_WAS = {")}


def view(*lines: str) -> dict[str, tuple[str, str]]:
    """The page with other first lines."""
    body = "".join(f"        {line}\n" for line in lines)
    return {VIEWS: (GET, f"    def get(self, request, *args, **kwargs):\n{body}\n{GET}")}


CASES = (
    Broken(
        "a style sheet names a missing file",
        replace={"entries/static/entries/guestbook.css": ("body {", "body { background: url(paper.png);")},
        error="manage.py collectstatic (release RELEASE) on SERVER: a style sheet names the static file entries/paper.png, which is not in the commit",
        fix="commit the file (is it in .gitignore?), build it in hooks.beforeCollectstatic, or fix its name in the style sheet",
    ),
    Broken(
        "a template names a missing file",
        revision="broken",
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 500: a template names the static file entries/logo.svg, which was not collected",
        fix="commit the file (is it in .gitignore?), build it in hooks.beforeCollectstatic, or fix its name in the template",
    ),
    Broken(
        "a template is missing",
        replace={VIEWS: ('"entries/guestbook.html"', '"entries/book.html"')},
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 500: the template entries/book.html does not exist",
        fix="commit it in a templates folder of an app in INSTALLED_APPS, or of DIRS in TEMPLATES",
    ),
    Broken(
        "a hook's program is missing",
        config={"project.hooks": {"beforeCollectstatic": ["npm run build"]}, "project.rebuild": "npm"},
        error="hook beforeCollectstatic: npm run build (release RELEASE) on SERVER: the program npm is not on the server",
        fix="set project.systemPackages: [nodejs, npm] and build the assets in hooks.beforeCollectstatic (npm ci, npm run build); or commit what the build makes",
    ),
    Broken(
        "a hook may not be executed",
        write={"build.sh": "#!/bin/sh\ntrue\n"},
        config={"project.hooks": {"beforeMigrate": ["./build.sh"]}},
        error="hook beforeMigrate: ./build.sh (release RELEASE) on SERVER: the file ./build.sh is not executable",
        fix="commit it with its mode (git update-index --chmod=+x), or call its interpreter (bash ./build.sh)",
    ),
    Broken(
        "a hook fails",
        config={"project.hooks": {"beforeMigrate": ["echo the shop is being counted; exit 3"]}},
        error="hook beforeMigrate: echo the shop is being counted; exit 3 (release RELEASE) on SERVER: it ended with status 3",
        fix="fix the hook and deploy again",
    ),
    Broken(
        "a management command is missing",
        config={"project.hooks": {"afterMigrate": ["python manage.py compress"]}},
        error="hook afterMigrate: python manage.py compress (release RELEASE) on SERVER: manage.py has no command compress",
        fix="check its name, and that its app is in INSTALLED_APPS of the deployed settings module",
    ),
    Broken(
        "the hostname is not allowed",
        replace=setting('ALLOWED_HOSTS = sorted({"shop.example"})'),
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 400: Django refuses the host guestbook.example (DisallowedHost): ALLOWED_HOSTS is ['shop.example']",
        fix="add guestbook.example to ALLOWED_HOSTS, or .example for all names below example",
    ),
    Broken(
        "the variable of hostnames lacks one",
        config={"env.DJANGO_ALLOWED_HOSTS": "shop.example"},
        error="config/settings/production.py:11: ALLOWED_HOSTS, from the variable DJANGO_ALLOWED_HOSTS, does not have guestbook.example, so Django answers 400 there",
        fix="add it to DJANGO_ALLOWED_HOSTS in codesensei:env",
        preview=True,
    ),
    Broken(
        "the hostname is not allowed in DEBUG",
        replace=setting("DEBUG = True\nALLOWED_HOSTS = []"),
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 400: Django refuses the host guestbook.example (DisallowedHost): ALLOWED_HOSTS is []",
        fix="add guestbook.example to ALLOWED_HOSTS, or .example for all names below example",
    ),
    Broken(
        "a view fails",
        replace=view("return 1 / 0"),
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 500: ZeroDivisionError: division by zero (entries/views.py, line 31)",
        fix="fix it; the same request on your machine, with DEBUG off, shows it too",
    ),
    Broken(
        "a view fails, and nothing is logged",
        replace=view('return {}["greeting"]') | QUIET,
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 500: KeyError: 'greeting' (entries/views.py, line 31)",
        fix="fix it; the same request on your machine, with DEBUG off, shows it too",
    ),
    Broken(
        "a view answers 502",
        replace=view("from django.http import HttpResponse", "", 'return HttpResponse("no backend", status=502)'),
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 502",
        fix="make the project answer / with 2xx, 3xx, 401, 403, 404, or change project.healthCheck",
    ),
    Broken(
        "a view hangs",
        replace=view("import time", "", "time.sleep(1000)"),
        config={"project.healthCheck": {"timeout": 8}},
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: it did not answer within 8 s: it hangs in entries/views.py, line 33",
        fix="make it wait less, or raise project.healthCheck.timeout",
    ),
    Broken(
        "a view takes longer than gunicorn waits",
        replace=view("import time", "", "time.sleep(1000)"),
        config={"project.healthCheck": {"timeout": 45}},
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 500: a request took longer than gunicorn waits (30 s), and its worker was killed",
        fix="find what it waits for in the log: a service that does not answer, or a lock",
    ),
    Broken(
        "the application has another name",
        config={"project.wsgiApplication": "config.wsgi:app"},
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: its process ended before it answered: the module config.wsgi has no app",
        fix="set project.wsgiApplication, or project.asgiApplication where Daphne or Uvicorn serves, as module:name",
    ),
    Broken(
        "everything is sent to https",
        replace=setting("SECURE_SSL_REDIRECT = True"),
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 301, Location: https://guestbook.example/: it redirects to https, and this stack is served over http",
        fix="set codesensei:tls (external where a load balancer or CDN has the certificate) and codesensei:domains to what the project redirects to, or change SECURE_SSL_REDIRECT and PREPEND_WWW in its settings",
    ),
    Broken(
        "everything is sent to another host",
        replace=setting("PREPEND_WWW = True"),
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 301, Location: http://www.guestbook.example/: it redirects to the host www.guestbook.example, which is none of this stack's (guestbook.example)",
        fix="set codesensei:tls and codesensei:domains to what the project redirects to, or change SECURE_SSL_REDIRECT and PREPEND_WWW in its settings",
    ),
    Broken(
        "the memory is not enough",
        replace=view("hoard = bytes(2**30)", "return len(hoard)"),
        before="mkdir -p /etc/systemd/system/codesensei-candidate-guestbook.service.d; printf '[Service]\\nLimitAS=900M\\n'"
        " >/etc/systemd/system/codesensei-candidate-guestbook.service.d/memory.conf",
        after="rm -r /etc/systemd/system/codesensei-candidate-guestbook.service.d",
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 500: the server ran out of memory",
        fix="use fewer GUNICORN_WORKERS or a lower --concurrency, raise memoryMax in project.resources where it is set, add swap, or use a larger server",
    ),
)
