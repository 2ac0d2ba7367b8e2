"""What uv is told of the settings that a project has for pip."""

from __future__ import annotations

import subprocess

import pytest

from codesensei.scripts.release import with_uv

SHOWN = "env | grep -E '^(UV_|SSL_)' | sort"


@pytest.mark.proves("deps.auto", "deps.uv")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, []),
        ({"PIP_INDEX_URL": "https://a"}, ["UV_DEFAULT_INDEX=https://a"]),
        ({"PIP_INDEX_URL": "https://a", "UV_INDEX_URL": "https://b"}, ["UV_INDEX_URL=https://b"]),
        ({"PIP_EXTRA_INDEX_URL": "https://a https://b"}, ["UV_INDEX=https://a https://b"]),
        ({"PIP_CERT": "/a.pem"}, ["SSL_CERT_FILE=/a.pem"]),
        ({"PIP_CERT": "/a.pem", "SSL_CERT_FILE": "/b.pem"}, ["SSL_CERT_FILE=/b.pem"]),
    ],
)
def test_indexes_and_certificates(given: dict[str, str], told: list[str]) -> None:
    argv = ["sh", str(with_uv.SCRIPT), "sh", "-c", SHOWN]
    done = subprocess.run(argv, env={"PATH": "/usr/bin:/bin", **given}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == told
