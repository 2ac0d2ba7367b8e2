"""Command line of the sandbox: `python3 -m tools.sandbox`."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path

from tools.sandbox.errors import SandboxError
from tools.sandbox.image import KINDS, RELEASES
from tools.sandbox.process import say
from tools.sandbox.sandbox import OWN_CHECKOUT, Sandbox
from tools.sandbox.server import Server
from tools.sandbox.state import other_checkouts


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="python3 -m tools.sandbox", description="Throw-away Debian servers.")
    top.add_argument("--checkout", type=Path, default=OWN_CHECKOUT, help="the checkout whose servers are meant")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    up = verbs.add_parser("up", help="start a server, or return the one that is there")
    up.add_argument("name")
    up.add_argument("--debian", type=int, choices=sorted(RELEASES), default=13)
    up.add_argument("--kind", choices=KINDS, default="plain")
    up.add_argument("--nested", action="store_true", help="one in which a sandbox can run in turn")
    up.add_argument("--json", action="store_true", help="print what is known of it as JSON")

    down = verbs.add_parser("down", help="end a server, or all of them, and remove everything")
    which = down.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?")
    which.add_argument("--all", action="store_true")

    listing = verbs.add_parser("list", help="show this checkout's servers")
    listing.add_argument("--json", action="store_true")

    ssh = verbs.add_parser("ssh", help="log in, or run a command as the login user")
    ssh.add_argument("name")
    ssh.add_argument("command", nargs="*", metavar="-- COMMAND")

    for verb, text in (("snapshot", "keep a server's file system"), ("restore", "put it back and boot")):
        sub = verbs.add_parser(verb, help=text)
        sub.add_argument("name")
        sub.add_argument("label")

    reboot = verbs.add_parser("reboot", help="boot a server again")
    reboot.add_argument("name")
    reboot.add_argument("--power-cut", action="store_true", help="kill all its processes at once")
    return top


def facts(server: Server) -> dict[str, object]:
    """What a program wants to know of a server."""
    return {
        "name": server.name,
        "debian": server.debian,
        "kind": server.kind,
        "state": "running" if server.running() else "stopped",
        "host": server.host,
        "host6": server.host6,
        "port": server.port,
        "user": server.user,
        "host_key": server.host_key,
        "private_key_path": str(server.private_key_path),
        "public_key": server.public_key,
    }


def show(servers: list[Server]) -> str:
    """A table of servers for people."""
    rows = [("NAME", "DEBIAN", "KIND", "STATE", "LOGIN")]
    for server in servers:
        state = "running" if server.running() else "stopped"
        rows.append((server.name, str(server.debian), server.kind, state, f"{server.user}@{server.host}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def up(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """The verb `up`."""
    started = time.monotonic()
    server = sandbox.up(options.name, options.debian, options.kind, nested=options.nested)
    if options.json:
        print(json.dumps(facts(server), indent=1))
        return
    print(f"{server.name}: Debian {server.debian}, {server.user}@{server.host}, {time.monotonic() - started:.1f} s")


def down(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """The verb `down`."""
    names = [server.name for server in sandbox.servers()]
    if options.all:
        sandbox.down_all()
    else:
        sandbox.down(options.name)
    left = {server.name for server in sandbox.servers()}
    gone = [name for name in names if name not in left]
    print(f"ended: {' '.join(gone)}" if gone else "there was no such server; nothing is left of it")


def listing(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """The verb `list`."""
    found = sandbox.clean()
    if found:
        say(f"removed what a killed run left: {' '.join(found)}")
    servers = sandbox.servers()
    if options.json:
        print(json.dumps([facts(server) for server in servers], indent=1))
        return
    print(show(servers) if servers else "no servers")
    for path in other_checkouts(sandbox.checkout):
        if not path.exists():
            say(
                f"servers of a checkout that no longer exists may be left; remove them with "
                f"`python3 -m tools.sandbox --checkout {shlex.quote(str(path))} down --all`"
            )


def ssh(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """The verb `ssh`: becomes the ssh client."""
    argv = sandbox.get(options.name).ssh_argv()
    if options.command:
        # One word is a line for the server's shell, as with ssh itself; several are one program's arguments.
        line = options.command[0] if len(options.command) == 1 else shlex.join(options.command)
        os.execvp(argv[0], [*argv, "--", line])
    os.execvp(argv[0], argv)


def main() -> int:
    """Run the command line; returns the exit code."""
    options = parser().parse_args()
    try:
        sandbox = Sandbox(options.checkout)
        if options.verb == "up":
            up(sandbox, options)
        elif options.verb == "down":
            down(sandbox, options)
        elif options.verb == "list":
            listing(sandbox, options)
        elif options.verb == "ssh":
            ssh(sandbox, options)
        elif options.verb == "snapshot":
            sandbox.get(options.name).snapshot(options.label)
        elif options.verb == "restore":
            sandbox.get(options.name).restore(options.label)
        else:
            sandbox.get(options.name).reboot(power_cut=options.power_cut)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sandbox: interrupted; `down` removes what is unfinished", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
