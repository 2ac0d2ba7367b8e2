"""A server that the version before has deployed to is taken over: what did not change runs on, and nobody waits."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tests.host.debians import on_debian
from tests.host.visitor import traffic
from tools.sandbox import Server
from tools.trials.stack import CHECKOUT, Stack

pytestmark = pytest.mark.host

# The last commit in which both sides of the connection had no contract.
EARLIER = "75650ac69f800b2476efe183ef213688646d788c"
PARTS = ("codesensei", "components", "__main__.py", "Pulumi.yaml")
# What the version after it runs in the same way.
UNITS = ("guestbook.socket", "nginx.service", "postgresql@*.service")


def earlier_program(folder: Path) -> Path:
    """The program as it was, from this repository's own history."""
    made = subprocess.run(["git", "archive", EARLIER, *PARTS], cwd=CHECKOUT, capture_output=True, check=False)
    assert made.returncode == 0, "this needs the repository's history: git fetch --unshallow"
    with tarfile.open(fileobj=BytesIO(made.stdout)) as archive:
        archive.extractall(folder)
    return folder


def starts(stack: Stack) -> str:
    """When each unit has started, with its process."""
    show = "systemctl show -p Id,MainPID,NRestarts,ActiveEnterTimestampMonotonic"
    return stack.server.console(f"{show} {' '.join(map(repr, UNITS))}").stdout


@pytest.mark.full
@on_debian(12)
def test_what_did_not_change_runs_on(debian: int, fresh: Callable[[int], Server], place: Path, tmp_path: Path) -> None:
    stack = Stack(fresh(debian), place / f"taken-over-{debian}")
    stack.create()
    with stack.editing() as config:
        # The earlier version knows no such key; what comes after it must find by itself that the server is in use.
        del config["codesensei:server"]["hardening"]
    stack.bring_program(earlier_program(tmp_path))
    stack.up()
    release, before = stack.serving(), starts(stack)
    assert stack.site.greets("Hello")
    stack.bring_program(CHECKOUT)
    assert "NoNewPrivileges" in stack.preview("--diff").output
    with traffic(stack.site.address, stack.site.hostname, https=False) as seen:
        stack.up()
    assert seen.asked > 100
    assert seen.failed == []
    assert starts(stack) == before
    assert stack.server.console("nft list table inet codesensei", check=False).returncode != 0
    # nginx, which serves, is confined when it starts the next time.
    assert (
        "NoNewPrivileges=yes"
        in stack.server.console("systemctl show guestbook.service guestbook-worker.service").stdout
    )
    assert (
        "NoNewPrivileges=yes" in stack.server.console("cat /etc/systemd/system/nginx.service.d/codesensei.conf").stdout
    )
    # The code is the same; the variables tell it the address of the stack's own broker.
    taken = stack.serving()
    assert taken == stack.outputs()["release"]
    assert taken.partition("-")[0] == release.partition("-")[0]
    stack.up_without_changes()
    # From then on it is a stack like any other.
    stack.use("main~1")
    stack.up()
    assert stack.serving() != taken
    stack.set("project.source.revision", stack.revision("main~2"))
    stack.up()
    assert stack.serving() == taken
    stack.destroy()
