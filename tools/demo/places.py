"""Where the demo keeps its things, all of them inside the checkout and ignored by git."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DIRECTORY = CHECKOUT / ".codesensei" / "demo"
LOCK = CHECKOUT / ".codesensei" / "demo.lock"
STATE = DIRECTORY / "state"
PASSPHRASE = DIRECTORY / "passphrase"
ENVIRONMENT = DIRECTORY / "env"
LOGS = DIRECTORY / "log"
PROJECT = DIRECTORY / "guestbook"
TARGET = DIRECTORY / "server.json"
STACK = "demo"
STACK_FILE = CHECKOUT / "stacks" / f"Pulumi.{STACK}.yaml"
SANDBOX_SERVER = "demo"


def shown(path: Path) -> str:
    """The path as a user of this checkout would type it."""
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)
