"""Run the program against a monitor that writes down every registration, with secrets told apart from plain inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks, test
from pulumi.runtime.proto.source_pb2 import StackTrace

from codesensei import remote, source
from codesensei.config import Stack
from codesensei.remote.toolkit import Toolkit
from codesensei.source import Code
from codesensei.webservers import SERVERS
from components import stack as program

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
MASK = "[secret]"
REVISION = "4f2a9c1e0d3b5a6978877665544332211ffeeddc"
# What the random resources give: recognisable wherever it turns up.
GENERATED = "canary-of-"
# How the names of those end that a preview does not know.
UNMADE = ("-UNMADE",)
UUID = "0b5e3e0a-1111-4222-8333-444455556666"
LINE_IN_STDOUT = {"release": "4f2a9c1-0123456", "revision": REVISION, "url": "http://shop.example.com/"}


@dataclass(frozen=True)
class Registered:
    """One resource as the engine is told of it. `inputs` has a wrapper around every secret."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    dependencies: tuple[str, ...]
    ignored: tuple[str, ...]
    secret_outputs: tuple[str, ...]
    protect: bool
    aliases: tuple[str, ...]

    @property
    def shown(self) -> dict[str, Any]:
        """The inputs as everybody may see them."""
        masked = mask(self.inputs)
        assert isinstance(masked, dict)
        return masked


def is_secret(value: Any) -> bool:
    """Whether this is a wrapped secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def mask(value: Any) -> Any:
    """The value with every secret replaced."""
    if is_secret(value):
        return MASK
    if isinstance(value, dict):
        return {key: mask(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [mask(inner) for inner in value]
    return value


def opened(value: Any) -> Any:
    """The value with every secret in clear."""
    if is_secret(value):
        return opened(value["value"])
    if isinstance(value, dict):
        return {key: opened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [opened(inner) for inner in value]
    return value


EMPTY = Toolkit("=== end\n")


class _Answers(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        state = dict(args.inputs)
        if args.typ == "random:index/randomPassword:RandomPassword":
            if args.name.endswith(UNMADE):
                return None, state
            state["result"] = GENERATED + args.name
        elif args.typ == "random:index/randomUuid:RandomUuid":
            state["result"] = UUID
        elif args.typ == "random:index/randomInteger:RandomInteger":
            state["result"] = 417
        elif args.typ == "command:remote:Command":
            answers = {"switch": json.dumps(LINE_IN_STDOUT), "backups": "{}", "acme": "{}"}
            state["stdout"] = answers.get(args.name.rpartition("-")[2], "changed")
        return f"{args.name}-id", state

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program called {args.token}")


class _Monitor(MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Answers())
        self.registered: list[Registered] = []

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self.registered.append(
                Registered(
                    urn=response.urn,
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    inputs=MessageToDict(request.object),
                    dependencies=tuple(sorted(request.dependencies)),
                    ignored=tuple(request.ignoreChanges),
                    secret_outputs=tuple(sorted(request.additionalSecretOutputs)),
                    protect=bool(request.protect),
                    aliases=tuple(alias.spec.name for alias in request.aliases),
                )
            )
        return response


@dataclass(frozen=True)
class Run:
    """What one run of the program has declared."""

    registered: tuple[Registered, ...]
    outputs: dict[str, Any]

    def find(self, name: str, kind: str = "") -> Registered:
        """The one resource with this name (and this end of its type)."""
        (found,) = (it for it in self.registered if it.name == name and it.type.endswith(kind))
        return found

    def commands(self) -> Iterator[Registered]:
        """All remote commands, in the order of their registration."""
        return (it for it in self.registered if it.type == "command:remote:Command")


def code(**changes: Any) -> Code:
    """A project at one commit, without any repository."""
    values: dict[str, Any] = {
        "checkout": source.Checkout(REVISION, "Sell more", None, Path(__file__), "ab" * 32),
        "settings": source.SettingsFacts(
            asgi_application=None,
            wsgi_application="config.wsgi:application",
            settings_file="config/settings/production.py",
            interface="wsgi",
            application="config.wsgi:application",
            django_directory=".",
            python_path=(),
            static_url="/static/",
            media_url="/media/",
            unsure=(),
        ),
        "requirements": source.Closure(("requirements.txt",), "cd" * 32, False, ()),
        "migrations": ("shop.0001_initial",),
        "id": "4f2a9c1" + "0" * 57,
        "packages_id": "9" * 64,
        "server": SERVERS["gunicorn"],
    }
    return Code(**{**values, **changes})


def select(*, preview: bool = False) -> _Monitor:
    """Begin a run of the program for one stack."""
    monitor = _Monitor()
    set_mocks(_Answers(), project="codesensei", stack="stack", preview=preview, monitor=monitor, organization="acme")
    return monitor


def access_of(stack: Stack, look: remote.Look, state: remote.State) -> remote.Access:
    """The way to the stack's server, which nobody goes."""
    return remote.Access(
        stack.config.server,
        stack.slug,
        ".codesensei/stack/agent.sock",
        look,
        stack.secrets.ssh_private_key,
        served=str(state.outputs.get("release", "")),
        state=state,
    )


def run(
    stack: Stack,
    look: remote.Look,
    monkeypatch: Any,
    toolkit: Toolkit = EMPTY,
    previewed: remote.State | None = None,
    updated: remote.State | None = None,
    **changes: Any,
) -> Run:
    """Declare `stack` as the program does, on a server of which the look is `look`.

    With the state in `previewed` it is a preview of it, with the one in `updated` an update of it.
    """
    monkeypatch.setattr(source, "read_code", lambda _: code(**changes))
    monkeypatch.setattr("codesensei.remote.toolkit.pack", lambda: toolkit)
    # Where in the code a resource was declared is for the engine's own messages, and takes a quarter of the time.
    monkeypatch.setattr("pulumi.runtime.resource._get_stack_trace", StackTrace)
    monkeypatch.setattr(Toolkit, "write", lambda self, folder: Path(__file__))
    monitor = select(preview=previewed is not None)
    access = access_of(stack, look, previewed or updated or remote.State())
    outputs: dict[str, Any] = {}

    def declare() -> pulumi.Output[Any]:
        told = program.deploy(stack, access)
        return pulumi.Output.all(**vars(told)).apply(outputs.update)

    runner: Callable[[], None] = test(declare)  # type: ignore[no-untyped-call]
    runner()
    return Run(tuple(monitor.registered), outputs)
