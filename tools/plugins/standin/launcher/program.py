"""Starts a Pulumi program inside its own virtual environment; the language host runs this file there."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import runpy
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

EXIT_AFTER_MESSAGE = 32
MONITOR_GONE = "Resource monitor has terminated, shutting down"
INTERRUPT_SECONDS = 10
HINT = """It looks like the Pulumi SDK has not been installed. Have you run pip install?
If you are running in a virtualenv, you must run pip install -r requirements.txt from inside the \
virtualenv."""
OPTIONS = [
    "monitor",
    "engine",
    "project",
    "root_directory",
    "stack",
    "pwd",
    "dry_run",
    "parallel",
    "organization",
]


def parse_arguments() -> argparse.Namespace:
    """The language host's command line."""
    parser = argparse.ArgumentParser(description="Run a Pulumi program")
    for name in OPTIONS:
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs="*")
    return parser.parse_args()


def users_traceback(error: BaseException, program: Path) -> str:
    """The traceback from the program's own first frame on."""
    frames = traceback.extract_tb(error.__traceback__)
    main = program / "__main__.py" if program.is_dir() else program
    for index, frame in enumerate(frames):
        if Path(frame.filename).resolve() == main:
            return "".join(traceback.format_exception(error, limit=index - len(frames)))
    return "".join(traceback.format_exception(error))


def main() -> int:
    """Run the program; returns its exit code."""
    arguments = parse_arguments()
    try:
        import pulumi  # noqa: PLC0415  # the program's own SDK may be missing, which needs a message
        import pulumi.runtime  # noqa: PLC0415
    except ImportError:
        print(f"{traceback.format_exc()}\n{HINT}", file=sys.stderr)
        return 1
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    settings = pulumi.runtime.Settings(
        monitor=arguments.monitor,
        engine=arguments.engine,
        project=arguments.project,
        stack=arguments.stack,
        parallel=int(arguments.parallel),
        dry_run=arguments.dry_run == "true",
        organization=arguments.organization,
        root_directory=arguments.root_directory,
    )
    pulumi.runtime.configure(settings)
    sys.argv = [arguments.program, *arguments.arguments]
    if arguments.pwd:
        os.chdir(arguments.pwd)
    program = Path(arguments.program).resolve()
    if program.is_dir() and not (program / "__main__.py").is_file():
        pulumi.log.error(f"unable to find main python program `__main__.py` in `{program}`")
        return EXIT_AFTER_MESSAGE

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(int(arguments.parallel), 1) * 4)
    loop.set_default_executor(executor)
    # A failed deployment leaves futures unread by design; asyncio's complaints would hide the error.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def run() -> None:
        runpy.run_path(arguments.program, run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
    except pulumi.RunError as error:
        if str(error) == MONITOR_GONE:
            # A resource has failed: the engine ends its plugins one after the other, and the interrupt for the program
            # comes last. The official plugins end before the program gets here, the stand-ins may not.
            time.sleep(INTERRUPT_SECONDS)
        pulumi.log.error(str(error))
        return 1
    except Exception as error:  # noqa: BLE001  # whatever the program raises is shown to its author
        message = users_traceback(error, program)
        pulumi.log.error(f"Program failed with an unhandled exception:\n{message}")
        return EXIT_AFTER_MESSAGE
    finally:
        executor.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
