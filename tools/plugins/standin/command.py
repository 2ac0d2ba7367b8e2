"""pulumi-command 1.2.1: remote.Command, remote.CopyToRemote, local.Command and local.run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from .provider import Call, OperationError, Provider, Resource, unique_id
from .wire import UNKNOWN, Properties, is_secret, plain, secret

VERSION = "1.2.1"
CONNECTION_DEFAULTS: Properties = {"user": "root", "port": 22.0, "dialErrorLimit": 10.0, "perDialTimeout": 15.0}
CONNECTION_FIELDS = {
    *CONNECTION_DEFAULTS,
    *"host hostKey privateKey privateKeyPassword password agentSocketPath proxy".split(),
}
COMMAND_INPUTS = "create update delete triggers stdin environment logging addPreviousOutputInEnv"
ENVIRONMENT_HINT = """Unable to set '{}'. This only works if your SSH server is configured to accept
\tthese variables via AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could
\tprefix the command itself with the variables in the form 'VAR=value command'"""


class Output:
    """What a command writes: kept, and shown line by line as the `logging` input says."""

    def __init__(self, logging: str | None, call: Call) -> None:
        shown = {"stdout": {False}, "stderr": {True}, "none": set()}.get(logging or "", {False, True})
        self._shown: set[bool] = shown
        self._call = call
        self._line = bytearray()
        self._streams = {False: bytearray(), True: bytearray()}
        self._both = bytearray()

    def add(self, data: bytes, is_stderr: bool) -> None:
        """Take a piece of output; lines may have any length."""
        self._streams[is_stderr] += data
        self._both += data
        if is_stderr not in self._shown:
            return
        self._line += data
        *lines, rest = self._line.split(b"\n")
        self._line = rest
        for line in lines:
            self._call.status(_text(line).removesuffix("\r"))

    def end(self) -> None:
        """Show a last line that has no newline."""
        if self._line:
            self._call.status(_text(self._line))
            self._line.clear()

    def state(self) -> Properties:
        """The output properties: each without one trailing newline."""
        return {
            "stdout": _text(self._streams[False]).removesuffix("\n"),
            "stderr": _text(self._streams[True]).removesuffix("\n"),
        }

    def failure(self, reason: str, command: str) -> OperationError:
        """The error that shows the command and all it wrote."""
        return OperationError(f"{reason}: running {go_quote(command)}:\n{_text(self._both)}")


def _text(data: bytes | bytearray) -> str:
    return data.decode(errors="replace")


def go_quote(text: str) -> str:
    """The text as Go's %q prints it."""
    escapes = {
        '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
        "\v": "\\v",
    }  # fmt: skip

    def quoted(character: str) -> str:
        code = ord(character)
        if character in escapes or character.isprintable():
            return escapes.get(character, character)
        if code < 0x80:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return '"' + "".join(map(quoted, text)) + '"'


def check_connection(value: Any) -> tuple[Any, list[tuple[str, str]]]:
    """The connection with its defaults, as a secret. A failure names the field and shows no value."""
    inner = value.get("value") if is_secret(value) else value
    if not isinstance(inner, dict):
        return secret(value), []
    failures = [("connection", f"unknown property '{key}'") for key in sorted(inner.keys() - CONNECTION_FIELDS)]
    if "host" not in inner:
        failures.append(("connection", "missing required property 'host'"))
    filled = {**CONNECTION_DEFAULTS, **inner}
    proxy = inner.get("proxy")
    if is_secret(proxy):
        proxy = proxy.get("value")
    if isinstance(proxy, dict):
        filled["proxy"] = {**CONNECTION_DEFAULTS, **proxy}
    return secret(filled), failures


class Command(Resource):
    """What remote and local commands share: which text runs when, and what becomes of its output."""

    def replaces(self, path: str) -> bool:
        """Added or removed triggers; a changed element is left to the engine, which the SDK tells to replace."""
        return path == "triggers"

    def preview(self, news: Properties, old: Properties | None) -> Properties:
        """Any changed input may change the output."""
        return {**news, "stdout": UNKNOWN, "stderr": UNKNOWN}

    def create(self, news: Properties, call: Call) -> tuple[str, Properties]:
        """Run `create`, if there is one."""
        made = self._run(news.get("create"), news, {}, call)
        return unique_id(call.name), {**news, **made}

    def update(self, old: Properties, news: Properties, call: Call) -> Properties:
        """Run `update`, else `create`; where there is neither, the old output stays."""
        before = {key: old[key] for key in ("stdout", "stderr") if key in old}
        made = self._run(news.get("update", news.get("create")), news, before, call)
        return {**news, **before, **made}

    def delete(self, old: Properties, call: Call) -> None:
        """Run `delete` with what the state holds."""
        self._run(old.get("delete"), old, old, call)

    def _run(self, command: Any, inputs: Properties, before: Properties, call: Call) -> Properties:
        text = plain(command)
        if text is None:
            return {} if before else {"stdout": "", "stderr": ""}
        options: Properties = plain(inputs)
        output = Output(options.get("logging"), call)
        try:
            self.execute(text, options, self._previous(options, plain(before)), output, call)
        finally:
            output.end()
        return output.state()

    @staticmethod
    def _previous(options: Properties, before: Properties) -> dict[str, str]:
        if options.get("addPreviousOutputInEnv") is False:
            return {}
        return {f"PULUMI_COMMAND_{key.upper()}": before[key] for key in ("stdout", "stderr") if before.get(key)}

    def execute(
        self, command: str, options: Properties, previous: dict[str, str], output: Output, call: Call
    ) -> None:
        """Run the command; raise OperationError where it fails."""
        raise NotImplementedError


class RemoteCommand(Command):
    """remote.Command: one connection and one session per operation, no terminal."""

    def __init__(self) -> None:
        super().__init__("connection", COMMAND_INPUTS)

    def check(self, news: Properties) -> tuple[Properties, list[tuple[str, str]]]:
        """The inputs with the connection completed and secret."""
        inputs, failures = super().check(news)
        if "connection" not in inputs:
            return inputs, failures
        connection, more = check_connection(inputs["connection"])
        return {**inputs, "connection": connection}, failures + more

    def execute(
        self, command: str, options: Properties, previous: dict[str, str], output: Output, call: Call
    ) -> None:
        """Run the command on the server."""
        from . import ssh  # noqa: PLC0415  # a third of a second that previews need not pay

        environment: dict[str, str] = options.get("environment") or {}

        def refused(name: str) -> None:
            severity = "ERROR" if name in environment else "WARNING"
            call.log(severity, ENVIRONMENT_HINT.format(name))
            if name in environment:
                raise OperationError(f'could not set environment variable "{name}": {ssh.SETENV_REFUSED}')

        async def session() -> None:
            variables: Iterator[tuple[str, str]] = iter([*environment.items(), *previous.items()])
            async with ssh.connect(options["connection"], call) as connection:
                await ssh.run_command(
                    connection, command, options.get("stdin") or "", variables, refused, output.add
                )

        try:
            asyncio.run(session())
        except ssh.CommandFailed as error:
            raise output.failure(str(error), command) from error


RESOURCES: dict[str, Resource] = {"command:remote:Command": RemoteCommand()}

if __name__ == "__main__":
    Provider(VERSION, RESOURCES).run()
