"""The stand-in's SSH sessions, where the other end is quicker than the network lets a test be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tools.plugins.standin import ssh


class Ended:
    """A channel whose command has ended before its standard input was sent."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.session: Any = None

    async def create(self, make: Callable[[], Any], *options: Any) -> Any:
        output = make()
        output.data_received(b"done", None)
        output.exit_status_received(self.status)
        output.connection_lost(None)
        return output

    def write(self, data: bytes) -> None:
        raise BrokenPipeError("Channel not open for sending")

    def write_eof(self) -> None:
        """As asyncssh has it for a channel that is closed: nothing."""


@pytest.mark.parametrize("status", [0, 3])
def test_a_command_that_ends_without_its_input_ends_as_it_says(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_Channel", lambda *given: Ended(status))
    received: list[bytes] = []
    session = ssh.Session("true", "unread", [], lambda name: None, lambda data, is_error: received.append(data))
    if status:
        with pytest.raises(ssh.CommandFailed, match="Process exited with status 3"):
            asyncio.run(ssh.run_session(None, session))
    else:
        asyncio.run(ssh.run_session(None, session))
    assert received == [b"done"]
