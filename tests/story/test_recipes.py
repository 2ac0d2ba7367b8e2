"""The recipes for GitHub Actions and GitLab CI: what their forms ask for, and their jobs, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from codesensei.story import REVIEWED
from codesensei.story.__main__ import mark_of
from tests.config.cli import NAME
from tests.review.api import TOKEN, Api, GitHubApi, GitLabApi, served
from tests.story.paper import Shop
from tools.trials.stack import CHECKOUT

RECIPES = CHECKOUT / "ci"
FORMS = {"github.yml": "vendor.github-workflows", "gitlab.yml": "vendor.gitlab-ci"}
Job = Callable[[str], tuple[int, str]]


def recipe(name: str) -> dict[Any, Any]:
    parsed = yaml.safe_load((RECIPES / name).read_text())
    assert isinstance(parsed, dict)
    return parsed


def of_github(job: str) -> tuple[list[str], dict[str, str]]:
    """The scripts of a job's steps, each for a shell of its own, and their variables."""
    whole = recipe("github.yml")
    steps = [step for step in whole["jobs"][job]["steps"] if "run" in step]
    given = {name: value for step in (whole, *steps) for name, value in step.get("env", {}).items()}
    known = {"${{ github.token }}": TOKEN, "${{ inputs.reviewed }}": ""}
    return [step["run"] for step in steps], {name: known[text] for name, text in given.items() if text in known}


def of_gitlab(job: str) -> tuple[list[str], dict[str, str]]:
    """The one script of a job, as its runner puts it together, without what the image needs."""
    whole = recipe("gitlab.yml")
    lines = [*whole[whole[job]["extends"]]["before_script"], *whole[job]["script"]]
    packages = [line for line in lines if line.startswith("apt-get -qq ")]
    assert len(packages) == 2
    return ["\n".join(line for line in lines if line not in packages)], {}


HOSTS = {"GitHub": (of_github, GitHubApi), "GitLab": (of_gitlab, GitLabApi)}


@pytest.mark.slow
@pytest.mark.proves("review.recipes")
@pytest.mark.parametrize("name", sorted(FORMS))
def test_the_form_is_the_host_s(name: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", FORMS[name], str(RECIPES / name)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.proves("review.recipes")
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("job", ["preview", "deploy", "drift"])
def test_every_script_is_sound(host: str, job: str) -> None:
    scripts, _ = HOSTS[host][0](job)
    for script in scripts:
        check = [str(Path(sys.executable).with_name("shellcheck")), "--shell=bash", "-"]
        done = subprocess.run(check, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.proves("review.recipes")
def test_only_branches_of_the_repository_itself_are_previewed() -> None:
    github, gitlab = recipe("github.yml"), recipe("gitlab.yml")
    assert github["jobs"]["preview"]["if"].endswith("pull_request.head.repo.full_name == github.repository")
    assert "pull_request_target" not in github[True]
    [rule] = gitlab["preview"]["rules"]
    assert rule["if"].endswith("$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID")


# One host's jobs are enough for each change: what differs between the two is tried without an engine.
@pytest.fixture(params=["GitHub", pytest.param("GitLab", marks=pytest.mark.full)])
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(host: str, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The host, for jobs of this stack."""
    found = HOSTS[host][1]()
    for name in ("Makefile", "tools", ".venv"):
        if not (shop.project.directory / name).exists():
            (shop.project.directory / name).symlink_to(Path(sys.prefix) if name == ".venv" else CHECKOUT / name)
    with served(found) as address:
        at = {"GITHUB_API_URL": address, "CI_API_V4_URL": address, "PULUMI_STACK": NAME}
        for name, value in {**found.variables, **at}.items():
            monkeypatch.setitem(shop.project.environment, name, value)
        yield found


@pytest.fixture
def job(host: str, shop: Shop, api: Api, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Runs a job of the recipe; the exit status of its first script that failed, and what was printed."""

    def run(name: str) -> tuple[int, str]:
        scripts, variables = HOSTS[host][0](name)
        printed = ""
        with monkeypatch.context() as inside:
            for key, value in variables.items():
                inside.setitem(shop.project.environment, key, value)
            failed = 0
            for script in scripts:
                # A comment is written after a preview that failed, too.
                if failed and "tools.review comment" not in script:
                    continue
                done = shop.project.run(["bash", "-e", "-c", script])
                printed += done.stdout + done.stderr
                failed = failed or done.returncode
        return failed, printed

    return run


@pytest.mark.engine
@pytest.mark.proves("review.recipes", "review.held")
def test_a_merge_request_from_its_first_preview_to_its_deploy(shop: Shop, api: Api, job: Job) -> None:
    shop.write(("env.PATH", "/bin"))
    assert job("preview")[0] != 0
    [comment] = api.by("bot")
    assert comment.startswith(f"{mark_of(NAME)}\n\n**The preview failed.**")
    code, printed = job("deploy")
    assert code != 0
    assert "no comment there shows a preview of the stack" in printed
    greeting = f"Good evening from {type(api).__name__}!"
    shop.write(("env.GREETING", greeting))
    code, printed = job("preview")
    assert code == 0, printed
    [comment] = api.by("bot")
    assert comment.startswith(f"{mark_of(NAME)}\n<!-- review: ")
    assert f'-> "{greeting}"' in comment
    code, printed = job("deploy")
    assert code == 0, printed
    assert re.search(r"^ +~ .*shop-environment", printed, re.M), printed
    assert job("drift")[0] == 0
    code, printed = job("deploy")
    assert code != 0
    assert f"{REVIEWED}: this is not what was reviewed, and nothing was run" in printed
    assert "what serves, or what was changed by hand on the server, is not what it was" in printed
    assert api.by("bot") == [comment]
