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
        # The broker says so before it asks who is there.
        disabled = command.startswith("DEBUG") and answer.startswith("-ERR DEBUG command not allowed")
        assert disabled or answer == "-NOAUTH Authentication required.", (command, answer)
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
    bind = f"import socket; socket.create_server(('127.0.0.99', {port}))"
    done = server.console(f'runuser -u {user} -- python3 -c "{bind}"', check=False)
    assert "PermissionError" in done.stderr
    command_line = server.console(f"cat /proc/{pid}/cmdline").stdout
    password = server.console(f"sed -n 's/^requirepass //p' {folder}/broker.conf").stdout.strip()
    assert password
    assert password not in command_line


# What the product makes: each path with one of these words in it, below these places.
PLACES = "/etc /run /srv /tmp /usr/local/lib /var/cache /var/lib /var/log /var/tmp"
# Runs as root: prints every such path that is no link.
_FIND = r"""
import json, os, sys
places, words = json.load(sys.stdin)
found = []
for place in places.split():
    for at, folders, names in os.walk(place):
        found += [os.path.join(at, name) for name in (*folders, *names)]
ours = [path for path in found if any(word in path for word in words)]
print(json.dumps([path for path in ours if not os.path.islink(path)]))
"""
# Runs as the other user: says which of the paths on standard input it could read, list, write to or connect to.
_TRY = r"""
import json, os, socket, stat, sys
found = {"read": [], "list": [], "write": [], "connect": []}
def tries(kind, path, function):
    try:
        function()
    except OSError:
        return
    found[kind].append(path)
def connect(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(path)
for path in json.load(sys.stdin):
    try:
        mode = os.stat(path).st_mode
    except OSError:
        # What cannot even be looked at by its name cannot be opened by it.
        continue
    if stat.S_ISDIR(mode):
        tries("list", path, lambda: os.listdir(path))
        tries("write", path, lambda: os.rmdir(os.mkdir(path + "/tried") or path + "/tried"))
    elif stat.S_ISSOCK(mode):
        tries("connect", path, lambda: connect(path))
    else:
        tries("read", path, lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK)))
        tries("write", path, lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)))
print(json.dumps(found))
"""


def walk(server: Server, user: str, *words: str) -> dict[str, list[str]]:
    """What `user` can read, list, write to and connect to of all that has one of these words in its path."""
    server.put("/root/find-paths.py", _FIND.encode(), 0o600)
    server.put("/tmp/try-paths.py", _TRY.encode(), 0o644)
    paths = server.console("python3 /root/find-paths.py", input=json.dumps([PLACES, words]).encode()).stdout
    assert len(json.loads(paths)) > 100
    done = server.console(f"runuser -u {user} -- python3 /tmp/try-paths.py", input=paths.encode())
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found
