"""How a command fails."""

from __future__ import annotations

import click

from codesensei.wire.text import printable_lines


class CommandError(click.ClickException):
    """A command cannot go on: what, why, and what to do about it. Ends the program with status 1. Holds no secret."""

    exit_code = 1

    def __init__(self, thing: str, cause: str, fix: str) -> None:
        super().__init__(printable_lines(f"{thing}: {cause}\nfix: {fix}"))

    def show(self, file: object = None) -> None:
        """On standard error, in the words of a step."""
        click.echo(f"error: {self.message}", err=True)


class Interrupted(click.ClickException):
    """Ctrl-C has ended a command. Ends the program with status 130, which shells have for that."""

    exit_code = 130

    def __init__(
        self,
        cause: str = "what has begun on the server goes on there, and codesensei status tells of it",
        fix: str = "the same command goes on from what is done",
    ) -> None:
        super().__init__(printable_lines(f"{cause}\nfix: {fix}"))

    def show(self, file: object = None) -> None:
        """On standard error."""
        click.echo(f"interrupted: {self.message}", err=True)


class Told(click.ClickException):
    """The server has said itself why it cannot go on."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        """As the server has said it."""
        click.echo(self.message, err=True)
