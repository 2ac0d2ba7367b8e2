"""The health check: what a release is asked, which answers are accepted, what the error says about others."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base import excerpt, probe, units
from codesensei.scripts.base.probe import Answer
from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import causes
from codesensei.scripts.release.release import Release, redactor
from codesensei.wire import paths
from codesensei.wire.manifest import HealthCheck, Manifest


@dataclass(frozen=True)
class Question:
    """The health check's request, for one of its hosts."""

    health: HealthCheck
    host: str

    def ask(self, seconds: float, socket: Path | None = None) -> Answer:
        """The answer of the process behind `socket`, or of the proxy."""
        ask: Callable[..., Answer] = functools.partial(probe.ask_socket, str(socket)) if socket else probe.ask_proxy
        return ask(host=self.host, scheme=self.health.scheme, url_path=self.health.path, timeout=seconds)

    def accepts(self, answer: Answer) -> bool:
        """Whether the stack accepts the answer, and it does not redirect to elsewhere."""
        accepted = not answer.error and probe.accepted(answer, self.health.accept)
        return accepted and not self._wrong_redirect(answer)

    def failure(self, release: Release, answer: Answer, log: str, *, where: str) -> Failure:
        """What to raise for an answer that is not accepted."""
        body = probe.head_of(redactor(release.project, release.name).clean(answer.body))
        cause, fix = self._cause(release, answer, f"{log}\n{body}")
        tail = "\n".join(filter(None, (log, body and f"body: {body}")))
        thing = f"release {release.name}, asked for {self.health.scheme}://{self.host}{self.health.path}"
        return Failure(thing, f"{answer.words()}{cause}", fix, tail, where=where)

    def _wrong_redirect(self, answer: Answer) -> str:
        scheme, path, hosts = self.health.scheme, self.health.path, self.health.hosts
        return probe.wrong_redirect(answer, host=self.host, scheme=scheme, url_path=path, hosts=hosts)

    def _cause(self, release: Release, answer: Answer, text: str) -> tuple[str, str]:
        """What is known beyond the answer itself, and the fix; `text` is the log with the body."""
        if wrong := self._wrong_redirect(answer):
            fix = "set codesensei:tls and codesensei:domains to what the project redirects to, or change"
            return f": {wrong}", f"{fix} SECURE_SSL_REDIRECT and PREPEND_WWW in its settings"
        facts = release.record.facts
        allowed = facts.allowed_hosts if facts else ()
        if answer.status == 400 and not _allows(allowed, self.host):
            refused = f"Django refuses the host {self.host} (DisallowedHost): ALLOWED_HOSTS is {list(allowed)}"
            return f": {refused}", _allowing(self.health.hosts, self.host)
        if hang := excerpt.hang(text):
            return f": {hang}", "make it wait less, or raise project.healthCheck.timeout"
        cause, fix = causes.explain_any(text, "")
        if cause:
            return f": {cause}", fix or "fix it; the same request on your machine, with DEBUG off, shows it too"
        accepted = ", ".join(self.health.accept)
        return "", f"make the project answer {self.health.path} with {accepted}, or change project.healthCheck"


def read_back(release: Release, manifest: Manifest, socket: Path | None = None) -> None:
    """Ask through the proxy, or over a socket, and make sure that this release's process answers."""
    health, web = manifest.health, manifest.web
    question, since = Question(health, health.hosts[0]), time.time() - 30
    answer = Answer(error="it was not asked")

    def answers() -> bool:
        nonlocal answer
        if units.show(web).active == "failed":
            return True
        answer = question.ask(health.timeout, socket)
        return answer.status != 0 and not probe.is_nginx_own(answer)

    units.wait_until(answers, health.timeout)
    if probe.is_nginx_own(answer):
        answer = Answer(answer.status, error=f"nginx itself answered with status {answer.status}, not the project")
    if not question.accepts(answer):
        where = f"on the server: journalctl -u {web}, and {release.project.logs}/error.log"
        raise question.failure(release, answer, log_of(release, web, since), where=where)
    process = units.show(web).main_pid
    directory = os.path.realpath(paths.SERVER.processes / process / "cwd") if process != "0" else "nothing"
    if not f"{directory}/".startswith(f"{release.path}/"):
        log = log_of(release, web, since)
        raise Failure(web, f"it serves {directory}, not {release.path}", "run pulumi up again", log)


def log_of(release: Release, unit: str, since: float) -> str:
    """A unit's journal without secrets."""
    return redactor(release.project, release.name).clean(units.journal_of(unit, since))


def _allowing(hosts: Sequence[str], host: str) -> str:
    """How to allow all hostnames of the stack; a leading dot only where there is a domain to put it before."""
    fix = f"add {', '.join(hosts)} to ALLOWED_HOSTS"
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return fix
    domain = host.partition(".")[2]
    return f"{fix}, or .{domain} for all names below {domain}" if domain else fix


def _allows(allowed: Sequence[str], host: str) -> bool:
    host = host.lower()
    return any(
        pattern in ("*", host) or (pattern.startswith(".") and (host.endswith(pattern) or host == pattern[1:]))
        for pattern in map(str.lower, allowed)
    )
