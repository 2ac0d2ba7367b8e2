"""Which plugins are used, how they are laid out, and what the environment says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codesensei.remote import standins
from tools.engine import EngineError, __main__, find, install, plugins, variables
from tools.engine.cli import Cli
from tools.engine.plugins import Plugins

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pulumi command on PATH that only knows its version."""
    file = tmp_path / "bin" / "pulumi"
    file.parent.mkdir()
    plugins.write_executable(file, "#!/bin/sh\necho v3.274.1\n")
    monkeypatch.setenv("PATH", f"{file.parent}:{os.environ['PATH']}")
    return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with plugins, named by the variable."""
    directory = tmp_path / "with space"
    directory.mkdir()
    for name in ("pulumi-language-python", "pulumi-resource-command", "pulumi-resource-random"):
        plugins.write_executable(directory / name, f'#!/bin/sh\necho {name} "$@"\n')
    monkeypatch.setenv("CODESENSEI_PLUGINS", str(directory))
    return directory


@pytest.mark.usefixtures("folder")
def test_folder(pulumi: Path) -> None:
    """The folder's plugins lie where the engine has its own, the language host beside a copy of the command."""
    engine = install(pytest.fail)
    assert (engine.plugins, engine.language) == ("folder", "folder")
    assert engine.pulumi.read_text() == pulumi.read_text()
    assert engine.pulumi != pulumi
    assert not engine.pulumi.is_symlink()
    places = {
        "pulumi-language-python": engine.pulumi.parent,
        "pulumi-resource-command": engine.home / "plugins" / "resource-command-v1.2.1",
        "pulumi-resource-random": engine.home / "plugins" / "resource-random-v4.21.4",
    }
    for name, place in places.items():
        done = subprocess.run([place / name, "one two"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{name} one two\n"
    assert find() == engine


@pytest.mark.usefixtures("pulumi")
def test_incomplete_folder(folder: Path) -> None:
    """A folder that lacks a plugin is refused by the plugin's name."""
    (folder / "pulumi-resource-random").unlink()
    with pytest.raises(EngineError, match=r"CODESENSEI_PLUGINS is .*no executable pulumi-resource-random in it"):
        install(lambda line: None)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where nothing can be downloaded, with a Python that only shows what it is to run."""

    def make_venv(target: Path, *_: object) -> Path:
        plugins.write_executable(target / "bin" / "python", '#!/bin/sh\necho "$@"\n')
        return target

    monkeypatch.setattr(plugins, "reachable", lambda url: False)
    monkeypatch.setattr(plugins, "make_venv", make_venv)


@pytest.fixture
def engine_of_stand_ins(pulumi: Path, offline: None) -> Plugins:
    return install(lambda line: None)


@pytest.mark.usefixtures("pulumi", "offline")
def test_stand_ins(cache: Path) -> None:
    """Where nothing can be downloaded the stand-ins are copied into the cache, and do not need the checkout.

    When the Python they run with is gone they are installed again.
    """
    said: list[str] = []
    engine = install(said.append)
    assert (engine.plugins, engine.language) == ("stand-in", "stand-in")
    assert any("cannot be downloaded here" in line for line in said)
    random = engine.home / "plugins" / "resource-random-v4.21.4" / "pulumi-resource-random"
    shown = subprocess.run([random, "127.0.0.1:1"], capture_output=True, text=True, check=True).stdout.split()
    assert (shown[0], shown[2:]) == ("-I", ["random", "127.0.0.1:1"])
    assert cache in Path(shown[1]).parents
    assert Path(shown[1]).with_name("standin").joinpath("random.py").is_file()
    assert f"{CHECKOUT}/" not in random.read_text()
    plugins.stand_in_venv().joinpath("bin", "python").unlink()
    with pytest.raises(EngineError, match="run `make engine`"):
        find()
    assert install(said.append) == find() == engine


def test_stand_ins_say_what_they_are(engine_of_stand_ins: Plugins) -> None:
    """The product looks for this under a production stack, and for nothing else."""
    marks = {
        path.parent.name: path.name for path in engine_of_stand_ins.home.glob("plugins/*/*") if path.name.isupper()
    }
    assert marks == {"resource-command-v1.2.1": standins.MARK, "resource-random-v4.21.4": standins.MARK}


def test_stand_ins_give_way_to_the_official_ones(
    engine_of_stand_ins: Plugins, pulumi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as those can be had; until then nothing is said again."""
    assert install(pytest.fail) == engine_of_stand_ins
    record = pulumi.with_name("record")
    plugins.write_executable(pulumi, f'#!/bin/sh\necho v3.274.1\ntest "$1" = version || echo "$@" >>{record}\n')
    plugins.write_executable(pulumi.with_name("pulumi-language-python"), "#!/bin/sh\n")
    assert install(lambda line: None).plugins == "stand-in"
    monkeypatch.setattr(plugins, "reachable", lambda url: True)
    engine = install(lambda line: None)
    assert (engine.plugins, engine.language) == ("official", "official")
    assert record.read_text().splitlines() == [
        "plugin install resource command v1.2.1",
        "plugin install resource random v4.21.4",
    ]
    assert find() == install(pytest.fail) == engine


@pytest.mark.usefixtures("pulumi")
def test_nothing_installed() -> None:
    """Before the first installation there is one sentence that says what to run."""
    with pytest.raises(EngineError, match="The engine is not installed: run `make engine`"):
        find()


def test_command_line_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the sentence and fails; for programs that read its output there is none."""
    assert __main__.main(["where"]) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "engine: The engine is not installed: run `make engine`.\n")


def test_command_line_with_an_unusable_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cache that cannot be made is one sentence too."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("CODESENSEI_CACHE", str(tmp_path / "file"))
    assert __main__.main(["install"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.usefixtures("pulumi", "folder")
@pytest.mark.slow
def test_where_and_env(capsys: pytest.CaptureFixture[str]) -> None:
    """`where` is JSON, and a shell that evaluates `env` has the engine and the checkout's Python first on its PATH."""
    assert __main__.main(["install"]) == 0
    capsys.readouterr()
    assert __main__.main(["where"]) == 0
    where = json.loads(capsys.readouterr().out)
    assert where["plugins"] == where["language"] == "folder"
    assert __main__.main(["env"]) == 0
    lines = capsys.readouterr().out
    script = f'{lines}\ncommand -v pulumi; echo "$PULUMI_HOME"; python3 -m codesensei.config.import_env --help'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    pulumi, home, usage, *_ = shell.stdout.splitlines()
    assert [pulumi, home] == [where["pulumi"], where["pulumi_home"]]
    assert "codesensei.config.import_env" in usage


def test_variables() -> None:
    """The engine comes first on PATH, others' plugins are ignored, and only official ones may be downloaded."""
    engine = Plugins(Path("/e/bin/pulumi"), Path("/e/home"), "stand-in", "stand-in")
    values = variables(engine)
    assert values["PATH"].split(os.pathsep)[0] == "/e/bin"
    assert values["PULUMI_HOME"] == "/e/home"
    assert values["PULUMI_SKIP_UPDATE_CHECK"] == values["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "true"
    assert values["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    official = variables(Plugins(engine.pulumi, engine.home, "official", "official"))
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in official


def test_official_language_host_stays(pulumi: Path) -> None:
    """A command that has its own language host beside it keeps it."""
    cli = Cli(pulumi, "path")
    assert plugins.language_of(cli) is None
    plugins.write_executable(pulumi.with_name("pulumi-language-python"), "#!/bin/sh\n")
    assert plugins.language_of(cli) == pulumi.with_name("pulumi-language-python")


def test_runs_without_the_virtual_environment() -> None:
    """The tool needs nothing but the standard library."""
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import tools.engine.__main__",
    ]
    assert subprocess.run(command, check=False).returncode == 0
