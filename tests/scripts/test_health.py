"""What is told of an answer that the health check does not accept."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.scripts.base.probe import Answer
from codesensei.scripts.base.step import write_json
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving.health import Question
from codesensei.wire import codec
from tests.scripts.manifests import PROJECT, manifest

NAME = "4f2a9c1-8be01d7"
REFUSED = "Django refuses the host {host} (DisallowedHost): ALLOWED_HOSTS is ['.example.com']"
FACTS = {
    **dict.fromkeys(("django", "mediaRoot", "mediaUrl", "staticRoot", "staticUrl"), ""),
    **dict.fromkeys(("asgiApplication", "wsgiApplication"), ""),
    **dict.fromkeys(("debug", "installedStaticfiles"), False),
    "databases": {},
}


def question(host: str = "shop.example.com") -> Question:
    return Question(manifest().health, host)


@pytest.fixture
def release(server: Path) -> Release:
    """A release whose settings allow the names below example.com."""
    PROJECT.record(NAME).parent.mkdir(parents=True)
    write_json(PROJECT.record(NAME), {"state": "prepared", "facts": {**FACTS, "allowedHosts": [".example.com"]}})
    return Release(PROJECT, NAME, "deploy", ".", "shop.settings")


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (Answer(200), True),
        (Answer(404), False),
        (Answer(error="it did not answer"), False),
        (Answer(302, "https://shop.example.com/login"), False),
    ],
)
def test_what_is_accepted(answer: Answer, accepted: bool) -> None:
    assert question().accepts(answer) is accepted


def test_a_redirect_to_another_host_is_told_as_such(release: Release) -> None:
    health = codec.decode(type(manifest().health), {**codec.encode(manifest().health), "accept": ["3xx"]}, "x")
    asked, answer = Question(health, "shop.example.com"), Answer(301, "https://elsewhere.example.org/")
    assert not asked.accepts(answer)
    failure = asked.failure(release, answer, "", where="there")
    assert failure.thing == f"release {NAME}, asked for https://shop.example.com/"
    assert failure.cause.startswith(
        "HTTP status 301, Location: https://elsewhere.example.org/: it redirects to the host"
    )
    assert "SECURE_SSL_REDIRECT" in failure.fix


@pytest.mark.parametrize(
    ("host", "words", "fix"),
    [
        ("shop.example.com", "HTTP status 400", "make the project answer / with 2xx, or change project.healthCheck"),
        (
            "shop.example.org",
            f"HTTP status 400: {REFUSED.format(host='shop.example.org')}",
            "add shop.example.com, www.example.com to ALLOWED_HOSTS, or .example.org for all names below example.org",
        ),
        (
            "203.0.113.7",
            f"HTTP status 400: {REFUSED.format(host='203.0.113.7')}",
            "add shop.example.com, www.example.com to ALLOWED_HOSTS",
        ),
    ],
)
def test_a_host_that_django_refuses(release: Release, host: str, words: str, fix: str) -> None:
    failure = question(host).failure(release, Answer(400), "", where="there")
    assert (failure.cause, failure.fix) == (words, fix)


def test_the_body_stands_in_the_log(release: Release) -> None:
    failure = question().failure(release, Answer(500, body="<h1>Server Error</h1>"), "a line", where="there")
    assert (failure.cause, failure.log) == ("HTTP status 500", "a line\nbody: Server Error")
