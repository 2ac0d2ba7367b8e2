"""Workers through deploys: the old ones finish, a singleton is never two, one that dies brings everything back."""

from __future__ import annotations

import re
import threading

import pytest

from tests.host.debians import on_debian
from tests.host.desks import WORKERS, Desk
from tests.host.load import Load
from tools.trials.stack import eventually

pytestmark = [pytest.mark.host, on_debian(13)]

ROOT = "/srv/codesensei/desk"
JOB_SECONDS = 12
# The shells and the proof have the line in their arguments too.
BEATS = "pgrep -u desk -f '/bin/[c]elery -A desk beat'"


class Watch:
    """Counts, as often as it can, how many processes of a kind run at once."""

    def __init__(self, desk: Desk, command: str) -> None:
        self._desk, self._command = desk, command

    def __enter__(self) -> Watch:
        turn = f"{self._command} | wc -l; sleep 0.05"
        loop = f"rm -f /tmp/watch.end; while ! test -e /tmp/watch.end; do {turn}; done | sort | uniq -c"
        self.found = ""
        self._thread = threading.Thread(target=self._run, args=(loop,), daemon=True)
        self._thread.start()
        return self

    def _run(self, loop: str) -> None:
        self.found = self._desk.server.console(loop, timeout=600).stdout

    def __exit__(self, *_: object) -> None:
        self._desk.server.console("touch /tmp/watch.end")
        self._thread.join(30)

    @property
    def numbers(self) -> set[int]:
        return {int(line.split()[1]) for line in self.found.splitlines()}


@pytest.mark.proves("workers.drain", "workers.singleton", "shared.move-with-current")
def test_a_new_release_lets_everything_finish(changing_desk: Desk) -> None:
    desk = changing_desk
    before = desk.outputs()["release"]
    text = (desk.repository / "requirements.txt").read_text()
    files = {"requirements.txt": f"{text}gevent==25.9.1\n"}
    desk.set("project.source.revision", desk.commit(files, subject="Serve with gevent"))
    with desk.editing() as config:
        config["codesensei:env"] |= {"WORKER_CLASS": "gevent", "BOOT_SECONDS": "2"}
        del config["codesensei:env"]["GUNICORN_WORKERS"]
    desk.set_secret("codesensei:secretEnv.GUNICORN_WORKERS", "1")
    old = {process: int(desk.main_process(process)) for process in ("worker", "loop", "shell")}
    desk.asks(f"/work?name=long&seconds={JOB_SECONDS}")
    with Load(desk) as load, Watch(desk, BEATS) as beats:
        begun = f"grep -q 'begin long' {ROOT}/shared/state/worker/diary"
        eventually(desk.server, begun)
        # A job is in progress when the switch comes.
        waiting = threading.Thread(target=lambda: keep_busy(desk), daemon=True)
        waiting.start()
        done = desk.up()
        waiting.join(60)
    assert load.failed == []
    assert load.lost() == set()
    assert load.releases == [before, desk.outputs()["release"]]
    assert beats.numbers <= {0, 1}
    assert re.search(
        r"seconds: .*build [\d.]+ \(code .*, packages .*, settings .*, migrate .*, static .*\),"
        r" switch [\d.]+ \(proof .*, candidate .*, web .*, workers .*\)",
        done.output,
    )
    # What had begun was finished by those who had begun it, and nobody was killed.
    for name in ("long", "busy"):
        begun_by = [pid for _, pid, event in desk.diary("worker") if event == f"begin {name}"]
        ended_by = [pid for _, pid, event in desk.diary("worker") if event == f"end {name}"]
        assert begun_by == ended_by
    assert (old["loop"], "loop has ended") in [(pid, event) for _, pid, event in desk.diary("loop")]
    assert "turn has ended" in [event for _, _, event in desk.diary("shell")]
    words = desk.server.console(f"cat {ROOT}/shared/state/shell/words").stdout
    assert "the turn's last words" in words
    journal = desk.server.console("journalctl -q -o cat -u 'desk-*'").stdout
    assert [line for line in journal.splitlines() if "with signal SIGKILL" in line] == []
    # The secret number is in no command line.
    assert desk.server.console(f"pgrep -c -P {desk.main_process()}").stdout.strip() == "1"
    assert "--workers" not in desk.server.console("systemctl show desk.service").stdout
    assert desk.asks()["environ"]["FROM_CONF"] == "kept"
    desk.up_without_changes()


def keep_busy(desk: Desk) -> None:
    """Give the worker a job as soon as the candidate is being proved, so that it works when the switch comes."""
    eventually(desk.server, "systemctl is-active -q codesensei-candidate-desk.service", 300)
    desk.asks(f"/work?name=busy&seconds={JOB_SECONDS}")


@pytest.mark.full
@pytest.mark.proves("workers.singleton")
def test_workers_are_renamed_removed_and_missed(changing_desk: Desk) -> None:
    desk, server = changing_desk, changing_desk.server
    web = desk.main_process()
    with desk.editing() as config:
        workers = config["codesensei:project"]["workers"]
        workers["clock"] = workers.pop("beat")
        del workers["second"]
    # Somebody has removed a unit by hand, and the process with it.
    server.console("systemctl stop desk-loop; rm /etc/systemd/system/desk-loop.service; systemctl daemon-reload")
    with Watch(desk, BEATS) as beats:
        desk.up()
    assert beats.numbers <= {0, 1}
    units = server.console("systemctl list-units --all --plain --no-legend 'desk*'").stdout
    kept = ("clock", "loop", "shell", "worker")
    assert [line.split()[0] for line in units.splitlines()] == [
        *(f"desk-{key}.service" for key in kept),
        "desk.service",
        "desk.socket",
    ]
    assert {desk.serving(key).partition("/")[0] for key in kept} == {desk.outputs()["release"]}
    assert server.console(BEATS).stdout.split() == [desk.main_process("clock")]
    assert desk.main_process() == web
    desk.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("workers.proof", "workers.dying")
def test_a_worker_that_cannot_run(changing_desk: Desk) -> None:
    desk = changing_desk
    release, file = desk.outputs()["release"], desk.file.read_text()
    before = [desk.main_process(process) for process in ("", *WORKERS)]
    wrong = {
        "nowhere": "no-such-program --loud",
        "lost": "celery -A no_such_module worker",
        "mute": "python manage.py no_such_command",
        "open": 'echo "never closed',
    }
    with desk.editing() as config:
        config["codesensei:project"]["workers"] |= wrong
    done = desk.up(succeed=False)
    error = done.said("error")
    for words in (
        "desk-nowhere.service",
        "there is no program no-such-program",
        "desk-lost.service",
        "no_such_module",
        "desk-mute.service",
        "manage.py has no command no_such_command",
        "desk-open.service",
        "not a line that bash can read",
    ):
        assert words in error, error
    # Nothing had been touched.
    assert [desk.main_process(process) for process in ("", *WORKERS)] == before
    desk.file.write_text(file)
    desk.set("project.workers.dies", "python manage.py dies 2")
    done = desk.up(succeed=False)
    assert "desk-dies.service" in done.said("error")
    assert "this worker has nothing to live for" in done.said("error")
    assert [desk.main_process(process) for process in ("", *WORKERS)] == before
    assert desk.server.console("systemctl list-units --all --plain --no-legend 'desk-dies*'").stdout == ""
    desk.asks()
    desk.file.write_text(file)
    desk.up()
    assert desk.outputs()["release"] == release
    assert [desk.main_process(process) for process in ("", *WORKERS)] == before
