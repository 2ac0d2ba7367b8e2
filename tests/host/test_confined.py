"""What the units keep a project from, which key loosens that, and that nothing else goes with it."""

from __future__ import annotations

import pytest

from tests.host.debians import on_debian
from tests.host.desks import Desk

pytestmark = [pytest.mark.host, pytest.mark.full, on_debian(12)]


def process_of(desk: Desk, unit: str) -> str:
    return desk.server.console(f"systemctl show --property=MainPID --value {unit}").stdout.strip()


def own_tmp(desk: Desk, unit: str) -> str:
    return desk.server.console(f"stat -c %i /proc/{process_of(desk, unit)}/root/tmp").stdout


@pytest.mark.proves("processes.sandbox", "processes.places", "processes.loosened", "processes.refused")
def test_a_refusal_names_the_key_that_loosens_it(changing_desk: Desk) -> None:
    desk, server = changing_desk, changing_desk.server
    server.console("install -d -o desk /mnt/reports /opt/store")
    first = desk.outputs()["release"]
    desk.set("project.hooks", {"beforeMigrate": ["touch /mnt/reports/one"]})
    error = desk.up(succeed=False).said("error")
    assert "set project.sandbox: {ReadWritePaths: [/mnt/reports]}" in error
    assert desk.outputs()["release"] == first

    # A place that a variable names needs no key; what is loosened is said before it happens.
    desk.set("env.STORE", "/opt/store/deep")
    desk.set("project.hooks", {"beforeMigrate": ["touch /mnt/reports/one; mkdir /opt/store/deep"]})
    desk.set("project.sandbox", {"ReadWritePaths": ["/mnt/reports"], "NoNewPrivileges": False})
    desk.set("project.resources", {"web": {"memoryMax": "600M"}})
    warned = desk.preview().said("warning")
    assert "project.sandbox.ReadWritePaths: /mnt/reports is allowed" in warned
    assert "project.sandbox.NoNewPrivileges: is off, and so are" in warned
    desk.up()
    server.console("test -f /mnt/reports/one && test -d /opt/store/deep")
    web = process_of(desk, "desk.service")
    mounts = server.console(f"cat /proc/{web}/mountinfo").stdout
    modes = {line.split()[4]: line.split()[5].split(",")[0] for line in mounts.splitlines()}
    assert (modes["/"], modes["/mnt/reports"], modes["/opt/store"]) == ("ro", "rw", "rw")
    assert "NoNewPrivs:\t0\n" in server.console(f"cat /proc/{web}/status").stdout
    assert "MemoryMax=629145600\n" in server.console("systemctl show desk.service").stdout
    desk.up_without_changes()


def test_web_and_workers_have_one_tmp_and_it_is_nobody_else_s(desk: Desk) -> None:
    workers = desk.server.console("systemctl list-units --plain --no-legend 'desk-*.service'").stdout.split("\n")
    names = [line.split()[0] for line in workers if line]
    assert names
    places = {own_tmp(desk, name) for name in ("desk.service", *names)}
    assert len(places) == 1
    assert places != {desk.server.console("stat -c %i /tmp").stdout}
    desk.server.console("systemctl restart desk.service")
    assert own_tmp(desk, "desk.service") in places
