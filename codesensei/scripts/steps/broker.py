"""The settings of the broker that all share: Valkey where it is installed, else Redis."""

from __future__ import annotations

import re
import time

from codesensei.scripts.base import broker_program, commands, files, host, shared, units
from codesensei.scripts.base.broker_program import BrokerProgram, Reason
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.serving import brokers
from codesensei.scripts.steps import packages
from codesensei.wire.steps import Broker

PORT = 6379
START_WAIT = 60.0
REWRITE_WAIT = 600.0
POLL = 0.1
# Where a database cannot be selected, the client continues in database 0, silently up to version 6.0. A script ends.
IN_DATABASE = "redis.call('SELECT', ARGV[1]) return redis.call(ARGV[2])"


def run(step: Step[Broker]) -> None:
    """Write the drop-in, include it last, restart when it changed, and check that it answers on loopback only.

    A broker that was here before, and whose use our settings would break, is left alone unless a variable of the
    project leads to it; then it is refused by name.
    """
    broker = find()
    reason = _stranger() or (None if broker.drop_in.is_file() else broker_program.reason(broker, step.data.adopt))
    if reason is not None:
        if step.data.needed:
            raise Failure(broker.name, reason.cause, reason.fix)
        step.say(f"{broker.name}: {reason.cause}; no variable of this project leads to it, so it is left alone")
        return
    # It rests while every project has a broker of its own.
    rests = not step.data.needed and broker.drop_in.is_file() and not brokers.is_shared_needed()
    unfinished = broker.pending.exists()
    if rests and not units.is_active(broker.unit):
        _configure(step, broker)
        broker.pending.unlink(missing_ok=True)
        shared.remember(broker.drop_in, step.data.config, step.data.version)
        return
    if _configure(step, broker) or unfinished:
        _keep_data(step, broker)
        systemctl("restart", broker.unit)
        step.changed(f"{broker.name} restarted")
    # One that does not start is explained below.
    units.ensure_running(step, broker.unit, broker.name, check=False)
    wait_until_it_answers(broker)
    check_loopback(broker)
    broker.pending.unlink(missing_ok=True)
    shared.remember(broker.drop_in, step.data.config, step.data.version)


def find() -> BrokerProgram:
    """The installed broker, of two the one that runs; Failure when there is none."""
    there = packages.installed(packages.BROKERS)
    found = [BrokerProgram(name.removesuffix("-server")) for name in packages.BROKERS if name in there]
    if not found:
        fix = "install one on the server (apt-get install redis-server), then run pulumi up again"
        raise Failure("broker", "neither valkey-server nor redis-server is installed", fix)
    running = [broker for broker in found if systemctl("is-active", "--quiet", broker.unit, check=False).ok]
    return (running or found)[0]


def _stranger() -> Reason | None:
    """Why the broker cannot have the port: another program listens there."""
    for found in host.listeners([PORT]):
        if found.process not in packages.BROKERS:
            cause = f"process {found.process} ({found.pid}) listens on {found.address}:{PORT}, which the broker needs"
            return Reason(cause, "end it, or point the project's variables at another broker")
    return None


def _configure(step: Step[Broker], broker: BrokerProgram) -> bool:
    drop_in, main = broker.drop_in, broker.main_config
    if not main.is_file():
        fix = f"apt-get install --reinstall {broker.name}-server"
        raise Failure(str(main), f"{broker.name}'s configuration is not there", fix)
    text = include_last(files.text_of(main), f"include {drop_in}")
    config = shared.newest(drop_in, step.data.config, step.data.version)
    same = files.text_of(main) == text and drop_in.is_file() and files.text_of(drop_in) == config
    if not same:
        files.write_file(broker.pending, "", 0o600)
    # Both are always written: the mode or owner may differ where the text does not.
    wrote = files.write_file(drop_in, config, 0o640, "root", main.group())
    wrote = files.write_file(main, text, main.stat().st_mode & 0o7777, main.owner(), main.group()) or wrote
    step.converge(wrote, f"{drop_in} written, included by {main.name}")
    step.manage_shared(drop_in)
    return not same


def include_last(text: str, line: str) -> str:
    """`text` with the include line at its end, where it overrides everything before it."""
    lines = [old for old in text.splitlines() if old.strip() != line]
    return "\n".join([*lines, line]) + "\n"


def _keep_data(step: Step[Broker], broker: BrokerProgram) -> None:
    """Turn persistence on in the running broker: a broker that starts with it ignores an older snapshot file."""
    try:
        if ask(broker, "CONFIG", "GET", "appendonly").split()[-1:] != ["no"]:
            return
        ask(broker, "CONFIG", "SET", "appendonly", "yes")
        deadline = time.monotonic() + REWRITE_WAIT
        while re.search("aof_rewrite_(in_progress|scheduled):1", ask(broker, "INFO", "persistence")):
            if time.monotonic() > deadline:
                raise Failure("broker", "it did not write its data within 10 minutes", "look at its log on the server")
            time.sleep(POLL)
    except OSError:
        return
    step.say("the broker's data is kept on disk from now on")


def wait_until_it_answers(broker: BrokerProgram) -> None:
    """Return when the broker answers PING; Failure with its journal after a minute."""
    deadline = time.monotonic() + START_WAIT
    said = "nothing"
    while time.monotonic() < deadline:
        try:
            said = ask(broker, "PING")
        except OSError as error:
            said = str(error)
        if said == "PONG":
            return
        if said.startswith("NOAUTH"):
            cause = "it wants a password, which projects at redis://127.0.0.1:6379/<number> do not give"
            fix = f"remove requirepass from {broker.main_config}, or give the projects a broker of their own"
            raise Failure(broker.name, cause, fix)
        time.sleep(POLL)
    cause, fix = f"it does not answer at 127.0.0.1:{PORT}: {said}", f"on the server: systemctl status {broker.unit}"
    raise Failure(broker.name, cause, fix, units.last_words(broker.unit))


def check_loopback(broker: BrokerProgram) -> None:
    """Refuse a broker that other machines can reach."""
    open_to = [found.address for found in host.listeners([PORT]) if not found.loopback]
    if open_to:
        fix = f"remove the bind lines from the files that {broker.main_config} includes after codesensei.conf, "
        fix += f"or from the unit's own command line (systemctl cat {broker.unit})"
        raise Failure(broker.name, f"it listens on {', '.join(open_to)}, so other machines can reach it", fix)


def ask(broker: BrokerProgram, *words: str) -> str:
    """Send a command; returns the answer as text, an error included. OSError when the broker cannot be asked."""
    argv = [f"{broker.name}-cli", "--raw", "-h", "127.0.0.1", "-p", str(PORT), *words]
    try:
        said = commands.run(argv, check=False, timeout=10)
    except Failure as failure:
        raise ConnectionError(failure.cause) from None
    if not said.ok:
        raise ConnectionError((said.stderr.strip() or said.stdout.strip() or "no answer").splitlines()[0])
    return said.stdout.strip()


def in_database(broker: BrokerProgram, number: str, command: str) -> str:
    """Run DBSIZE or FLUSHDB in one of the broker's databases. OSError when it cannot be done there."""
    answer = ask(broker, "EVAL", IN_DATABASE, "0", number, command)
    if answer != "OK" and not answer.isdigit():
        raise ConnectionError(answer)
    return answer
