"""Folders that outlive releases, and uploads that none of them would keep: known before anything is installed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from codesensei.source import Checkout, Closure, SourceError, read_settings
from codesensei.source.places import ROOT, inside
from codesensei.source.shared import refuse_shared_code
from tests.source.conftest import Repository, asked
from tests.source.test_inspect import START

Make = Callable[[Mapping[str, str | bytes]], Checkout]
CLOSURE = Closure(("requirements.txt", "data/more.txt"), "d" * 64, False, ())
BASE = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n"
OLD = "import os\nBASE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n"
OTHER = 'set MEDIA_ROOT = "/srv/codesensei/shop/shared/media" in the production settings'


def read(make: Make, settings: str, files: Mapping[str, str] | None = None, **changes: Any) -> None:
    project = make({**START, **(files or {}), "config/settings.py": settings})
    read_settings(project, asked(slug="shop", **changes))


@pytest.mark.proves("preview.media")
@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        (f'{BASE}MEDIA_ROOT = BASE_DIR / "media"\n', "media"),
        (f'{BASE}MEDIA_ROOT = str(BASE_DIR.joinpath("var", "media"))\n', "var/media"),
        (f'{BASE}MEDIA_ROOT = f"{{BASE_DIR}}/uploads/"\n', "uploads"),
        (f'{OLD}MEDIA_ROOT = os.path.join(BASE_DIR, "media/")\n', "media"),
        (f'{OLD}MEDIA_ROOT = BASE_DIR + "/media"\n', "media"),
        ('import environ\nroot = environ.Path(__file__) - 2\nMEDIA_ROOT = root("media")\n', "media"),
        ('MEDIA_ROOT = "media"\n', "media"),
        ("from pathlib import Path\nMEDIA_ROOT = Path(__file__).parents[1] / 'media'\n", "media"),
        (f'{BASE}STORAGES = {{"default": {{"BACKEND": "django.core.files.storage.FileSystemStorage"}}}}\n'
         'MEDIA_ROOT = BASE_DIR / "media"\n', "media"),
    ],
)  # fmt: skip
def test_media_inside_the_release_is_refused_with_the_line_to_write(
    project_of: Make, settings: str, folder: str
) -> None:
    with pytest.raises(SourceError) as caught:
        read(project_of, settings, shared_paths=("data",))
    assert caught.value.thing == "MEDIA_ROOT"
    assert caught.value.cause.startswith(f"it is {folder} inside the release")
    assert caught.value.fix == f"keep it by a line in the stack file, project.sharedPaths: [data, {folder}]; or {OTHER}"
    read(project_of, settings, shared_paths=(folder,))


@pytest.mark.parametrize(
    ("settings", "files", "changes"),
    [
        (f"{BASE}MEDIA_ROOT = BASE_DIR\n", {}, {}),
        (f'{BASE}MEDIA_ROOT = BASE_DIR / "config"\n', {}, {}),
        (f'{BASE}MEDIA_ROOT = BASE_DIR / "uploads"\n', {}, {"media_serving": "proxy"}),
    ],
)
def test_a_folder_that_cannot_be_shared_is_not_offered(
    project_of: Make, settings: str, files: Mapping[str, str], changes: Mapping[str, Any]
) -> None:
    with pytest.raises(SourceError) as caught:
        read(project_of, settings, files, **changes)
    assert caught.value.fix == OTHER


@pytest.mark.proves("preview.media")
@pytest.mark.parametrize(
    "more",
    [
        'MEDIA_ROOT = "/srv/codesensei/shop/shared/media"\n',
        'MEDIA_ROOT = env.path("MEDIA_ROOT")\n',
        'MEDIA_ROOT = os.environ.get("MEDIA_ROOT", BASE_DIR / "media")\n',
        'MEDIA_ROOT = BASE_DIR.parent.parent / "media"\n',
        'if LOCAL:\n    MEDIA_ROOT = BASE_DIR / "media"\n',
        'MEDIA_ROOT = BASE_DIR / "media"\nDEFAULT_FILE_STORAGE = "storages.backends.s3boto3.S3Boto3Storage"\n',
        'MEDIA_ROOT = BASE_DIR / "media"\nSTORAGES = {"default": {"BACKEND": "storages.backends.s3.S3Storage"}}\n',
        'MEDIA_ROOT = BASE_DIR / "media"\nSTORAGES = {}\nSTORAGES["default"] = {"BACKEND": "x.S3"}\n',
        'MEDIA_ROOT = BASE_DIR / "media"\nSTORAGES = storages()\n',
        'MEDIA_ROOT = ""\n',
        "",
    ],
)
def test_what_is_not_plain_or_not_on_disk_is_left_to_django(project_of: Make, more: str) -> None:
    read(project_of, f"{BASE}{more}")


@pytest.mark.proves("preview.media")
def test_what_nginx_serves_is_on_disk_whatever_stores_it(project_of: Make) -> None:
    """Spirit has a storage of its own, and its deploy failed after the packages were installed."""
    own = 'MEDIA_ROOT = BASE_DIR / "media"\nSTORAGES = {"default": {"BACKEND": "spirit.storage.Overwrite"}}\n'
    read(project_of, f"{BASE}{own}")
    read(project_of, f"{BASE}{own}", media_serving="proxy", shared_paths=("media",))
    with pytest.raises(SourceError, match="it is media inside the release"):
        read(project_of, f"{BASE}{own}", media_serving="proxy")


@pytest.mark.proves("shared-paths.refused")
@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("config", "it has code, which would stay that of the first release: config/__init__.py"),
        ("data", "it has code, which would stay that of the first release: data/more.txt"),
        ("about", "it is a file, and only folders are shared"),
        ("linked", "it leads through a link in the repository"),
        ("linked/inner", "it leads through a link in the repository"),
    ],
)
def test_a_shared_path_is_a_folder_of_data(project_of: Make, repository: Repository, path: str, cause: str) -> None:
    (repository.directory / "linked").symlink_to("pictures")
    project = project_of({**START, "data/more.txt": "", "about": "", "pictures/a.png": ""})
    with pytest.raises(SourceError, match=re.escape(cause)) as caught:
        refuse_shared_code(project, asked(shared_paths=(path,)), CLOSURE)
    assert caught.value.thing == f"project.sharedPaths: {path}"


def test_folders_of_data_and_folders_that_are_not_there_can_be_shared(project_of: Make) -> None:
    project = project_of({**START, "pictures/a.png": "", "dat/x": ""})
    refuse_shared_code(project, asked(shared_paths=("pictures", "media", "new/deep")), CLOSURE)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (f"{ROOT}/a/../b", "b"),
        (ROOT, "."),
        (f"{ROOT}/../b", None),
        (f"{ROOT}s/b", None),
        ("/srv/b", None),
        ("b", None),
        (f"{ROOT}/..b", "..b"),
    ],
)
def test_places_in_the_source(place: str, found: str | None) -> None:
    assert inside(place) == found
