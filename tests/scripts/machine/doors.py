"""The one place where the machine is put in the way of the product: nothing else here knows how that calls out."""

from __future__ import annotations

import grp
import io
import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts import main
from codesensei.scripts.base import probe
from codesensei.scripts.base.probe import Answer
from codesensei.wire.steps import RESULT
from tests.scripts.machine import nginx
from tests.scripts.machine.calls import Fault, How, Kind
from tests.scripts.machine.machine import Machine, Unknown

FORMAT = "1"


@dataclass(frozen=True)
class Ended:
    """How a step has ended, as the operator's side sees it."""

    code: int
    said: str
    error: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def result(self) -> Any:
        """What the step says for the program, which people are not shown."""
        return json.loads(self.error.splitlines()[-1].removeprefix(RESULT))


def run(
    machine: Machine,
    name: str,
    *args: str,
    data: Mapping[str, Any] | None = None,
    slug: str = "shop",
    fault: Fault | None = None,
) -> Ended:
    """Run one step in a process of its own, as the operator's side calls it."""
    machine.begin(fault)
    words = [slug, name, FORMAT, *args] if data is not None else [slug, name, *args]
    said, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["main", *words])
        patch.setattr(sys, "stdin", io.StringIO(json.dumps(data) if data is not None else ""))
        patch.setattr(sys, "stdout", said)
        patch.setattr(sys, "stderr", error)
        _install(machine, patch)
        code = main.main()
    return Ended(code, said.getvalue(), error.getvalue())


def _install(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    machine.files.install(patch)
    patch.setattr(subprocess, "run", _run(machine))
    patch.setattr(subprocess, "Popen", _popen(machine))
    patch.setattr(time, "time", machine.clock.time)
    patch.setattr(time, "monotonic", machine.clock.time)
    patch.setattr(time, "sleep", _sleep(machine))
    patch.setattr(probe, "ask_socket", _ask_socket(machine))
    patch.setattr(probe, "ask_proxy", _ask_proxy(machine))
    # Every account is the one that runs the tests, so that everybody can give files away.
    user = SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid(), pw_name="root", pw_shell="/bin/sh")
    group = SimpleNamespace(gr_gid=os.getgid(), gr_name="root", gr_mem=[])
    for module, names, found in ((pwd, ("getpwnam", "getpwuid"), user), (grp, ("getgrnam", "getgrgid"), group)):
        for name in names:
            patch.setattr(module, name, lambda _, found=found: found)


def _sleep(machine: Machine) -> Any:
    def sleep(seconds: float) -> None:
        with machine.files.quiet():
            machine.clock.sleep(seconds)

    return sleep


def _run(machine: Machine) -> Any:
    def run(argv: Sequence[str], *, input: str | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        if argv[0] == "tar":
            return subprocess.CompletedProcess(list(argv), *machine.extract(argv, more["stdin"]))
        return subprocess.CompletedProcess(list(argv), *machine.program(argv, input or ""))

    return run


def _popen(machine: Machine) -> Any:
    def popen(argv: Sequence[str], **_: object) -> Any:
        if argv[0] != "systemd-run":
            raise Unknown(argv)
        code, output = machine.job(argv)
        return SimpleNamespace(stdout=io.StringIO(output), wait=lambda: code)

    return popen


def _ask_socket(machine: Machine) -> Any:
    def ask_socket(path: str, *, host: str, scheme: str, url_path: str, timeout: float) -> Answer:
        how = machine.calls.begin(Kind.QUERY, f"ask {machine.files.shown(path).rpartition('/')[2]} for {host}")
        with machine.files.quiet():
            answer = _answer(machine, path, timeout)
        return Answer(error="no answer (ConnectionResetError)") if how in (How.REFUSED, How.LATE) else answer

    return ask_socket


def _ask_proxy(machine: Machine) -> Any:
    def ask_proxy(*, host: str, scheme: str, url_path: str, timeout: float) -> Answer:
        how = machine.calls.begin(Kind.QUERY, f"ask the proxy for {host}")
        if how in (How.REFUSED, How.LATE):
            return Answer(error="no answer (ConnectionResetError)")
        site = machine.nginx.site(host)
        if site is None:
            return Answer(404, body=nginx.OWN_PAGE.format(status=404))
        with machine.files.quiet():
            answer = _answer(machine, site.socket, timeout)
        return (
            answer
            if answer.status or answer.error == probe.SLOW
            else Answer(502, body=nginx.OWN_PAGE.format(status=502))
        )

    return ask_proxy


def _answer(machine: Machine, path: str, timeout: float) -> Answer:
    """What is behind a socket says, as the product's own client would tell it."""
    listener = machine.sockets.behind(path)
    if listener is None:
        return Answer(error="no answer (ConnectionRefusedError: [Errno 111] Connection refused)")
    deadline = machine.clock.now + timeout
    while machine.clock.now < deadline:
        found = machine.request(path)
        if found and found[0].answers(machine.clock.now):
            app = found[1]
            if app.log:
                machine.systemd.journal[found[0].unit].append((machine.clock.now, app.log))
            return Answer(app.status, app.location, app.body)
        machine.clock.sleep(0.1)
    return Answer(error=probe.SLOW)
