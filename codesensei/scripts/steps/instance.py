"""The stack's own broker: Valkey or Redis as the app user, behind a password."""

from __future__ import annotations

import re
import time

from codesensei.scripts.base import files, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.own_broker import OwnBroker
from codesensei.scripts.base.redis_client import BrokerRefused
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.steps import broker
from codesensei.wire.names import BROKER_PLACEHOLDER
from codesensei.wire.steps import Instance

START_WAIT = 60.0
POLL = 0.1


def run(step: Step[Instance]) -> None:
    """Write configuration and unit, and see it answer. A new password works beside the old one until the switch."""
    data, own = step.data, OwnBroker(step.project)
    if not re.fullmatch(r"[0-9A-Za-z]{20,}", data.password):
        raise Failure("broker", "its password is not one", "this is a bug in codesensei: please report it")
    pending = step.project.memory / "instance.pending"
    old = own.settings().get("requirepass", "")
    before = files.text_of(own.project.broker_config) if old else ""
    config = f"{data.config}requirepass {data.password}\n"
    unit = data.unit.replace(BROKER_PLACEHOLDER, f"/usr/bin/{broker.find().name}-server")
    # Only a password that changes needs no restart.
    same = before.replace(old, data.password) == config and own.exists and files.text_of(own.unit_file) == unit
    if not same or (old != data.password and not _also_accept(own, old, data.password)):
        files.write_file(pending, "", 0o600)
    wrote = files.write_file(step.project.broker_config, config, 0o640, "root", data.user)
    wrote = files.write_file(own.unit_file, unit, 0o644) or wrote
    step.converge(wrote, f"the stack's own broker: {step.project.broker_config} written")
    step.manage(step.project.broker_config)
    step.manage(own.unit_file, shown=True)
    if pending.exists():
        systemctl("daemon-reload")
        systemctl("restart", own.unit, check=False)
    units.ensure_running(step, own.unit, "the stack's own broker", check=False)
    _wait_until_it_answers(own)
    pending.unlink(missing_ok=True)


def _also_accept(own: OwnBroker, old: str, new: str) -> bool:
    """Let the running broker take both passwords; False where it does not answer."""
    try:
        with own.connect(old) as client:
            client.ask("ACL", "SETUSER", "default", f">{new}")
    except (OSError, BrokerRefused):
        return False
    return True


def _wait_until_it_answers(own: OwnBroker) -> None:
    deadline = time.monotonic() + START_WAIT
    said = "nothing"
    while time.monotonic() < deadline:
        try:
            with own.connect() as client:
                client.ask("PING")
                return
        except BrokerRefused as refused:
            said = str(refused)
        except OSError as error:
            said = error.strerror or str(error)
        time.sleep(POLL)
    cause, fix = f"it does not answer: {said}", f"on the server: systemctl status {own.unit}"
    raise Failure("the stack's own broker", cause, fix, units.last_words(own.unit))
