"""`python3 -m tools.demo up | down`: what `make demo` and `make demo-down` run."""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.demo import checks, history, server, stack
from tools.demo.browser import Browser
from tools.demo.errors import DemoError
from tools.demo.places import DIRECTORY, ENVIRONMENT, LOCK, LOGS, PROJECT, STACK_FILE, STATE, shown
from tools.demo.process import Runner
from tools.demo.progress import Progress
from tools.demo.server import Target
from tools.sandbox import SandboxError, machine

SETUP_SECONDS = 1800.0
ENGINE_SECONDS = 3600.0
INTERRUPTED = 130


def announce(progress: Progress, debian: int, named: str) -> None:
    """Say what will be installed, and stop at once where the sandbox cannot run; raises DemoError."""
    where = named or f"a throw-away Debian {debian} server on this machine"
    progress.say(
        f"Demo: a Django project, its database, broker, worker and proxy, on {where}, by a real `pulumi up`.\n"
    )
    progress.say("What this puts on this machine, where it is not there yet:")
    progress.say("  .venv                 Python packages of requirements.txt (100 MB)")
    progress.say(
        "  ~/.cache/codesensei   Pulumi with its plugins (200 MB)" + ("" if named else ", a base system (300 MB)")
    )
    progress.say(f"  {shown(DIRECTORY)}      its state, passphrase and logs, and the example's git repository")
    progress.say(f"  {shown(STACK_FILE)}  its stack file")
    if named:
        progress.say("On the server: PostgreSQL, Valkey or Redis, nginx, and the project.\n")
        return
    status = Path("/proc/self/status")
    reason = machine.why_not_here(platform.system(), os.geteuid(), status.read_text() if status.exists() else "")
    if reason is not None:
        raise DemoError(reason)
    packages = machine.missing_packages()
    if packages:
        progress.say(f"  Debian packages       {' '.join(packages)}")
    progress.say("`make demo-down` ends the server and removes state, passphrase and keys; `make clean` .venv too.\n")


def prepare(progress: Progress, runner: Runner, debian: int, named: str) -> Target:
    """Python environment, engine and server, side by side; raises DemoError."""
    target = server.named_server(named) if named else None

    def python() -> None:
        with progress.phase("Python environment"):
            runner.run("setup", [sys.executable, "-m", "tools.setup", "--program"], SETUP_SECONDS)

    def engine() -> None:
        with progress.phase("Pulumi engine") as step:
            command = [sys.executable, "-m", "tools.engine", "install", "--install-packages"]
            step.outcome = last_line(runner.run("engine", command, ENGINE_SECONDS)).removeprefix("engine: ")

    def sandbox() -> Target:
        with progress.phase(f"Debian {debian} server") as step:
            found = server.start_sandbox(runner, debian)
            step.outcome = found.place
            return found

    tasks: list[Callable[[], object]] = [python, engine]
    with ThreadPoolExecutor(max_workers=3) as pool:
        booting = pool.submit(sandbox) if target is None else None
        running = [pool.submit(task) for task in tasks]
        try:
            for future in running:
                future.result()
            return booting.result() if booting is not None else _known(target)
        except BaseException:
            runner.stop()
            raise


def _known(target: Target | None) -> Target:
    if target is None:
        raise DemoError("No server was named.")
    return target


def last_line(text: str) -> str:
    """The last line that has something on it."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def up(debian: int, named: str) -> None:
    """Deploy, check, and say what to try next; raises DemoError."""
    progress = Progress()
    runner = Runner(LOGS)
    announce(progress, debian, named)
    before = server.last_target()
    if before is not None and named != ("" if before.sandbox else before.place):
        raise DemoError(f"The demo runs on {before.place} already: end it first with `make demo-down`.")
    kept = None if named else keep_or_end(progress, before, debian)
    target = prepare(progress, runner, debian, named)
    if before is not None and kept is not None and before != target:
        raise DemoError(f"The demo's server has moved from {before.host} to {target.host}: `make demo-down` first.")
    reused = before == target and (kept is not None or bool(named))
    with progress.phase("stack") as step:
        past = history.read_history(PROJECT) if reused and PROJECT.exists() else history.make_history(PROJECT)
        if not reused:
            stack.create(target, past)
        stack.write_environment_file()
        made = "used again as it is" if reused else "made"
        step.outcome = f"{shown(STACK_FILE)} {made}, state in {shown(STATE)}"
    with progress.phase("pulumi up"):
        stack.deploy(runner, "pulumi-up", progress_line(progress))
    results = check(progress, runner, past)
    finish(progress, target, past, results)


def keep_or_end(progress: Progress, before: Target | None, debian: int) -> int | None:
    """The Debian of the sandbox server if the stack that was deployed to it is there; else it is ended."""
    kept = server.sandbox_debian()
    if kept is None:
        return None
    if kept != debian:
        raise DemoError(f"The demo's server is a Debian {kept}: end it first with `make demo-down`.")
    if before is None or not stack.exists():
        progress.say("The server of an earlier run is still there but its stack is not: it is made again.")
        server.end_sandbox()
        return None
    progress.say(f"The server of an earlier run is still there and is used again (Debian {kept}).")
    return kept


def progress_line(progress: Progress) -> Callable[[str], None]:
    """Show of the engine's output only what was finished, one line each."""

    def show(line: str) -> None:
        words = line.split()
        if len(words) > 3 and words[0] in {"+", "~"} and words[3] in {"created", "updated"}:
            progress.say(f"         {words[2]} {' '.join(words[3:])}")

    return show


def check(progress: Progress, runner: Runner, past: history.History) -> list[str]:
    """All checks, through the edge proxy with the public hostname; raises DemoError."""
    with progress.phase("checks"):
        greeting = stack.setting("codesensei:env.GREETING")
        wanted = stack.setting("codesensei:project.source.revision")
        revision = history.git(past.path, "rev-parse", f"{wanted}^{{commit}}").strip()
        outputs = stack.outputs()
        if outputs.get("revision") != revision:
            raise DemoError(f"The stack says that {outputs.get('revision')} is served, not {revision}.")
        url = outputs["url"]
        browser = Browser(url)
        results = [f"the release that is served is {outputs['release']}, of commit {revision[:7]}"]
        results.append(checks.check_page(browser, greeting))
        seen, entry = checks.check_entry(browser)
        results += [seen, checks.check_job(browser, entry), checks.check_static(browser)]
        results.append(checks.check_unknown_host(url, greeting))
    with progress.phase("second pulumi up"):
        output = stack.deploy_nothing(runner, "pulumi-up-again")
    unchanged = next((line.strip() for line in output.splitlines() if line.strip().endswith("unchanged")), "")
    results.append(f"a second `pulumi up` changes nothing: {unchanged}")
    return results


def finish(progress: Progress, target: Target, past: history.History, results: list[str]) -> None:
    """Say what was checked, how long all took, and what to try next."""
    url = stack.outputs()["url"]
    say = progress.say
    say("\nChecked, through the edge proxy:")
    for result in results:
        say(f"  * {result}")
    say(f"\nSeconds (phases overlap):\n{progress.table()}")
    say(f"\nIt runs, and stays:  {url}\n")
    say(try_next(target, past))


def try_next(target: Target, past: history.History) -> str:
    """Commands that work when they are pasted into a shell in the checkout."""
    first, second = past.commits[0], past.commits[1]
    revision = "pulumi config set --path codesensei:project.source.revision"
    login = "make sandbox-ssh NAME=demo" if target.sandbox else f"ssh {target.user}@{target.host} -p {target.port}"
    return f"""What to try next, in this directory:
  source {shown(ENVIRONMENT)}

  # change a variable: the preview names it, the release after it serves it
  pulumi config set --path codesensei:env.GREETING "Good evening!"
  pulumi preview --diff
  pulumi up --yes

  # deploy the next commit, with a migration ("{second.subject}")
  {revision} {second.revision}
  pulumi up --yes

  # deploy one that cannot be served ("{past.broken.subject}"): it fails, and the site stays as it is
  {revision} {past.broken.revision}
  pulumi up --yes

  # roll back: name the commit that shall serve
  {revision} {first.revision}
  pulumi up --yes

  # look around on the server: systemctl status guestbook, journalctl -u guestbook-worker
  {login}

End it: make demo-down     (logs until then: {shown(LOGS)})"""


def down() -> None:
    """Remove the server or what the demo put on it, and all of the demo's files; raises DemoError."""
    target = server.last_target()
    if target is None and not DIRECTORY.exists() and not STACK_FILE.exists():
        print("There is no demo.")
        return
    if target is not None and not target.sandbox:
        if stack.exists():
            stack.destroy(Runner(LOGS))
        print(f"{target.place}: the project, its database and its files are gone; installed packages stay.")
    elif can_have_sandbox():
        server.end_sandbox()
        print("The server is gone.")
    stack.remove()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    LOCK.unlink(missing_ok=True)
    with suppress(OSError):
        LOCK.parent.rmdir()
    print("The stack, its state, passphrase and keys are gone.")


def can_have_sandbox() -> bool:
    """Whether a server of the sandbox can be here."""
    return platform.system() == "Linux" and os.geteuid() == 0


@contextmanager
def only_one() -> Iterator[None]:
    """Refuse to run beside another demo of this checkout; raises DemoError."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError("Another demo of this checkout is being made or removed: wait for it.") from None
        yield


def main() -> int:
    """Run one verb; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.demo", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("up", help="deploy the example project and check it")
    making.add_argument("--debian", type=int, choices=(12, 13), default=13)
    making.add_argument("--server", default="", metavar="USER@HOST[:PORT]", help="a real server instead")
    verbs.add_parser("down", help="remove all of it")
    options = parser.parse_args()
    stack.clean_environment()
    try:
        with only_one():
            if options.verb == "up":
                up(options.debian, options.server)
            else:
                down()
    except (DemoError, SandboxError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo was interrupted; `make demo` goes on, `make demo-down` removes all.", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
