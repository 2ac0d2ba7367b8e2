"""The values that stand for web servers, and how they are found."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from codesensei import webservers
from codesensei.render import programs
from codesensei.webservers.base import JOURNAL, START_LOGGED, Process
from codesensei.wire.names import WORKERS_PLACEHOLDER

PROCESS = Process(
    programs="/venv/bin",
    program="/etc/program.py",
    application="config.asgi:application",
    socket="/run/web.sock",
    access_log="/logs/access.log",
    error_log="/logs/error.log",
    graceful=35,
    workers="4",
)
COUNTED = [name for name in webservers.NAMES if webservers.named(name).workers_variable]


def test_every_module_of_the_package_is_a_server() -> None:
    assert webservers.NAMES == ("daphne", "gunicorn", "uvicorn")
    assert [webservers.named(name).name for name in webservers.NAMES] == list(webservers.NAMES)


def test_each_interface_has_one_default() -> None:
    defaults = [
        (kind, name) for name, server in webservers.SERVERS.items() if server.is_default for kind in server.interfaces
    ]
    assert sorted(defaults) == [("asgi", "daphne"), ("wsgi", "gunicorn")]
    assert (webservers.default("wsgi").name, webservers.default("asgi").name) == ("gunicorn", "daphne")


@pytest.mark.parametrize("name", webservers.NAMES)
def test_a_server_has_its_program_and_can_be_read(name: str) -> None:
    server = webservers.named(name)
    assert programs.program(server.program)
    for pattern in server.noise:
        re.compile(pattern)
    assert (server.package.name, server.package.version) == (name, server.version)


@pytest.mark.parametrize("name", webservers.NAMES)
def test_a_candidate_makes_its_socket_and_says_all_to_its_journal(name: str) -> None:
    server = webservers.named(name)
    words = [word for line in server.candidate(PROCESS) for word in line]
    assert [word for word in words if word.removeprefix("unix:") == PROCESS.socket]
    assert PROCESS.error_log not in words
    assert words[0].startswith("/venv/bin/")
    assert (JOURNAL in words) is not server.logs_to_stderr


@pytest.mark.parametrize("name", webservers.NAMES)
def test_a_live_process_has_its_error_log(name: str) -> None:
    server = webservers.named(name)
    lines = server.live(PROCESS)
    assert PROCESS.error_log in [word for line in lines for word in line]
    assert (lines[0] == ["/bin/bash", "-c", START_LOGGED, PROCESS.error_log]) is server.logs_to_stderr


@pytest.mark.parametrize("name", COUNTED)
def test_the_number_of_processes_has_its_place(name: str) -> None:
    server = webservers.named(name)
    live, candidate = (
        [word for line in made for word in line] for made in (server.live(PROCESS), server.candidate(PROCESS))
    )
    assert live[live.index("--workers") + 1] == "4"
    assert candidate[candidate.index("--workers") + 1] == WORKERS_PLACEHOLDER


def test_a_number_that_is_secret_is_in_no_command() -> None:
    for name in COUNTED:
        server = webservers.named(name)
        made = [*server.live(replace(PROCESS, workers="")), *server.candidate(replace(PROCESS, workers=""))]
        assert "--workers" not in [word for line in made for word in line]


def test_daphne_has_one_process_whatever_it_is_told() -> None:
    made = [*webservers.named("daphne").live(PROCESS), *webservers.named("daphne").candidate(PROCESS)]
    assert not {"--workers", WORKERS_PLACEHOLDER} & {word for line in made for word in line}


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("12", 12), ("", None), ("0", None), ("auto", None), ("-1", None), ("²", None), ("1\n", None)],
)
def test_a_number_of_processes_is_whole_and_from_1(text: str, count: int | None) -> None:
    assert webservers.process_count(text) == count
