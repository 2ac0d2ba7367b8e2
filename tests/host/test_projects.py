"""Projects that nobody here wrote, deployed to servers that they share, and used as people use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.debians import RELEASES
from tests.host.projects.allauth import Allauth
from tests.host.projects.api import Api
from tests.host.projects.chat import Chat
from tests.host.projects.cms import Cms
from tests.host.projects.deployed import Deployed, Shared
from tests.host.projects.polls import Polls
from tests.host.projects.project import Project
from tests.host.projects.starter import Starter
from tests.host.projects.wagtail import NEWER_DJANGO, OLDER_DJANGO, Wagtail
from tools.sandbox import Sandbox

pytestmark = pytest.mark.host

PROJECTS: tuple[type[Project], ...] = (Polls, Wagtail, Cms, Chat, Allauth, Api, Starter)
SAMPLE = (Polls, 13)


def each_project() -> pytest.MarkDecorator:
    """Run a test for every project on every Debian: the sample in `make test`, all in `make test-full`."""
    rows = [
        pytest.param(debian, project, marks=[] if (project, debian) == SAMPLE else pytest.mark.full)
        for debian in RELEASES
        for project in PROJECTS
    ]
    return pytest.mark.parametrize(("debian", "project"), rows)


@pytest.fixture(scope="session")
def shared(sandbox: Sandbox, place: Path) -> Shared:
    """The servers of this run and the projects on them."""
    return Shared(sandbox, place)


@pytest.fixture
def deployed(debian: int, project: type[Project], shared: Shared) -> Deployed:
    """The project, deployed and used."""
    return shared.give(debian, project)


@pytest.mark.proves("paths.manage", "deps.server-missing", "asgi.websockets")
@each_project()
def test_what_a_person_made_is_there(deployed: Deployed) -> None:
    deployed.find()


@each_project()
def test_a_browser_shows_the_first_page_with_its_static_files(deployed: Deployed) -> None:
    deployed.look()


@each_project()
def test_a_second_deploy_changes_nothing(deployed: Deployed) -> None:
    deployed.stack.up_without_changes()


@pytest.mark.proves("words.shared", "env.generated")
@each_project()
def test_everything_is_there_after_the_next_deploy(deployed: Deployed) -> None:
    text = deployed.deploy_next_commit()
    deployed.person.get(deployed.project.first_page).expect(200, text)
    deployed.find()


@each_project()
def test_everything_is_there_after_a_reboot(debian: int, project: type[Project], shared: Shared) -> None:
    shared.after_reboot(debian, project).find()


@pytest.mark.full
@pytest.mark.parametrize("debian", [12])
def test_a_django_that_needs_a_newer_python_is_refused_and_the_site_goes_on(debian: int, shared: Shared) -> None:
    deployed = shared.give(debian, Wagtail)
    stack, workshop = deployed.stack, deployed.workshop
    serving = stack.outputs()["revision"]
    with workshop.reopen():
        workshop.edit("requirements.txt", OLDER_DJANGO, NEWER_DJANGO)
        workshop.commit("Take Django as the generator asks for it")
    stack.use("main")
    failed = stack.up(succeed=False)
    assert "the Django that it asks for needs Python 3.12" in failed.said("error")
    assert "Traceback" not in failed.output
    # Who does not look knows the server's Python only once packages are installed.
    stack.set("drift", False)
    failed = stack.up(succeed=False)
    assert "runs on this server's Python (the last one that pip skipped" in failed.said("error")
    assert "Traceback" not in failed.output
    stack.set("drift", True)
    deployed.find()
    with workshop.reopen():
        workshop.edit("requirements.txt", NEWER_DJANGO, OLDER_DJANGO)
        workshop.commit("Take the Django that this server's Python can run")
    stack.set("project.source.revision", serving)
    stack.up()
    deployed.find()
