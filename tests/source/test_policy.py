"""What the policy finds in settings that are written plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source.conftest import Repository
from tests.source.test_code import read
from tests.source.test_inspect import START

LONG = "".join(map(chr, range(40, 120)))


@pytest.mark.proves("policy.preview")
@pytest.mark.parametrize(
    ("lines", "rules"),
    [
        ("DEBUG = True", ["debug"]),
        ("DEBUG = False", []),
        ('DEBUG = os.environ.get("DEBUG") == "1"', []),
        ("DEBUG = True\nif os.environ:\n    DEBUG = False", []),
        ("DEBUG = True\nDEBUG = False", []),
        ("DEBUG = False\nif os.environ:\n    DEBUG = True", []),
        ('SECRET_KEY = "canary"', ["secretKey"]),
        (f"SECRET_KEY = {LONG!r}", []),
        ('SECRET_KEY = os.environ["SECRET_KEY"]', []),
        ('SECRET_KEY = os.environ.get("SECRET_KEY", "canary")', []),
        ('SECRET_KEY = os.environ.get("NOT_GIVEN", "canary")', ["secretKey"]),
        ('ALLOWED_HOSTS = ["shop.example.com", "*"]', ["allowedHosts"]),
        ('ALLOWED_HOSTS = ["*.example.com"]', []),
        ('ALLOWED_HOSTS = []\nALLOWED_HOSTS += ["*"]', ["allowedHosts"]),
    ],
)
def test_what_is_certain_is_found(lines: str, rules: list[str], repository: Repository, tmp_path: Path) -> None:
    code = read(repository, {**START, "config/settings.py": f"import os\n{lines}\n"}, tmp_path, {"SECRET_KEY": LONG})
    assert [found.thing for found in code.findings] == rules
    assert all("config.settings" in found.cause for found in code.findings)
    assert "canary" not in str(code.findings)
