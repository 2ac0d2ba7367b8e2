"""What visitors are served, read back through the edge proxy as strangers reach it.

Each visit says a word of its own, as the name of its browser. nginx writes that into the log of the site that took the
request, and only the project's site writes into the project's log: no other site that has the hostname passes for it.
Visitors notice nothing, and nothing has to change on a server for it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import socket
from dataclasses import replace
from pathlib import Path

from codesensei.scripts.base import files, host, nginx, probe, rivals, sites, units, visits
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.visits import Answer, Door, Visit
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import hand_over
from codesensei.scripts.serving.health import Question, log_of
from codesensei.wire import paths
from codesensei.wire.manifest import HealthCheck, Manifest

LOOPBACK = "127.0.0.1"
# What nginx itself says where no process answers yet.
NOBODY_YET = (502, 504)
# nginx writes its line when the answer has gone out.
NOTED_SECONDS = 3.0


def read_back(step: Step[Manifest], release: Release, since: float, *, behind_proxy: bool = False) -> None:
    """Ask for every hostname, as strangers do or behind the proxy, and make sure that this release's process answers.

    Its log from `since` on, seconds since the epoch, may have the cause of a failure.
    """
    manifest, web = step.data, step.data.web
    where = f"on the server: journalctl -u {web}, and {release.project.logs}/error.log"
    places = [] if behind_proxy else addresses(manifest.health)
    for question in (Question(manifest.health, name) for name in manifest.health.hosts):
        told = [_visit(step, question)] if behind_proxy else []
        for visit in (*told, *(_through(step, question, address) for address in places)):
            if not question.accepts(visit):
                raise question.failure(step, release, visit, log_of(release, web, since), where=where)
    process = units.show(web).main_pid
    directory = os.path.realpath(paths.SERVER.processes / process / "cwd") if process != "0" else "nothing"
    if not f"{directory}/".startswith(f"{release.path}/"):
        log = log_of(release, web, since)
        raise Failure(web, f"it serves {directory}, not {release.path}", "run pulumi up again", log)


def addresses(health: HealthCheck) -> list[str]:
    """Where the proxy is asked: where strangers find this server; nobody needs to listen at another than the first.

    Strangers are only redirected where TLS ends before the server.
    """
    return [LOOPBACK] if health.external_tls else _strangers(health.scheme)


def _strangers(scheme: str) -> list[str]:
    first, *others = host.own_addresses() or [LOOPBACK]
    found = [first]
    for address in others:
        with contextlib.suppress(OSError), socket.create_connection((address, probe.PORTS[scheme]), 1.0):
            found.append(address)
    return found


def _through(step: Step[Manifest], question: Question, address: str) -> Visit:
    """A visit through the proxy. Raises Failure where another site than the project's takes a request of it."""
    visit = _proved(step, question, address)
    health = question.health
    if health.scheme == "https":
        # Visitors who type the name alone come over HTTP first, and are led on.
        plain = Question(replace(health, scheme="http", external_tls=False), question.host)
        for place in _strangers("http") if health.external_tls else [address]:
            _proved(step, plain, place)
    return visit


def _proved(step: Step[Manifest], question: Question, address: str) -> Visit:
    log, visit = step.project.site_log, Visit(())
    # Twice, because a log that is rotated in between loses the word.
    for _ in range(2):
        units.ensure_running(step, nginx.UNIT, "nginx")
        word, began = secrets.token_hex(8), log.stat().st_size if log.is_file() else 0
        visit = _visit(step, question, Door(address=address, word=word, plain=question.health.external_tls))
        noted = functools.partial(_is_noted, log, began, word, visit)
        if not visit.end.status and not units.is_active(nginx.UNIT):
            continue
        if not visit.end.status or units.wait_until(noted, NOTED_SECONDS, pause=0.02):
            return visit
    if not visit.end.status:
        raise Failure("nginx", "it ends again and again", f"on the server: systemctl status {nginx.UNIT}")
    raise _taken(step, question, visit.end)


def _is_noted(log: Path, began: int, word: str, visit: Visit) -> bool:
    return files.read_foreign(log, began).count(word.encode()) >= len(visit.answers)


def _visit(step: Step[Manifest], question: Question, door: Door | None = None) -> Visit:
    """The first visit on which the project answers, in the time that it has; without a door behind the proxy."""
    visit = Visit((Answer(error="it was not asked"),))

    def answers() -> bool:
        nonlocal visit
        if units.show(step.data.web).active == "failed":
            return True
        visit = question.ask(door or Door(socket=str(hand_over.live_socket(step.project))), question.health.timeout)
        is_yet_to_come = visits.is_nginx_own(visit.end) and visit.end.status in NOBODY_YET
        return visit.end.status != 0 and not is_yet_to_come

    units.wait_until(answers, question.health.timeout)
    if visits.is_nginx_own(visit.end):
        error = f"nginx itself answered with status {visit.end.status}, not the project"
        return Visit((*visit.answers[:-1], replace(visit.end, error=error)))
    return visit


def _taken(step: Step[Manifest], question: Question, answer: Answer) -> Failure:
    """Who has answered in the place of the project's own site."""
    configuration, project = sites.configuration(), step.project
    rivals.refuse(rivals.rivals(configuration, project, [question.host], host.own_addresses()), adopt=False)
    thing, site = f"hostname {question.host}", paths.site_link(project.site)
    if configuration.files and str(site) not in configuration.files:
        return Failure(thing, f"nginx does not read {site}", "in nginx.conf's http block: include sites-enabled/*;")
    port = probe.PORTS["http" if question.health.external_tls else question.health.scheme]
    fix = f"find it on the server: nginx -T, and ss -ltnp 'sport = :{port}'"
    return Failure(thing, answer.error or f"not this project's site has answered, with {answer.words()}", fix)
