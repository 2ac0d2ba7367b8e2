"""The broker's settings: Valkey where it is installed, else Redis."""

from __future__ import annotations

import grp
import pwd
import socket
import time
from collections.abc import Sequence
from typing import IO

from codesensei.scripts.base import broker_program, files, host, shared
from codesensei.scripts.base.broker_program import Broker
from codesensei.scripts.base.commands import run as command
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.steps import packages

PORT = 6379
START_WAIT = 60.0
REWRITE_WAIT = 600.0
POLL = 0.1


def run(step: Step[object]) -> None:
    """Write the drop-in, include it last, restart when it changed, and see that it answers on loopback only.

    A broker that was here before, and is used in a way that ours would break, is left alone where no variable of the
    project leads to it, and refused by name where one does.
    """
    broker = find()
    reason = _stranger() or (
        None if broker.drop_in.is_file() else broker_program.reason(broker, bool(step.data["adopt"]))
    )
    if reason is not None and step.data["needed"]:
        raise Failure(broker.name, reason.cause, reason.fix)
    if reason is not None:
        step.say(f"{broker.name}: {reason.cause}; no variable of this project leads to it, so it is left alone")
        return
    unfinished = broker.pending.exists()
    changed = _configure(step, broker)
    if changed or unfinished:
        _keep_data(step)
        systemctl("restart", broker.unit)
        step.changed(f"{broker.name} restarted")
    if not systemctl("is-enabled", "--quiet", broker.unit, check=False).ok:
        systemctl("enable", "--quiet", broker.unit)
        step.changed(f"{broker.name} enabled")
    if not systemctl("is-active", "--quiet", broker.unit, check=False).ok:
        systemctl("start", broker.unit, check=False)
        step.changed(f"{broker.name} started")
    wait_until_it_answers(broker)
    check_loopback(broker)
    broker.pending.unlink(missing_ok=True)
    shared.remember(broker.drop_in, step.data["config"], step.data["version"])


def find() -> Broker:
    """The broker that is installed, of two the one that runs; Failure when none is."""
    there = packages.installed(packages.BROKERS)
    found = [Broker(name.removesuffix("-server")) for name in packages.BROKERS if name in there]
    if not found:
        raise Failure("broker", "neither valkey-server nor redis-server is installed", "run pulumi up again")
    running = [broker for broker in found if systemctl("is-active", "--quiet", broker.unit, check=False).ok]
    return (running or found)[0]


def _stranger() -> broker_program.Reason | None:
    """Why the port is not the broker's to have: another program listens there."""
    for found in host.listeners([PORT]):
        if found.process not in packages.BROKERS:
            return broker_program.Reason(
                f"the process {found.process} ({found.pid}) listens on {found.address}:{PORT}, which the broker needs",
                "end it, or lead the project's variables to another broker",
            )
    return None


def _configure(step: Step[object], broker: Broker) -> bool:
    drop_in, main = broker.drop_in, broker.main_config
    if not main.is_file():
        fix = f"apt-get install --reinstall {broker.name}-server"
        raise Failure(str(main), f"{broker.name}'s configuration is not there", fix)
    found = main.stat()
    owner, group = _names(found.st_uid, found.st_gid)
    text = include_last(main.read_text(), f"include {drop_in}")
    config = shared.newest(drop_in, step.data["config"], step.data["version"])
    same = main.read_text() == text and drop_in.is_file() and drop_in.read_text() == config
    if not same:
        files.write_file(broker.pending, "", 0o600)
    # Both writes happen: a mode or an owner may differ though the text does not.
    wrote = files.write_file(drop_in, config, 0o640, "root", group)
    wrote = files.write_file(main, text, found.st_mode & 0o7777, owner, group) or wrote
    step.converge(wrote, f"{drop_in} written, included by {main.name}")
    step.manage_shared(drop_in)
    return not same


def _names(uid: int, gid: int) -> tuple[str, str]:
    return pwd.getpwuid(uid).pw_name, grp.getgrgid(gid).gr_name


def include_last(text: str, line: str) -> str:
    """`text` with the include line at its end, where it wins over all before it."""
    lines = [old for old in text.splitlines() if old.strip() != line]
    return "\n".join([*lines, line]) + "\n"


def _keep_data(step: Step[object]) -> None:
    """Turn persistence on in the running broker first: started with it, it ignores an older snapshot file."""
    try:
        if ask("CONFIG", "GET", "appendonly").split()[-1:] != ["no"]:
            return
        ask("CONFIG", "SET", "appendonly", "yes")
        deadline = time.monotonic() + REWRITE_WAIT
        while "aof_rewrite_in_progress:1" in (facts := ask("INFO", "persistence")) or (
            "aof_rewrite_scheduled:1" in facts
        ):
            if time.monotonic() > deadline:
                raise Failure("broker", "it did not write its data within 10 minutes", "look at its log on the server")
            time.sleep(POLL)
    except OSError:
        return
    step.say("the broker's data is kept on disk from now on")


def wait_until_it_answers(broker: Broker) -> None:
    """Return when the broker answers PING; Failure with its journal after a minute."""
    deadline = time.monotonic() + START_WAIT
    said = "nothing"
    while time.monotonic() < deadline:
        try:
            said = ask("PING")
        except OSError as error:
            said = str(error)
        if said == "PONG":
            return
        if said.startswith("NOAUTH"):
            raise Failure(
                broker.name,
                "it wants a password, which projects at redis://127.0.0.1:6379/<number> do not give",
                f"take requirepass out of {broker.main_config}, or give the projects a broker of their own",
            )
        time.sleep(POLL)
    log = command(["journalctl", "-u", broker.unit, "-n", "20", "--no-pager", "-o", "cat"], check=False)
    cause = f"it does not answer at 127.0.0.1:{PORT}: {said}"
    raise Failure(broker.name, cause, f"on the server: systemctl status {broker.unit}", log.stdout)


def check_loopback(broker: Broker) -> None:
    """Refuse a broker that other machines can reach."""
    open_to = [found.address for found in host.listeners([PORT]) if not found.loopback]
    if open_to:
        raise Failure(
            broker.name,
            f"it listens on {', '.join(open_to)}, so other machines can reach it",
            f"take the bind lines out of the files that {broker.main_config} includes after codesensei.conf, "
            f"or of the unit's own command line (systemctl cat {broker.unit})",
        )


def ask(*words: str) -> str:
    """Send one command to the broker and return its answer as text; OSError when it cannot be asked."""
    return _talk([words])


def in_database(number: str, *words: str) -> str:
    """Send one command to one of the broker's databases; OSError when it cannot be asked."""
    return _talk([("SELECT", number), words])


def _talk(commands: Sequence[Sequence[str]]) -> str:
    """Send commands over one connection; returns the last answer. An error before it is a ConnectionError."""
    said = ""
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as connection, connection.makefile("rb") as stream:
        for number, words in enumerate(commands):
            text = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(text.encode())
            said = _answer(stream)
            if number < len(commands) - 1 and said != "OK":
                raise ConnectionError(said)
    return said


def _answer(stream: IO[bytes]) -> str:
    head = stream.readline().decode(errors="replace").strip()
    if head[:1] in ("+", "-", ":"):
        return head[1:]
    if head[:1] == "$":
        size = int(head[1:])
        return "" if size < 0 else stream.read(size + 2).decode(errors="replace").strip()
    if head[:1] == "*":
        return "\n".join(_answer(stream) for _ in range(max(int(head[1:]), 0)))
    raise ConnectionError(f"no answer of a broker: {head[:80]!r}")
