"""The health check: what a release is asked, which answers are accepted, and what is told of others."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base import excerpt, probe, units
from codesensei.scripts.base.probe import Answer
from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import causes
from codesensei.scripts.release.release import Release, redactor
from codesensei.wire.manifest import HealthCheck


@dataclass(frozen=True)
class Question:
    """The health check's request, for one of its hosts."""

    health: HealthCheck
    host: str

    def ask(self, seconds: float, socket: Path | None = None) -> Answer:
        """What the process behind `socket` answers, or through the proxy."""
        scheme, path = self.health.scheme, self.health.path
        if socket is None:
            return probe.ask_proxy(host=self.host, scheme=scheme, url_path=path, timeout=seconds)
        return probe.ask_socket(str(socket), host=self.host, scheme=scheme, url_path=path, timeout=seconds)

    def accepts(self, answer: Answer) -> bool:
        """Whether the answer is as the stack wants it, and leads nowhere else."""
        accepted = not answer.error and probe.accepted(answer, self.health.accept)
        return accepted and not self._wrong_redirect(answer)

    def failure(self, release: Release, answer: Answer, log: str, *, where: str) -> Failure:
        """What is told of an answer that is not accepted."""
        body = probe.head_of(redactor(release.project, release.name).clean(answer.body))
        cause, fix = self._cause(release, answer, f"{log}\n{body}")
        tail = "\n".join(part for part in (log, f"body: {body}" if body else "") if part)
        address = f"{self.health.scheme}://{self.host}{self.health.path}"
        return Failure(
            f"release {release.name}, asked for {address}", f"{answer.words()}{cause}", fix, tail, where=where
        )

    def _wrong_redirect(self, answer: Answer) -> str:
        health = self.health
        return probe.wrong_redirect(
            answer, host=self.host, scheme=health.scheme, url_path=health.path, hosts=health.hosts
        )

    def _cause(self, release: Release, answer: Answer, text: str) -> tuple[str, str]:
        """What is known beside the answer itself, and the fix; `text` is the log with the body."""
        if wrong := self._wrong_redirect(answer):
            return f": {wrong}", (
                "set codesensei:tls and codesensei:domains to what the project redirects to, or change"
                " SECURE_SSL_REDIRECT and PREPEND_WWW in its settings"
            )
        facts = release.record.facts
        allowed = facts.allowed_hosts if facts else ()
        if answer.status == 400 and not _allows(allowed, self.host):
            refused = f"Django refuses the host {self.host} (DisallowedHost): ALLOWED_HOSTS is {list(allowed)}"
            return f": {refused}", _allowing(self.health.hosts, self.host)
        if hang := excerpt.hang(text):
            return f": {hang}", "let it wait for nothing so long, or raise project.healthCheck.timeout"
        cause, fix = causes.explain_any(text, "")
        if cause:
            return f": {cause}", fix or "fix it; the same request on your machine, with DEBUG off, shows it too"
        accepted = ", ".join(self.health.accept)
        return "", f"make the project answer {self.health.path} with {accepted}, or change project.healthCheck"


def log_of(release: Release, unit: str, since: float) -> str:
    """A unit's journal without secrets."""
    return redactor(release.project, release.name).clean(units.journal_of(unit, since))


def _allowing(hosts: Sequence[str], host: str) -> str:
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


def _allows(allowed: Sequence[str], host: str) -> bool:
    host = host.lower()
    return any(
        pattern in ("*", host) or (pattern.startswith(".") and (host.endswith(pattern) or host == pattern[1:]))
        for pattern in (entry.lower() for entry in allowed)
    )
