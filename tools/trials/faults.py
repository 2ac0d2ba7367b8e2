"""What is done to a server, its visitors' requests or the operator's machine while a deploy runs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.sandbox import Relay
from tools.sandbox.cgroups import cgroup
from tools.sandbox.errors import SandboxError
from tools.trials.stack import Stack

# Seconds between two looks for new processes.
PAUSE = 0.1
SLUG = "guestbook"
ROOT = f"/srv/codesensei/{SLUG}"
MEMORY = f"/var/lib/codesensei/{SLUG}"
HOLDER = f"/run/codesensei/project-{SLUG}.holder"
STEP = f"$(python3 -c \"import json; print(json.load(open('{HOLDER}'))['pid'])\")"
CANDIDATE = f"codesensei-candidate-{SLUG}.service"
BROKER = f"codesensei-broker-{SLUG}.service"
WORKER_FOLDER = f'"$(readlink -f /proc/$(systemctl show -P MainPID {SLUG}-worker.service)/cwd)"'

# How each phase of a deploy is seen on the server; FIRST is the release that served before it.
PHASES = {
    "environment": f"""grep -q '"step": "environment"' {HOLDER}""",
    "packages": "pgrep -f '[i]nstall --requirement'",
    "build": f"""grep -q '"step": "build"' {HOLDER}""",
    "migrate": "pgrep -u deploy -f '[r]un_migrate.py'",
    "static": f"""pgrep -f '[c]ollectstatic' && grep -q '"step": "build"' {HOLDER}""",
    "switch": f"""grep -q '"step": "switch"' {HOLDER}""",
    "candidate": f"systemctl is-active -q {CANDIDATE}",
    "hand-over": f"test -S {ROOT}/hand-over/live.sock",
    "current": f"test $(readlink {ROOT}/current) != releases/FIRST",
    "workers": f"test -e {MEMORY}/switch/journal.json && ! echo {WORKER_FOLDER} | grep -qx '/\\|{ROOT}/releases/FIRST'",
}
BUILDING = ("environment", "packages", "build", "migrate", "static")
SWITCHING = ("switch", "candidate", "hand-over", "current", "workers")
EVERYWHERE = BUILDING + SWITCHING


@dataclass
class Deploy:
    """A `pulumi up` under way, and the relay over which it reaches the server."""

    stack: Stack
    process: subprocess.Popen[str]
    relay: Relay

    def console(self, command: str) -> None:
        """Run a shell command as root on the server; one that fails strikes nothing (SandboxError)."""
        self.stack.server.console(command)

    def kill_children(self, words: str) -> None:
        """End at once what works in the program's directory and has such words in its line; SandboxError: nothing."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if (entry / "cwd").resolve() == self.stack.program and re.search(words, line):
                    found.append(int(entry.name))
        if not found:
            raise SandboxError(f"no process of the program matches {words}")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    `strike` does it, `lift` ends it before the next run, `before` prepares the server ahead of the deploy.
    `visitors_feel_it`: the fault itself keeps the site from answering, so failed requests are no fault of the deploy.
    """

    name: str
    strike: Callable[[Deploy], None]
    phases: tuple[str, ...] = EVERYWHERE
    lift: str = ""
    before: str = ""
    visitors_feel_it: bool = False


def on_server(command: str) -> Callable[[Deploy], None]:
    """A shell command of root's on the server."""
    return lambda deploy: deploy.console(command)


def _reboot(deploy: Deploy, *, power_cut: bool) -> None:
    deploy.stack.server.reboot(power_cut=power_cut)


def _interrupt(deploy: Deploy, times: int) -> None:
    for _ in range(times):
        with contextlib.suppress(ProcessLookupError):
            deploy.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            deploy.process.wait(1)


def _silence(deploy: Deploy, *, lasting: float) -> None:
    """Nothing passes for `lasting` seconds; 0: until the operator gives up and interrupts twice."""
    deploy.relay.stall()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            deploy.process.wait(lasting or 20)
        if not lasting:
            _interrupt(deploy, 2)
            with contextlib.suppress(subprocess.TimeoutExpired):
                deploy.process.wait(30)
    finally:
        deploy.relay.resume()


def _reset(deploy: Deploy) -> None:
    deploy.relay.drop()
    deploy.relay.resume()


def _squeeze(deploy: Deploy, megabytes: int) -> None:
    """As long as the deploy runs, the server gets so much memory more than it has, and no swap."""
    names = deploy.stack.server.container
    limit = Path("/sys/fs/cgroup/memory") / f"trial-{names.machine}"
    limit.mkdir(exist_ok=True)
    init = cgroup(names.cgroup).init()
    _move(init, limit)
    (limit / "memory.limit_in_bytes").write_text(f"{megabytes}M")

    def go_on() -> None:
        while deploy.process.poll() is None:
            _move(init, limit)
            time.sleep(PAUSE)
        (limit / "memory.limit_in_bytes").write_text("-1")

    threading.Thread(target=go_on, daemon=True).start()


def _move(init: int | None, limit: Path) -> None:
    """All of a server's processes but its process 1, which a whole machine's kernel never takes for want of memory."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            inside = init and os.readlink(entry / "ns/pid") == os.readlink(f"/proc/{init}/ns/pid")
            if inside and entry.name != str(init):
                (limit / "cgroup.procs").write_text(entry.name)


def small(folder: str, options: str) -> str:
    """Put what is in a folder on a small disk of its own, and start again what worked in it."""
    units = f"{SLUG}.socket {SLUG}.service {SLUG}-worker.service"
    return (
        f"set -e; systemctl stop {units}; mkdir -p /mnt/small; mount -t tmpfs -o mode=755,{options} small /mnt/small;"
        f" cp -a {folder}/. /mnt/small/; chown --reference={folder} /mnt/small; chmod --reference={folder} /mnt/small;"
        f" mount --bind /mnt/small {folder}; systemctl start {units}"
    )


def filled(folder: str) -> str:
    """Fill a disk to its last byte."""
    return f"cat /dev/zero > {folder}/.filled 2>/dev/null; true"


def emptied(*folders: str) -> str:
    """Remove what fills these disks."""
    return f"rm -rf {' '.join(f'{folder}/.filled {folder}/.filled.d' for folder in folders)}; true"


RELEASES = f"{ROOT}/releases"
# The app user tries to lead root elsewhere while root's steps run; ended in between, it leaves a folder's other name.
LED = f"cd {ROOT}/shared; for name in media logs state/web state/worker; do"
LED_BACK = "rm -f $name; mv -T $name.aside $name"
LINKS = (
    f"systemd-run --quiet --collect --unit trial-links --uid deploy bash -c 'while true; do {LED}"
    f" mv -T $name $name.aside && ln -s /etc $name; sleep 0.01; {LED_BACK}; done; done'"
)
NGINX = "systemctl kill --signal=KILL --kill-whom=all nginx.service"
FAULTS = (
    Fault("step killed", on_server(f"kill -KILL {STEP}")),
    Fault("connection killed", on_server(f"kill -KILL $(ps -o ppid= -p $(ps -o ppid= -p {STEP}))")),
    Fault("engine killed", lambda deploy: deploy.process.kill()),
    Fault("program killed", lambda deploy: deploy.kill_children("--monitor")),
    Fault("plugins killed", lambda deploy: deploy.kill_children(r"resource-command|start\.py command")),
    Fault("Ctrl-C once", lambda deploy: _interrupt(deploy, 1)),
    Fault("Ctrl-C twice", lambda deploy: _interrupt(deploy, 2)),
    Fault("connections reset", _reset),
    Fault("silent network, 25 s", lambda deploy: _silence(deploy, lasting=25)),
    Fault("silent network, given up", lambda deploy: _silence(deploy, lasting=0)),
    Fault("reboot", lambda deploy: _reboot(deploy, power_cut=False), visitors_feel_it=True),
    Fault("power cut", lambda deploy: _reboot(deploy, power_cut=True), visitors_feel_it=True),
    Fault("candidate killed", on_server(f"systemctl kill --signal=KILL {CANDIDATE}"), ("candidate", "hand-over")),
    Fault(
        "step and candidate killed",
        on_server(f"kill -KILL {STEP}; systemctl kill --signal=KILL {CANDIDATE}"),
        ("candidate", "hand-over"),
    ),
    Fault("web killed", on_server(f"systemctl kill --signal=KILL {SLUG}.service"), visitors_feel_it=True),
    Fault("web stopped", on_server(f"systemctl stop {SLUG}.service"), SWITCHING, visitors_feel_it=True),
    Fault("worker killed", on_server(f"systemctl kill --signal=KILL {SLUG}-worker.service")),
    Fault(
        "jobs killed", on_server("pkill -KILL -u $(getent passwd | grep -o '^csb-[0-9a-f]*')"), ("packages", "static")
    ),
    Fault("nginx stopped", on_server("systemctl stop nginx"), visitors_feel_it=True),
    Fault("nginx killed", on_server(NGINX), visitors_feel_it=True),
    Fault(
        "nginx with a broken site of others",
        on_server("echo 'no directive' > /etc/nginx/conf.d/zz-trial.conf"),
        lift="rm -f /etc/nginx/conf.d/zz-trial.conf",
    ),
    Fault(
        "PostgreSQL stopped",
        on_server("systemctl stop 'postgresql@*.service'"),
        lift="systemctl start postgresql.service",
        visitors_feel_it=True,
    ),
    Fault(
        "PostgreSQL killed",
        on_server("pkill -KILL -x postgres"),
        lift="systemctl restart postgresql.service",
        visitors_feel_it=True,
    ),
    Fault(
        "broker stopped",
        on_server(f"systemctl stop {BROKER}"),
        lift=f"systemctl start {BROKER}",
        visitors_feel_it=True,
    ),
    Fault("broker killed", on_server(f"systemctl kill --signal=KILL {BROKER}"), visitors_feel_it=True),
    Fault(
        "the releases' disk is full",
        on_server(filled(RELEASES)),
        before=small(RELEASES, "size=160m"),
        lift=emptied(RELEASES),
    ),
    Fault(
        "the releases' disk has no inode left",
        on_server(
            f"mkdir -p {RELEASES}/.filled.d; i=0; while touch {RELEASES}/.filled.d/$((i++)) 2>/dev/null; do :; done"
        ),
        before=small(RELEASES, "size=400m,nr_inodes=20000"),
        lift=emptied(RELEASES),
    ),
    Fault("root's notes: disk full", on_server(filled(MEMORY)), before=small(MEMORY, "size=8m"), lift=emptied(MEMORY)),
    Fault(
        "root's notes: disk read-only",
        on_server(f"mount -o remount,ro {MEMORY}"),
        before=small(MEMORY, "size=8m"),
        lift=f"mount -o remount,rw {MEMORY}",
    ),
    *(
        Fault(f"{note} torn", on_server(f"truncate -s -7 {path}"))
        for note, path in (
            ("history", f"{MEMORY}/history.jsonl"),
            ("diary of the steps", f"{MEMORY}/steps.jsonl"),
            ("register", "/var/lib/codesensei/register.json"),
            ("what is live", f"{MEMORY}/live.json"),
        )
    ),
    Fault(
        "journal of the switch torn",
        on_server(f"truncate -s -7 {MEMORY}/switch/journal.json"),
        ("hand-over", "current", "workers"),
    ),
    Fault(
        "no name is found",
        on_server("cp /etc/resolv.conf /root/resolv.conf; echo 'nameserver 192.0.2.1' > /etc/resolv.conf"),
        lift="[ ! -e /root/resolv.conf ] || cp /root/resolv.conf /etc/resolv.conf",
    ),
    Fault("30 MB of memory left", lambda deploy: _squeeze(deploy, 30), SWITCHING, visitors_feel_it=True),
    Fault(
        "the app user exchanges its folders for links",
        on_server(LINKS),
        lift=f"systemctl stop trial-links; {LED} [ ! -d $name.aside ] || {{ {LED_BACK}; }}; done",
        visitors_feel_it=True,
    ),
    Fault(
        "a flood of log lines",
        on_server("systemd-run --quiet --collect --unit trial-flood bash -c 'yes | logger'"),
        lift="systemctl stop trial-flood",
    ),
)
