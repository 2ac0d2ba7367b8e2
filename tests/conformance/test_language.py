"""The language host: how the program is run, and how its end is reported."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.stack import Stack

HEADER = "import json, os, sys, pulumi\n"


@pytest.fixture(scope="module")
def stack(new_stack: StackFactory) -> Stack:
    """One stack whose program each test writes again."""
    made = new_stack("language")
    made.pulumi("config", "set", "--stack", "test", "plain", "p")
    made.pulumi("config", "set", "--stack", "test", "--secret", "hidden", "canary-17")
    return made


def write(stack: Stack, program: str) -> None:
    """Set the program's text."""
    (stack.program / "__main__.py").write_text(HEADER + program)


def test_program_gets_its_surroundings(stack: Stack) -> None:
    """The program runs with the virtual environment's Python, in its directory, with configuration and facts."""
    write(
        stack,
        "facts = [sys.prefix, os.getcwd(), pulumi.get_stack(), pulumi.get_project(), pulumi.runtime.is_dry_run(),\n"
        "         pulumi.Config().get('plain'), pulumi.runtime.is_config_secret('conformance:hidden'),\n"
        "         len(pulumi.Config().get('hidden')), os.environ['VIRTUAL_ENV'], __name__, sys.argv[1:],\n"
        "         os.environ['PATH'].split(os.pathsep)[0]]\n"
        "pulumi.export('facts', json.dumps(facts))\nprint('printed line')\n",
    )
    run = stack.up()
    facts = stack.state()["conformance-test"]["outputs"]["facts"]
    expected = [sys.prefix, str(stack.program), "test", "conformance", False, "p", True, 9, sys.prefix]
    assert json.loads(facts) == [*expected, "__main__", [], f"{sys.prefix}/bin"]
    assert "printed line" in run.messages(severity="info")


def test_standard_library_is_not_shadowed(stack: Stack) -> None:
    """The program imports the standard library and its own modules, nothing of the plugins."""
    (stack.program / "neighbour.py").write_text("NAME = 'neighbour'\n")
    write(stack, "import random, copy, neighbour\npulumi.export('files', [random.__file__, copy.__file__])\n")
    stack.up()
    files = stack.state()["conformance-test"]["outputs"]["files"]
    assert {Path(file).parent for file in files} == {Path(copy.__file__).parent}


def test_dry_run(stack: Stack) -> None:
    """A preview tells the program that it is one."""
    write(stack, "print('dry', pulumi.runtime.is_dry_run())\n")
    assert "dry True" in stack.preview().messages(severity="info")


def test_exception(stack: Stack) -> None:
    """An exception is shown with the traceback from the program's own first line on."""
    write(stack, "def broken():\n    raise ValueError('it broke')\n\nbroken()\n")
    run = stack.up(succeed=False)
    [message] = [text for text in run.messages(severity="error") if "it broke" in text]
    assert message.startswith("Program failed with an unhandled exception:\n")
    assert message.rstrip().endswith("ValueError: it broke")
    assert "runpy" not in message
    assert message.count('File "') == 2
    assert "non-zero exit code" not in run.output


def test_run_error(stack: Stack) -> None:
    """A RunError is shown as its message alone, without a traceback."""
    write(stack, "raise pulumi.RunError('say only this')\n")
    run = stack.up(succeed=False)
    assert "say only this" in run.messages(severity="error")
    assert "Traceback" not in run.output


def test_exit_code(stack: Stack) -> None:
    """Another exit code is reported as such; 32 says that the user has been told."""
    write(stack, "sys.exit(7)\n")
    assert "program exited with non-zero exit code: 7" in stack.up(succeed=False).output.lower()
    write(stack, "print('told')\nsys.exit(32)\n")
    assert "non-zero exit code" not in stack.up(succeed=False).output


def test_no_warnings_about_plugins(stack: Stack) -> None:
    """The plugins lie where the engine has its own: nothing is said about them, and they are listed."""
    write(stack, "import pulumi_random\npulumi_random.RandomUuid('u')\n")
    run = stack.up()
    assert run.messages(severity="warning") == []
    assert "PATH" not in run.output
    listed = stack.pulumi("plugin", "ls", "--json").stdout
    assert '"command"' in listed
    assert '"random"' in listed


def test_missing_virtual_environment(new_stack: StackFactory) -> None:
    """A missing virtual environment is made before the program runs, with requirements.txt in it."""
    stack = new_stack("fresh")
    project = stack.program / "Pulumi.yaml"
    project.write_text(project.read_text().replace(sys.prefix, "fresh-venv"))
    package = stack.program / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'neighbour'\nversion = '1'\n"
    )
    (package / "backend.py").write_text(
        "import zipfile\n\ndef build_wheel(directory, *_):\n"
        "    name = 'neighbour-1-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(f'{directory}/{name}', 'w') as wheel:\n"
        "        wheel.writestr('pulumi.py', 'raise ImportError(\"the fresh one\")')\n"
        "        base = 'neighbour-1.dist-info'\n"
        "        wheel.writestr(f'{base}/METADATA', 'Metadata-Version: 2.1\\nName: neighbour\\nVersion: 1\\n')\n"
        "        wheel.writestr(f'{base}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        wheel.writestr(f'{base}/RECORD', '')\n    return name\n"
    )
    (stack.program / "requirements.txt").write_text("./package\n")
    run = stack.up(succeed=False)
    assert "the fresh one" in run.output
    assert "It looks like the Pulumi SDK has not been installed." in run.output
    assert (stack.program / "fresh-venv" / "bin" / "python").exists()
