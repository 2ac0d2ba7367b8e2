"""`python3 -m tools.engine install | env | where`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from tools.setup import CHECKOUT, VENV

from . import EngineError, find, install, variables
from .cache import cache_root
from .plugins import Plugins


def say(message: str) -> None:
    """Tell the user what happens, apart from what `env` and `where` print for programs."""
    print(message, file=sys.stderr, flush=True)


def describe(engine: Plugins) -> dict[str, str]:
    """What `where` prints."""
    return {
        "pulumi": str(engine.pulumi),
        "pulumi_home": str(engine.home),
        "plugins": engine.plugins,
        "language": engine.language,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.engine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    installing = commands.add_parser("install", help="install what is missing")
    installing.add_argument(
        "--install-packages", action="store_true", help="as root on Debian, apt-get install what Python lacks"
    )
    commands.add_parser("env", help="print the shell's export lines: the engine, the checkout's Python, and codesensei")
    commands.add_parser("where", help="print where everything is, as JSON")
    options = parser.parse_args(arguments)
    try:
        if options.command == "install":
            engine = install(say, options.install_packages)
            say(f"engine: {engine.pulumi} with {engine.plugins} plugins")
        elif options.command == "env":
            engine = find()
            folders = shlex.quote(f"{engine.pulumi.parent}:{VENV / 'bin'}:{CHECKOUT / 'bin'}")
            for name, value in variables(engine).items():
                print(f"export {name}=" + (f'{folders}:"$PATH"' if name == "PATH" else shlex.quote(value)))
        else:
            print(json.dumps(describe(find()), indent=2))
    except EngineError as error:
        say(f"engine: {error}")
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        say(f"engine: {error.filename}: {error.strerror}: see that {cache_root()} can be written and has 3 GB free.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
