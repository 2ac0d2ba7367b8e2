"""The Python language host: runs the program with the interpreter of the project's virtual environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2

from .serve import engine_address, serve

from pulumi.runtime.proto import (  # isort: skip  # after serve, which makes them importable
    language_pb2,
    language_pb2_grpc,
    plugin_pb2,
)

VERSION = "3.274.1"
LAUNCHER = Path(__file__).parent / "launcher" / "program.py"  # alone there: its folder is on its import path
EXIT_AFTER_MESSAGE = 32  # the program has already told the user what is wrong


class Language(language_pb2_grpc.LanguageRuntimeServicer):
    """The gRPC face of the language host."""

    def __init__(self) -> None:
        self._program: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """The version the host stands in for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def About(self, request: Any, context: Any) -> Any:
        """The interpreter, as `pulumi about` shows it."""
        python, _ = interpreter(request.info)
        reported = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
        return language_pb2.AboutResponse(executable=python, version=reported.stdout.strip().removeprefix("Python "))

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        """Make a missing virtual environment; say which plugins the packages in it need."""
        for _ in self._install(request.info, context):
            pass
        return language_pb2.GetRequiredPackagesResponse(packages=required_packages(request.info))

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        """Make the virtual environment if it is missing and install requirements.txt, saying what is done."""
        for line in self._install(request.info, context, always=True):
            yield language_pb2.InstallDependenciesResponse(stdout=line)

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        """The packages in the virtual environment."""
        python, _ = interpreter(request.info)
        listed = subprocess.run(
            [python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=False
        )
        found = json.loads(listed.stdout or "[]")
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=item["name"], version=item["version"]) for item in found]
        )

    def Run(self, request: Any, context: Any) -> Any:
        """Run the program to its end."""
        python, environment = interpreter(request.info)
        environment["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        environment["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        arguments = {
            "monitor": request.monitor_address,
            "engine": engine_address(),
            "project": request.project,
            "root_directory": request.info.root_directory,
            "stack": request.stack,
            "pwd": request.pwd,
            "dry_run": str(request.dryRun).lower(),
            "parallel": str(request.parallel),
            "organization": request.organization,
        }
        command = [python, "-u", str(LAUNCHER)]
        command += [part for name, value in arguments.items() for part in (f"--{name}", value)]
        command += [request.info.entry_point or ".", *request.args]
        try:
            with self._lock:
                self._program = subprocess.Popen(command, env=environment, cwd=request.pwd or None)
        except OSError as error:
            return language_pb2.RunResponse(error=f"could not run {python}: {error.strerror}")
        code = self._program.wait()
        if code == EXIT_AFTER_MESSAGE:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"program was terminated by signal {-code}")
        return language_pb2.RunResponse(error=f"program exited with non-zero exit code: {code}" if code else "")

    def Cancel(self, request: Any, context: Any) -> Any:
        """Interrupt the program."""
        self.signal_program(signal.SIGINT)
        return empty_pb2.Empty()

    def signal_program(self, number: signal.Signals) -> None:
        """Send the program a signal, if it still runs."""
        with self._lock:
            if self._program is not None and self._program.poll() is None:
                self._program.send_signal(number)

    def _install(self, info: Any, context: Any, always: bool = False) -> Iterator[bytes]:
        environment = virtual_environment(info)
        if environment is None or (environment.is_dir() and not always):
            return
        steps = []
        if not environment.is_dir():
            yield b"Creating virtual environment...\n"
            steps.append([sys.executable, "-m", "venv", str(environment)])
        requirements = Path(info.program_directory) / "requirements.txt"
        if requirements.is_file():
            python = str(environment / "bin" / "python")
            steps.append([python, "-m", "pip", "install", "--quiet", "-r", str(requirements)])
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr or done.stdout).strip()
                context.abort(grpc.StatusCode.UNKNOWN, f"installing dependencies: {' '.join(step)}: {reason}")
        yield b"Finished installing dependencies\n"


def virtual_environment(info: Any) -> Path | None:
    """The project's virtual environment, from the runtime option of that name, relative to the project."""
    options = dict(info.options.items())
    return Path(info.root_directory) / options["virtualenv"] if options.get("virtualenv") else None


def required_packages(info: Any) -> list[Any]:
    """The plugins of the packages that the program can import, each as its package's own file names it."""
    python, _ = interpreter(info)
    command = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [json.loads(file.read_text()) for file in sorted(Path(asked.stdout.strip()).glob("*/pulumi-plugin.json"))]
    return [
        plugin_pb2.PackageDependency(kind="resource", name=plugin["name"], version=f"v{plugin['version']}")
        for plugin in found
        if plugin.get("resource")
    ]


def interpreter(info: Any) -> tuple[str, dict[str, str]]:
    """The program's python and its environment variables."""
    # The program refuses to deploy a production stack under a stand-in.
    environment = {**os.environ, "CODESENSEI_LANGUAGE_HOST": "STAND-IN"}
    directory = virtual_environment(info)
    if directory is None:
        return "python3", environment
    environment["VIRTUAL_ENV"] = str(directory)
    environment["PATH"] = f"{directory / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    environment.pop("PYTHONHOME", None)
    return str(directory / "bin" / "python"), environment


if __name__ == "__main__":
    host = Language()
    serve(
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server),
        on_end=lambda: host.signal_program(signal.SIGKILL),
    )
