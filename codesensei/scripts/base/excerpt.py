"""The part of a log that a person wants to see: its end, without the frames of other people's packages."""

from __future__ import annotations

import re

from codesensei.webservers import SERVERS
from codesensei.wire import paths

WIDTH = 200
CHAINED = "During handling of the above exception, another exception occurred:"
CAUSED = "The above exception was the direct cause of the following exception:"
_HALTS = tuple(server.halt for server in SERVERS.values() if server.halt)
HEADER = "Traceback (most recent call last):"
_FRAME = re.compile(r'^(?P<indent>\s*)File "(?P<path>[^"]+)", line (?P<line>\d+)')
# Far beyond any line that a cause is in.
LONGEST_LINE = 4000
_GAP = re.compile(r"\n{3,}")
# What Python and compilers draw below the code that failed.
_MARKS = re.compile(r"^[\s|~^]*[~^][\s|~^]*$")
# What tells nothing about the cause: starts of units and servers, our own probe, where it hung, pip's advice.
_NOISE = re.compile(
    r"^(?:Starting|Started|Stopping|Stopped|Scheduled restart) |^\s*- - \[|^\s*\[end of output\]$"
    r"|^\s*note: This error originates|^\s*File \"/usr/local/lib/codesensei/[^\"]+\", line \d+ in "
    + "".join(f"|{server.noise}" for server in SERVERS.values() if server.noise)
)
_PACKAGES = re.compile(
    r"/(?:site|dist)-packages/|^/usr/local/lib/codesensei/|/lib/python[\d.]+/|^<frozen |/venvs?/[^/]+/bin/"
    # The product's own programs.
    rf"|^{paths.SERVER.config}/|^{paths.SERVER.candidates}/"
)
_RELEASE = re.compile(r"/srv/codesensei/[^/\s\"']+/(?:releases/[^/\s\"']+|current)/")


def last_lines(log: str, count: int) -> list[str]:
    """The last `count` lines that say something, each at most 200 characters."""
    lines = [line.rstrip() for line in _without_halt(log.splitlines())]
    kept = _without_packages([line for line in lines if line and not _MARKS.match(line) and not _NOISE.search(line)])
    return [line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in kept[-count:]]


def _without_halt(lines: list[str]) -> list[str]:
    """Without a server's own traceback about the end of one of its processes, which has already said why."""
    while ends := [number for number, line in enumerate(lines) if line.strip().startswith(_HALTS)]:
        begin = end = ends[-1]
        starts = [number for number in range(end) if lines[number].rstrip().endswith(HEADER)]
        while starts:
            begin = starts.pop()
            before = [line.strip() for line in lines[:begin] if line.strip()][-1:]
            if before != [CHAINED]:
                break
        del lines[begin : end + 1]
    return lines


def _without_packages(lines: list[str]) -> list[str]:
    """Frames of packages become one line with their number; the last frame before an exception always stays."""
    found: list[str] = []
    hidden, at = 0, 0
    while at < len(lines):
        end = _end_of_frame(lines, at)
        frame = _FRAME.match(lines[at])
        if frame and _PACKAGES.search(frame["path"]) and end < len(lines) and _FRAME.match(lines[end]):
            hidden, at = hidden + 1, end
            continue
        if hidden:
            indent = " " * (len(lines[at - 1]) - len(lines[at - 1].lstrip()))
            found.append(f"{indent}({hidden} {'frame' if hidden == 1 else 'frames'} of packages)")
            hidden = 0
        end = max(end, at + 1)
        found += lines[at:end]
        at = end
    return found


def _end_of_frame(lines: list[str], at: int) -> int:
    """Where the frame that begins at `at` ends; `at` itself where none begins."""
    frame = _FRAME.match(lines[at])
    if not frame:
        return at
    indent = len(frame["indent"])
    end = at + 1
    while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > indent:
        end += 1
    return end


def hang(log: str) -> str:
    """Where in the project a program hung, as Python's faulthandler tells; empty where it does not."""
    stack = log.partition("(most recent call first):")[2]
    for found in re.finditer(r'File "([^"]+)", line (\d+)', stack):
        if not _PACKAGES.search(found[1]):
            return f"it hangs in {relative(found[1])}, line {found[2]}"
    return ""


def without_code(log: str) -> str:
    """The log without the code in its tracebacks, which may name errors that did not happen.

    Of each line the beginning: looking for a cause may take time by the square of its length.
    """
    found: list[str] = []
    lines = [line[:LONGEST_LINE] for line in _GAP.sub("\n\n", log).splitlines()]
    at = 0
    while at < len(lines):
        found.append(lines[at])
        at = max(_end_of_frame(lines, at), at + 1)
    return "\n".join(found) + "\n"


def exception(log: str) -> str:
    """The exception that ended the program, and the project's own line that led to it; empty where there is none.

    The words of its direct cause follow, unless it repeats them.
    """
    lines = _without_halt(log.splitlines())
    # A program may have begun the line with words of its own.
    starts = [number for number, line in enumerate(lines) if line.rstrip().endswith(HEADER)]
    if not starts:
        return ""
    text, place = _ended(lines, starts[-1])
    first = len(starts) - 1
    while first and [line for line in lines[: starts[first]] if line.strip()][-1:] == [CAUSED]:
        first -= 1
    cause = _ended(lines, starts[first])[0]
    why = f", from {cause}" if cause.partition(": ")[2] not in text else ""
    return f"{text}{why}{place}" if text else ""


def _ended(lines: list[str], start: int) -> tuple[str, str]:
    """The last line of the traceback that begins at `start`, and the project's own last line in it."""
    # Behind words of the program's own it is not indented.
    alone = lines[start].strip() == HEADER
    indent = len(lines[start]) - len(lines[start].lstrip()) if alone else 0
    place = ""
    for line in lines[start + 1 :]:
        frame = _FRAME.match(line)
        if frame and not _PACKAGES.search(frame["path"]) and not frame["path"].endswith("/manage.py"):
            place = f" ({relative(frame['path'])}, line {frame['line']})"
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return line.strip(), place
    return "", place


def relative(path: str) -> str:
    """A path in a release as the repository has it."""
    return _RELEASE.sub("", path)
