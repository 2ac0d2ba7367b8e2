"""One SSH connection per operation, with the dialling, the checks and the error texts of pulumi-command."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncssh
from asyncssh.packet import String

from .provider import Call, OperationError
from .wire import Properties

FIRST_DELAY_SECONDS = 0.1
DELAY_FACTOR = 1.5
LONGEST_DELAY_SECONDS = 5.0
HANDSHAKE = "ssh: handshake failed: "
SIGNALS = {"ABRT": 6, "ALRM": 14, "FPE": 8, "HUP": 1, "ILL": 4, "INT": 2, "KILL": 9, "PIPE": 13, "QUIT": 3}
SIGNALS |= {"SEGV": 11, "TERM": 15}
WINDOW = 2 * 1024 * 1024
PACKET = 32 * 1024
GOODBYE_SECONDS = 2.0

Result = TypeVar("Result")


class DialError(Exception):
    """One failed attempt to connect."""


class CommandFailed(Exception):
    """The command ended in another way than with exit status 0; the text says how."""


class _Login(asyncssh.SSHClient):
    """Offers the configured ways to log in, and remembers which the server let it try.

    Each kind is tried once, so the agent's keys are used only where no private key is given.
    """

    def __init__(self, keys: list[Any], password: str | None) -> None:
        self._keys = keys
        self._password = password
        self.attempted = ["none"]

    def _attempt(self, method: str) -> bool:
        first = method not in self.attempted
        if first:
            self.attempted.append(method)
        return first

    def public_key_auth_requested(self) -> Any:
        return self._keys if self._keys and self._attempt("publickey") else None

    def password_auth_requested(self) -> str | None:
        return self._password if self._password is not None and self._attempt("password") else None

    def kbdint_auth_requested(self) -> str | None:
        return "" if self._password is not None and self._attempt("keyboard-interactive") else None

    def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> list[str]:
        return [self._password or "" for _ in prompts]


class _Channel(asyncssh.SSHClientChannel[bytes]):
    """A session channel that waits for the answer to each environment variable before the command starts.

    asyncssh itself sends them without asking for an answer, and a refusal would go unnoticed.
    """

    session: Session

    async def _make_request(self, request: bytes, *args: bytes) -> bool | None:
        if request == b"exec":
            for name, value in self.session.variables:
                if not await super()._make_request(b"env", String(name), String(value)):
                    self.session.refused(name)
        return await super()._make_request(request, *args)


class _Output(asyncssh.SSHClientSession[bytes]):
    """Collects what a command writes, in its order, and how it ended."""

    def __init__(self, received: Callable[[bytes, bool], None]) -> None:
        self._received = received
        self.ended = asyncio.get_running_loop().create_future()
        self.failure: str | None = "wait: remote command exited without exit status or exit signal"

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._received(data, datatype == asyncssh.EXTENDED_DATA_STDERR)

    def exit_status_received(self, status: int) -> None:
        self.failure = f"Process exited with status {status}" if status else None

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.failure = f"Process exited with status {128 + SIGNALS.get(signal, 0)} from signal {signal}"
        self.failure += f". Reason was: {msg}" if msg else ""

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


@dataclass(frozen=True)
class Session:
    """One command to run: its text, what it reads, and the environment variables to ask for before it.

    refused: called with a variable's name that the server does not accept; what it raises ends the session.
    received: called with each piece of output, and whether it is standard error.
    """

    command: str
    stdin: str
    variables: list[tuple[str, str]]
    refused: Callable[[str], None]
    received: Callable[[bytes, bool], None]


async def run_session(connection: Any, session: Session) -> None:
    """Run the command and wait for its end. Raises CommandFailed where that is not exit status 0."""
    loop = asyncio.get_running_loop()
    channel = _Channel(connection, loop, "strict", None, "strict", WINDOW, PACKET)
    channel.session = session
    no_terminal: tuple[Any, ...] = (False, None, None, {})
    no_forwarding: tuple[Any, ...] = (False, None, None, False, False)
    output: _Output = await channel.create(  # type: ignore[assignment]
        lambda: _Output(session.received), session.command, None, {}, *no_terminal, *no_forwarding
    )
    # The command may have ended without it, which is no failure of its own: Go's client thinks the same.
    with suppress(BrokenPipeError):
        if session.stdin:
            channel.write(session.stdin.encode())
        channel.write_eof()
    await output.ended
    if output.failure:
        raise CommandFailed(output.failure)


@asynccontextmanager
async def connect(options: Properties, call: Call) -> AsyncIterator[Any]:
    """An authenticated connection, over the proxy where one is given; retried as its options say."""
    with_agent = agent_of(options)
    proxy = options.get("proxy")
    opened: list[Any] = []
    try:
        if proxy is None:
            opened.append(await _retry("Dial", options, call, lambda: _dial(options, with_agent)))
        else:
            proxy_agent = _prefixed("proxy: ", lambda: agent_of(proxy))
            try:
                hop = await _retry("Dial proxy", proxy, call, lambda: _dial(proxy, proxy_agent))
                opened.append(hop)
                opened.append(await _retry("Dial", options, call, lambda: _dial(options, with_agent, hop)))
            except OperationError as error:
                raise OperationError(f"proxy: {error}") from error
        yield opened[-1]
    except (asyncssh.Error, OSError) as error:
        raise OperationError(_reason(error) if isinstance(error, OSError) else str(error)) from error
    finally:
        for connection in reversed(opened):
            await _close(connection)


async def _close(connection: Any) -> None:
    """Say goodbye, to a server that may not be there any more."""
    connection.close()
    try:
        await asyncio.wait_for(connection.wait_closed(), GOODBYE_SECONDS)
    except asyncio.TimeoutError:
        connection.abort()


def _prefixed(prefix: str, step: Callable[[], Result]) -> Result:
    try:
        return step()
    except OperationError as error:
        raise OperationError(f"{prefix}{error}") from error


def agent_of(options: Properties) -> str | None:
    """The agent's socket, dialled even where a key is given: one that does not answer is an error at once."""
    path: str | None = options.get("agentSocketPath") or os.environ.get("SSH_AUTH_SOCK") or None
    if path is None:
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise OperationError(f"dial unix {path}: connect: {_reason(error)}") from error
    return path


async def _retry(message: str, options: Properties, call: Call, attempt: Callable[[], Awaitable[Result]]) -> Result:
    limit = int(options["dialErrorLimit"])
    delay, tries = FIRST_DELAY_SECONDS, 0
    while True:
        try:
            return await attempt()
        except DialError as error:
            if -1 < limit < tries + 1:
                raise OperationError(f"after {tries} failed attempts: {error}") from error
        tries += 1
        call.status(f"{message} {tries}/{'inf' if limit == -1 else limit} failed: retrying")
        if await asyncio.to_thread(call.cancelled.wait, delay):
            raise OperationError("context canceled")
        delay = min(delay * DELAY_FACTOR, LONGEST_DELAY_SECONDS)


async def _dial(options: Properties, agent_path: str | None, tunnel: Any = None) -> Any:
    keys, trusted = _private_keys(options), _host_key(options)
    host, port = options["host"], int(options["port"])
    agent = None
    if agent_path is not None and not keys:
        try:
            agent = await asyncssh.connect_agent(agent_path)
            keys = list(await agent.get_keys())
        except (OSError, ValueError) as error:
            raise DialError(f"{HANDSHAKE}agent: {error}") from error
    login = _Login(keys, options.get("password"))
    way: Properties = {"tunnel": tunnel, "host": host, "port": port}
    if tunnel is None:
        way = {"sock": await asyncio.to_thread(_open_socket, host, port, float(options["perDialTimeout"]))}
    order = "publickey,password,keyboard-interactive" if agent is None else "password,keyboard-interactive,publickey"
    trust: Properties = {"known_hosts": None}
    if trusted is not None:
        trust = {"known_hosts": ([trusted], [], []), "server_host_key_algs": [trusted.get_algorithm()]}
    try:
        return await asyncssh.connect(
            **way,
            **trust,
            username=options["user"],
            client_factory=lambda: login,
            client_keys=None,
            config=None,
            agent_path=None,
            preferred_auth=order,
            gss_host=None,
            login_timeout=0,
            compression_algs=None,
        )
    except (asyncssh.Error, OSError) as error:
        raise DialError(_handshake_text(error, login)) from error
    finally:
        if agent is not None:
            agent.close()


def _open_socket(host: str, port: int, timeout: float) -> socket.socket:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise DialError(f"dial tcp: lookup {host}: no such host") from error
    failure: DialError | None = None
    for family, kind, protocol, _, address in addresses:
        shown = f"[{address[0]}]" if family == socket.AF_INET6 else str(address[0])
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout or None)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            reason = "i/o timeout" if isinstance(error, TimeoutError) else f"connect: {_reason(error)}"
            failure = failure or DialError(f"dial tcp {shown}:{port}: {reason}")
            continue
        connection.setblocking(False)
        return connection
    raise failure or DialError(f"dial tcp: lookup {host}: no such host")


def _private_keys(options: Properties) -> list[Any]:
    text = options.get("privateKey")
    if text is None:
        return []
    try:
        return [asyncssh.import_private_key(text, options.get("privateKeyPassword"))]
    except asyncssh.KeyEncryptionError as error:
        raise OperationError("x509: decryption password incorrect") from error
    except asyncssh.KeyImportError as error:
        missing = "passphrase" in str(error).lower() and options.get("privateKeyPassword") is None
        reason = "ssh: this private key is passphrase protected" if missing else "ssh: no key found"
        raise OperationError(reason) from error


def _host_key(options: Properties) -> Any:
    text = options.get("hostKey")
    if text is None:
        return None
    try:
        return asyncssh.import_public_key(text)
    except asyncssh.KeyImportError as error:
        raise OperationError("failed to parse host key: ssh: no key found") from error


def _reason(error: OSError) -> str:
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]


def _handshake_text(error: Exception, login: _Login) -> str:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return f"{HANDSHAKE}ssh: host key mismatch"
    if isinstance(error, asyncssh.PermissionDenied):
        attempted = " ".join(login.attempted)
        reason = f"ssh: unable to authenticate, attempted methods [{attempted}], no supported methods remain"
        return f"{HANDSHAKE}{reason}"
    if isinstance(error, asyncssh.ConnectionLost):
        return f"{HANDSHAKE}EOF"
    if isinstance(error, asyncssh.ChannelOpenError):
        return f"ssh: rejected: connect failed ({error.reason})"
    return f"{HANDSHAKE}{_reason(error) if isinstance(error, OSError) else error}"
