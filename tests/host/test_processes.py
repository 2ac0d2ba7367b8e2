"""What runs after a deploy: units as people know them, the same surroundings for all, logs, `manage`, a reboot."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.host.debians import on_debian
from tests.host.desks import WORKERS, Desk
from tests.host.load import Load
from tools.trials.stack import eventually

pytestmark = [pytest.mark.host, on_debian(13)]

ROOT = "/srv/codesensei/desk"
# Runs a program on a terminal of its own and answers each of its questions.
TYPE = """
import os, pty, sys
end = sys.argv.index("--")
program, answers = sys.argv[1:end], sys.argv[end + 1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(program[0], program)
while True:
    try:
        said = os.read(terminal, 1000)
    except OSError:
        break
    os.write(1, said)
    if answers and said.rstrip().endswith(b":"):
        os.write(terminal, answers.pop(0).encode() + b"\\n")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def shown(desk: Desk, unit: str) -> dict[str, str]:
    """All that systemd says of a unit."""
    lines = desk.server.console(f"systemctl show {unit}").stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.mark.proves("web.unit", "web.directory", "web.restart", "web.workers")
def test_the_web_unit_is_the_guides(desk: Desk) -> None:
    text = desk.server.console("systemctl cat desk.service").stdout
    promised = f"""\
Description=Desk & sons, 100%% (codesensei)
Wants=network-online.target
StartLimitIntervalSec=0
User=desk
Group=desk
WorkingDirectory={ROOT}/current/backend
EnvironmentFile={ROOT}/shared/.env
Restart=always
RestartSec=2
KillMode=mixed
TimeoutStopSec=20
WantedBy=multi-user.target"""
    assert set(promised.splitlines()) - set(text.splitlines()) == set()
    found = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert found is not None
    command = " ".join(found[1].replace("\\\n", " ").split())
    logs = f"{ROOT}/shared/logs"
    for part in (
        f"{ROOT}/shared/venv/bin/gunicorn --workers 2 --bind unix:{ROOT}/shared/gunicorn.sock ",
        f" --access-logfile {logs}/access.log --error-logfile {logs}/error.log ",
    ):
        assert part in command
    assert command.endswith(" desk.wsgi:application")
    assert "network-online.target" in shown(desk, "desk.service")["After"]
    # manage.py at the top is a link to the one in backend/.
    assert desk.asks()["cwd"] == f"{ROOT}/releases/{desk.outputs()['release']}/backend"
    told, seen = desk.asks_from()
    assert told == seen


@pytest.mark.proves("web.runbooks")
def test_runbooks_work(desk: Desk) -> None:
    server = desk.server
    assert server.console("systemctl is-enabled desk.service desk-worker.service").stdout == "enabled\nenabled\n"
    assert "active (running)" in server.console("systemctl status desk").stdout
    before = desk.main_process()
    server.console("systemctl restart desk.service")
    assert desk.main_process() not in {before, "0"}
    assert desk.asks()["environ"]["GREETING"] == "Hello"
    server.console("systemctl stop desk.socket desk.service; systemctl start desk.service")
    desk.asks()
    journal = server.console("journalctl --sync; journalctl -q -o cat -u desk.service").stdout
    assert "Started desk.service" in journal
    assert (
        "celery@" in server.console("journalctl -q -o cat -u desk-worker.service").stdout
        or "one@" in server.console("journalctl -q -o cat -u desk-worker.service").stdout
    )
    server.console(
        f'set -eu; set -a; . {ROOT}/shared/.env; test "$GREETING" = Hello; test -x {ROOT}/shared/venv/bin/python'
    )


@pytest.mark.proves("web.gunicorn-conf", "processes.environment", "workers.same", "workers.override")
def test_a_hostile_gunicorn_conf_decides_nothing_of_the_units(desk: Desk) -> None:
    said = desk.asks()["environ"]
    assert (said["FROM_CONF"], said["FROM_HOOK"]) == ("kept", "77")
    children = desk.server.console(f"pgrep -c -P {desk.main_process()}").stdout.strip()
    assert children == "2"
    assert desk.server.console("ls /tmp/desk.pid /tmp/desk.sock /tmp/access.log", check=False).stdout == ""
    assert ":8000" not in desk.server.console("ss -Hltn").stdout
    venv = desk.server.console(f"readlink -f {ROOT}/shared/venv").stdout.strip()
    web = desk.environ()
    assert web["PATH"].startswith(f"{ROOT}/shared/venv/bin:")
    for process in WORKERS:
        found = desk.environ(process)
        # The packages that they began with, also while they end and `current` leads to a new release.
        assert found["PATH"].startswith(f"{venv}/bin:/")
        for name in ("DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED", "GREETING"):
            assert found[name] == web[name], (process, name)
        assert found["MARK"] == ("second" if process == "second" else 'a "mark" of $5')
        assert found["HOME"] == f"{ROOT}/shared/state/{process}"
        cwd = desk.server.console(f"readlink /proc/{desk.main_process(process)}/cwd").stdout.strip()
        assert cwd == f"{ROOT}/releases/{desk.outputs()['release']}/backend"


@pytest.mark.proves("workers.unit", "workers.same", "workers.beat")
def test_each_worker_is_a_unit_with_a_shell_line_of_its_own(desk: Desk) -> None:
    for key, worker in WORKERS.items():
        unit = shown(desk, f"desk-{key}.service")
        line = worker["command"] if isinstance(worker, dict) else worker
        assert "desk.service" in unit["After"].split()
        assert "desk.service" not in " ".join(unit.get(name, "") for name in ("Requires", "BindsTo", "PartOf")).split()
        assert line not in unit["ExecStart"]
        path = f"/etc/codesensei/desk/workers/{key}.sh"
        assert desk.server.console(f"stat -c '%U:%G %a' {path}").stdout == "root:desk 640\n"
        written = desk.server.console(f"cat {path}").stdout.splitlines()[1:]
        assert [text.replace(' -s "$HOME/celerybeat-schedule"', "") for text in written] == line.splitlines()
    eventually(desk.server, f"test -s {ROOT}/shared/state/shell/diary")
    events = [event for _, _, event in desk.diary("shell")]
    assert events[0] == 'turn begins [\'a "mark" of $5\', \'100%n\', "it\'s"] a "mark" of $5'
    # Beat's schedule is in its HOME, though its line does not say so, and two workers share the work.
    eventually(desk.server, f"ls {ROOT}/shared/state/beat/celerybeat-schedule*")
    eventually(desk.server, f"grep -q tick {ROOT}/shared/state/second/diary")
    assert desk.server.console(f"ls {ROOT}/current/backend").stdout.count("celerybeat") == 0


def test_workers_live_without_the_web_and_the_web_without_them(desk: Desk) -> None:
    server, before = desk.server, [desk.main_process(process) for process in WORKERS]
    server.console("systemctl stop desk.socket desk.service")
    assert [desk.main_process(process) for process in WORKERS] == before
    server.console("systemctl start desk.socket desk.service")
    web = desk.main_process()
    server.console("systemctl kill --signal=KILL --kill-who=main desk-loop.service")
    eventually(server, "systemctl is-active -q desk-loop.service")
    assert desk.main_process("loop") not in {before[list(WORKERS).index("loop")], "0"}
    assert desk.main_process() == web
    desk.asks()


@pytest.mark.proves("logs.rotation")
def test_logs_rotate_and_no_request_is_lost(desk: Desk) -> None:
    with Load(desk) as load:
        eventually(desk.server, f"test $(grep -c 'GET / ' {ROOT}/shared/logs/access.log) -gt 5")
        desk.server.console("logrotate --force /etc/logrotate.d/codesensei-desk")
        eventually(desk.server, f"test $(grep -c 'GET / ' {ROOT}/shared/logs/access.log) -gt 5")
        rotated = desk.server.console(f"wc -l < {ROOT}/shared/logs/access.log.1").stdout
        desk.server.console(f"test -s {ROOT}/shared/logs/access.log")
        assert desk.server.console(f"wc -l < {ROOT}/shared/logs/access.log.1").stdout == rotated
    assert load.failed == []
    owners = desk.server.console(f"stat -c %U:%G {ROOT}/shared/logs/*.log*").stdout
    assert set(owners.split()) == {"desk:desk"}


def test_manage(desk: Desk) -> None:
    manage, server = f"{ROOT}/manage", desk.server

    def code(text: str) -> str:
        return f"cd /tmp && {manage} shell -v 0 -c {shlex.quote(text)}"

    assert server.console(code("import sys; sys.exit(37)"), check=False).returncode == 37
    assert server.console(f"{manage} no_such_command", check=False).returncode == 1
    words = ["a b", "it's", '"q"', "$X %n", ""]
    assert server.console(code(f"print({words!r}, chr(36))")).stdout == f"{words!r} $\n"
    # As a person does it: the password is asked for on a terminal, and not shown.
    server.put("/tmp/type.py", TYPE.encode())
    answers = "grace grace@desk.example A-long-passw0rd A-long-passw0rd"
    said = server.console(f"timeout 60 python3 /tmp/type.py {manage} createsuperuser -- {answers}").stdout
    assert "Superuser created successfully" in said
    assert "A-long-passw0rd" not in said
    check = "from django.contrib.auth.models import User; print(User.objects.get(username='grace').is_superuser)"
    assert server.console(code(check)).stdout == "True\n"
    # As a script does it.
    given = "DJANGO_SUPERUSER_USERNAME=joan DJANGO_SUPERUSER_EMAIL=joan@desk.example DJANGO_SUPERUSER_PASSWORD='a b$c'"
    server.console(f"{given} {manage} createsuperuser --noinput")
    check = (
        "from django.contrib.auth.models import User; print(User.objects.get(username='joan').check_password('a b$c'))"
    )
    assert server.console(code(check)).stdout == "True\n"


def test_manage_is_for_root_and_those_who_may_become_root(desk: Desk) -> None:
    manage, server = f"{ROOT}/manage", desk.server
    server.console("id ada || useradd --create-home --groups sudo ada; id bob || useradd --create-home bob")
    server.console("echo 'ada ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ada")
    try:
        assert server.console(f"runuser -u ada -- {manage} check").stdout.startswith(
            "System check identified no issues"
        )
        given = "env DJANGO_SUPERUSER_USERNAME=anne DJANGO_SUPERUSER_EMAIL=a@b.example DJANGO_SUPERUSER_PASSWORD=a"
        server.console(f"runuser -u ada -- {given} {manage} createsuperuser --noinput")
        users = "from django.contrib.auth.models import User"
        usable = f"{users}; print(User.objects.get(username='anne').has_usable_password())"
        assert server.console(f"{manage} shell -v 0 -c {shlex.quote(usable)}").stdout == "True\n"
        refused = server.console(f"runuser -u bob -- {manage} check", check=False)
        assert refused.returncode == 1
        assert refused.stderr == f"error: {manage} needs root: run it as root, or with sudo {manage}\n"
    finally:
        server.console("rm -f /etc/sudoers.d/ada; userdel -r ada; userdel -r bob", check=False)


def test_all_come_back_after_a_reboot(desk: Desk) -> None:
    release = desk.outputs()["release"]
    desk.server.reboot()
    desk.server.console("systemctl is-system-running --wait", check=False)
    units = " ".join(f"desk-{key}.service" for key in WORKERS)
    assert set(desk.server.console(f"systemctl is-active desk.socket desk.service {units}").stdout.split()) == {
        "active"
    }
    assert desk.asks()["cwd"].split("/")[4:6] == ["releases", release]
    desk.asks("/work?name=after-reboot&seconds=0")
    eventually(desk.server, f"grep -q 'end after-reboot' {ROOT}/shared/state/worker/diary")
    desk.up_without_changes()
