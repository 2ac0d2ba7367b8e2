"""What is told of an answer that the health check does not accept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import visits
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.base.visits import Answer, Visit
from codesensei.scripts.release import jobs
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving.health import Question
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


def visit(*answers: Answer, problem: str = "") -> Visit:
    return Visit(tuple(replace(answer, url=answer.url or "https://shop.example.com/") for answer in answers), problem)


LEADS = Answer(302, "/login/")
TRACEBACK = "Traceback (most recent call last):\n  File \"/srv/shop/views.py\", line 3, in get\nKeyError: 'greeting'\n"


@pytest.mark.parametrize(
    ("accept", "visit", "accepted"),
    [
        (("2xx",), visit(Answer(200)), True),
        (("2xx",), visit(Answer(404)), False),
        (("2xx",), visit(Answer(error="it did not answer")), False),
        (("2xx",), visit(LEADS, Answer(200)), False),
        (("2xx", "3xx"), visit(LEADS, Answer(200)), True),
        (("3xx",), visit(LEADS, Answer(200)), True),
        (("3xx",), visit(LEADS, Answer(404)), False),
        (("2xx", "3xx", "404"), visit(LEADS, Answer(404)), True),
        (("2xx", "3xx"), visit(LEADS, Answer(500)), False),
        (("2xx", "3xx"), visit(LEADS, Answer(error="no answer")), False),
        (("2xx", "3xx"), visit(Answer(302, "https://x.org/"), problem="it redirects to the host x.org"), False),
    ],
)
@pytest.mark.proves("switch.redirects", "config.health-check")
def test_what_is_accepted(accept: tuple[str, ...], visit: Visit, accepted: bool) -> None:
    assert Question(replace(manifest().health, accept=accept), "shop.example.com").accepts(visit) is accepted


@pytest.fixture
def fail(release: Release, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The failure of a visit; what Django says of it is kept in `asked`."""

    def make(visit: Visit, log: str = "", host: str = "shop.example.com", said: str = "") -> Failure:
        def run_job(step: object, release: object, job: Job) -> JobResult:
            make.asked.append(json.loads(job.argv[-1]))  # type: ignore[attr-defined]
            return JobResult(0, said, Path("/log"))

        monkeypatch.setattr(jobs, "run_job", run_job)
        return question(host).failure(make_step("switch"), release, visit, log, where="there")

    make.asked = []  # type: ignore[attr-defined]
    return make


@pytest.mark.proves("tls.redirect")
def test_a_redirect_to_another_host_is_told_as_such(fail: Any) -> None:
    failure = fail(visit(Answer(301, "https://x.org/"), problem="it redirects to the host x.org"))
    assert failure.thing == f"release {NAME}, asked for https://shop.example.com/"
    assert failure.cause == "HTTP status 301, Location: https://x.org/: it redirects to the host x.org"
    assert "SECURE_SSL_REDIRECT" in failure.fix
    assert fail.asked == []


@pytest.mark.proves("switch.redirects")
@pytest.mark.parametrize(
    ("target", "begins", "page"),
    [
        ("login.microsoftonline.com", "set project.healthCheck.path to a page that the project answers itself", True),
        ("203.0.113.9", "set project.healthCheck.path to a page that the project answers itself", True),
        ("login.example.com", "set codesensei:tls and codesensei:domains to what the project redirects to", True),
        ("example.com", "set codesensei:tls and codesensei:domains to what the project redirects to", False),
        ("www.shop.example.com", "set codesensei:tls and codesensei:domains to what the project redirects to", False),
    ],
)
def test_a_redirect_to_where_visitors_log_in_needs_another_page(
    fail: Any, target: str, begins: str, page: bool
) -> None:
    """A project whose front page leads to an identity provider redirects as it should."""
    problem = f"{visits.ELSEWHERE} {target}, which is none of this stack's (shop.example.com)"
    failure = fail(visit(Answer(302, f"https://{target}/authorize?client_id=1"), problem=problem))
    assert failure.fix.startswith(begins)
    assert ("project.healthCheck.path" in failure.fix) is page


def test_a_redirect_to_no_address_is_told(fail: Any) -> None:
    failure = fail(visit(Answer(302, "https://[x/"), problem="it redirects to what is no address"))
    assert failure.cause.endswith("it redirects to what is no address")


def test_a_circle_has_its_own_fix(fail: Any) -> None:
    failure = fail(visit(LEADS, problem=visits.CIRCLE))
    assert failure.cause.endswith(": it redirects in a circle")
    assert 'SECURE_PROXY_SSL_HEADER must be ("HTTP_X_FORWARDED_PROTO", "https")' in failure.fix


@pytest.mark.proves("switch.redirects")
def test_the_page_at_the_end_of_a_redirect_is_the_one_that_is_judged(fail: Any) -> None:
    end = Answer(500, url="https://www.example.com/login/?next=/")
    failure = fail(visit(LEADS, end), said=TRACEBACK)
    assert failure.cause.startswith(
        "HTTP status 500 at https://www.example.com/login/?next=/, to which it redirects: KeyError: 'greeting'"
    )
    asked = {"host": "www.example.com", "path": "/login/?next=/", "scheme": "https", "seconds": 5}
    assert fail.asked == [asked]


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
@pytest.mark.proves("causes.disallowed-host")
def test_a_host_that_django_refuses(fail: Any, host: str, words: str, fix: str) -> None:
    failure = fail(visit(Answer(400, url=f"https://{host}/")), host=host)
    assert (failure.cause, failure.fix) == (words, fix)


def test_the_body_stands_in_the_log(fail: Any) -> None:
    failure = fail(visit(Answer(500, body="<h1>Server Error</h1>")), "a line")
    assert (failure.cause, failure.log) == ("HTTP status 500", "a line\nbody: Server Error")


@pytest.mark.parametrize(
    ("answer", "log", "asked"),
    [
        (Answer(500), "", True),
        (Answer(error="it did not answer within 5 s"), "", True),
        (Answer(500), "ModuleNotFoundError: No module named 'shop'", False),
        (Answer(error="its process ended before it answered"), "", False),
    ],
)
def test_django_is_asked_where_the_log_says_nothing(fail: Any, answer: Answer, log: str, asked: bool) -> None:
    fail(visit(answer), log)
    assert bool(fail.asked) is asked


@pytest.mark.proves("proxy.patterns")
@pytest.mark.parametrize(
    ("answers", "problem", "accepted"),
    [
        ([Answer(404)], "", True),
        ([Answer(302, "https://www.example.org/")], "it redirects to the host www.example.org, which is …", True),
        ([Answer(302, "http://a.example.com/")], "it redirects to http, and …", False),
        ([Answer(400)], "", False),
        ([Answer(500)], "", False),
        ([Answer(error="nginx itself answered with status 404, not the project")], "", False),
    ],
)
def test_a_pattern_is_asked_by_a_name_that_nobody_has(answers: list[Answer], problem: str, accepted: bool) -> None:
    asked = Question(replace(manifest().health, accept=("2xx",)), "*.example.com")
    assert asked.url == "https://codesensei-probe.example.com/"
    assert asked.accepts(visit(*answers, problem=problem)) is accepted


@pytest.mark.proves("proxy.patterns")
def test_how_to_allow_all_names_below_a_domain(
    release: Release, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "run_job", lambda *_: JobResult(0, "", Path("/log")))
    write_json(PROJECT.record(NAME), {"state": "prepared", "facts": {**FACTS, "allowedHosts": ["example.com"]}})
    health = replace(manifest().health, hosts=("example.com", "*.example.com"))
    refused = visit(Answer(400, url="https://codesensei-probe.example.com/"))
    failure = Question(health, "*.example.com").failure(make_step("switch"), release, refused, "", where="")
    assert "Django refuses the host codesensei-probe.example.com (DisallowedHost)" in failure.cause
    assert failure.fix.startswith("add example.com, .example.com to ALLOWED_HOSTS")
