"""What the real Pulumi command shows of a change, against the state that a deploy has left."""

from __future__ import annotations

import json
import re
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from codesensei.remote.dns import NO_RECORD, NOT_KNOWN
from codesensei.story import REVIEWED, read
from codesensei.story.__main__ import mark_of, of_comment
from tests.config.cli import NAME
from tests.story.conftest import told
from tests.story.paper import KEY, TOKEN, Shop
from tools.trials.stack import CHECKOUT, Run

pytestmark = [pytest.mark.engine, pytest.mark.proves("story.told")]
MARGIN = "    "
# As a person calls it, though a make may have called these tests.
ALONE = ["env", "-u", "MAKELEVEL", "-u", "MAKEFLAGS", "-u", "MFLAGS"]
MAKE = [*ALONE, "make", "-s", "-f", str(CHECKOUT / "Makefile"), f"VENV={Path(sys.executable).parent}"]
COMMENT = [*MAKE, "preview-comment"]
PAGE = (Path(__file__).parents[2] / "docs" / "previews.md").read_text()
WWW = ["shop.example.com", "www.shop.example.com"]
QUIET = "visitors notice nothing, a candidate serves them meanwhile; jobs have up to 600 s to end"
RESTARTS = ["web restarts by hand-over", "worker restarts, its jobs have 600 s to end"]


def lines(**sections: list[str]) -> list[str]:
    return [f"{name if not at else '':<12}{one}" for name, found in sections.items() for at, one in enumerate(found)]


def previewed(shop: Shop, *changes: tuple[str, Any]) -> Run:
    shop.write(*changes)
    run = shop.run("preview")
    assert run.code == 0, run.output
    for secret in (TOKEN, KEY, "canary"):
        assert secret not in run.output + json.dumps(run.events)
    return run


@pytest.mark.proves("story.silent")
def test_nothing_changes(shop: Shop) -> None:
    run = previewed(shop)
    assert (told(run), run.changes) == ([], set())
    assert "Diagnostics" not in run.output


@pytest.mark.proves("story.release", "story.packages", "story.processes", "story.switch")
def test_a_commit_forward(shop: Shop) -> None:
    _, _, second = shop.history.commits
    run = previewed(shop, ("project.source.revision", "v1.3.0"))
    head, newest, *others = told(run)
    assert re.fullmatch(
        r"release     [0-9a-f]{7}-env -> [0-9a-f]{7}-env, commit [0-9a-f]{7} -> [0-9a-f]{7}, v1\.2\.0 -> v1\.3\.0,"
        r" 2 commits by 1 person",
        head,
    )
    assert re.fullmatch(r" {12}\+ [0-9a-f]{7} Ask others", newest)
    assert others == [
        f"            + {second.short} {second.subject}",
        *lines(
            packages=["celery 5.7.0 -> 5.7.1", "+ httpx", "not pinned, so the newest that fits is installed: httpx"],
            processes=RESTARTS,
            switch=[QUIET],
        ),
    ]
    # As a person sees it, too, and as the page shows it.
    assert "\n".join(others[1:]) in PAGE
    assert "\n".join(f"{MARGIN}{line}" for line in others) in run.output


@pytest.mark.proves("story.release")
def test_a_commit_back(shop: Shop) -> None:
    first, second, _ = shop.history.commits
    head, lost, *_ = told(previewed(shop, ("project.source.revision", first.revision)))
    assert head.endswith(f", v1.2.0 -> no tag, goes back over 1 commit to {first.short} {first.subject}")
    assert lost == f"            - {second.short} {second.subject}"


@pytest.mark.proves("story.migrations")
def test_migrations(shop: Shop) -> None:
    found = told(previewed(shop, ("project.source.revision", "v2.0.0")))
    at = next(number for number, line in enumerate(found) if line.startswith("migrations "))
    shown = "\n".join(found[at : at + 7])
    assert shown in PAGE
    names = ["entries.0002_drop_name"]
    acknowledged = told(
        previewed(shop, ("project.source.revision", "v2.0.0"), ("project.acknowledgeMigrations", names))
    )
    assert f"            acknowledged: {', '.join(names)}" in acknowledged


@pytest.mark.proves("story.variables", "story.data", "secrets.never")
def test_variables(shop: Shop) -> None:
    token = {"secure": "clear:canary-of-another-token"}
    changes = (("env.GREETING", "Good evening!"), ("env.OLD_FLAG", None), ("secretEnv.API_TOKEN", token))
    _, secret, *others = told(previewed(shop, *changes))
    assert re.fullmatch(r"variables   API_TOKEN changed \(digest [0-9a-f]{4} -> [0-9a-f]{4}\)", secret)
    assert others == [
        '            GREETING "Welcome!" -> "Good evening!"',
        "            - OLD_FLAG",
        *lines(processes=RESTARTS, switch=[QUIET]),
    ]
    # The same as data, in what machines read.
    shown = json.loads(shop.project.pulumi("preview", "--json", "--stack", NAME))
    (found,) = filter(None, (read(one["message"]) for one in shown["diagnostics"]))
    assert [part.name for part in found] == ["release", "variables", "processes", "switch"]
    assert found[1].entries[1:] == ('GREETING "Welcome!" -> "Good evening!"', "- OLD_FLAG")


@pytest.mark.proves("story.processes", "story.site", "story.switch")
def test_workers_and_hostnames(shop: Shop) -> None:
    beat = {"command": "celery -A config beat", "singleton": True}
    changes = (("project.workers.worker", "celery -A config worker -c 4"), ("project.workers.beat", beat))
    run = previewed(shop, *changes, ("domains", WWW))
    # Whether DNS answers here at all.
    found = [line.replace(f"({NOT_KNOWN})", f"({NO_RECORD})") for line in told(run)]
    assert "\n".join(found) in PAGE
    assert found == lines(
        processes=[
            "+ beat: celery -A config beat (singleton)",
            "worker: celery -A config worker -c 2 -> celery -A config worker -c 4",
            "worker restarts, its jobs have 600 s to end",
        ],
        site=[f"+ www.shop.example.com ({NO_RECORD})"],
        switch=["nothing restarts for visitors; jobs have up to 600 s to end; nginx reloads"],
    )


@pytest.mark.proves("story.server")
def test_what_changes_on_the_server_itself(shop: Shop) -> None:
    changes = (("project.systemPackages", ["libmagic-dev"]), ("server.hardening", "off"))
    found = told(previewed(shop, *changes, ("backups", {"to": "/backups"})))
    assert found == lines(
        server=[
            "+ libmagic-dev is installed",
            "+ restic is installed",
            "hardening auto -> off",
            "backups daily to /backups",
        ],
        switch=["nothing restarts for visitors; workers run on"],
    )


@pytest.mark.proves("preview.same-release")
def test_another_settings_module_alone_is_refused(shop: Shop) -> None:
    shop.write(("project.settingsModule", "config.settings.base"))
    run = shop.run("preview")
    assert run.code != 0
    assert told(run) == []
    assert run.said("error").splitlines()[0].endswith("and a release never changes")
    assert "Traceback" not in run.output


@pytest.mark.proves("story.variables")
def test_a_generated_variable(shop: Shop) -> None:
    head, variables, *_ = told(previewed(shop, ("generateSecrets", ["SECRET_KEY", "OTHER"])))
    assert "-(new variables), the same commit " in head
    assert variables == "variables   + OTHER (generated)"


@pytest.mark.proves("story.data")
def test_the_comment_as_the_page_prints_it(shop: Shop) -> None:
    """With the make of the checkout, in the folder of the program."""
    shop.write(("env.GREETING", "Good evening!"))
    done = shop.project.run([*COMMENT, f"STACK={NAME}"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{mark_of(NAME)}\n")
    assert 'variables   GREETING "Welcome!" -> "Good evening!"' in done.stdout
    broken = shop.project.run([*COMMENT, "STACK=nothing"])
    assert broken.returncode != 0
    assert "it is no preview" in broken.stderr


@pytest.mark.proves("review.held", "review.named")
def test_what_was_reviewed_runs_and_nothing_else(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write(("env.GREETING", "Good evening!"))
    review = of_comment(shop.project.run([*COMMENT, f"STACK={NAME}"]).stdout)
    monkeypatch.setitem(shop.project.environment, REVIEWED, str(review))
    same = shop.run("preview")
    assert (same.code, same.changes != set()) == (0, True), same.output
    shop.write(("env.GREETING", "Good evening!"), ("project.source.revision", "v1.3.0"))
    for words in (["preview"], ["up", "--yes"], ["up", "--yes", "--skip-preview"]):
        other = shop.run(*words)
        assert other.code != 0
        first, *moved = other.said("error").splitlines()
        assert first.endswith(f"{REVIEWED}: this is not what was reviewed, and nothing was run")
        assert moved[0].startswith("    the code is ")
        assert moved[1] == f"    Pulumi.{NAME}.yaml has changed, or a plain value that it takes from elsewhere"
        assert moved[2].strip() == "fix: review a new preview, and deploy that"
        assert other.changes == set()


NEXT = "next"


def promoted(shop: Shop, revision: str, source: str = NAME, **more: Any) -> tuple[int, Run]:
    """The preview of another stack of the same project, which takes what `source` has served."""
    kept = ("server", "project", "domains", "drift", "database", "env", "generateSecrets")
    config = {f"codesensei:{key}": deepcopy(shop.config[f"codesensei:{key}"]) for key in kept}
    config["codesensei:project"]["source"]["revision"] = revision
    config |= {"codesensei:promoteFrom": source} | {f"codesensei:{key}": value for key, value in more.items()}
    file = shop.project.file.with_name(f"Pulumi.{NEXT}.yaml")
    if not file.exists():
        shop.project.pulumi("stack", "init", NEXT)
    (salt,) = (line for line in file.read_text().splitlines() if line.startswith("encryptionsalt"))
    file.write_text(f"{yaml.safe_dump({'config': config})}{salt}\n")
    run = shop.run("preview", stack=NEXT)
    return run.code, run


@pytest.mark.proves("promotion.served", "promotion.refused", "promotion.preview")
def test_a_stack_that_serves_only_what_another_one_has(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.project.environment, "CODESENSEI_STANDINS", "accept")
    first, second, _ = shop.history.commits
    shop.write()
    code, run = promoted(shop, second.revision, production=True, waive={"backup": "of the tests"})
    assert code == 0, run.output
    assert f"            {NAME} serves this code, from 2026-02-10T10:00:00Z on" in told(run)
    code, run = promoted(shop, first.revision)
    assert code == 0
    assert f"codesensei:promoteFrom: {NAME} has not served this code: its latest is " in run.said("warning")
    code, run = promoted(shop, first.revision, production=True, waive={"backup": "of the tests"})
    assert code != 0
    assert f"codesensei:promoteFrom: {NAME} has not served this code: its latest is " in run.said("error")
    assert 'codesensei:waive: {promotion: "…"}' in run.said("error")
    assert "Traceback" not in run.output
    code, run = promoted(shop, first.revision, production=True, waive={"backup": "of tests", "promotion": "at night"})
    assert code == 0, run.output
    code, run = promoted(shop, first.revision, "nothing")
    assert "nothing has not served this code: there is no such stack in this backend" in run.said("warning")
