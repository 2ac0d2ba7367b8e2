"""Throw-away Debian servers on this machine: real systemd, real sshd, a network of their own."""

from tools.sandbox.errors import SandboxError
from tools.sandbox.relay import Relay
from tools.sandbox.sandbox import Sandbox
from tools.sandbox.server import Server

__all__ = ["Relay", "Sandbox", "SandboxError", "Server"]
