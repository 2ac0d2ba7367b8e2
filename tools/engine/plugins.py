"""The plugins: official where they can be had, else the stand-ins; or those of a folder the user names."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import versions
from .cache import cache_root, digest, make_directory, tree_digest
from .cli import CONNECT_SECONDS, Cli
from .errors import EngineError
from .python import make_venv

SOURCES = Path(__file__).parent.parent / "plugins"
FOLDER_VARIABLE = "CODESENSEI_PLUGINS"
LANGUAGE = "pulumi-language-python"
RESOURCES = {"command": versions.COMMAND_PLUGIN, "random": versions.RANDOM_PLUGIN}
PROBE = "https://get.pulumi.com/releases/plugins/pulumi-resource-command-v{}-linux-amd64.tar.gz"
INSTALL_SECONDS = 300
PYTHON_RECORD = "python"
# Beside a stand-in's program, for the product to see.
MARK = "STAND-IN"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plugins:
    """An engine ready for use. plugins, language: "official", "stand-in" or "folder"."""

    pulumi: Path
    home: Path
    plugins: str
    language: str


def folder() -> Path | None:
    """The folder named by CODESENSEI_PLUGINS. Raises EngineError where it lacks a plugin."""
    named = os.environ.get(FOLDER_VARIABLE)
    if not named:
        return None
    directory = Path(named).absolute()
    for name in (LANGUAGE, *(f"pulumi-resource-{kind}" for kind in RESOURCES)):
        if not os.access(directory / name, os.X_OK):
            raise EngineError(f"{FOLDER_VARIABLE} is {named}, and there is no executable {name} in it.")
    return directory


def language_of(cli: Cli) -> Path | None:
    """The official language host beside the command, as its release has it."""
    beside = cli.pulumi.resolve().with_name(LANGUAGE)
    return beside if os.access(beside, os.X_OK) else None


def directory_for(cli: Cli, kind: str) -> Path:
    """The directory in the cache of this command with this kind of plugins."""
    stat = cli.pulumi.resolve().stat()
    parts = [kind, str(cli.pulumi.resolve()), f"{stat.st_size} {stat.st_mtime_ns}", *RESOURCES.values()]
    named = folder()
    if kind == "folder" and named:
        parts.append(str(named))
    elif kind == "stand-in" or not language_of(cli):
        parts.append(tree_digest(SOURCES, source_files()))
    return cache_root() / f"plugins-{kind}-{digest(*parts)}"


def source_files() -> list[Path]:
    """The stand-ins' files."""
    return [*SOURCES.glob("standin/**/*.py"), SOURCES / "start.py", SOURCES / "requirements.txt"]


def find(cli: Cli) -> Plugins | None:
    """The plugins that are installed for this command."""
    for kind in ["folder"] if folder() else ["official", "stand-in"]:
        directory = directory_for(cli, kind)
        if directory.is_dir() and not broken(directory):
            language = (directory / "language").read_text().strip()
            pulumi = cli.pulumi if language == "official" else directory / "bin" / "pulumi"
            return Plugins(pulumi, directory / "home", kind, language)
    return None


def broken(directory: Path) -> bool:
    """Whether the Python that the stand-ins in this directory run with is gone."""
    record = directory / PYTHON_RECORD
    return record.is_file() and not Path(record.read_text()).exists()


def install(cli: Cli, say: Say, install_packages: bool = False) -> Plugins:
    """The plugins, installed if need be. The caller holds the cache's lock. Raises EngineError.

    Stand-ins give way to the official ones as soon as those can be had.
    """
    found = find(cli)
    if found and found.plugins != "stand-in":
        return found
    for kind in ("official", "stand-in"):
        if broken(directory_for(cli, kind)):
            shutil.rmtree(directory_for(cli, kind))
    if folder():
        make_directory(directory_for(cli, "folder"), lambda new: fill_from_folder(cli, new))
    elif not install_official(cli, say, install_packages) and not found:
        say("engine: the official plugins cannot be downloaded here: using stand-ins, for demos, tests and trials")
        make_directory(directory_for(cli, "stand-in"), lambda new: fill_stand_ins(cli, new, say, install_packages))
    installed = find(cli)
    if installed is None:
        raise EngineError(f"The plugins were put into {cache_root()} and are not there: run this again.")
    return installed


def install_official(cli: Cli, say: Say, install_packages: bool) -> bool:
    """Install the official plugins; False where they cannot be downloaded."""
    if not reachable(PROBE.format(versions.COMMAND_PLUGIN)):
        return False

    def fill(directory: Path) -> None:
        environment = {
            **os.environ,
            "PULUMI_HOME": str(directory / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        for name, version in RESOURCES.items():
            say(f"engine: installing the official plugin {name} v{version}")
            command = [str(cli.pulumi), "plugin", "install", "resource", name, f"v{version}"]
            subprocess.run(command, env=environment, capture_output=True, check=True, timeout=INSTALL_SECONDS)
        if language_of(cli):
            (directory / "language").write_text("official\n")
        else:
            launchers = stand_in_launchers(say, install_packages)
            add_language(cli, directory, launchers[LANGUAGE], "stand-in")
            (directory / PYTHON_RECORD).write_text(str(stand_in_venv() / "bin" / "python"))

    try:
        make_directory(directory_for(cli, "official"), fill)
    except subprocess.SubprocessError:
        return False
    return True


def reachable(url: str) -> bool:
    """Whether this file can be downloaded."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def fill_from_folder(cli: Cli, directory: Path) -> None:
    """Lay out the plugins of the folder named by the user."""
    named = folder()
    if named is None:
        raise EngineError(f"{FOLDER_VARIABLE} names no folder.")
    for name in RESOURCES:
        add_resource(directory, name, launcher(str(named / f"pulumi-resource-{name}")))
    add_language(cli, directory, launcher(str(named / LANGUAGE)), "folder")


def fill_stand_ins(cli: Cli, directory: Path, say: Say, install_packages: bool) -> None:
    """Lay out the stand-ins; the language host too, unless the command came with its own."""
    launchers = stand_in_launchers(say, install_packages)
    (directory / PYTHON_RECORD).write_text(str(stand_in_venv() / "bin" / "python"))
    for name in RESOURCES:
        add_resource(directory, name, launchers[name]).with_name(MARK).touch()
    if language_of(cli):
        (directory / "language").write_text("official\n")
    else:
        add_language(cli, directory, launchers[LANGUAGE], "stand-in")


def stand_in_venv() -> Path:
    """The stand-ins' own Python environment, made with the Python that runs this."""
    return cache_root() / f"venv-{digest(SOURCES / 'requirements.txt', sys.version, sys.base_prefix)}"


def stand_in_launchers(say: Say, install_packages: bool) -> dict[str, str]:
    """Copy the stand-ins into the cache, so that they outlive the checkout; returns the launchers' texts."""
    venv = stand_in_venv()
    if not venv.is_dir():
        say("engine: making the stand-ins' Python environment")
    make_venv(venv, ["-r", str(SOURCES / "requirements.txt")], say, install_packages, "--no-deps")
    code = cache_root() / f"standin-{tree_digest(SOURCES, source_files())}"

    def copy(directory: Path) -> None:
        for file in source_files():
            target = directory / file.relative_to(SOURCES)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    make_directory(code, copy)
    start = [str(venv / "bin" / "python"), "-I", str(code / "start.py")]
    names = {LANGUAGE: "language", **{name: name for name in RESOURCES}}
    return {name: launcher(*start, module) for name, module in names.items()}


def launcher(*command: str) -> str:
    """A shell script that becomes this command."""
    return f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'


def add_resource(directory: Path, name: str, text: str) -> Path:
    """A resource plugin where the engine looks for one that it has installed itself; returns its program."""
    home = directory / "home" / "plugins" / f"resource-{name}-v{RESOURCES[name]}"
    write_executable(home / f"pulumi-resource-{name}", text)
    return home / f"pulumi-resource-{name}"


def add_language(cli: Cli, directory: Path, text: str, kind: str) -> None:
    """The language host beside a copy of the command, where the engine takes it without a warning."""
    target = directory / "bin" / "pulumi"
    target.parent.mkdir()
    try:
        os.link(cli.pulumi.resolve(), target)
    except OSError:
        shutil.copy2(cli.pulumi.resolve(), target)
    write_executable(target.with_name(LANGUAGE), text)
    (directory / "language").write_text(f"{kind}\n")


def write_executable(file: Path, text: str) -> None:
    """The script, with its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
