"""What the program says that asks Django, of where uploads are stored; with as little of Django as it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codesensei.scripts.release import checks

PROGRAM = Path(checks.__file__).with_name("ask_django.py")
DJANGO = {
    "django/__init__.py": "def setup(): pass\ndef get_version(): return '5.2'\n",
    "django/core/__init__.py": "",
    "django/core/checks/__init__.py": "WARNING = 30\n",
    "django/core/checks/registry.py": """
class registry:
    def get_checks(include_deployment_checks=False):
        return [lambda app_configs, databases: []]
""",
    "django/core/files/__init__.py": "",
    "django/conf.py": """
class settings:
    ALLOWED_HOSTS, DATABASES, DEBUG, INSTALLED_APPS, MEDIA_ROOT = [], {}, False, [], "media"
    STORAGES = dict.fromkeys(["default", "staticfiles", "more"])
""",
    "django/core/files/storage.py": """
class FileSystemStorage:
    def __init__(self, location):
        self.location = location
""",
}
OTHERS = {"staticfiles": "FileSystemStorage('media')", "more": "object()"}


@pytest.mark.proves("django.media-inside")
@pytest.mark.parametrize(
    ("storages", "on_disk"),
    [
        ({"default": "FileSystemStorage('media')"}, True),
        ({"default": "FileSystemStorage('media/uploads')"}, True),
        ({"default": "FileSystemStorage('/elsewhere')"}, False),
        ({"default": "object()"}, False),
        ({"default": "object()", "more": "FileSystemStorage('media')"}, True),
        ({"default": "{}['no such storage']"}, True),
    ],
)
def test_where_uploads_are_stored(storages: dict[str, str], on_disk: bool, tmp_path: Path) -> None:
    """The static files' own storage does not count, and a storage that cannot be asked does."""
    table = "".join(f"        {name!r}: lambda: {made},\n" for name, made in {**OTHERS, **storages}.items())
    lookup = f"\nclass storages:\n    def __class_getitem__(cls, name):\n        return {{\n{table}        }}[name]()\n"
    for name, text in DJANGO.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + (lookup if name.endswith("storage.py") else ""))
    done = subprocess.run([sys.executable, str(PROGRAM)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.partition("codesensei-facts:")[2])["uploadsOnDisk"] is on_disk
