"""Each wrong stand-in is noticed by the conformance test that is responsible for what it does wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import STAND_IN_VARIABLE
from tests.conformance.mutants.catalogue import MUTANTS, Mutant
from tools.engine import plugins

TESTS = Path(__file__).parent.parent
CHECKOUT = TESTS.parent.parent
RUN_SECONDS = 180

pytestmark = pytest.mark.full


@dataclass(frozen=True)
class Folder:
    """Plugins in a folder of the user's, whose code can be replaced."""

    code: Path
    environment: dict[str, str]

    def run(self, *tests: str) -> subprocess.CompletedProcess[str]:
        """Run conformance tests against the folder's plugins."""
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-x", "-q"]
        return subprocess.run(
            [*command, *(str(TESTS / test) for test in tests)],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS * max(len(tests), 1),
            check=False,
        )

    def write(self, mutant: Mutant | None = None) -> None:
        """Put the stand-ins' code in place, wrong in one way or right."""
        shutil.rmtree(self.code, ignore_errors=True)
        for file in plugins.source_files():
            target = self.code / file.relative_to(plugins.SOURCES)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        if mutant:
            file = self.code / "standin" / mutant.file
            text = file.read_text()
            assert text.count(mutant.old) == 1, f"{mutant.file} holds {mutant.old!r} {text.count(mutant.old)} times"
            file.write_text(text.replace(mutant.old, mutant.new))


@pytest.fixture(scope="module")
def folder(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with launchers for the code in it, known to the engine as CODESENSEI_PLUGINS."""
    root = tmp_path_factory.mktemp("mutants")
    launchers = plugins.stand_in_launchers(print, install_packages=False)
    for name, text in launchers.items():
        [code] = [word for word in text.split() if word.endswith("start.py")]
        file = name if name == plugins.LANGUAGE else f"pulumi-resource-{name}"
        plugins.write_executable(root / file, text.replace(code, str(root / "code" / "start.py")))
    environment = {**os.environ, plugins.FOLDER_VARIABLE: str(root), STAND_IN_VARIABLE: "1"}
    folder = Folder(root / "code", environment)
    folder.write()
    command = [sys.executable, "-m", "tools.engine"]
    subprocess.run([*command, "install"], cwd=CHECKOUT, env=environment, check=True, capture_output=True)
    where = subprocess.run([*command, "where"], cwd=CHECKOUT, env=environment, check=True, capture_output=True)
    assert json.loads(where.stdout)["plugins"] == "folder"
    return folder


def test_the_right_ones_pass(folder: Folder) -> None:
    """Without a fault all the tests pass, so that a failure below is the fault's."""
    folder.write()
    done = folder.run(*sorted({mutant.test for mutant in MUTANTS}))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_wrong_one_is_noticed(folder: Folder, mutant: Mutant) -> None:
    """The responsible test fails: by an assertion of its own or of its fixture, not because it could not run."""
    folder.write(mutant)
    done = folder.run(mutant.test)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{mutant.test}" in done.stdout
