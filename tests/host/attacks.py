"""What another user of a server tries, and what comes of it."""

from __future__ import annotations

import json

from tools.sandbox import Server

# Runs as that user: sends each command to a broker of its own connection, and prints the first line of the answer.
_ASK = r"""
import json, socket, sys
address, port, commands = json.load(sys.stdin)
found = {}
for command in commands:
    words = command.split()
    with socket.create_connection((address, port), timeout=10) as connection:
        lines = [f"*{len(words)}"] + [part for word in words for part in (f"${len(word)}", word)]
        connection.sendall(("\r\n".join(lines) + "\r\n").encode())
        found[command] = connection.makefile("rb").readline().decode().strip()
print(json.dumps(found))
"""
ON_BROKER = (
    "PING",
    "KEYS *",
    "LRANGE celery 0 -1",
    "LPUSH celery task",
    "RPOP celery",
    "PUBLISH celery.pidbox shutdown",
    "SUBSCRIBE x",
    "SELECT 1",
    "SWAPDB 0 1",
    "CONFIG GET requirepass",
    "CONFIG SET requirepass theirs",
    "CONFIG SET dir /tmp",
    "CONFIG REWRITE",
    "ACL LIST",
    "ACL WHOAMI",
    "ACL SETUSER theirs on nopass ~* +@all",
    "FLUSHALL",
    "SHUTDOWN NOSAVE",
    "REPLICAOF 127.0.0.1 6379",
    "MONITOR",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "EVAL return(1) 0",
    "SCRIPT FLUSH",
    "MODULE LIST",
    "SLOWLOG GET",
    "INFO",
    "DUMP celery",
    "MIGRATE 127.0.0.1 6379 celery 0 100",
    "BGREWRITEAOF",
    "DEBUG SLEEP 1",
)
LOGINS = ("AUTH guess", "AUTH default guess", "AUTH default default", "HELLO 3 AUTH default guess")


def on_broker(server: Server, user: str, address: str, port: int, commands: tuple[str, ...]) -> dict[str, str]:
    """The answer to each command that `user` sends without a login."""
    told = json.dumps([address, port, commands]).encode()
    server.put("/tmp/ask-broker.py", _ASK.encode(), 0o644)
    done = server.console(f"runuser -u {user} -- python3 /tmp/ask-broker.py", input=told)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def broker_is_closed(server: Server, user: str, slug: str, address: str, port: int) -> None:
    """Whatever `user` tries with the broker of this project is refused."""
    for command, answer in on_broker(server, user, address, port, ON_BROKER).items():
        assert answer == "-NOAUTH Authentication required.", (command, answer)
    for command, answer in on_broker(server, user, address, port, LOGINS).items():
        assert answer.startswith("-WRONGPASS"), (command, answer)
    unit = f"codesensei-broker-{slug}.service"
    folder = f"/srv/codesensei/{slug}"
    pid = server.console(f"systemctl show -P MainPID {unit}").stdout.strip()
    for tried in (
        f"cat {folder}/broker.conf",
        f"cat {folder}/shared/.env",
        f"ls /var/lib/codesensei-broker/{slug}",
        f"cat /proc/{pid}/environ",
        f"cat /proc/{pid}/mem",
        f"ls /proc/{pid}/fd",
        f"kill -0 {pid}",
        f"systemctl stop {unit}",
    ):
        done = server.console(f"runuser -u {user} -- {tried}", check=False)
        assert done.returncode != 0, tried
        assert not done.stdout, tried
    # Nor can it listen there while the broker restarts, to be given its password.
    bind = f"import socket; socket.create_server(('{address[:-1]}9', {port}))"
    done = server.console(f'runuser -u {user} -- python3 -c "{bind}"', check=False)
    assert "PermissionError" in done.stderr
    command_line = server.console(f"cat /proc/{pid}/cmdline").stdout
    password = server.console(f"sed -n 's/^requirepass //p' {folder}/broker.conf").stdout.strip()
    assert password
    assert password not in command_line
