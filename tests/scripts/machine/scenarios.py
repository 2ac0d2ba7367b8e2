"""What was live, what is asked for, and which calls lead from the one to the other."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.scripts.machine import doors, stack
from tests.scripts.machine.calls import Fault, Kind
from tests.scripts.machine.doors import Ended
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.stack import CANDIDATE, ROLE, ROOT, WEB, WEB_SOCKET, Stack

FIRST = Stack()
MAIL, BEAT = stack.worker_unit("mail"), stack.worker_unit("beat")
TWO_WORKERS = replace(
    FIRST, workers={"mail": "celery -A shop worker", "beat": "celery -A shop beat"}, singletons=("beat",)
)
OWN_CERTIFICATE = replace(FIRST, default_tls=f"{stack.MEMORY}/tls/d1")
WITHOUT_DOOR = replace(FIRST, door=False)
RENAMED = replace(FIRST, workers={"post": "celery -A shop worker"})
HOST, OTHER_HOST = "shop.example.com", "other.example.com"

# What every switch does first, and what it makes for processes, tells nothing of what it changes.
ALWAYS = re.compile(r"systemctl reset-failed (?:codesensei-job|shop)-\S+|pkill .*|as \w+: mkdir .*")
# Of all files, those that lead visitors and processes.
LEADING = re.compile(r"lead \S+/(current|previous) .*|(link|rename) \S+\.sock .*|lead \S+/sites-enabled/.*")

PROOF = "job: python -B ask_workers.py"
CANDIDATE_STARTS = (f"systemctl start {CANDIDATE}",)
CANDIDATE_ENDS = (f"systemctl stop {CANDIDATE}", f"systemctl reset-failed {CANDIDATE}")
TO_CANDIDATE = (
    "link hand-over/web.sock hand-over/live.sock",
    "link hand-over/candidate/web.sock hand-over/next.sock",
    "rename hand-over/next.sock hand-over/web.sock",
)
TO_LIVE = (
    "link hand-over/live.sock hand-over/next.sock",
    "rename hand-over/next.sock hand-over/web.sock",
    f"systemctl stop --no-block {CANDIDATE}",
)


def _units(*workers: str, renewal: tuple[str, ...] = (), changed: bool = False) -> tuple[str, ...]:
    """How units are loaded, once more where their files have changed, then workers renewed, then the socket started."""
    names = " ".join([WEB_SOCKET, WEB, *workers])
    again = ("systemctl daemon-reload",) if changed else ()
    return f"systemctl enable --no-reload {names}", *again, *renewal, f"systemctl start {WEB_SOCKET}"


def _renewed(*workers: str) -> tuple[str, ...]:
    return (f"systemctl restart --no-block --job-mode=ignore-dependencies {' '.join(workers)}",)


def _started(*workers: str) -> tuple[str, ...]:
    return (f"systemctl start {' '.join(workers)}",)


@dataclass(frozen=True)
class Scenario:
    """From one stack to another. `calls` are what `story` tells of the switch."""

    name: str
    before: Stack | None
    after: Stack
    calls: tuple[str, ...] = ()
    # What else has happened on the server before the switch.
    meanwhile: Callable[[Machine], None] = field(default=lambda machine: None)
    # Whether visitors are served all the time, neither waiting nor with an error.
    served: bool = True

    @contextmanager
    def machine(self) -> Iterator[Machine]:
        """A server on which everything waits for the switch."""
        found = served(self.before)
        try:
            stack.stage(found, self.after)
            self.meanwhile(found)
            yield found
        finally:
            found.end()


# Made once in each process of the tests, by what is live on them; a copy takes a tenth of the time.
_KEPT: dict[str, Machine] = {}


def kept(name: str, make: Callable[[], Machine]) -> Machine:
    """A copy of the machine that `make` makes, which is made at the first call with this name."""
    if name not in _KEPT:
        _KEPT[name] = make()
    return _KEPT[name].copy()


def forget() -> None:
    """End the machines of which copies were made."""
    while _KEPT:
        _KEPT.popitem()[1].end()


def served(live: Stack | None) -> Machine:
    """A server on which a stack is live, or nothing yet."""
    return kept(f"serves {live}", lambda: made(live))


def made(live: Stack | None) -> Machine:
    """The same, made step by step."""
    found = Machine.make()
    stack.make_server(found)
    if live:
        stack.stage(found, live)
        assert switch(found, live).ok
    return found


def switch(machine: Machine, wanted: Stack, fault: Fault | None = None) -> Ended:
    """Run the switch to a stack."""
    return doors.run(machine, "switch", wanted.release, wanted.revision, data=stack.manifest(wanted), fault=fault)


def look(machine: Machine) -> dict[str, object]:
    """All there is to see once every process has loaded, also of what the other stack's visitors are served."""
    machine.clock.sleep(1.0)
    return stack.picture(machine, HOST, "www.example.com", OTHER_HOST)


def differences(one: dict[str, object], other: dict[str, object]) -> dict[str, tuple[object, object]]:
    """Where two pictures differ."""
    return {key: (one.get(key), other.get(key)) for key in sorted({*one, *other}) if one.get(key) != other.get(key)}


def story(machine: Machine) -> tuple[str, ...]:
    """What the last switch has done with processes, visitors and the database, in order."""
    told = []
    for call in machine.calls.made:
        if call.kind is Kind.PROGRAM and not ALWAYS.fullmatch(call.text):
            told.append(call.text)
        elif call.kind is Kind.FILE and LEADING.fullmatch(call.text):
            told.append(call.text.replace(f"{ROOT}/", "").replace("/etc/nginx/", ""))
    return tuple(told)


def _change_password_by_hand(machine: Machine) -> None:
    machine.postgres.roles[ROLE] = "verifier-of:something else"


def _change_site_by_hand(machine: Machine) -> None:
    machine.write(stack.SITE, "server_name nobody;\n")
    machine.nginx.read()


def _unlink_site_by_hand(machine: Machine) -> None:
    machine.files.path(stack.SITE_LINK).unlink()
    machine.nginx.read()


def _change_script_by_hand(machine: Machine) -> None:
    machine.write(f"{stack.CONFIG}/workers/mail.sh", "celery -A shop worker -c 9\n")
    machine.systemd.control("restart", [MAIL], set())


def _change_unit_by_hand(machine: Machine) -> None:
    unit = machine.files.path(f"{stack.UNITS}/{WEB}")
    machine.write(f"{stack.UNITS}/{WEB}", unit.read_text().replace("[Service]", "[Service]\nRestart=no"))


def _lead_certificate_elsewhere(machine: Machine) -> None:
    machine.link(stack.DEFAULT_TLS, stack.THROW_AWAY)


def make_release_again(machine: Machine) -> None:
    """Its folder was removed by hand, and `build` has made it again: what runs works in the one that is gone."""
    for name in (WEB, MAIL):
        process = machine.systemd.units[name].process
        assert process
        cwd = machine.files.path(f"/proc/{process.pid}/cwd")
        directory = os.readlink(cwd)
        cwd.unlink()
        cwd.symlink_to(f"{directory} (deleted)")


def _disable_web(machine: Machine) -> None:
    machine.systemd.control("disable", [WEB], set())


def _end_mail(machine: Machine) -> None:
    machine.systemd.control("stop", [MAIL], set())


def _end_web(machine: Machine) -> None:
    machine.systemd.control("stop", [WEB, WEB_SOCKET], set())


NOTHING_TO_WEB = (f"systemctl start {WEB}",)
SCENARIOS = (
    Scenario(
        "first deploy",
        None,
        FIRST,
        (
            *CANDIDATE_STARTS,
            PROOF,
            "lead sites-enabled/codesensei-shop.conf to ../sites-available/codesensei-shop.conf",
            f"lead current to releases/{FIRST.release}",
            *_units(MAIL, renewal=_started(MAIL)),
            f"systemctl restart {WEB}",
            "systemctl reload nginx.service",
            *CANDIDATE_ENDS,
        ),
        served=False,
    ),
    Scenario(
        "new commit",
        FIRST,
        replace(FIRST, code="c0de002"),
        (
            *CANDIDATE_STARTS,
            PROOF,
            f"lead previous to releases/{FIRST.release}",
            "lead current to releases/c0de002-e000001",
            *TO_CANDIDATE,
            *_units(MAIL, renewal=_renewed(MAIL)),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            *CANDIDATE_ENDS,
        ),
    ),
    Scenario(
        "new commit after a version without the door",
        WITHOUT_DOOR,
        replace(FIRST, code="c0de002"),
        (
            "link shared/gunicorn.sock hand-over/next.sock",
            "rename hand-over/next.sock hand-over/web.sock",
            *CANDIDATE_STARTS,
            PROOF,
            f"lead previous to releases/{FIRST.release}",
            "lead current to releases/c0de002-e000001",
            "systemctl reload nginx.service",
            *TO_CANDIDATE,
            *_units(MAIL, renewal=_renewed(MAIL), changed=True),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            "systemctl reload nginx.service",
            *CANDIDATE_ENDS,
        ),
    ),
    Scenario(
        "one variable",
        FIRST,
        replace(FIRST, env="e000002"),
        (
            *CANDIDATE_STARTS,
            PROOF,
            f"lead previous to releases/{FIRST.release}",
            "lead current to releases/c0de001-e000002",
            *TO_CANDIDATE,
            *_units(MAIL, renewal=_renewed(MAIL)),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            *CANDIDATE_ENDS,
        ),
    ),
    Scenario(
        "workers only",
        FIRST,
        replace(FIRST, workers={"mail": "celery -A shop worker -c 2"}),
        (PROOF, *_units(MAIL, renewal=_renewed(MAIL)), *NOTHING_TO_WEB),
    ),
    Scenario(
        "site only",
        FIRST,
        replace(FIRST, body_size="20m"),
        (*_units(MAIL), *NOTHING_TO_WEB, "systemctl reload nginx.service"),
    ),
    Scenario("unchanged", FIRST, FIRST),
    Scenario(
        "password change",
        FIRST,
        replace(FIRST, env="e000002", password="second"),
        (
            *CANDIDATE_STARTS,
            PROOF,
            "psql ALTER ROLE shop",
            f"lead previous to releases/{FIRST.release}",
            "lead current to releases/c0de001-e000002",
            *_units(MAIL, renewal=_renewed(MAIL)),
            f"systemctl restart {WEB}",
            *CANDIDATE_ENDS,
        ),
        served=False,
    ),
    Scenario(
        "worker removed",
        TWO_WORKERS,
        FIRST,
        (
            *_units(MAIL),
            *NOTHING_TO_WEB,
            f"systemctl stop --no-block {BEAT}",
            f"systemctl disable --now {BEAT}",
            "systemctl daemon-reload",
        ),
    ),
    Scenario(
        "worker added",
        FIRST,
        TWO_WORKERS,
        (PROOF, *_units(BEAT, MAIL, renewal=_started(BEAT)), *NOTHING_TO_WEB),
    ),
    Scenario(
        "worker renamed",
        FIRST,
        RENAMED,
        (
            PROOF,
            *_units("shop-post.service"),
            *NOTHING_TO_WEB,
            f"systemctl stop --no-block {MAIL}",
            f"systemctl disable --now {MAIL}",
            "systemctl daemon-reload",
            "systemctl start shop-post.service",
        ),
    ),
    Scenario(
        "singleton",
        TWO_WORKERS,
        replace(TWO_WORKERS, code="c0de002"),
        (
            *CANDIDATE_STARTS,
            PROOF,
            f"lead previous to releases/{FIRST.release}",
            "lead current to releases/c0de002-e000001",
            *TO_CANDIDATE,
            *_units(BEAT, MAIL, renewal=_renewed(BEAT, MAIL)),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            *CANDIDATE_ENDS,
        ),
    ),
    Scenario(
        "socket only",
        FIRST,
        replace(FIRST, backlog=100),
        (
            f"systemctl enable --no-reload {WEB_SOCKET} {WEB} {MAIL}",
            "systemctl daemon-reload",
            f"systemctl stop {WEB}",
            f"systemctl restart {WEB_SOCKET}",
            *NOTHING_TO_WEB,
        ),
        served=False,
    ),
    Scenario(
        "web processes",
        FIRST,
        replace(FIRST, processes=4),
        (
            *CANDIDATE_STARTS,
            *TO_CANDIDATE,
            *_units(MAIL, changed=True),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            *CANDIDATE_ENDS,
        ),
    ),
    Scenario(
        "web program",
        FIRST,
        replace(FIRST, program="workers = 4\n"),
        (
            *CANDIDATE_STARTS,
            *TO_CANDIDATE,
            *_units(MAIL),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            *CANDIDATE_ENDS,
        ),
    ),
    Scenario(
        "web unit changed by hand",
        FIRST,
        FIRST,
        (
            *CANDIDATE_STARTS,
            *TO_CANDIDATE,
            *_units(MAIL),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            *CANDIDATE_ENDS,
        ),
        _change_unit_by_hand,
    ),
    Scenario(
        "another hostname",
        FIRST,
        replace(FIRST, hosts=(HOST, "www.example.com")),
        (*_units(MAIL), *NOTHING_TO_WEB, "systemctl reload nginx.service"),
    ),
    Scenario(
        "certificate for visitors without a name",
        FIRST,
        OWN_CERTIFICATE,
        (*_units(MAIL), *NOTHING_TO_WEB, "systemctl reload nginx.service"),
    ),
    Scenario(
        "password changed by hand",
        FIRST,
        FIRST,
        (
            PROOF,
            "psql ALTER ROLE shop",
            *_units(MAIL, renewal=_renewed(MAIL)),
            f"systemctl restart {WEB}",
        ),
        _change_password_by_hand,
        served=False,
    ),
    Scenario(
        "site changed by hand",
        FIRST,
        FIRST,
        (*_units(MAIL), *NOTHING_TO_WEB, "systemctl reload nginx.service"),
        _change_site_by_hand,
        served=False,
    ),
    Scenario(
        "site's link removed by hand",
        FIRST,
        FIRST,
        (
            "lead sites-enabled/codesensei-shop.conf to ../sites-available/codesensei-shop.conf",
            *_units(MAIL),
            *NOTHING_TO_WEB,
            "systemctl reload nginx.service",
        ),
        _unlink_site_by_hand,
        served=False,
    ),
    Scenario(
        "worker's command changed by hand",
        FIRST,
        FIRST,
        (PROOF, *_units(MAIL, renewal=_renewed(MAIL)), *NOTHING_TO_WEB),
        _change_script_by_hand,
    ),
    Scenario(
        "certificate led elsewhere by hand",
        OWN_CERTIFICATE,
        OWN_CERTIFICATE,
        (*_units(MAIL), *NOTHING_TO_WEB, "systemctl reload nginx.service"),
        _lead_certificate_elsewhere,
    ),
    Scenario(
        "release made again",
        FIRST,
        FIRST,
        (
            *CANDIDATE_STARTS,
            PROOF,
            *TO_CANDIDATE,
            *_units(MAIL, renewal=_renewed(MAIL)),
            f"systemctl restart {WEB}",
            *TO_LIVE,
            *CANDIDATE_ENDS,
        ),
        make_release_again,
    ),
    Scenario("web disabled by hand", FIRST, FIRST, (*_units(MAIL), *NOTHING_TO_WEB), _disable_web),
    Scenario(
        "worker stopped by hand", FIRST, FIRST, (*_units(MAIL, renewal=_started(MAIL)), *NOTHING_TO_WEB), _end_mail
    ),
    Scenario(
        "web stopped by hand",
        FIRST,
        FIRST,
        (*CANDIDATE_STARTS, *_units(MAIL), *NOTHING_TO_WEB, *CANDIDATE_ENDS),
        _end_web,
        served=False,
    ),
)
NAMED = {scenario.name: scenario for scenario in SCENARIOS}
NEW_COMMIT = NAMED["new commit"]
