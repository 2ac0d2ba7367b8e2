"""What the real Pulumi command shows of a change, against the state that a deploy has left."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from codesensei.remote.dns import NO_RECORD, NOT_KNOWN
from codesensei.story import read
from codesensei.story.__main__ import MARK
from tests.config.cli import NAME, Project
from tests.conformance.servers import MissingServer, run_sshd
from tests.story.paper import ANSWERS, KEY, TOKEN, Shop, first_config
from tools.demo.history import git, make_history
from tools.engine import EngineError, engine_environment
from tools.trials.stack import CHECKOUT, Run

pytestmark = [pytest.mark.engine, pytest.mark.proves("story.told")]
MARGIN = "    "
PAGE = (Path(__file__).parents[2] / "docs" / "previews.md").read_text()
WWW = ["shop.example.com", "www.shop.example.com"]
MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entries", "%s")]
    operations = [%s]
"""
QUIET = "visitors notice nothing, a candidate serves them meanwhile; jobs have up to 600 s to end"
RESTARTS = ["web restarts by hand-over", "worker restarts, its jobs have 600 s to end"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A stack that serves the second of four commits."""
    folder = tmp_path_factory.mktemp("previews")
    history = make_history(folder / "repository")
    git(history.path, "tag", "v1.2.0", history.commits[1].revision)
    requirements = history.path / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("celery==5.7.0", "celery==5.7.1") + "httpx\n")
    git(history.path, "commit", "--quiet", "--all", "--message", "Ask others", date="Mon, 9 Feb 2026 10:00:00 +0000")
    git(history.path, "tag", "v1.3.0")
    add_migrations(history.path)
    (folder / "home").mkdir()
    try:
        project = Project(folder / "program", dict(engine_environment())).create()
        with run_sshd(folder / "sshd", f"ForceCommand {ANSWERS} {folder / 'home'}") as server:
            made = Shop(project, first_config(server, history.path, history.commits[1].revision), history)
            made.write()
            first = made.run("preview")
            assert first.code == 0, first.output
            head, *_ = told(first)
            assert head == f"release     first deploy of {history.commits[1].short} {history.commits[1].subject}"
            made.up()
            yield made
    except (EngineError, MissingServer) as error:
        pytest.fail(str(error), pytrace=False)


def add_migrations(repository: Path) -> None:
    """A commit that one decides by: a column is dropped, and another comes."""
    dropped = 'migrations.RemoveField("entry", "name"), migrations.AddIndex("entry", models.Index(fields=["message"]))'
    added = 'migrations.AddField("entry", "language", models.CharField(max_length=2, default="en"))'
    folder = repository / "entries/migrations"
    (folder / "0002_drop_name.py").write_text(MIGRATION % ("0001_initial", dropped))
    (folder / "0003_language.py").write_text(MIGRATION % ("0002_drop_name", added))
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Forget names", date="Tue, 10 Feb 2026 10:00:00 +0000")
    git(repository, "tag", "v2.0.0")


def told(run: Run) -> list[str]:
    """The lines of the story; a release's variables have a random part."""
    return re.sub(r"([0-9a-f]{7})-[0-9a-f]{7}", r"\1-env", run.said("info")).splitlines()


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
    shown = "\n".join(found[at : at + 5])
    assert shown in PAGE
    names = ["entries.0002_drop_name", "entries.0003_language"]
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


@pytest.mark.proves("story.variables")
def test_a_generated_variable(shop: Shop) -> None:
    head, variables, *_ = told(previewed(shop, ("generateSecrets", ["SECRET_KEY", "OTHER"])))
    assert "-(new variables), the same commit " in head
    assert variables == "variables   + OTHER (generated)"


@pytest.mark.proves("story.data")
def test_the_comment_as_the_page_prints_it(shop: Shop) -> None:
    """With the make of the checkout, in the folder of the program."""
    shop.write(("env.GREETING", "Good evening!"))
    # As a person calls it, though a make may have called these tests.
    alone = ["env", "-u", "MAKELEVEL", "-u", "MAKEFLAGS", "-u", "MFLAGS"]
    make = [*alone, "make", "-f", str(CHECKOUT / "Makefile"), f"VENV={Path(sys.executable).parent}", "preview-comment"]
    done = shop.project.run([*make, f"STACK={NAME}"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(MARK)
    assert 'variables   GREETING "Welcome!" -> "Good evening!"' in done.stdout
    broken = shop.project.run([*make, "STACK=nothing"])
    assert broken.returncode != 0
    assert "it is no preview" in broken.stderr


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
