"""Prove a release before it gets traffic: it starts beside the live one and must answer on a socket of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesensei.scripts.base import excerpt, files, probe, units
from codesensei.scripts.base import host as host_facts
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import causes, jobs
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release, redactor
from codesensei.scripts.serving import hand_over

# After which an answer counts as never coming, where the request is made again to see what it waits for.
HANG_SECONDS = 10
# How much of the available memory the candidate may take.
SPARE = 0.8
# Where the unit names the release.
RELEASE = "@release@"
RUNTIME_UNITS = Path("/run/systemd/system")


@contextlib.contextmanager
def proved(step: Step[object], release: Release, manifest: dict[str, Any]) -> Iterator[float]:
    """The candidate, running and proved, during the block; gives the seconds until it had answered.

    Raises Failure with status, body, journal and error log when it does not answer as `health` accepts.
    """
    name = manifest["candidate"]["name"]
    hand_over.make_place(step.project, release.user)
    _write_files(release, manifest["candidate"], unit_text(release, manifest), jobs.write_credentials(release))
    started = time.time()
    try:
        systemctl("start", name, check=False)
        for host in manifest["health"]["hosts"]:
            _prove_host(step, release, manifest, host, started)
        yield time.time() - started
    finally:
        _end(step, manifest)


def end_orphan(step: Step[object], manifest: dict[str, Any]) -> None:
    """End a candidate that a killed run has left running; the lock says that nobody else started it."""
    name = manifest["candidate"]["name"]
    if (RUNTIME_UNITS / name).exists():
        step.say(f"ending {name}, left by an interrupted run")
        _end(step, manifest)


def retire(manifest: dict[str, Any]) -> None:
    """Let the candidate finish what it has begun, and wait for nothing."""
    systemctl("stop", "--no-block", manifest["candidate"]["name"], check=False)


def _end(step: Step[object], manifest: dict[str, Any]) -> None:
    name = manifest["candidate"]["name"]
    systemctl("stop", name, check=False)
    systemctl("reset-failed", name, check=False)
    files.remove_path(RUNTIME_UNITS / name)
    files.remove_path(RUNTIME_UNITS / f"{name}.d")
    files.remove_path(_programs(manifest["candidate"]))
    files.remove_path(jobs.credentials_of(step.project))
    files.remove_path(step.project.candidate_place)
    systemctl("daemon-reload")


def _programs(candidate: dict[str, Any]) -> Path:
    return Path(candidate["files"][0]["path"]).parent


def unit_text(release: Release, manifest: dict[str, Any]) -> str:
    """The candidate's unit, with fewer processes where memory is short beside those that are live."""
    candidate = manifest["candidate"]
    text, wanted = str(candidate["unit"]).replace(RELEASE, release.name), candidate["workers"]
    web = next(unit["name"] for unit in manifest["units"] if unit["kind"] == "web")
    used = systemctl("show", "--value", "--property=MemoryCurrent", web, check=False).stdout.strip()
    if wanted is None or not used.isdigit():
        return text
    fitting = fitting_workers(wanted, int(used), host_facts.available_memory())
    return text.replace(f" --workers {wanted} ", f" --workers {fitting} ", 1)


def fitting_workers(wanted: int, used: int, available: int) -> int:
    """How many of `wanted` processes fit beside as many live ones that use `used` bytes together with their master."""
    each = max(1, used // (wanted + 1))
    return max(1, min(wanted, int(available * SPARE) // each - 1))


def _write_files(release: Release, candidate: dict[str, Any], text: str, credentials: Path | None) -> None:
    name, programs = candidate["name"], _programs(candidate)
    files.make_directory(programs.parent, 0o755)
    files.make_directory(programs, 0o750, "root", release.user)
    for entry in candidate["files"]:
        files.write_file(Path(entry["path"]), entry["content"], 0o640, "root", release.user)
    files.write_file(RUNTIME_UNITS / name, text, 0o644)
    folder = RUNTIME_UNITS / f"{name}.d"
    files.remove_path(folder)
    more = [f"EnvironmentFile={credentials}"] if credentials else []
    if release.place != release.path:
        more.append(f"BindPaths={release.place}:{release.path}")
    if more:
        files.make_directory(folder, 0o755)
        files.write_file(folder / "server.conf", "\n".join(["[Service]", *more]) + "\n", 0o644)
    systemctl("daemon-reload")


def _prove_host(step: Step[object], release: Release, manifest: dict[str, Any], host: str, started: float) -> None:
    health, name = manifest["health"], manifest["candidate"]["name"]
    socket = manifest["candidate"]["socket"]
    deadline = started + health["timeout"]
    slow = answer = probe.Answer(error=f"it did not answer within {health['timeout']} s")
    while time.time() < deadline:
        if os.path.exists(socket):
            left = max(1.0, deadline - time.time())
            answer = probe.ask_socket(socket, host=host, scheme=health["scheme"], url_path=health["path"], timeout=left)
            if answer.error == probe.SLOW:
                answer = slow
            if answer.status:
                break
        if units.show(name)["ActiveState"] in ("failed", "inactive"):
            answer = probe.Answer(error="its process ended before it answered")
            break
        time.sleep(0.1)
    if not _answers_well(health, host, answer):
        # Its error log goes to the journal as well.
        log = log_of(release, name, started)
        refused = answer.status >= 400 and not probe.accepted(answer, health["accept"])
        if (refused or answer == slow) and not causes.explain(log):
            log = _ask_why(step, release, health, host) or log
        raise refusal(release, manifest, host, answer, log, where=f"on the server: journalctl -u {name}")


def log_of(release: Release, unit: str, since: float) -> str:
    """A unit's journal without secrets."""
    return redactor(release.project, release.name).clean(units.journal_of(unit, since))


def _ask_why(step: Step[object], release: Release, health: dict[str, Any], host: str) -> str:
    """What Django itself says of such a request, where its log says nothing."""
    script = Path(__file__).with_name("ask_why.py")
    seconds = min(health["timeout"], HANG_SECONDS)
    asked = json.dumps({"host": host, "path": health["path"], "scheme": health["scheme"], "seconds": seconds})
    argv = [f"{release.venv}/bin/python", "-B", str(script), asked]
    return jobs.run_job(step, release, Job("ask Django why", argv, seconds=health["timeout"] + HANG_SECONDS)).tail


def judge(
    release: Release, manifest: dict[str, Any], host: str, answer: probe.Answer, unit: str, since: float, *, where: str
) -> None:
    """Raise Failure unless `answer` is one that `health` accepts; the log is that of `unit` since then."""
    if not _answers_well(manifest["health"], host, answer):
        raise refusal(release, manifest, host, answer, log_of(release, unit, since), where=where)


def _wrong_redirect(health: dict[str, Any], host: str, answer: probe.Answer) -> str:
    return probe.wrong_redirect(
        answer, host=host, scheme=health["scheme"], url_path=health["path"], hosts=health["hosts"]
    )


def _answers_well(health: dict[str, Any], host: str, answer: probe.Answer) -> bool:
    accepted = not answer.error and probe.accepted(answer, health["accept"])
    return accepted and not _wrong_redirect(health, host, answer)


def refusal(
    release: Release, manifest: dict[str, Any], host: str, answer: probe.Answer, log: str, *, where: str
) -> Failure:
    """What is told of an answer that `health` does not accept."""
    health = manifest["health"]
    address = f"{health['scheme']}://{host}{health['path']}"
    body = probe.head_of(redactor(release.project, release.name).clean(answer.body))
    wrong = _wrong_redirect(health, host, answer)
    cause, fix = _explain(release, health, host, answer, wrong, f"{log}\n{body}")
    tail = "\n".join(part for part in (log, f"body: {body}" if body else "") if part)
    return Failure(f"release {release.name}, asked for {address}", cause, fix, tail, where=where)


def _explain(
    release: Release, health: dict[str, Any], host: str, answer: probe.Answer, wrong: str, text: str
) -> tuple[str, str]:
    if wrong:
        return f"{answer.words()}: {wrong}", (
            "set codesensei:tls and codesensei:domains to what the project redirects to, or change SECURE_SSL_REDIRECT"
            " and PREPEND_WWW in its settings"
        )
    facts = release.notes.get("facts")
    allowed = facts.get("allowedHosts", []) if isinstance(facts, dict) else []
    if answer.status == 400 and not _allows(allowed, host):
        return (
            f"{answer.words()}: Django refuses the host {host} (DisallowedHost): ALLOWED_HOSTS is {allowed}",
            _allowing(health["hosts"], host),
        )
    if hang := excerpt.hang(text):
        return f"{answer.words()}: {hang}", "let it wait for nothing so long, or raise project.healthCheck.timeout"
    cause, fix = causes.explain_any(text, "")
    if cause:
        return (
            f"{answer.words()}: {cause}",
            fix or "mend it; the same request on your machine, with DEBUG off, shows it too",
        )
    accepted = ", ".join(health["accept"])
    return answer.words(), f"make the project answer {health['path']} with {accepted}, or change project.healthCheck"


def _allowing(hosts: list[str], host: str) -> str:
    """How to allow all hostnames of the stack; the leading dot where there is a domain to put it before."""
    fix = f"let ALLOWED_HOSTS have {', '.join(hosts)}"
    domain = host.partition(".")[2]
    return f"{fix}, or .{domain} for all names below {domain}" if domain and not _is_address(host) else fix


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _allows(allowed: list[str], host: str) -> bool:
    host = host.lower()
    return any(
        pattern in ("*", host) or (pattern.startswith(".") and (host.endswith(pattern) or host == pattern[1:]))
        for pattern in (entry.lower() for entry in allowed)
    )
