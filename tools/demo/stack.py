"""The demo's Pulumi stack: its file, state, passphrase, and the commands on it."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools.demo.errors import DemoError
from tools.demo.history import History
from tools.demo.places import CHECKOUT, ENVIRONMENT, PASSPHRASE, STACK, STACK_FILE, STATE, TARGET, shown
from tools.demo.process import Runner
from tools.demo.server import Target
from tools.engine import EngineError, engine_environment

SHORT_SECONDS = 120
DEPLOY_SECONDS = 1800.0
AGAIN_SECONDS = 300.0
DESTROY_SECONDS = 900.0
GREETING = "Welcome! Please sign the guestbook."


def settings() -> dict[str, str]:
    """The variables that make `pulumi` use the demo's state, passphrase and stack."""
    return {
        "PULUMI_BACKEND_URL": f"file://{STATE}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(PASSPHRASE),
        "PULUMI_STACK": STACK,
    }


def environment() -> dict[str, str]:
    """This process's environment, with the engine and the demo's settings; raises DemoError."""
    try:
        return {**engine_environment(), **settings()}
    except EngineError as error:
        raise DemoError(str(error)) from None


def write_environment_file() -> None:
    """Write the file that a shell sources to drive the demo's stack by hand."""
    engine = shlex.join([sys.executable, "-m", "tools.engine", "env"])
    lines = [
        "# Source this, then `pulumi` drives the demo's stack with its engine, state and passphrase.",
        f'eval "$(cd {shlex.quote(str(CHECKOUT))} && {engine})"',
        *(f"export {name}={shlex.quote(value)}" for name, value in settings().items()),
        # A passphrase in the user's own environment would win over the file.
        "unset PULUMI_CONFIG_PASSPHRASE",
    ]
    ENVIRONMENT.write_text("\n".join(lines) + "\n")


def exists() -> bool:
    """Whether the stack was made by an earlier run."""
    return STACK_FILE.exists() and STATE.exists()


def create(target: Target, history: History) -> None:
    """Make a new stack for this server, in place of an old one, and remember the server; raises DemoError."""
    remove()
    STATE.mkdir(parents=True)
    PASSPHRASE.touch(mode=0o600)
    PASSPHRASE.write_text(secrets.token_urlsafe(32) + "\n")
    STACK_FILE.write_text(stack_text(target, history))
    pulumi("stack", "init", STACK)
    if target.private_key:
        key = Path(target.private_key).read_text()
        pulumi("config", "set", "--secret", "codesensei:sshPrivateKey", text=key)
    target.save()


def remove() -> None:
    """Remove stack file, state and passphrase, and forget the server."""
    TARGET.unlink(missing_ok=True)
    STACK_FILE.unlink(missing_ok=True)
    PASSPHRASE.unlink(missing_ok=True)
    shutil.rmtree(STATE, ignore_errors=True)


def stack_text(target: Target, history: History) -> str:
    """The stack file before its secrets. Every value is quoted as JSON, which YAML reads."""
    server = {"host": target.host, "port": target.port, "user": target.user, "hostKey": target.host_key}
    lines = [
        "# Made by `make demo`, removed by `make demo-down`. Every key is explained in Pulumi.example.yaml.",
        "config:",
        "  codesensei:server:",
        *(f"    {key}: {json.dumps(value)}" for key, value in server.items()),
        "  codesensei:project:",
        "    slug: guestbook",
        "    name: Guestbook",
        "    source:",
        f"      path: {json.dumps(str(history.path))}",
        f"      revision: {json.dumps(history.commits[0].revision)}",
        "    settingsModule: config.settings.production",
        "    workers:",
        "      worker: celery -A config worker --loglevel info --concurrency 1",
        "  codesensei:broker:",
        "    env:",
        "      CELERY_BROKER_URL: url",
        "  codesensei:env:",
        f"    DJANGO_ALLOWED_HOSTS: {json.dumps(target.host)}",
        f"    GREETING: {json.dumps(GREETING)}",
        '    GUNICORN_WORKERS: "2"',
        "  codesensei:generateSecrets: [SECRET_KEY]",
        "  codesensei:onDestroy:",
        "    database: drop",
        "    media: drop",
    ]
    return "\n".join(lines) + "\n"


def pulumi(*arguments: str, text: str = "") -> str:
    """Run a short Pulumi command in the checkout with `text` on its stdin; raises DemoError."""
    command = ["pulumi", *arguments, "--non-interactive"]
    try:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=SHORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"`{' '.join(command)}` did not end within {SHORT_SECONDS} s.") from None
    if done.returncode:
        raise DemoError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def setting(path: str) -> str:
    """A plain value of the stack's config, for example `codesensei:env.GREETING`; raises DemoError."""
    return pulumi("config", "get", "--path", path).rstrip("\n")


def outputs() -> dict[str, str]:
    """The stack's outputs that are text; raises DemoError."""
    return {
        key: value for key, value in json.loads(pulumi("stack", "output", "--json")).items() if isinstance(value, str)
    }


def deploy(runner: Runner, name: str, on_line: Callable[[str], None] | None = None) -> str:
    """Run `pulumi up` and return what it printed; raises DemoError with the end of it."""
    command = ["pulumi", "up", "--yes", "--non-interactive"]
    try:
        return runner.run(name, command, DEPLOY_SECONDS, environment(), on_line)
    except DemoError as error:
        raise DemoError(f"{error}{locked_hint(str(error))}") from None


def deploy_nothing(runner: Runner, name: str) -> str:
    """Run `pulumi up` where nothing may change; raises DemoError when something does."""
    command = ["pulumi", "up", "--yes", "--non-interactive", "--skip-preview", "--expect-no-changes"]
    return runner.run(name, command, AGAIN_SECONDS, environment())


def destroy(runner: Runner) -> None:
    """Run `pulumi destroy`; raises DemoError."""
    try:
        runner.run(
            "pulumi-destroy", ["pulumi", "destroy", "--yes", "--non-interactive"], DESTROY_SECONDS, environment()
        )
    except DemoError as error:
        raise DemoError(f"{error}{locked_hint(str(error))}") from None


def locked_hint(text: str) -> str:
    """What to do when a run was killed and its lock is still there."""
    if "currently locked" not in text:
        return ""
    return f"\nIf no other run is under way: `source {shown(ENVIRONMENT)}`, then `pulumi cancel --yes`, then again."


def clean_environment() -> None:
    """Make this process blind to a stack of the user's own."""
    for name in [name for name in os.environ if name.startswith("PULUMI_")]:
        if name not in {"PULUMI_HOME", "PULUMI_ACCESS_TOKEN"}:
            os.environ.pop(name)
