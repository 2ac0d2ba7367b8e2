"""pulumi-command 1.2.1: remote.Command, remote.CopyToRemote, local.Command and local.run."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE
from typing import Any

from .provider import Call, OperationError, Provider, Resource, unique_id
from .wire import ARCHIVE, ASSET, SIGNATURE, UNKNOWN, Properties, is_asset, is_secret, plain, secret

VERSION = "1.2.1"
FRAMEWORK = "v1.3.0"
CONNECTION_DEFAULTS: Properties = {
    "user": "root",
    "port": 22.0,
    "dialErrorLimit": 10.0,
    "perDialTimeout": 15.0,
}
CONNECTION_SECRETS = ("password", "privateKey", "privateKeyPassword")
CONNECTION_FIELDS = {
    "host",
    "hostKey",
    "privateKey",
    "privateKeyPassword",
    "password",
    "agentSocketPath",
    "proxy",
}
CONNECTION_FIELDS |= CONNECTION_DEFAULTS.keys()
PIECE = 64 * 1024
CANCEL_CHECK_SECONDS = 0.2
OUTPUTS = ("stdout", "stderr")
COMMAND_INPUTS = "create update delete triggers stdin environment logging addPreviousOutputInEnv"
ENVIRONMENT_HINT = (
    "Unable to set '{}'. This only works if your SSH server is configured to accept\n"
    "\tthese variables via AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote "
    "host, you could\n\tprefix the command itself with the variables in the form 'VAR=value command'"
)
GO_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    **dict(zip("\a\b\f\n\r\t\v", ("\\" + letter for letter in "abfnrtv"), strict=True)),
}


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
        if b"\n" not in data:
            return
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

    def quoted(character: str) -> str:
        code = ord(character)
        if character in GO_ESCAPES or character.isprintable():
            return GO_ESCAPES.get(character, character)
        if code < 0x80:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return '"' + "".join(map(quoted, text)) + '"'


def check_connection(news: Properties) -> tuple[Properties, list[tuple[str, str]]]:
    """The inputs with the connection completed and secret, and so once more the secrets inside it.

    Failures name no property: the engine would show its value, and with it the private key.
    """
    given = news.get("connection")
    connection = given.get("value") if isinstance(given, dict) and is_secret(given) else given
    if not isinstance(connection, dict):
        return news, []
    unknown = sorted(connection.keys() - CONNECTION_FIELDS)
    failures = [("", f"connection: unknown property '{key}'") for key in unknown]
    if "host" not in connection:
        failures.append(("", "connection: missing required property 'host'"))
    filled = fill_connection(connection)
    if "proxy" in filled:
        filled["proxy"] = fill_connection(plain(filled["proxy"]))
    return {**news, "connection": secret(filled)}, failures


def fill_connection(given: Properties) -> Properties:
    """The connection, or its proxy, with the defaults and the secret marks of its own."""
    filled = {**CONNECTION_DEFAULTS, **given}
    return {key: secret(value) if key in CONNECTION_SECRETS else value for key, value in filled.items()}


class Command(Resource):
    """What remote and local commands share: which text runs when, and what becomes of its output."""

    def replaces(self, path: str) -> bool:
        """Triggers that were added or removed; changed elements are left to the engine, told by the SDK."""
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
        before: Properties = {key: old[key] for key in OUTPUTS if key in old}
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
        return {f"PULUMI_COMMAND_{key.upper()}": before[key] for key in OUTPUTS if before.get(key)}

    def execute(self, command: str, options: Properties, previous: dict[str, str], output: Output, call: Call) -> None:
        """Run the command; raise OperationError where it fails."""
        raise NotImplementedError


class RemoteCommand(Command):
    """remote.Command: one connection and one session per operation, no terminal."""

    def __init__(self) -> None:
        super().__init__("connection", COMMAND_INPUTS)

    def check(self, news: Properties) -> tuple[Properties, list[tuple[str, str]]]:
        """The inputs with the connection completed and secret."""
        inputs, failures = super().check(news)
        inputs, more = check_connection(inputs)
        return inputs, failures + more

    def execute(self, command: str, options: Properties, previous: dict[str, str], output: Output, call: Call) -> None:
        """Run the command on the server."""
        from . import ssh  # noqa: PLC0415  # a third of a second that previews need not pay

        environment: dict[str, str] = options.get("environment") or {}

        def refused(name: str) -> None:
            call.log("ERROR" if name in environment else "WARNING", ENVIRONMENT_HINT.format(name))
            if name in environment:
                raise OperationError(f'could not set environment variable "{name}": ssh: setenv failed')

        variables = [*environment.items(), *previous.items()]
        session = ssh.Session(command, options.get("stdin") or "", variables, refused, output.add)

        async def run() -> None:
            async with ssh.connect(options["connection"], call) as connection:
                await ssh.run_session(connection, session)

        try:
            asyncio.run(run())
        except ssh.CommandFailed as error:
            raise output.failure(str(error), command) from error


class LocalCommand(Command):
    """local.Command: a process on this machine, in the program's directory unless told otherwise."""

    def __init__(self) -> None:
        super().__init__("", f"{COMMAND_INPUTS} dir interpreter")

    def execute(self, command: str, options: Properties, previous: dict[str, str], output: Output, call: Call) -> None:
        """Run the command here; a cancelled deployment kills it."""
        run_locally(command, options, previous, output, call)


def run_locally(command: str, options: Properties, previous: dict[str, str], output: Output, call: Call) -> None:
    """Run the command with its interpreter, `/bin/sh -c` by default. Raises OperationError where it fails."""
    environment = {**os.environ, **(options.get("environment") or {}), **previous}
    arguments = [*(options.get("interpreter") or ["/bin/sh", "-c"]), command]

    async def read(stream: asyncio.StreamReader, is_stderr: bool) -> None:
        while data := await stream.read(PIECE):
            output.add(data, is_stderr)

    async def kill_when_cancelled(process: asyncio.subprocess.Process) -> None:
        while not call.cancelled.is_set():
            await asyncio.sleep(CANCEL_CHECK_SECONDS)
        process.kill()

    async def run() -> int:
        process = await asyncio.create_subprocess_exec(
            *arguments, env=environment, cwd=options.get("dir"), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        watcher = asyncio.create_task(kill_when_cancelled(process))
        try:
            process.stdin.write((options.get("stdin") or "").encode())
            process.stdin.close()
            await asyncio.gather(read(process.stdout, False), read(process.stderr, True))
            return await process.wait()
        finally:
            watcher.cancel()

    try:
        code = asyncio.run(run())
    except OSError as error:
        name = error.filename or arguments[0]
        reason = os.strerror(error.errno or 0).lower()
        raise output.failure(f"fork/exec {name}: {reason}", command) from error
    if code < 0:
        raise output.failure(f"signal: {signal.strsignal(-code) or -code}".lower(), command)
    if code:
        raise output.failure(f"exit status {code}", command)


def local_run(arguments: Properties, call: Call) -> Properties:
    """local.run: runs whenever the program does, in previews too."""
    output = Output(arguments.get("logging"), call)
    try:
        run_locally(arguments["command"], arguments, {}, output, call)
    finally:
        output.end()
    return {**arguments, **output.state()}


class CopyToRemote(Resource):
    """remote.CopyToRemote: copies by SFTP when content or destination changed, and never removes anything."""

    def __init__(self) -> None:
        super().__init__("connection source remotePath", "triggers")

    def check(self, news: Properties) -> tuple[Properties, list[tuple[str, str]]]:
        """The inputs with the connection completed and secret; only what can be copied is let through."""
        inputs, failures = super().check(news)
        inputs, more = check_connection(inputs)
        source = plain(inputs.get("source"))
        if not is_asset(source):
            more.append(("asset", "either asset or archive must be set"))
        elif source[SIGNATURE] == ASSET and not {"path", "text"} & source.keys():
            more.append(("asset", "asset must be a path-based file asset or a text asset"))
        elif source[SIGNATURE] == ARCHIVE and "path" not in source:
            more.append(("archive", "archive must be a path to a file or directory"))
        else:
            parts = ("path", "uri", "text") if source[SIGNATURE] == ASSET else ("path", "uri")
            inputs = {**inputs, "source": {**dict.fromkeys(parts, ""), **source}}
        return inputs, failures + more

    def preview(self, news: Properties, old: Properties | None) -> Properties:
        """The source is unknown: with the parts that the check has added it is not the one that was declared."""
        return {**news, "source": UNKNOWN}

    def replaces(self, path: str) -> bool:
        """As with commands."""
        return path == "triggers"

    def create(self, news: Properties, call: Call) -> tuple[str, Properties]:
        """Copy."""
        self._copy(news, call)
        return unique_id(""), news

    def update(self, old: Properties, news: Properties, call: Call) -> Properties:
        """Copy again where the content or the destination is another."""
        before, now = plain(old), plain(news)
        if (before["source"].get("hash"), before["remotePath"]) != (
            now["source"].get("hash"),
            now["remotePath"],
        ):
            self._copy(news, call)
        return news

    @staticmethod
    def _copy(news: Properties, call: Call) -> None:
        from . import copy, ssh  # noqa: PLC0415

        inputs = plain(news)

        async def run() -> None:
            async with ssh.connect(inputs["connection"], call) as connection:
                await copy.copy(connection, inputs["source"], inputs["remotePath"])

        asyncio.run(run())


RESOURCES: dict[str, Resource] = {
    "command:remote:Command": RemoteCommand(),
    "command:remote:CopyToRemote": CopyToRemote(),
    "command:local:Command": LocalCommand(),
}


class CommandProvider(Provider):
    """Made with pulumi-go-provider, which leaves its version in the provider's configuration."""

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """The configuration with that version."""
        response = super().CheckConfig(request, context)
        response.inputs["__pulumi-go-provider-version"] = FRAMEWORK
        return response

    def Configure(self, request: Any, context: Any) -> Any:
        """As others, and it takes every kind of value."""
        response = super().Configure(request, context)
        response.acceptSecrets = response.acceptOutputs = True
        return response


if __name__ == "__main__":
    CommandProvider(VERSION, RESOURCES, {"command:local:run": local_run}).run()
