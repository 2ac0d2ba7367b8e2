"""A deploy while each of six queue libraries has a job under way: every job ends, once, where it began."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.host.debians import on_debian
from tests.host.desks import Desk
from tools.demo.history import History
from tools.trials.stack import eventually

pytestmark = [pytest.mark.host, on_debian(12)]

# What a job still needs when its worker is told to stop: one that is cut off shows.
SECONDS_LEFT = 4
# No key of the stack file says how they are stopped.
LIBRARIES = {
    "celery": "celery -A office worker -l info --concurrency 1",
    "channels": "python manage.py runworker work",
    "dramatiq": "python manage.py rundramatiq --processes 1 --threads 1",
    "huey": "python manage.py run_huey",
    "q": "python manage.py qcluster",
    "rq": "python manage.py rqworker",
}


class Office(Desk):
    """A stack of a project that uses all of them."""

    project: ClassVar[Path] = Path(__file__).with_name("queues")

    def first_config(self, history: History) -> dict[str, Any]:
        """What the stack starts with."""
        config = super().first_config(history)
        own = {"name": "Office", "settingsModule": "office.settings", "interface": "wsgi", "workers": LIBRARIES}
        config["codesensei:project"] |= own
        database = f"sqlite:////srv/codesensei/{self.slug}/shared/db.sqlite3"
        return config | {"codesensei:env": {"DATABASE_URL": database, "GUNICORN_WORKERS": "1"}}


@pytest.fixture
def office(changing_desk: Desk) -> Office:
    """The project, deployed beside the desk, which has brought what the server needs."""
    directory = changing_desk.directory.with_name("office")
    office = Office(changing_desk.server, directory, slug="office", hostname="office.example")
    office.create()
    office.up()
    return office


@pytest.mark.full
@pytest.mark.proves("workers.drain", "workers.stop-signal")
def test_a_job_under_way_survives_a_deploy(office: Office) -> None:
    server = office.server
    old = {library: office.main_process(library) for library in LIBRARIES}
    text = (office.repository / "jobs/views.py").read_text()
    office.set("project.source.revision", office.commit({"jobs/views.py": f"{text}\n# Next\n"}))
    office.asks("/give?name=long")
    for library in LIBRARIES:
        eventually(server, f"grep -qs 'begin long' {home_of(library)}/diary", 60)
    with ThreadPoolExecutor(len(LIBRARIES)) as pool:
        letting_go = [pool.submit(let_go_when_stopping, office, library) for library in LIBRARIES]
        office.up()
    for letting in letting_go:
        letting.result()
    for library in LIBRARIES:
        assert office.main_process(library) not in (old[library], "0"), library
        stopping = server.console(
            f"journalctl --sync; journalctl -q -o short-unix -u office-{library}.service | grep ' Stopping '"
        ).stdout.split()[0]
        (began, first, begin), (ended, second, end) = office.diary(library)
        assert (begin, end) == ("begin long", "end long"), library
        assert first == second, library
        assert began < float(stopping) < ended, f"{library} had no job under way"
    office.asks("/give?name=short")
    for library in LIBRARIES:
        eventually(server, f"grep -q 'end short' {home_of(library)}/diary", 60)
        # The first one was acknowledged: nobody has begun it again.
        events = [event for _, _, event in office.diary(library)]
        assert events == ["begin long", "end long", "begin short", "end short"], library
    eventually(server, "! curl -sS -H 'Host: office.example' http://127.0.0.1/left | grep -q '[1-9]'", 30)
    journal = server.console("journalctl -q -o cat -u 'office-*'").stdout
    assert [line for line in journal.splitlines() if "SIGKILL" in line] == []


def home_of(library: str) -> str:
    """The HOME of a worker."""
    return f"/srv/codesensei/office/shared/state/{library}"


def let_go_when_stopping(office: Office, library: str) -> None:
    """Let a worker's job end some seconds after the worker has been told to stop, and no sooner."""
    eventually(office.server, f'test "$(systemctl show -P ActiveState office-{library}.service)" = deactivating', 300)
    office.server.console(f"sleep {SECONDS_LEFT}; touch {home_of(library)}/enough")
