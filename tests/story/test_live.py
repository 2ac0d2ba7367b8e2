"""Processes, hostnames and the switch, from two manifests."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from codesensei.story import Served, of_processes, of_site, of_switch
from codesensei.story.migrations import Migrations
from codesensei.wire.manifest import Manifest, RolePassword
from codesensei.wire.steps import ANOTHER_PASSWORD, Drift, Memory
from tests.story.parts import RELEASE, REVISION, SITES, manifest, worker

OTHER = "3333333-2222222"
QUIET = "visitors notice nothing, a candidate serves them meanwhile"
JOBS = "jobs have up to 600 s to end"
NONE = Migrations("migrations")


def told(was: Manifest, wanted: Manifest, release: str = RELEASE) -> list[tuple[str, ...]]:
    """The entries of the three sections."""
    served = Served(RELEASE, REVISION, manifest=was)
    parts = (
        of_processes(served, release, wanted),
        of_site(served, wanted, {}),
        of_switch(served, release, wanted, NONE),
    )
    return [part.entries for part in parts]


@pytest.mark.proves("story.silent")
def test_the_same_manifest_is_not_told() -> None:
    assert told(manifest(worker("worker")), manifest(worker("worker"))) == [(), (), ()]


@pytest.mark.proves("story.processes", "story.switch")
def test_another_release_restarts_all_that_stay() -> None:
    was = manifest(worker("worker"), worker("mailer"))
    assert told(was, was, OTHER) == [
        (
            "web restarts by hand-over",
            "mailer restarts, its jobs have 600 s to end",
            "worker restarts, its jobs have 600 s to end",
        ),
        (),
        (f"{QUIET}; {JOBS}",),
    ]


@pytest.mark.proves("story.processes", "story.switch")
def test_workers_that_come_go_and_run_another_line() -> None:
    was = manifest(worker("worker", "celery -c 2"), worker("old"), worker("stays"))
    wanted = manifest(worker("worker", "celery -c 4"), worker("beat", "celery beat", singleton=True), worker("stays"))
    assert told(was, wanted) == [
        (
            "+ beat: celery beat (singleton)",
            "- old: stops, its jobs have 600 s to end",
            "worker: celery -c 2 -> celery -c 4",
            "worker restarts, its jobs have 600 s to end",
        ),
        (),
        (f"nothing restarts for visitors; {JOBS}",),
    ]


@pytest.mark.proves("story.processes.number")
def test_a_number_that_nobody_gives_is_no_unknown_one() -> None:
    (first, *_), _, _ = told(manifest(), manifest(web="daphne", web_workers=None))
    assert first == "web: 3 workers -> as many as its server, or a secret variable, says"
    (first, *_), _, _ = told(manifest(web_workers=None), manifest(web="gunicorn"))
    assert first == "web: as many as its server, or a secret variable, says -> 3 workers"


@pytest.mark.proves("story.processes.time")
@pytest.mark.parametrize("seconds", [30, 900])
def test_jobs_have_the_time_of_the_unit_that_is_wanted(seconds: int) -> None:
    was = manifest(worker("gone"), worker("worker"))
    wanted = manifest(replace(worker("worker"), stop_timeout=seconds))
    processes, _, (meaning,) = told(was, wanted, OTHER)
    assert processes[0] == "- gone: stops, its jobs have 600 s to end"
    assert processes[-1] == f"worker restarts, its jobs have {seconds} s to end (before: 600 s)"
    assert meaning == f"{QUIET}; jobs have up to {max(600, seconds)} s to end"
    assert told(manifest(worker("worker")), wanted, OTHER)[2] == (f"{QUIET}; jobs have up to {seconds} s to end",)


@pytest.mark.proves("story.processes", "story.switch")
def test_another_number_of_web_processes() -> None:
    wanted = manifest(worker("worker"), web="--workers 5", web_workers=5)
    assert told(manifest(worker("worker")), wanted) == [
        ("web: 3 -> 5 workers", "web restarts by hand-over"),
        (),
        (f"{QUIET}; workers run on",),
    ]


@pytest.mark.proves("story.site", "story.switch")
def test_hostnames_that_come_and_go() -> None:
    wanted = manifest(site="server_name www", hosts=("www.shop.example.com",), scheme="https")
    assert told(manifest(), wanted) == [
        (),
        ("+ www.shop.example.com", "- shop.example.com", "http -> https"),
        ("nothing restarts for visitors; nginx reloads",),
    ]


@pytest.mark.proves("story.apart")
def test_long_lines_are_cut_around_their_difference() -> None:
    line = f"celery -A config worker --queues {'x' * 200} -c "
    (change, *_), _, (_, hook) = told(
        manifest(worker("worker", f"{line}2"), after_switch=(f"{line}2",)),
        manifest(worker("worker", f"{line}4"), after_switch=(f"{line}4",)),
    )
    for entry in (change, hook):
        assert re.search(r"…x+ -c 2 -> …x+ -c 4$", entry)
        assert len(entry) <= 160


@pytest.mark.proves("story.bounded")
def test_many_names_and_workers_hide_nothing() -> None:
    many = [f"{number:02}.example.com" for number in range(15)]
    wanted = manifest(*(worker(f"w{number:02}") for number in range(15)), hosts=tuple(many), scheme="https")
    processes, site, _ = told(manifest(worker("worker")), wanted)
    assert processes[10:] == ("+ and 5 more", "- worker: stops, its jobs have 600 s to end")
    assert site[10:] == ("+ and 5 more", "- shop.example.com", "http -> https")


@pytest.mark.proves("story.switch")
@pytest.mark.parametrize(
    "wanted", [manifest(socket="Backlog=1"), manifest(database=RolePassword(role="shop", digest="b"))]
)
def test_what_visitors_wait_for_is_said(wanted: Manifest) -> None:
    (_, _, (meaning,)) = told(manifest(), wanted)
    assert meaning == "visitors wait while web restarts"


@pytest.mark.proves("story.switch.password")
@pytest.mark.parametrize(
    ("was", "wanted", "waits"),
    [
        (("shop", "a"), ("shop", "b"), True),
        (("shop", "a"), ("web", "b"), False),
        (None, ("shop", "a"), False),
        (("shop", "a"), None, False),
    ],
)
def test_visitors_wait_for_another_password_of_the_same_role(
    was: tuple[str, str] | None, wanted: tuple[str, str] | None, waits: bool
) -> None:
    before, after = (
        manifest(database=RolePassword(role=one[0], digest=one[1]) if one else None) for one in (was, wanted)
    )
    processes, _, (meaning,) = told(before, after, OTHER)
    assert meaning == ("visitors wait while web restarts" if waits else QUIET)
    assert processes == ("web restarts" if waits else "web restarts by hand-over",)


@pytest.mark.proves("story.switch")
def test_a_socket_that_only_begins_in_another_way_goes_on() -> None:
    _, _, (meaning,) = told(manifest(socket="Backlog=1\n"), manifest(socket="Backlog=1\nExecStartPost=/bin/true\n"))
    assert meaning == "nothing restarts for visitors"


@pytest.mark.proves("story.switch")
def test_what_else_the_switch_gets_is_told_by_its_key() -> None:
    wanted = manifest(keep_releases=3, after_switch=("./tell",), production=True, path="/up", accept=("2xx", "401"))
    (entries, _, (_, *others)) = told(manifest(), wanted)
    assert entries == ()
    assert sorted(others) == [
        "afterSwitch none -> ./tell",
        "healthCheck.accept 2xx -> 2xx, 401",
        "healthCheck.path / -> /up",
        "keepReleases 5 -> 3",
        "production false -> true",
    ]


EDITED = Drift(step="switch", thing="/etc/systemd/system/shop.service was changed", lines=("shop.service restarts",))
LINE = Drift(step="switch", thing="/etc/codesensei/x.sh was changed by hand", lines=("shop-worker.service restarts",))
SITE = Drift(step="switch", thing=f"{SITES}/shop was changed by hand", lines=("-a", "+b"))


def stopped(name: str) -> Drift:
    return Drift(step="switch", thing=f"{name} is inactive", lines=("inactive (dead) -> active",))


@pytest.mark.proves("story.switch")
@pytest.mark.parametrize(
    ("drift", "told"),
    [
        ([EDITED], QUIET),
        ([EDITED, LINE], f"{QUIET}; {JOBS}"),
        ([EDITED, stopped("shop.service")], "web starts"),
        ([stopped("shop.socket")], "visitors wait while web restarts"),
        ([stopped("shop-worker.service")], "nothing restarts for visitors; worker starts"),
        # What has ended has no jobs.
        ([LINE, stopped("shop-worker.service")], "nothing restarts for visitors; worker starts"),
        ([SITE], "nothing restarts for visitors; nginx reloads"),
        (
            [
                Drift(
                    step="switch",
                    thing=f"role shop {ANOTHER_PASSWORD}",
                    lines=("shop.service restarts", "shop-worker.service restarts"),
                )
            ],
            f"visitors wait while web restarts; {JOBS}",
        ),
        (
            [Drift(step="switch", thing="shop.service is disabled", lines=("disabled -> enabled",))],
            "nothing restarts for visitors",
        ),
        ([Drift(step="proxy", thing="nginx.service is inactive")], ""),
        ([], ""),
    ],
)
def test_what_visitors_and_jobs_notice_of_a_repair(drift: list[Drift], told: str) -> None:
    served = Served(RELEASE, REVISION, manifest=manifest(worker("worker")))
    found = of_switch(served, RELEASE, manifest(worker("worker")), NONE, drift).entries
    assert found == ((told,) if told else ())


AGAIN = Drift(
    step="switch",
    thing="what serves would not start again",
    lines=("shop.service restarts", "shop-worker.service restarts"),
)
HOSTS = manifest(worker("worker"), site="server_name www", hosts=("shop.example.com", "www.shop.example.com"))


@pytest.mark.proves("story.switch.drift")
@pytest.mark.parametrize(
    ("drift", "processes", "meaning"),
    [
        (
            [AGAIN],
            ("web restarts by hand-over", "worker restarts, its jobs have 600 s to end"),
            f"{QUIET}; {JOBS}; nginx reloads",
        ),
        ([EDITED], ("web restarts by hand-over",), f"{QUIET}; workers run on; nginx reloads"),
        (
            [stopped("shop.service"), stopped("shop-worker.service")],
            ("web starts", "worker starts"),
            "web starts; worker starts; nginx reloads",
        ),
        ([stopped("shop.socket")], (), "visitors wait while web restarts; workers run on; nginx reloads"),
        ([replace(EDITED, step="proxy")], (), "nothing restarts for visitors; workers run on; nginx reloads"),
        ([], (), "nothing restarts for visitors; workers run on; nginx reloads"),
    ],
)
def test_what_is_put_back_is_felt_beside_what_else_changes(
    drift: list[Drift], processes: tuple[str, ...], meaning: str
) -> None:
    served = Served(RELEASE, REVISION, manifest=manifest(worker("worker")))
    assert of_processes(served, RELEASE, HOSTS, drift=drift).entries == processes
    assert of_switch(served, RELEASE, HOSTS, NONE, drift).entries == (meaning,)
    # Alone, it is told with the drift.
    assert of_processes(served, RELEASE, manifest(worker("worker")), drift=drift).entries == ()


@pytest.mark.proves("story.switch")
def test_a_state_without_what_is_live_is_said() -> None:
    served = Served(RELEASE, REVISION)
    assert of_processes(served, OTHER, manifest()).entries == ()
    assert of_switch(served, OTHER, manifest(), NONE).entries == (
        "what is live now is not in the state: all of it is held to be new",
    )


@pytest.mark.proves("story.switch")
@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize(
    ("found", "felt"),
    [
        (Migrations("migrations", harmful=True), "requests may fail from the migrations on until the candidate serves"),
        (Migrations("migrations", unfit=True), "requests may fail as long as the older code serves"),
    ],
)
def test_visitors_notice_migrations_that_the_code_cannot_live_with(found: Migrations, felt: str, refused: bool) -> None:
    served = Served(RELEASE, REVISION, manifest=manifest())
    migrations = replace(found, refused=refused)
    stops = "nothing changes: `pulumi up` stops at the migrations; once they are acknowledged:"
    assert of_switch(served, OTHER, manifest(), migrations).entries == ((stops, felt) if refused else (felt,))


@pytest.mark.proves("story.unknown")
def test_migrations_that_nobody_knows_promise_visitors_nothing() -> None:
    served, unknown = Served(RELEASE, REVISION, manifest=manifest()), Migrations("migrations", unknown=True)
    (meaning,) = of_switch(served, OTHER, manifest(), unknown).entries
    assert meaning == "what visitors notice depends on migrations that are not known here"
    (meaning,) = of_switch(served, OTHER, manifest(socket="Backlog=1"), unknown).entries
    assert meaning == "visitors wait while web restarts"


GB, MB = 1 << 30, 1 << 20
EACH = {"shop.service": 60 * MB, "shop-worker.service": 100 * MB}


@pytest.mark.proves("story.memory")
@pytest.mark.parametrize(
    ("was", "wanted", "told"),
    [
        (manifest(web_workers=2), manifest(web_workers=6), "about 240 MB more"),
        (manifest(web_workers=6), manifest(web_workers=2), ""),
        (manifest(web_workers=None), manifest(web_workers=2), ""),
        (manifest(), manifest(), ""),
        (
            manifest(worker("worker", "celery -A config worker -c 2")),
            manifest(worker("worker", "celery -A config worker --concurrency=5")),
            "about 300 MB more",
        ),
        (
            manifest(worker("worker", "celery -A config worker -c 2")),
            manifest(worker("worker", "celery -A config worker --autoscale=20,2")),
            "about 1.8 GB more for processes, and 1.0 GB are available; the kernel ends processes of a server",
        ),
        (
            manifest(worker("worker", "celery -A config worker -c 2")),
            manifest(worker("worker", "celery -A config worker -c 90 -P gevent")),
            "",
        ),
        (
            manifest(worker("worker", "dramatiq jobs -p 1")),
            manifest(worker("worker", "dramatiq jobs --processes 3 --threads 8")),
            "about 200 MB more",
        ),
        # As large as the others are on average.
        (manifest(), manifest(worker("mailer", "python manage.py send_mail")), "about 80 MB more"),
        (manifest(), manifest(worker("mailer", "celery -A config worker -c 4")), "about 320 MB more"),
        # One that is only called another takes what it took, and what one takes that leaves is free.
        (manifest(worker("worker")), manifest(worker("jobs")), ""),
        (manifest(worker("worker", "celery -A config worker -c 4")), manifest(worker("mailer", "python send.py")), ""),
        (manifest(worker("worker")), manifest(worker("jobs"), worker("mailer", "python send.py")), "about 80 MB more"),
        # What a worker takes less is held against what the web takes more.
        (
            manifest(worker("worker", "celery -A config worker -c 4"), web_workers=1),
            manifest(worker("worker", "celery -A config worker -c 2"), web_workers=5),
            "about 40 MB more",
        ),
    ],
)
def test_what_more_processes_take(was: Manifest, wanted: Manifest, told: str) -> None:
    served = Served(RELEASE, REVISION, manifest=was)
    entries = of_processes(served, OTHER, wanted, Memory(available=GB, each=EACH)).entries
    lines = [entry for entry in entries if entry.startswith("memory: ")]
    assert [told in line for line in lines] == ([True] if told else [])
    assert not told or "available" in lines[0]
    assert ("the kernel ends" in "".join(lines)) == ("1.8 GB" in told)
    for nobody_knows in (None, Memory(available=GB, each={})):
        assert "memory" not in str(of_processes(served, OTHER, wanted, nobody_knows).entries)


@pytest.mark.proves("story.site")
def test_another_certificate_is_told() -> None:
    was, wanted = (manifest(scheme="https", tls=digest) for digest in ("a", "b"))
    assert told(was, wanted)[1] == ("another certificate",)
    assert told(was, replace(was, media_url="/media/"))[1] == ("uploads not served -> /media/",)
