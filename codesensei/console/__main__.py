"""`codesensei`: from a first stack file to a restored backup.

Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from codesensei.console import init, pinning, recovery, review, show
from codesensei.console.engine import Engine
from codesensei.console.errors import Interrupted
from codesensei.console.server import Server
from codesensei.console.typed import typed_path
from codesensei.wire import moments
from codesensei.wire.answers import Backups, Releases, ServerStatus
from codesensei.wire.text import printable

F = TypeVar("F", bound=Callable[..., Any])
NO_TERMINAL = "nobody can be asked without a terminal: add --yes"


class Program(click.Group):
    """All commands; Ctrl-C in one is told as such."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the words name."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None
        except click.Abort as error:
            # Ctrl-C at a question, and all questions come before the first change.
            if isinstance(error.__context__, KeyboardInterrupt):
                raise Interrupted("nothing was changed", "the same command asks again") from None
            raise


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Look at a deployed stack, back it up, recover from an interrupted deploy; deploy branches beside it.

    Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong usage, 130 interrupted.
    """


def common(function: F) -> F:
    """The options of every command."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
    return click.option("--stack", metavar="NAME", help="The stack; default: the selected one.")(as_json(function))


def somebody_is_there() -> bool:
    """Whether a question can be answered."""
    return sys.stdin.isatty()


def agreed(question: str, *, yes: bool) -> None:
    """Ask before something changes; wrong usage where nobody can answer."""
    if yes:
        return
    if not somebody_is_there():
        raise click.UsageError(NO_TERMINAL)
    click.confirm(question, abort=True, err=True)


def moment(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """A time with its offset, as UTC."""
    if text is None:
        return None
    try:
        found = moments.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return moments.END if found is None else found.isoformat().replace("+00:00", "Z")


@contextlib.contextmanager
def saying(title: str, as_json: bool) -> Iterator[Callable[[str], None]]:
    """A function that passes on what the server says: at once, or at the end as a JSON document."""
    said: list[str] = []
    if as_json:
        yield said.append
        click.echo(show.as_json({"done": True, "said": said}))
        return
    # Shown on a terminal only.
    with show.console().status(title):
        yield click.echo


def answered(option: str, value: str | None, question: str, default: str | None = None) -> str:
    """The value of an option, or what somebody answers; an empty default may be left so."""
    if value is not None:
        return value
    if not somebody_is_there():
        if default is not None:
            return default
        raise click.UsageError(f"nobody can be asked without a terminal: add {option}")
    return str(click.prompt(question, default=default, err=True)).strip()


@cli.command("init")
@click.option("--repository", metavar="URL|DIRECTORY", help="The project's git repository.")
@click.option("--branch", default="", help="The branch whose newest commit is deployed; default: the main one.")
@click.option("--settings", metavar="MODULE", help="Its settings on a server: config.settings.production.")
@click.option("--server", "host", metavar="HOST", help="The server's name or address.")
@click.option("--user", default="root", show_default=True, help="Who logs in there: root, or somebody with sudo.")
@click.option("--port", default=22, show_default=True, help="Where its SSH listens.")
@click.option("--host-key", metavar="KEY", help="Its host key (ssh-ed25519 AAAA…); default: asked for, and shown.")
@click.option("--domain", metavar="NAME", help="The site's hostname; empty: the server's address.")
@click.option("--email", metavar="ADDRESS", help="For a certificate of Let's Encrypt; empty: HTTP.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@click.argument("stack")
def init_stack(
    stack: str,
    repository: str | None,
    branch: str,
    settings: str | None,
    host: str | None,
    user: str,
    port: int,
    host_key: str | None,
    domain: str | None,
    email: str | None,
    as_json: bool,
) -> None:
    """Make a stack and write its file: asks for the repository, the server and the domain."""
    init.refuse_existing(stack)
    found = init.look(answered("--repository", repository, "Project's git repository (URL or directory)"), branch)
    likely = next(iter(found.settings), None)
    settings = answered("--settings", settings, "Settings module on the server", likely)
    host = answered("--server", host, "Server (name or address)")
    if host_key is None:
        if not somebody_is_there():
            raise click.UsageError("nobody can compare the server's host key without a terminal: add --host-key")
        host_key = init.scan(host, port)
        click.echo(f"{host} shows the host key {init.fingerprint(host_key)}", err=True)
        click.confirm("Is it the one that the provider's console shows?", abort=True, err=True)
    init.fingerprint(host_key)
    domain = answered("--domain", domain, "Domain (empty: the server's address)", "")
    if domain:
        email = answered("--email", email, "E-mail address for a certificate of Let's Encrypt (empty: HTTP)", "")
    elif email:
        raise click.UsageError("--email is for a certificate, and that is for a name: add --domain")
    answers = init.Answers(host, host_key, settings, user, port, domain, email or "")
    made = init.write(stack, found, answers)
    click.echo(show.as_json(made)) if as_json else show.made(made)


@cli.command()
@common
@click.argument("revision", metavar="COMMIT|TAG|BRANCH")
def pin(revision: str, stack: str | None, as_json: bool) -> None:
    """Write the commit that is to be deployed into the stack file."""
    found = pinning.pin(Engine.of(stack).name, revision)
    click.echo(show.as_json(found)) if as_json else show.pinned(found)


@cli.command()
@common
def releases(stack: str | None, as_json: bool) -> None:
    """List the releases that the server keeps, the newest first."""
    found = Server.of(Engine.of(stack)).ask(Releases, "releases")
    click.echo(show.as_json(found)) if as_json else show.releases(found)


@cli.command()
@common
def status(stack: str | None, as_json: bool) -> None:
    """Show what serves, its processes, backups, and who deploys."""
    found = Server.of(Engine.of(stack)).ask(ServerStatus, "status")
    click.echo(show.as_json(found)) if as_json else show.status(found)


@cli.command()
@common
def backups(stack: str | None, as_json: bool) -> None:
    """List the backups, the oldest first."""
    found = Server.of(Engine.of(stack)).ask(Backups, "backup", "list", "--json")
    click.echo(show.as_json(found)) if as_json else show.backups(found)


@cli.command()
@common
def backup(stack: str | None, as_json: bool) -> None:
    """Make a backup now."""
    server = Server.of(Engine.of(stack))
    with saying("backing up", as_json) as say:
        server.do(say, "backup", "now")


@cli.command()
@common
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--at", "at", metavar="TIME|end", callback=moment, help="The database of then, with continuous backups.")
@click.argument("snapshot", metavar="ID|latest", required=False)
def restore(snapshot: str | None, at: str | None, yes: bool, stack: str | None, as_json: bool) -> None:
    """Put a backup back, or the database of a moment; the data of now stay beside it."""
    if (snapshot is None) == (at is None):
        raise click.UsageError("name a backup, or a moment: restore latest, restore --at 2026-11-30T12:00:00Z")
    engine = Engine.of(stack)
    what = f"backup {snapshot}" if at is None else f"the database of {at}"
    agreed(f"Put {what} in the place of the data of {engine.stack}?", yes=yes)
    server = Server.of(engine)
    with saying("restoring", as_json) as say:
        server.do(say, "backup", "restore", *([str(snapshot)] if at is None else ["--at", at]))


@cli.command()
@common
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--unlock", is_flag=True, help="Remove a lock of the state whose owner cannot be looked for from here.")
def recover(stack: str | None, as_json: bool, yes: bool, unlock: bool) -> None:
    """Clear up after an interrupted deploy; nothing that still runs is touched."""
    engine = Engine.of(stack)
    server = Server.of(engine)
    told: list[str] = []
    say: Callable[[str], None] = told.append if as_json else click.echo
    found = recovery.find(engine, server)
    for line in recovery.lines(found):
        say(line)
    recovery.refuse_living(found, unlock=unlock)
    actions = recovery.plan(found, engine, server, say, unlock=unlock)
    if actions:
        for number, action in enumerate(actions, 1):
            say(f"{number}. {action.text}")
        agreed("Do this?", yes=yes)
    for number, action in enumerate(actions, 1):
        action.do()
        say(f"{number}. done")
    say("recovered; run pulumi up" if actions else "nothing to recover")
    if as_json:
        click.echo(show.as_json({"done": [action.text for action in actions], "found": found, "said": told}))


JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
BASE = click.option("--from", "base", metavar="STACK", default="", help="The stack that it is, or was, made from.")


@cli.group("review")
def review_stacks() -> None:
    """Make, list and remove review stacks: one for each branch, each with a database and a hostname of its own."""


@review_stacks.command("up")
@BASE
@JSON
@click.option("--data", is_flag=True, help="Fill a new database from that of the other stack, on its server.")
@click.option("--dump", type=click.Path(path_type=Path), metavar="FILE", help="Fill a new database from a dump.")
@click.option("--apps-domain", default="", metavar="DOMAIN", help="Where its hostname is; default: appsDomain.")
@click.option("--without", multiple=True, metavar="VARIABLE", help="Leave a variable out; may be repeated.")
@click.argument("branch")
def review_up(
    branch: str,
    base: str,
    as_json: bool,
    data: bool,
    dump: Path | None,
    apps_domain: str,
    without: tuple[str, ...],
) -> None:
    """Deploy a branch as a stack of its own; again: its newest commit.

    The stack that it is made from (default: the selected one) may not be production: the branch's code gets its
    secrets, and is not reviewed yet.
    """
    if data and dump:
        raise click.UsageError("--data and --dump both fill the database: give one")
    wanted = review.Wanted(apps_domain, data, dump and Path(typed_path(str(dump))), without)
    # With --json, what the engine says is no part of the document.
    deployed = review.up(branch, Engine.of(base or None), wanted, lambda line: click.echo(line, err=as_json))
    click.echo(show.as_json(deployed) if as_json else deployed.url)


@review_stacks.command("down")
@BASE
@JSON
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("branch", metavar="BRANCH|STACK")
def review_down(branch: str, base: str, as_json: bool, yes: bool) -> None:
    """Remove a branch's stack: database, uploads, user and names on the server, state and file."""
    said: list[str] = []
    say: Callable[[str], None] = said.append if as_json else click.echo
    stack = review.find(branch, base)
    if stack is None:
        say(f"no review stack is there for {printable(branch)}")
    else:
        agreed(f"Remove {stack} with its database and uploads?", yes=yes)
        review.down(stack, say)
    if as_json:
        click.echo(show.as_json({"done": True, "stack": stack or "", "said": said}))


@review_stacks.command("list")
@JSON
def review_list(as_json: bool) -> None:
    """List the review stacks, and those whose branch is gone."""
    found = review.known()
    click.echo(show.as_json({"stacks": found})) if as_json else show.reviews(found)


if __name__ == "__main__":
    cli(prog_name="codesensei")
