"""The health check: what a release is asked, which answers are accepted, what the error says about others."""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from codesensei.scripts.base import excerpt, units, visits
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.visits import Answer, Door, Visit
from codesensei.scripts.release import causes, jobs
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release, redactor
from codesensei.wire.manifest import HealthCheck
from codesensei.wire.names import asked_name, is_pattern
from codesensei.wire.quick import dataclass

# Seconds after which a request counts as hanging, when it is repeated to see what it waits for.
HANG_SECONDS = 10


@dataclass(frozen=True)
class Question:
    """The health check's request, for one of its hosts."""

    health: HealthCheck
    host: str

    @property
    def url(self) -> str:
        return visits.url_of(self.health.scheme, asked_name(self.host), self.health.path)

    def ask(self, door: Door, seconds: float) -> Visit:
        """What a visitor meets who comes by `door`; `seconds` for each answer."""
        # Only who asks loads what HTTP takes, up to a tenth of a second: a look never does.
        from codesensei.scripts.base import probe  # noqa: PLC0415

        return probe.visit(door, self.url, self.health.hosts, seconds)

    def accepts(self, visit: Visit) -> bool:
        """Whether the stack accepts the first answer, and the page at the end of its redirects is a sound one."""
        first, end = visit.answers[0], visit.end
        if is_pattern(self.host):
            # What a project says to a name that is nobody's is its own: only a refusal of the whole domain is none.
            leads_away = not visit.problem or visit.problem.startswith(visits.ELSEWHERE)
            return not end.error and leads_away and 0 < end.status < 500 and end.status != 400
        sound = visits.accepted(end, (*self.health.accept, "2xx"))
        return not end.error and not visit.problem and sound and visits.accepted(first, self.health.accept)

    def failure(self, step: Step[object], release: Release, visit: Visit, log: str, *, where: str) -> Failure:
        """What to raise for a visit that is not accepted; where `log` has no cause, Django is asked for one."""
        if not visit.problem and not causes.explain(log):
            log = self._ask_why(step, release, visit.end) or log
        body = visits.head_of(redactor(release.project, release.name).clean(visit.end.body))
        cause, fix = self._cause(release, visit, f"{log}\n{body}")
        tail = "\n".join(filter(None, (log, body and f"body: {body}")))
        at = f" at {visit.end.url}, to which it redirects" if len(visit.answers) > 1 else ""
        thing = f"release {release.name}, asked for {self.url}"
        return Failure(thing, f"{visit.end.words()}{at}{cause}", fix, tail, where=where)

    def _cause(self, release: Release, visit: Visit, text: str) -> tuple[str, str]:
        """What is known beyond the answer itself, and the fix; `text` is the log with the body."""
        if visit.problem == visits.CIRCLE:
            fix = 'with SECURE_SSL_REDIRECT, SECURE_PROXY_SSL_HEADER must be ("HTTP_X_FORWARDED_PROTO", "https")'
            return f": {visit.problem}", f"{fix}; the page of the login must not need a login"
        if visit.problem:
            tls = "codesensei:tls"
            if self.health.scheme == "http" and visit.end.location.startswith("https:"):
                tls += " (external where a load balancer or CDN has the certificate)"
            fix = f"set {tls} and codesensei:domains to what the project redirects to, or change"
            fix += " SECURE_SSL_REDIRECT and PREPEND_WWW in its settings"
            if visit.problem.startswith(visits.ELSEWHERE):
                fix = _or_another_page(fix, urlsplit(visit.end.location).hostname or "", self.health.hosts)
            return f": {visit.problem}", fix
        facts, end = release.record.facts, urlsplit(visit.end.url)
        allowed, host = facts.allowed_hosts if facts else (), end.hostname or self.host
        if visit.end.status == 400 and not _allows(allowed, host):
            refused = f"Django refuses the host {host} (DisallowedHost): ALLOWED_HOSTS is {list(allowed)}"
            return f": {refused}", _allowing(self.health.hosts, host)
        if hang := excerpt.hang(text):
            return f": {hang}", "make it wait less, or raise project.healthCheck.timeout"
        cause, fix = causes.explain_any(text, "")
        if cause:
            return f": {cause}", fix or "fix it; the same request on your machine, with DEBUG off, shows it too"
        accepted = ", ".join(self.health.accept)
        page = end.path or self.health.path
        return "", f"make the project answer {page} with {accepted}, or change project.healthCheck"

    def _ask_why(self, step: Step[object], release: Release, answer: Answer) -> str:
        """What Django itself says about a refused or unanswered request, where its log says nothing."""
        refused = answer.status >= 400 and not visits.accepted(answer, self.health.accept)
        if not refused and not answer.error.startswith("it did not answer"):
            return ""
        parts, script = urlsplit(answer.url or self.url), Path(__file__).with_name("ask_why.py")
        seconds = min(self.health.timeout, HANG_SECONDS)
        asked = {"host": parts.netloc, "path": parts._replace(scheme="", netloc="").geturl(), "scheme": parts.scheme}
        argv = [f"{release.venv}/bin/python", "-B", str(script), json.dumps({**asked, "seconds": seconds})]
        job = Job("ask Django why", argv, seconds=self.health.timeout + HANG_SECONDS)
        return jobs.run_job(step, release, job).tail


def log_of(release: Release, unit: str, since: float) -> str:
    """A unit's journal without secrets."""
    return redactor(release.project, release.name).clean(units.journal_of(unit, since))


def _allowing(hosts: Sequence[str], host: str) -> str:
    """How to allow all hostnames of the stack; a leading dot only where there is a domain to put it before."""
    # Django has a dot alone where others have *.
    fix = f"add {', '.join(name.removeprefix('*') for name in hosts)} to ALLOWED_HOSTS"
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return fix
    domain = host.partition(".")[2]
    return f"{fix}, or .{domain} for all names below {domain}" if domain else fix


def _or_another_page(fix: str, target: str, hosts: Sequence[str]) -> str:
    """`fix` of a redirect to the host `target`, which may be where visitors log in, and is none of the stack's."""
    page = "set project.healthCheck.path to a page that the project answers itself, such as a health view"
    if {target, f"www.{target}", target.removeprefix("www.")} & {*hosts}:
        return fix
    if _domain(target) in map(_domain, hosts):
        return f"{fix}; where {target} is a login of its own, {page}"
    return f"{page}; where {target} is a name of this project's, {fix}"


def _domain(host: str) -> str:
    """The last two parts of a name; an address as it is."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    return ".".join(host.split(".")[-2:])


def _allows(allowed: Sequence[str], host: str) -> bool:
    host = host.lower()
    return any(
        pattern in ("*", host) or (pattern.startswith(".") and (host.endswith(pattern) or host == pattern[1:]))
        for pattern in map(str.lower, allowed)
    )
