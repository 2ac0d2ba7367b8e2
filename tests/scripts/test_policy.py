"""The policy, decided on the server: everything at once in production, warnings elsewhere, and waivers."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.backups import settings, status
from codesensei.scripts.base.step import OURS_LINES, Failure, write_json
from codesensei.scripts.release import checks, policy, uses
from codesensei.scripts.release.record import CheckFact, Facts
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import brokers
from codesensei.scripts.steps import build
from codesensei.wire import paths
from codesensei.wire.steps import Build, Finding
from tests.scripts.examples import BUILD, FACTS

RELEASE = Release(paths.ProjectPaths("shop"), "aaaaaaa-bbbbbbb", "deploy", ".", "shop.settings")
PRODUCTION = replace(BUILD, production=True)


def check(check_id: str, message: str = "It is not\n as it should be.", hint: str = "") -> CheckFact:
    return CheckFact(id=check_id, message=message, hint=hint)


def facts(*checks: CheckFact, **changes: Any) -> Facts:
    return replace(FACTS, **{"allowed_hosts": ("shop.example.com",), "checks": checks, **changes})


def decide(facts: Facts, data: Build, **others: Finding | None) -> list[str]:
    return policy.decide(RELEASE, facts, data, others)


MANY = (
    check("security.W004"),
    check("security.W009"),
    check("security.W018"),
    check("axes.W003", hint="Add the\nbackend."),
    check("axes.W003"),
)
OLD = Finding(thing="backup", cause="the newest backup is 3 days old", fix="make one: codesensei backup")


@pytest.mark.proves("policy.found", "policy.backup", "django.debug")
def test_production_refuses_all_findings_at_once(server: Path) -> None:
    with pytest.raises(Failure) as caught:
        decide(facts(*MANY, debug=True, allowed_hosts=("*",)), PRODUCTION, backup=OLD)
    first, *lines = caught.value.cause.splitlines()
    assert first == "codesensei:production is true, and the policy has 6 findings"
    assert [line.partition(": ")[0] for line in lines] == [
        "debug",
        "allowedHosts",
        "backup",
        "check.W004",
        "secretKey",
        "check.axes.W003",
    ]
    assert lines[0] == (
        "debug: DEBUG is on in shop.settings: every error shows visitors code and settings; "
        "set DEBUG = False in shop.settings"
    )
    assert lines[-1] == "check.axes.W003: It is not as it should be (and 1 more); Add the backend."
    assert caught.value.fix.splitlines()[-1] == (
        'codesensei:waive: {debug: "…", allowedHosts: "…", backup: "…", check.W004: "…", secretKey: "…", '
        'check.axes.W003: "…"}'
    )


@pytest.mark.proves("policy.found", "errors.length")
def test_none_is_left_out_of_a_long_list(server: Path) -> None:
    with pytest.raises(Failure) as caught:
        decide(facts(*(check(f"own.W{number:03}") for number in range(OURS_LINES + 5))), PRODUCTION)
    text = caught.value.text()
    assert all(text.count(f"check.own.W{number:03}") == 2 for number in range(OURS_LINES + 5))


def test_more_than_a_person_reads_are_counted(server: Path) -> None:
    with pytest.raises(Failure) as caught:
        decide(facts(*(check(f"own.W{number:03}") for number in range(policy.MOST + 3))), PRODUCTION)
    assert caught.value.cause.splitlines()[-1] == "and 3 more"


@pytest.mark.proves("policy.found", "django.debug")
def test_elsewhere_each_is_a_warning_of_one_line(server: Path) -> None:
    """DEBUG is the switch's to tell."""
    warnings = decide(facts(*MANY, debug=True, allowed_hosts=("*",)), BUILD, backup=OLD)
    assert [text.partition(": ")[0] for text in warnings] == [
        "allowedHosts",
        "backup",
        "check.W004",
        "secretKey",
        "check.axes.W003",
    ]
    assert all("\n" not in text for text in warnings)


@pytest.mark.proves("policy.waive")
@pytest.mark.parametrize("production", [True, False])
def test_what_is_waived_is_neither_told_nor_refused(server: Path, production: bool) -> None:
    waived = ("backup", "check.W004", "check.axes.W003", "debug", "secretKey")
    data = replace(BUILD, production=production, waived=waived)
    assert decide(facts(*MANY, debug=True), data, backup=OLD) == []
    with pytest.raises(Failure, match="1 finding\nallowedHosts: "):
        decide(facts(*MANY, debug=True, allowed_hosts=("*",)), replace(PRODUCTION, waived=waived), backup=OLD)


@pytest.mark.proves("policy.unused")
def test_a_waiver_without_use_is_told(server: Path) -> None:
    data = replace(PRODUCTION, waived=("backup", "check.W004", "check.W012", "debug"))
    assert decide(facts(check("security.W004")), data, backup=None) == [
        "codesensei:waive.backup: waives nothing: remove it",
        "codesensei:waive.check.W012: waives nothing: remove it",
        "codesensei:waive.debug: waives nothing: remove it",
    ]
    # Nobody has looked at the backups of a first deploy.
    assert decide(facts(check("security.W004")), replace(PRODUCTION, waived=("backup", "check.W004"))) == []


@pytest.mark.proves("policy.edge")
def test_what_the_site_cannot_have_or_nginx_does_is_no_finding(server: Path) -> None:
    of_https = facts(check("security.W004"), check("security.W008"), check("security.W012"))
    assert decide(of_https, replace(PRODUCTION, plain_http=True)) == []
    assert [text[:10] for text in decide(of_https, BUILD)] == ["check.W004", "check.W012"]


@pytest.mark.proves("policy.earlier")
def test_a_release_that_an_earlier_version_built_is_let_through_and_told(server: Path) -> None:
    """A rollback after an upgrade must not be refused for what nobody has asked."""
    earlier = replace(facts(), checks=None)
    (warning,) = decide(earlier, replace(PRODUCTION, waived=("check.W004",)))
    assert warning.startswith(
        "release aaaaaaa-bbbbbbb: an earlier version of codesensei built it: what manage.py check"
    )
    assert decide(earlier, BUILD) == []


@pytest.mark.proves("policy.found", "secrets.never")
def test_no_secret_is_told(server: Path) -> None:
    RELEASE.env_file.parent.mkdir(parents=True)
    RELEASE.env_file.write_text('TOKEN="canary-of-a-secret"\n')
    notes = RELEASE.project.variable_notes(RELEASE.name)
    notes.parent.mkdir(parents=True, exist_ok=True)
    write_json(notes, {"secretNames": ["TOKEN"]})
    long = "x" * 1495 + "canary-of-a-secret"
    (warning,) = decide(facts(check("own.W1", long, "not canary-of-a-secret")), BUILD)
    assert "canary" not in warning


@pytest.mark.proves("policy.backup")
def test_the_newest_backup_is_looked_at_where_backups_were_asked_for_before(
    server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = make_step("build", data=replace(PRODUCTION, backups=True))
    monkeypatch.setattr(status, "too_old", lambda _: OLD)
    assert build._looked_at(step) == {}
    monkeypatch.setattr(settings, "read", lambda _: object())
    assert build._looked_at(step) == {"backup": OLD}
    monkeypatch.setattr(status, "too_old", lambda _: None)
    # A waiver of the first day is not called useless.
    assert build._looked_at(step) == {}
    step.project.backups.mkdir(parents=True)
    status.note(step.project, made=time.time())
    assert build._looked_at(step) == {"backup": None}
    step.data = PRODUCTION
    assert build._looked_at(step) == {}


@pytest.mark.proves("policy.found")
def test_the_step_decides_before_anything_else_of_the_release_is_made(
    server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "claim", lambda *_, **__: None)
    monkeypatch.setattr(brokers, "settle_shared", lambda _: None)
    monkeypatch.setattr(checks, "problems", lambda *_: ())
    step = make_step("build", data=BUILD)
    build._check(step, facts(check("security.W004")), RELEASE)
    assert step.result.warnings[0].startswith("check.W004: SECURE_HSTS_SECONDS is not set")
    with pytest.raises(Failure, match="the policy has 1 finding"):
        build._check(make_step("build", data=PRODUCTION), facts(check("security.W004")), RELEASE)
