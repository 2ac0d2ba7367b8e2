"""Units: the golden texts, and what must hold for any value."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from codesensei.render import broker, rotation, units
from codesensei.webservers import SERVERS
from codesensei.wire.paths import ProjectPaths

GOLDEN = Path(__file__).parent / "golden"
SETTINGS = "config.settings.production"
WSGI, ASGI = "config.wsgi:application", "config.asgi:application"


PATHS = ProjectPaths("shop")


def context(**changes: Any) -> units.UnitContext:
    given: dict[str, Any] = {
        "user": "deploy",
        "title": "Shop",
        "settings_module": SETTINGS,
        "directory": ".",
        **changes,
    }
    return units.UnitContext(paths=PATHS, **given)


def served(server: str, application: str = WSGI, workers: int | None = None, stop_timeout: int = 40) -> units.Web:
    found = SERVERS[server]
    workers = workers or (found.default_workers if found.workers_variable else None)
    return units.Web(server=found, application=application, workers=workers, stop_timeout=stop_timeout)


def example_texts() -> dict[str, str]:
    """File name to text, for every kind of unit."""
    shop, deeper = context(), context(directory="backend")
    return {
        "shop.socket": units.socket_unit(shop),
        "shop.service": units.web_unit(shop, served("gunicorn")),
        "shop-daphne.service": units.web_unit(shop, served("daphne", ASGI, stop_timeout=20)),
        "shop-uvicorn.service": units.web_unit(shop, served("uvicorn", ASGI)),
        "shop-backend.service": units.web_unit(deeper, served("gunicorn", workers=5, stop_timeout=120)),
        "candidate.service": units.candidate_unit(shop, served("gunicorn"), ["shop-mail.service"]),
        "candidate-daphne.service": units.candidate_unit(deeper, served("daphne", ASGI)),
        "candidate-uvicorn.service": units.candidate_unit(deeper, served("uvicorn", ASGI, workers=2)),
        "shop-worker.service": units.worker_unit(shop, "worker", stop_timeout=600),
        "shop-worker.sh.txt": units.worker_script(
            PATHS, "worker", command="celery -A config worker -l info -n %n@$HOST"
        ),
        "logrotate-gunicorn": rotation.logrotate(PATHS, user="deploy", server=SERVERS["gunicorn"]),
        "logrotate-daphne": rotation.logrotate(PATHS, user="deploy", server=SERVERS["daphne"]),
        "broker.conf": broker.config(),
    }


@pytest.mark.proves(
    "web.unit",
    "web.restart",
    "web.directory",
    "workers.same",
    "processes.environment",
    "paths.shared.home",
    "logs.rotation",
    "broker.keeps",
    "broker.loopback",
)
@pytest.mark.parametrize("name", sorted(example_texts()))
def test_golden(name: str) -> None:
    assert example_texts()[name] == (GOLDEN / name).read_text()


@pytest.mark.proves("web.socket.reload")
def test_a_socket_begins_with_one_command() -> None:
    """Of several, systemd would repeat some where it reads its units again before all of them have ended."""
    assert example_texts()["shop.socket"].count("\nExecStartPost=") == 1


@pytest.mark.proves("web.door")
def test_the_door_is_the_socket_itself_and_never_where_a_link_leads(tmp_path: Path) -> None:
    """In the place of its socket, the app user may put a link to another project's."""
    listening, new_door, door, other = (tmp_path / name for name in ("web.sock", "next.sock", "door", "other"))
    make = ["/bin/sh", "-c", units.MAKE_DOOR, *map(str, (listening, new_door, door))]
    listening.write_text("ours")
    subprocess.run(make, check=True)
    assert door.samefile(listening)
    other.write_text("somebody else's")
    listening.unlink()
    listening.symlink_to(other)
    assert subprocess.run(make, check=False).returncode != 0
    assert door.read_text() == "ours"


def test_no_golden_text_is_left_over() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == set(example_texts())


@pytest.mark.proves("web.unit", "web.restart")
def test_the_web_unit_has_all_of_the_contracts() -> None:
    promised = """\
User=deploy
Group=deploy
WorkingDirectory=/srv/codesensei/shop/current
EnvironmentFile=/srv/codesensei/shop/shared/.env
Restart=always
RestartSec=2
StartLimitIntervalSec=0
KillMode=mixed
Wants=network-online.target
WantedBy=multi-user.target"""
    text = example_texts()["shop.service"]
    assert set(promised.splitlines()) <= set(text.splitlines())
    socket = "/srv/codesensei/shop/shared/gunicorn.sock"
    assert f"ExecStart=/srv/codesensei/shop/shared/venv/bin/gunicorn --workers 3 --bind unix:{socket} " in text
    assert "--access-logfile /srv/codesensei/shop/shared/logs/access.log" in text
    assert "--error-logfile /srv/codesensei/shop/shared/logs/error.log" in text


@pytest.mark.parametrize("name", [name for name in sorted(example_texts()) if name.endswith((".service", ".socket"))])
def test_systemd_knows_every_setting(name: str, tmp_path: Path) -> None:
    """systemd-analyze names unknown settings; the example's programs and users are not on this machine."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed, so nothing here can check a unit (apt-get install systemd)")
    for file, text in example_texts().items():
        (tmp_path / file).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert said == []


def test_systemd_analyze_would_say_so(tmp_path: Path) -> None:
    """The check above can fail."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed, so nothing here can check a unit (apt-get install systemd)")
    file = tmp_path / "shop.service"
    file.write_text(example_texts()["shop.service"].replace("KillMode=mixed", "KilMode=mixed\nTimeoutStopSec=soon"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert len(said) == 2


def test_a_title_cannot_write_settings() -> None:
    with pytest.raises(ValueError, match="control character"):
        units.web_unit(context(title="Shop\nUser=root"), served("gunicorn"))


def test_hard_words_stay_words() -> None:
    text = units.web_unit(
        context(directory="my project/100%", title="Shop 100% $5"), served("gunicorn", "config.wsgi:make($X, 'a b')")
    )
    assert "Description=Shop 100%% $5 (codesensei)\n" in text
    assert "WorkingDirectory=/srv/codesensei/shop/current/my project/100%%\n" in text
    assert "  \"config.wsgi:make($$X, 'a b')\"\n" in text


@pytest.mark.proves("config.stop-timeout")
@pytest.mark.parametrize(("stop", "graceful"), [(40, 35), (6, 1), (5, 1), (1, 1), (600, 595)])
def test_requests_end_before_systemd_kills(stop: int, graceful: int) -> None:
    text = units.web_unit(context(), served("gunicorn", stop_timeout=stop))
    assert f"--graceful-timeout {graceful} " in text
    assert f"TimeoutStopSec={stop}\n" in text


@pytest.mark.proves("workers.unit")
@pytest.mark.parametrize("command", ["celery -A x worker", "echo '%n' \"$X\" `id` \\", "a\nb\n", "# only a comment"])
def test_a_workers_line_is_as_the_user_wrote_it(command: str) -> None:
    header, rest = units.worker_script(PATHS, "mail", command=command).split("\n", 1)
    assert header.startswith("# shop-mail.service: ")
    assert rest == f"{command}\n"


@pytest.mark.proves("workers.beat")
@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("celery -A x beat", "celery -A x beat SCHEDULE"),
        ("celery -A x beat -l info", "celery -A x beat SCHEDULE -l info"),
        ("env A=b /x/bin/celery -A x beat > log", "env A=b /x/bin/celery -A x beat SCHEDULE > log"),
        ("python -m celery -A x beat", "python -m celery -A x beat SCHEDULE"),
        ("cd x && celery --app=x beat | cat", "cd x && celery --app=x beat SCHEDULE | cat"),
        ("celery -A x worker -B -c 1", "celery -A x worker SCHEDULE -B -c 1"),
        ("celery -A x worker -c 1 --beat", "celery -A x worker SCHEDULE -c 1 --beat"),
        ("celery -A x beat -s /run/x", None),
        ("celery -A x beat --schedule=/run/x", None),
        ("celery -A x beat -s/run/x", None),
        ("celery -A beat worker -l info", None),
        ("celery -A x worker -Q beat-queue", None),
        ("python manage.py beat", None),
        ("celery -A x worker; beat", None),
    ],
)
def test_beat_has_its_schedule_in_its_home(line: str, written: str | None) -> None:
    expected = written or line
    assert units.with_schedule(line) == expected.replace(" SCHEDULE", units.SCHEDULE)


@pytest.mark.proves("workers.unit", "workers.same")
def test_a_workers_line_is_in_no_unit() -> None:
    text = units.worker_unit(context(), "beat", stop_timeout=30)
    assert "/etc/codesensei/shop/workers/beat.sh\n" in text
    assert "Environment=HOME=/srv/codesensei/shop/shared/state/beat\n" in text
    assert "After=network-online.target shop.service\n" in text
    assert "Requires=" not in text
    assert "TimeoutStopSec=30\n" in text


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("exec /bin/sleep 30", "/bin/sleep"),
        ("/bin/sleep 30", "/bin/sleep"),
        ("X='a b' /bin/sleep 30", "/bin/sleep"),
        ("cd / && /bin/sleep 30", "/bin/sleep"),
        ("cd /; /bin/sleep 30", "/bin/sleep"),
        ("while true; do /bin/sleep 30; done", "/bin/bash"),
    ],
)
def test_a_simple_line_replaces_its_shell(line: str, program: str, tmp_path: Path) -> None:
    """So that systemd's SIGTERM reaches the program; in front of a loop the shell stays."""
    script = tmp_path / "worker.sh"
    script.write_text(units.worker_script(PATHS, "worker", command=line))
    process = subprocess.Popen(["/bin/bash", "-c", units.RUN_FILE, str(script)])
    try:
        executable, arguments = Path(f"/proc/{process.pid}/exe"), Path(f"/proc/{process.pid}/cmdline")
        expected = Path(program).resolve()
        done = f"{line}\0".encode() if program == "/bin/bash" else b"/bin/sleep\0"
        deadline = time.monotonic() + 30
        while (executable.resolve() != expected or done not in arguments.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert executable.resolve() == expected
    finally:
        process.kill()
        process.wait()
