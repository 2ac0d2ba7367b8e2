"""Which credentials a staged release is proved with: the ones in force, where only the password is another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import write_json
from codesensei.scripts.release import jobs
from codesensei.scripts.release.release import Release
from codesensei.wire import paths

ACCOUNT = {"name": "shop", "role": "shop", "port": 5432, "digest": "d1"}
LIVE, STAGED = "aaaaaaa-1111111", "bbbbbbb-2222222"


@pytest.fixture
def prove(server: Path) -> Any:
    project = paths.ProjectPaths("shop")
    for folder in (project.environments, project.memory / "release"):
        folder.mkdir(parents=True)
    project.current.symlink_to(f"releases/{LIVE}")

    def run(live: dict[str, Any] | None, staged: dict[str, Any] | None, names: tuple[str, ...] = ("DB",)) -> str | None:
        for release, account, text in ((LIVE, live, "DB='old'\nX=1\n"), (STAGED, staged, "DB='new'\nX=2\n")):
            project.env_file(release).write_text(text)
            write_json(project.variable_notes(release), {"managedNames": list(names), "account": account})
        path = jobs.write_credentials(Release(project, STAGED, "deploy", ".", "s"))
        return path.read_text() if path else None

    return run


def test_another_password_of_the_same_account_waits_for_the_switch(prove: Any) -> None:
    assert prove(ACCOUNT, {**ACCOUNT, "digest": "d2"}) == "DB='old'\n"


@pytest.mark.parametrize(
    ("live", "staged"),
    [
        (ACCOUNT, ACCOUNT),
        (None, ACCOUNT),
        (ACCOUNT, None),
        ({**ACCOUNT, "role": "other"}, {**ACCOUNT, "digest": "d2"}),
        ({**ACCOUNT, "name": "other"}, {**ACCOUNT, "digest": "d2"}),
        ({**ACCOUNT, "port": 5433}, {**ACCOUNT, "digest": "d2"}),
    ],
)
def test_another_account_is_proved_with_its_own_variables(prove: Any, live: Any, staged: Any) -> None:
    assert prove(live, staged) is None


def test_a_first_deploy_has_only_its_own(prove: Any) -> None:
    paths.ProjectPaths("shop").current.unlink()
    assert prove(ACCOUNT, {**ACCOUNT, "digest": "d2"}) is None
