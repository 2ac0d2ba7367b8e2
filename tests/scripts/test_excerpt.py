"""What a person sees of a long log."""

from __future__ import annotations

import socket
import time

import pytest

from codesensei.scripts.base.excerpt import CHAINED, exception, hang, last_lines, relative, without_code
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release.causes import explain_any
from codesensei.scripts.serving.workers import READY
from codesensei.webservers import SERVERS

HALT = SERVERS["gunicorn"].halt

RELEASE = "/srv/codesensei/shop/releases/4f2a9c1-8be01d7"
PACKAGES = "/srv/codesensei/shop/venvs/1-py3.13/lib/python3.13/site-packages"
LOG = f"""Operations to perform:

Traceback (most recent call last):
  File "{RELEASE}/manage.py", line 10, in <module>
    main()
    ~~~~^^
  File "{PACKAGES}/django/core/management/__init__.py", line 442, in execute_from_command_line
    utility.execute()
    ~~~~~~~~~~~~~~~^^
  File "{PACKAGES}/django/core/management/base.py", line 416, in run_from_argv
    self.execute(*args, **cmd_options)
  File "{RELEASE}/shop/migrations/0002_x.py", line 6, in fail
    raise RuntimeError(
        "closed"
    )
RuntimeError: closed
"""


def test_frames_of_packages_and_marks_are_left_out() -> None:
    assert last_lines(LOG, 20) == [
        "Operations to perform:",
        "Traceback (most recent call last):",
        f'  File "{RELEASE}/manage.py", line 10, in <module>',
        "    main()",
        "    (2 frames of packages)",
        f'  File "{RELEASE}/shop/migrations/0002_x.py", line 6, in fail',
        "    raise RuntimeError(",
        '        "closed"',
        "    )",
        "RuntimeError: closed",
    ]


def test_the_frame_where_it_happened_stays_whoever_wrote_it() -> None:
    log = LOG.replace(f"{RELEASE}/shop/migrations/0002_x.py", f"{PACKAGES}/x.py")
    assert f'  File "{PACKAGES}/x.py", line 6, in fail' in last_lines(log, 20)


def test_the_end_counts_and_long_lines_are_cut() -> None:
    lines = last_lines("\n".join(f"line {number} {'x' * 300}" for number in range(50)), 20)
    assert len(lines) == 20
    assert lines[-1].startswith("line 49 ")
    assert {len(line) for line in lines} == {200}


def test_the_exception_and_the_project_s_own_line() -> None:
    assert exception(LOG) == "RuntimeError: closed (shop/migrations/0002_x.py, line 6)"
    assert exception(f"  Applying shop.0002_x...{LOG[LOG.index('Traceback') :]}") == exception(LOG)
    assert exception("nothing of the kind") == ""
    assert exception("Traceback (most recent call last):\n  cut off") == ""


def test_of_a_chain_the_last_exception_counts() -> None:
    log = (
        LOG
        + "\nDuring handling of the above exception, another exception occurred:\n\n"
        + LOG.replace("closed", "open")
    )
    assert exception(log).startswith("RuntimeError: open ")


def test_a_direct_cause_is_told_unless_it_says_the_same() -> None:
    caused = "\nThe above exception was the direct cause of the following exception:\n\n"
    again = LOG[LOG.index("Traceback") :]
    wrapped = LOG + caused + again.replace("RuntimeError: closed", "ValueError: cannot begin")
    place = "(shop/migrations/0002_x.py, line 6)"
    assert exception(wrapped) == f"ValueError: cannot begin, from RuntimeError: closed {place}"
    deeper = wrapped + caused + again.replace("RuntimeError: closed", "KeyError: 'x'")
    assert exception(deeper) == f"KeyError: 'x', from RuntimeError: closed {place}"
    assert exception(LOG + caused + again) == f"RuntimeError: closed {place}"


def test_the_place_where_a_request_hangs() -> None:
    log = (
        'Timeout!\nThread 0x7f (most recent call first):\n  File "/usr/lib/python3.13/x.py", line 1 in f'
        f'\n  File "{RELEASE}/shop/views.py", line 33 in get\n  File "{PACKAGES}/django/x.py", line 5 in g\n'
    )
    assert hang(log) == "it hangs in shop/views.py, line 33"
    ours = '  File "/usr/local/lib/codesensei/toolkit/1/codesensei/scripts/serving/ask_why.py", line 40 in <module>'
    assert last_lines(f"{log}{ours}\n", 1) == last_lines(log, 1)
    assert hang(LOG) == ""


def test_code_that_raises_is_no_error_that_happened() -> None:
    text = without_code(LOG)
    assert "raise RuntimeError(\n" not in text
    assert "RuntimeError: closed\n" in text


def test_paths_are_those_of_the_repository() -> None:
    assert relative(f"{RELEASE}/shop/urls.py") == "shop/urls.py"
    assert relative("/srv/codesensei/shop/current/shop/urls.py") == "shop/urls.py"
    assert relative("/srv/codesensei/shop/shared/media") == "/srv/codesensei/shop/shared/media"


@pytest.mark.proves("errors.length")
def test_a_failure_has_at_most_25_lines_of_200_characters_of_ours() -> None:
    failure = Failure("thing " * 100, "cause " * 500, "fix\n" * 100, "log\n" * 100, where="/var/log/x")
    failure.served = "release a-b"
    lines = failure.text().splitlines()
    ours = [line for line in lines if not line.startswith("  | ")]
    assert len(ours) == 25
    assert max(map(len, lines)) <= 200
    assert ours[0].startswith("error: thing thing")
    assert ours[-2:] == ["still served: release a-b", "full log: /var/log/x"]
    assert len(lines) - len(ours) == 8


@pytest.mark.proves("errors.line")
def test_progress_is_one_line_that_says_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    step = Step("shop", "build", (), None)
    step.say("two\nlines")
    step.say(f"names: {'é ' * 50_000}and the last")
    short, cut = capsys.readouterr().out.splitlines()
    assert short == "two lines"
    assert cut.startswith("names: é é é")
    assert "characters left out) … " in cut
    assert cut.endswith("é and the last")
    assert len(cut.encode()) < 64 * 1024


@pytest.mark.proves("errors.four")
def test_a_short_failure_is_short() -> None:
    here = f"error: disk on {socket.gethostname()}: it is full"
    assert Failure("disk", "it is full").text().splitlines() == [here]
    assert Failure("disk", "it is full", "make room").text().splitlines() == [here, "fix: make room"]


def test_what_ended_the_worker_counts_and_not_that_gunicorn_s_master_ends() -> None:
    master = f"""Traceback (most recent call last):
  File "{PACKAGES}/gunicorn/arbiter.py", line 209, in run
    self.sleep()
_queue.Empty

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "{RELEASE}/.codesensei/venv/bin/gunicorn", line 7, in <module>
    sys.exit(run())
  File "{PACKAGES}/gunicorn/arbiter.py", line 529, in reap_workers
    raise HaltServer(reason, self.WORKER_BOOT_ERROR)
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>
"""
    twice = f"{master}\n{CHAINED}\n\n{master}"
    for log in (f"{LOG}{master}shop.service: Failed\n", f"{LOG}{master}{master}", f"{LOG}{twice}"):
        assert exception(log) == exception(LOG)
        assert "HaltServer" not in "".join(last_lines(log, 40))
        assert "RuntimeError: closed" in last_lines(log, 3)
    assert exception(f"{HALT}: no traceback") == ""


@pytest.mark.parametrize("part", ["x", "/", "/a", "\n", "a://", "a@", " ", "Error: "])
@pytest.mark.slow
def test_a_long_line_is_explained_as_soon_as_a_short_one(part: str) -> None:
    log = part * (60_000 // len(part))
    began = time.process_time()
    assert explain_any(f"{log}\nNo space left on device\n", "")[0]
    assert not READY.search(log)
    assert time.process_time() - began < 8
