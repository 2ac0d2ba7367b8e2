"""The broker's settings: Valkey where it is installed, else Redis."""

from __future__ import annotations

import grp
import pwd
import time

from codesensei.scripts.base import broker_program, commands, files, host, shared
from codesensei.scripts.base.broker_program import BrokerProgram, Reason
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.steps import packages
from codesensei.wire.steps import Broker

PORT = 6379
START_WAIT = 60.0
REWRITE_WAIT = 600.0
POLL = 0.1
# Where a database cannot be selected, the client goes on in database 0, up to version 6.0 in silence. A script ends.
IN_DATABASE = "redis.call('SELECT', ARGV[1]) return redis.call(ARGV[2])"


def run(step: Step[Broker]) -> None:
    """Write the drop-in, include it last, restart when it changed, and see that it answers on loopback only.

    A broker that was here before, and is used in a way that ours would break, is left alone where no variable of the
    project leads to it, and refused by name where one does.
    """
    broker = find()
    reason = _stranger() or (None if broker.drop_in.is_file() else broker_program.reason(broker, step.data.adopt))
    if reason is not None and step.data.needed:
        raise Failure(broker.name, reason.cause, reason.fix)
    if reason is not None:
        step.say(f"{broker.name}: {reason.cause}; no variable of this project leads to it, so it is left alone")
        return
    unfinished = broker.pending.exists()
    changed = _configure(step, broker)
    if changed or unfinished:
        _keep_data(step, broker)
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
    shared.remember(broker.drop_in, step.data.config, step.data.version)


def find() -> BrokerProgram:
    """The broker that is installed, of two the one that runs; Failure when none is."""
    there = packages.installed(packages.BROKERS)
    found = [BrokerProgram(name.removesuffix("-server")) for name in packages.BROKERS if name in there]
    if not found:
        raise Failure("broker", "neither valkey-server nor redis-server is installed", "run pulumi up again")
    running = [broker for broker in found if systemctl("is-active", "--quiet", broker.unit, check=False).ok]
    return (running or found)[0]


def _stranger() -> Reason | None:
    """Why the port is not the broker's to have: another program listens there."""
    for found in host.listeners([PORT]):
        if found.process not in packages.BROKERS:
            return Reason(
                f"the process {found.process} ({found.pid}) listens on {found.address}:{PORT}, which the broker needs",
                "end it, or lead the project's variables to another broker",
            )
    return None


def _configure(step: Step[Broker], broker: BrokerProgram) -> bool:
    drop_in, main = broker.drop_in, broker.main_config
    if not main.is_file():
        fix = f"apt-get install --reinstall {broker.name}-server"
        raise Failure(str(main), f"{broker.name}'s configuration is not there", fix)
    found = main.stat()
    owner, group = _names(found.st_uid, found.st_gid)
    text = include_last(main.read_text(), f"include {drop_in}")
    config = shared.newest(drop_in, step.data.config, step.data.version)
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


def _keep_data(step: Step[Broker], broker: BrokerProgram) -> None:
    """Turn persistence on in the running broker first: started with it, it ignores an older snapshot file."""
    try:
        if ask(broker, "CONFIG", "GET", "appendonly").split()[-1:] != ["no"]:
            return
        ask(broker, "CONFIG", "SET", "appendonly", "yes")
        deadline = time.monotonic() + REWRITE_WAIT
        while "aof_rewrite_in_progress:1" in (facts := ask(broker, "INFO", "persistence")) or (
            "aof_rewrite_scheduled:1" in facts
        ):
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
            raise Failure(
                broker.name,
                "it wants a password, which projects at redis://127.0.0.1:6379/<number> do not give",
                f"take requirepass out of {broker.main_config}, or give the projects a broker of their own",
            )
        time.sleep(POLL)
    log = commands.run(["journalctl", "-u", broker.unit, "-n", "20", "--no-pager", "-o", "cat"], check=False)
    cause = f"it does not answer at 127.0.0.1:{PORT}: {said}"
    raise Failure(broker.name, cause, f"on the server: systemctl status {broker.unit}", log.stdout)


def check_loopback(broker: BrokerProgram) -> None:
    """Refuse a broker that other machines can reach."""
    open_to = [found.address for found in host.listeners([PORT]) if not found.loopback]
    if open_to:
        raise Failure(
            broker.name,
            f"it listens on {', '.join(open_to)}, so other machines can reach it",
            f"take the bind lines out of the files that {broker.main_config} includes after codesensei.conf, "
            f"or of the unit's own command line (systemctl cat {broker.unit})",
        )


def ask(broker: BrokerProgram, *words: str) -> str:
    """Send a command; returns the answer as text, also an error. OSError when the broker cannot be asked."""
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
