"""The program that makes a request which failed once more, with as little of Django as it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codesensei.scripts.serving import health

PROGRAM = Path(health.__file__).with_name("ask_why.py")
# Redirects to HTTPS as SECURE_SSL_REDIRECT does, and fails behind that.
DJANGO = {
    "django/__init__.py": "def setup(): pass\n",
    "django/core/__init__.py": "",
    "django/core/handlers/__init__.py": "",
    "django/core/handlers/wsgi.py": """
import logging
class WSGIHandler:
    def __call__(self, environ, start_response):
        if environ["wsgi.url_scheme"] == "https":
            logging.getLogger("django.request").error("Internal Server Error: %s", environ["PATH_INFO"])
        return [b""]
""",
}


@pytest.mark.proves("switch.cause")
@pytest.mark.parametrize(("scheme", "said"), [("https", "Internal Server Error: /login/"), ("http", "")])
def test_a_site_that_redirects_to_https_is_asked_as_over_https(tmp_path: Path, scheme: str, said: str) -> None:
    """ephios answered its log-in page with 500, and the request that should tell why was redirected."""
    for name, text in DJANGO.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    asked = {"host": "shop.example.com", "path": "/login/?next=/", "scheme": scheme, "seconds": 60}
    done = subprocess.run(
        [sys.executable, "-B", str(PROGRAM), json.dumps(asked)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == said
