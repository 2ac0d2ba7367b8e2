"""What neither the commit has nor a deploy makes by itself: compiled translations, tables of caches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.source.conftest import Repository
from tests.source.test_code import read
from tests.source.test_inspect import START

GERMAN = "shop/locale/de/LC_MESSAGES/django"
COMPILED = "; .gitignore keeps it out by the line *.mo"
CACHES = 'CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}}\n'


@pytest.fixture
def warnings(repository: Repository, tmp_path: Path) -> Any:
    def of(files: dict[str, str], **changes: Any) -> str:
        return "\n".join(read(repository, {**START, **files}, tmp_path, {}, **changes).warnings)

    return of


@pytest.mark.proves("preview.unmade")
def test_translations_that_are_not_compiled_are_told_with_the_hook(warnings: Any) -> None:
    files = {f"{GERMAN}.po": 'msgid "a"\nmsgstr "b"\n', ".gitignore": "*.mo\n"}
    said = warnings(files)
    assert said == (
        f"{GERMAN}.po: the commit has no compiled translation beside it, so the site is not translated: set"
        " project.hooks.beforeCollectstatic: [python manage.py compilemessages] and project.systemPackages: [gettext],"
        f" or commit the .mo files{COMPILED}"
    )
    assert "beside it, unless a hook makes it, so" in warnings(files, hooks={"beforeCollectstatic": ["make build"]})
    more = {f"shop/locale/{language}/LC_MESSAGES/django.po": "" for language in ("fr", "it", "pl")}
    assert (
        "(nor for shop/locale/fr/LC_MESSAGES/django.po, shop/locale/it/LC_MESSAGES/django.po and 1 more)"
        in warnings({**files, **more})
    )


@pytest.mark.proves("preview.unmade")
@pytest.mark.parametrize(
    ("files", "changes"),
    [
        ({f"{GERMAN}.po": "", f"{GERMAN}.mo": ""}, {}),
        ({f"{GERMAN}.po": ""}, {"hooks": {"beforeCollectstatic": ["python manage.py compilemessages -l de"]}}),
        ({f"{GERMAN}.po": "", "config/settings.py": "USE_I18N = False\n"}, {}),
        ({"locale/en_US/LC_MESSAGES/django.po": ""}, {}),
        ({"docs/locale/de/LC_MESSAGES/django.po": "", "locale/de/LC_MESSAGES/index.po": ""}, {}),
    ],
)
def test_translations_that_need_nothing(warnings: Any, files: dict[str, str], changes: dict[str, Any]) -> None:
    assert warnings(files, **changes) == ""


@pytest.mark.proves("preview.unmade")
def test_a_cache_in_a_table_that_nothing_makes_is_told_with_the_hook(warnings: Any) -> None:
    files = {"config/settings.py": CACHES}
    assert warnings(files) == (
        "config/settings.py:1: CACHES['default'] is in a table of the database, which migrate does not make: whatever"
        " uses it fails: set project.hooks.afterMigrate: [python manage.py createcachetable], which leaves one that is"
        " there alone"
    )
    assert warnings(files, hooks={"afterMigrate": ["python manage.py createcachetable"]}) == ""
    made = {"shop/migrations/0001_cache.py": 'call_command("createcachetable")\n', "shop/migrations/__init__.py": ""}
    assert warnings({**files, **made}) == ""
