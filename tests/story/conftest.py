"""A stack that serves, of which a module asks what a change would do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.cli import Project
from tests.conformance.servers import MissingServer, run_sshd
from tests.story.paper import ANSWERS, Shop, first_config
from tools.demo.history import git, make_history
from tools.engine import EngineError, engine_environment
from tools.trials.stack import Run

MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entries", "%s")]
    operations = [%s]
"""


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
