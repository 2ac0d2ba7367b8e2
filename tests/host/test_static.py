"""Static files and uploads through the proxy: from which release, in which form, and what is never followed."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.docs.reader import Reader
from tests.docs.table import UPLOADS
from tests.host.debians import each_debian
from tests.host.visitor import Reply, ask
from tools.trials.stack import CHECKOUT, Stack

pytestmark = [pytest.mark.host, pytest.mark.full]

NAME = "guestbook.example"
EXAMPLE = CHECKOUT / "examples" / "guestbook"
SHEET = "entries/static/entries/guestbook.css"


def packed(stack: Stack, sheet: str, view: str) -> str:
    """A commit with WhiteNoise's compressed storage under another URL, this style sheet, and a view of uploads."""
    settings = (EXAMPLE / "config/settings/production.py").read_text()
    base = (EXAMPLE / "config/settings/base.py").read_text()
    urls = (EXAMPLE / "config/urls.py").read_text()
    lines = "from config.downloads import download\n\nurlpatterns = [\n    path('uploads/<path:name>', download),"
    storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    return stack.commit(
        {
            SHEET: sheet,
            "config/downloads.py": view,
            "config/urls.py": urls.replace("urlpatterns = [", lines),
            "requirements.txt": (EXAMPLE / "requirements.txt").read_text() + "whitenoise==6.11.0\n",
            "config/settings/base.py": base.replace('"/static/"', '"/assets/"'),
            "config/settings/production.py": settings.replace(
                storage, "whitenoise.storage.CompressedManifestStaticFilesStorage"
            )
            + "\nMIDDLEWARE.insert(1, 'whitenoise.middleware.WhiteNoiseMiddleware')  # noqa: F405\n"
            "MEDIA_URL = '/uploads/'\nMEDIA_ROOT = '/srv/codesensei/guestbook/shared/media'\n",
        }
    )


def sheet_of(stack: Stack) -> str:
    return next(word for word in stack.site.get().body.split('"') if word.endswith(".css"))


def get(stack: Stack, path: str, **headers: str) -> Reply:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(stack.server.host, NAME, path, headers=sent)


def check_replaced(stack: Stack, media: str) -> None:
    """The app user puts links in the place of its own folder and socket: the proxy goes by neither."""
    as_app, kept = "runuser -u deploy -- sh -c", f"{media}.kept"
    stack.server.console(f"{as_app} 'mv {media} {kept}; ln -s /var/log/nginx {media}'")
    assert get(stack, "/uploads/error.log").status == 403
    stack.server.console(f"{as_app} 'rm {media}; mv {kept} {media}'")
    socket = f"/srv/codesensei/{stack.slug}/shared/gunicorn.sock"
    stack.server.console(f"{as_app} 'rm {socket}; ln -s /run/systemd/notify {socket}'")
    assert get(stack, "/").status == 200
    stack.server.console(f"systemctl restart {stack.slug}.socket {stack.slug}.service")
    assert stack.server.console(f"stat -c '%U:%G %a %F' {socket}").stdout == "deploy:www-data 660 socket\n"
    assert get(stack, "/").status == 200


def check_protected(stack: Stack, media: str, rule: str, view: str) -> None:
    """Who asks for an upload asks the project's view, and other users of the server cannot read them either.

    The view may also name another prefix than MEDIA_URL, where the stack file does.
    """
    stack.set("project.mediaServing", "internal")
    stack.up()
    assert get(stack, "/uploads/a.png").status == 302
    login = "from django.contrib.auth.models import User; from django.test import Client; c = Client()"
    login += "; c.force_login(User.objects.create(username='ada')); print(c.cookies['sessionid'].value)"
    session = stack.server.console(f'/srv/codesensei/{stack.slug}/manage shell -c "{login}"').stdout.split()[-1]
    sent = get(stack, "/uploads/a.png", Cookie=f"sessionid={session}")
    assert (sent.status, sent.body, sent.headers["content-type"]) == (200, "picture\n", "image/png")
    assert get(stack, "/uploads/none.png", Cookie=f"sessionid={session}").status == 404
    assert stack.server.console(f"stat -c '%a %G' {media}").stdout == "750 www-data\n"
    stack.set("project.mediaServing", {"internal": "/protected/"})
    named = view.replace("default_storage.url(name)", "f'/protected/{name}'")
    stack.set("project.source.revision", packed(stack, rule, named))
    stack.up()
    sent = get(stack, "/uploads/a.png", Cookie=f"sessionid={session}")
    assert (sent.status, sent.body) == (200, "picture\n")
    assert get(stack, "/protected/a.png", Cookie=f"sessionid={session}").status == 404


@each_debian(13)
def test_files_of_this_release_and_the_one_before(stack: Stack, tmp_path: Path) -> None:
    reader = Reader(UPLOADS, tmp_path / "reader", {}, {})
    view = reader.text("docs/operating.md#protected-downloads")
    reader.ends()
    before = sheet_of(stack)
    rule = "body { margin: 0 }\n" * 200
    stack.set("project.source.revision", packed(stack, rule, view))
    stack.set("project.mediaServing", "proxy")
    stack.up()
    path = sheet_of(stack)
    assert re.fullmatch(r"/assets/entries/guestbook\.[0-9a-f]{12}\.css", path)
    plain, small = get(stack, path), get(stack, path, Accept_Encoding="gzip")
    assert plain.body == rule
    assert (small.status, small.headers["content-encoding"], small.headers["vary"]) == (200, "gzip", "Accept-Encoding")
    assert int(small.headers["content-length"]) < len(gzip.compress(rule.encode())) + 100
    for reply in (plain, small):
        assert reply.headers["cache-control"] == "max-age=31536000"
    # Its release goes on answering, under the URL that is now.
    assert get(stack, before.replace("/static/", "/assets/")).status == 200

    first, release = path, stack.serving()
    stack.set("project.source.revision", packed(stack, rule + "p { margin: 0 }\n", view))
    stack.up()
    assert sheet_of(stack) != first
    assert get(stack, first).body == rule
    assert get(stack, first.replace("guestbook", "other")).status == 404

    # Nothing leads out: neither dots nor a link that found its way into a release.
    place = f"/srv/codesensei/{stack.slug}/current/.codesensei/static"
    stack.server.console(f"ln -s /etc/hostname {place}/leak.txt; ln -s ../config {place}/code")
    for name in ("leak.txt", "code/urls.py", "../config/urls.py", "%2e%2e/config/urls.py", "..%2fconfig/urls.py"):
        reply = get(stack, f"/assets/{name}")
        assert reply.status in (400, 403, 404), name
        assert "urlpatterns" not in reply.body

    # Uploads outlive releases, and nobody's browser guesses what they are.
    media = f"/srv/codesensei/{stack.slug}/shared/media"
    as_app = "runuser -u deploy -- sh -c"
    stack.server.console(f"{as_app} 'umask 022; echo picture > {media}/a.png; ln -s /etc/hostname {media}/leak'")
    upload = get(stack, "/uploads/a.png")
    assert (upload.body, upload.headers["x-content-type-options"]) == ("picture\n", "nosniff")
    assert get(stack, "/uploads/leak").status == 403
    # What a management command saves is as readable as what a request saves.
    storage = "from io import StringIO; from django.core.files.storage import default_storage"
    save = f"{storage}; default_storage.save('deep/b', StringIO('b'))"
    stack.server.console(f'/srv/codesensei/{stack.slug}/manage shell -c "{save}"')
    assert get(stack, "/uploads/deep/b").body == "b"

    check_replaced(stack, media)
    check_protected(stack, media, rule, view)

    stack.set("project.static", "none")
    stack.set("project.mediaServing", "none")
    stack.set("project.rebuild", "again")
    stack.set("project.healthCheck", {"path": "/uploads/"})
    stack.up()
    assert stack.serving() != release
    assert get(stack, "/uploads/a.png").status == 302
    assert get(stack, first).headers.get("cache-control") != "max-age=31536000"
    assert stack.server.console(f"cat {media}/a.png").stdout == "picture\n"
    assert stack.server.console(f"stat -c '%a %G' {media}").stdout == "750 deploy\n"
