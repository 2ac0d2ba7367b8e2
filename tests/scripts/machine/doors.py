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
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from codesensei.scripts import main
from codesensei.scripts.base import host, probe, visits
from codesensei.scripts.base.visits import Answer, Door
from codesensei.scripts.steps import look
from codesensei.wire.steps import RESULT
from tests.scripts.machine import nginx
from tests.scripts.machine.calls import Fault, How, Kind
from tests.scripts.machine.machine import Machine, Unknown

FORMAT = "1"
ADDRESS = "203.0.113.7"


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
    patch.setattr(probe, "ask", _ask(machine))
    patch.setattr(host, "own_addresses", lambda: [ADDRESS])
    # The machine records one call after the other; what is asked side by side is asked when its answer is taken.
    patch.setattr(look, "begin", lambda question: question)
    # Every account is the one that runs the tests, so that everybody can give files away.
    words = {"pw_name": "root", "pw_gecos": "", "pw_dir": "/root", "pw_shell": "/bin/sh"}
    user = SimpleNamespace(pw_uid=os.getuid(), pw_gid=os.getgid(), **words)
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


def _ask(machine: Machine) -> Any:
    def ask(door: Door, url: str, _cookies: CookieJar, timeout: float) -> Answer:
        host = urlsplit(url).hostname
        place = machine.files.shown(door.socket).rpartition("/")[2] or "the proxy"
        how = machine.calls.begin(Kind.QUERY, f"ask {place} for {host}")
        if how in (How.REFUSED, How.LATE):
            return Answer(error="no answer (ConnectionResetError)", url=url)
        with machine.files.quiet():
            answer = _answer(machine, door.socket, url, timeout) if door.socket else _edge(machine, door, url, timeout)
        return replace(answer, url=url)

    return ask


def _edge(machine: Machine, door: Door, url: str, timeout: float) -> Answer:
    """nginx: it says in the log of the site who has asked, and answers itself where nobody else does."""
    site = machine.nginx.site(urlsplit(url).hostname or "")
    if site is None:
        return Answer(404, body=nginx.OWN_PAGE.format(status=404))
    log = machine.files.path(f"/var/log/nginx/{site.log}")
    with log.open("a") as lines:
        lines.write(f"GET {url} {door.word}\n")
    behind = next(filter(machine.sockets.behind, site.sockets), "")
    answer = _answer(machine, behind, url, timeout)
    if answer.status or answer.error == visits.SLOW:
        return answer
    return Answer(502, body=nginx.OWN_PAGE.format(status=502))


def _answer(machine: Machine, path: str, url: str, timeout: float) -> Answer:
    """What is behind a socket says, as the product's own client would tell it."""
    host, page = urlsplit(url).hostname, urlsplit(url).path
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
            if host in app.refuses:
                return Answer(400)
            if page in app.pages:
                return Answer(app.pages[page], body=app.body)
            return Answer(app.status, app.location, app.body)
        machine.clock.sleep(0.1)
    return Answer(error=visits.SLOW)
