"""Data in files: it lives in shared, over releases and destroys; inside a release it is refused."""

from __future__ import annotations

import pytest

from tests.host.debians import each_debian
from tests.host.test_interruptions import always_served
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

SHARED = "/srv/codesensei/guestbook/shared"
# A path that reading the source does not tell: only Django knows it.
INSIDE = """
import os

os.environ.setdefault("DATABASE_URL", "sqlite://")
from config.settings.production import *

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(*[BASE_DIR, "db.sqlite3"])}}
"""
MEDIA = """
from config.settings.production import *

MEDIA_ROOT = os.environ.get("UPLOADS") or BASE_DIR / "media"
MEDIA_URL = "/media/"
"""
STORE = """
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

default_storage.save("picture.txt", ContentFile(b"uploaded"))
"""
READ = """
from django.core.files.storage import default_storage

print(default_storage.open("picture.txt").read().decode())
"""


def shell(stack: Stack, code: str) -> str:
    """What a program says in the project's own Django, as its user."""
    done = stack.server.console("/srv/codesensei/guestbook/manage shell -v 0", input=code.encode())
    return done.stdout.strip()


def files(stack: Stack, *names: str) -> list[str]:
    return stack.server.console(f"cd {SHARED} && stat -c '%U:%G %a %n' {' '.join(names)}").stdout.splitlines()


@each_debian(12)
@pytest.mark.proves("database.auto.sqlite", "paths.shared.data", "django.sqlite-inside", "django.media-inside")
def test_files_in_shared_outlive_releases_and_inside_one_they_are_refused(stack: Stack) -> None:
    first = stack.serving()
    commit = {"config/settings/inside.py": INSIDE, "config/settings/media.py": MEDIA}
    stack.set("project.source.revision", stack.commit(commit))
    url = f"sqlite:///{SHARED}/db.sqlite3"
    refused = {
        "inside": (
            f"error: DATABASES['default'] on {stack.server.name}: the SQLite file /srv/codesensei/guestbook/releases/",
            "db.sqlite3 lies inside the release; the next release would start without its data",
            f"fix: set DATABASE_URL to {url}",
        ),
        "media": (
            f"error: MEDIA_ROOT on {stack.server.name}: /srv/codesensei/guestbook/releases/",
            "media lies inside the release; the next release would lose what people uploaded",
            "fix: add media to project.sharedPaths",
            f'or set MEDIA_ROOT = "{SHARED}/media" in the production settings',
        ),
    }
    with always_served(stack):
        for module, words in refused.items():
            stack.set("project.settingsModule", f"config.settings.{module}")
            stack.set("database", {"kind": "none"} if module == "inside" else {})
            error = stack.up(succeed=False).said("error")
            assert all(word in error for word in words), error
            assert "Traceback" not in error
    assert stack.serving() == first
    stack.set("env.DATABASE_URL", url)
    stack.set("env.UPLOADS", f"{SHARED}/media")
    stack.up()
    entry = stack.site.write()
    stack.site.await_job(entry)
    shell(stack, STORE)
    assert files(stack, "db.sqlite3", "media") == ["deploy:deploy 640 db.sqlite3", "deploy:deploy 750 media"]
    second = stack.serving()
    stack.set("env.GREETING", "Hello again")
    stack.up()
    assert stack.serving() != second
    assert stack.site.shows(entry)
    assert shell(stack, READ) == "uploaded"


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("shared-paths", "shared-paths.contents")
def test_folders_of_the_source_outlive_releases(stack: Stack) -> None:
    commit = {"config/settings/media.py": MEDIA, "data/seed/a.txt": "first"}
    stack.set("project.source.revision", stack.commit(commit))
    stack.set("project.settingsModule", "config.settings.media")
    stack.set("project.sharedPaths", ["media", "data/seed"])
    stack.up()
    assert files(stack, "data", "data/seed", "data/seed/a.txt", "media") == [
        "root:deploy 751 data",
        "deploy:deploy 750 data/seed",
        "deploy:deploy 644 data/seed/a.txt",
        "deploy:deploy 750 media",
    ]
    shell(stack, STORE)
    shell(stack, "import os; os.remove('data/seed/a.txt')")
    first = stack.serving()
    stack.set("project.source.revision", stack.commit({**commit, "data/seed/a.txt": "second"}))
    stack.up()
    assert stack.serving() != first
    assert shell(stack, READ) == "uploaded"
    assert shell(stack, "import os; print(os.listdir('data/seed'), os.path.realpath('media'))") == f"[] {SHARED}/media"


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("destroy.stays")
def test_a_sqlite_file_stays_until_the_stack_says_drop(stack: Stack) -> None:
    stack.set("env.DATABASE_URL", f"sqlite:///{SHARED}/db.sqlite3")
    stack.up()
    entry = stack.site.write()
    assert f"kept: {SHARED}/db.sqlite3" in stack.destroy().output
    stack.up()
    assert stack.site.shows(entry)
    stack.server.console(f"runuser -u deploy -- touch {SHARED}/media/picture.txt")
    stack.set("onDestroy", {"database": "drop", "media": "keep"})
    stack.up()
    stack.destroy()
    left = stack.server.console(f"find {SHARED} -type f").stdout.split()
    assert left == [f"{SHARED}/media/picture.txt"]
