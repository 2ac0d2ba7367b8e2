"""Check what this machine needs and make the checkout's Python environment: `python3 -m tools.setup`.

It runs before anything else, so it uses the standard library only and says in one sentence what is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
VENV = CHECKOUT / ".venv"
STAMP = VENV / ".requirements"
PROGRAM = "requirements.txt"
DEVELOPMENT = "requirements-dev.txt"
CONSTRAINTS = "constraints.txt"
OLDEST_PYTHON = (3, 10)
VENV_SECONDS = 120
PIP_SECONDS = 900
APT_SECONDS = 900

# A program, and the Debian package that brings it.
PROGRAMS = {"git": "git", "ssh": "openssh-client", "ssh-agent": "openssh-client", "ssh-keygen": "openssh-client"}
# The tests of the plugins start an sshd of their own.
TEST_PROGRAMS = {"sshd": "openssh-server"}


class SetupError(Exception):
    """What this machine lacks; the text is one sentence with the fix."""


def check_python() -> None:
    """Raise SetupError unless this Python is recent enough."""
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        raise SetupError(
            f"Python 3.10 or later is needed and {sys.executable} is {found}: "
            "install a later one and name it, for example `make PYTHON=python3.12 setup`."
        )


def missing_packages(tests: bool = False) -> list[str]:
    """The Debian packages whose program or module this machine lacks; with `tests` also what only the tests run."""
    # A user's PATH often leaves out where servers are.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
    programs = {**PROGRAMS, **(TEST_PROGRAMS if tests else {})}
    packages = {package for program, package in programs.items() if not shutil.which(program, path=path)}
    if importlib.util.find_spec("ensurepip") is None:
        packages.add(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    return sorted(packages)


def install_missing(tests: bool = False) -> None:
    """Install the packages that are missing, after saying so; raises SetupError where only the user can do it."""
    packages = missing_packages(tests)
    if not packages:
        return
    listed = " ".join(packages)
    if not shutil.which("apt-get"):
        raise SetupError(f"This machine lacks what Debian calls {listed}: install it and try again.")
    if os.geteuid() != 0:
        raise SetupError(f"This machine lacks {listed}: run `sudo apt-get install {listed}` and try again.")
    print(f"installing on this machine, by apt-get: {listed}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    for action in (["update"], ["install", "--no-install-recommends", *packages]):
        run(["apt-get", *options, *action], APT_SECONDS, environment)


def fingerprint(*requirements: str) -> str:
    """What an environment is made of: these files and this Python."""
    content = hashlib.sha256(f"{sys.version} {sys.base_prefix}".encode())
    for name in requirements:
        content.update((CHECKOUT / name).read_bytes())
    return content.hexdigest()


def make_environment(program_only: bool) -> bool:
    """Make .venv with everything in requirements-dev.txt, or what the program alone needs.

    Returns False when it was there already. Raises SetupError.
    """
    program, everything = fingerprint(CONSTRAINTS, PROGRAM), fingerprint(CONSTRAINTS, PROGRAM, DEVELOPMENT)
    python = VENV / "bin" / "python"
    made_of = STAMP.read_text() if STAMP.exists() and python.exists() else ""
    if made_of == everything or (program_only and made_of == program):
        return False
    STAMP.unlink(missing_ok=True)
    run([sys.executable, "-m", "venv", str(VENV)], VENV_SECONDS)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--requirement", str(CHECKOUT / (PROGRAM if program_only else DEVELOPMENT))], PIP_SECONDS)
    STAMP.write_text(program if program_only else everything)
    return True


def run(command: list[str], seconds: float, environment: dict[str, str] | None = None) -> None:
    """Run a program to its end; raises SetupError with the end of its output."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"`{' '.join(command)}` did not end within {seconds:g} s.") from None
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise SetupError(f"`{' '.join(command)}` failed:\n{tail}")


def main() -> int:
    """Set the checkout up, or with --check only look at the machine. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.setup", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only make sure that the machine has what is needed")
    parser.add_argument("--program", action="store_true", help="only what a deploy needs, nothing for development")
    parser.add_argument("--tests", action="store_true", help="also the programs that only the tests run")
    options = parser.parse_args()
    try:
        check_python()
        install_missing(options.tests)
        if not options.check and make_environment(options.program):
            print(f"made {VENV.relative_to(CHECKOUT)} with Python {sys.version.split()[0]}")
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
