"""Whether the machine is one that projects can run on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codesensei.scripts.base import host
from codesensei.scripts.base.step import Failure
from codesensei.scripts.base.together import raise_all
from codesensei.wire import paths

MEBIBYTE = 1024 * 1024
PROJECTS_NEED = 1024 * MEBIBYTE
MEMORY_NEEDS = 512 * MEBIBYTE
INODES = 20_000
MEMORY_NEEDED = 128 * MEBIBYTE
SERVED_BY = ("nginx",)


def check(*, allow_unsupported: bool) -> None:
    """Raise Failure for an unsupported system, or one without enough space or memory."""
    raise_all(_problems(allow_unsupported))


def _problems(allow_unsupported: bool) -> Iterator[Failure]:
    system = host.system()
    if not system.supported and not allow_unsupported:
        fix = "use a server with one of them, or try it with codesensei:allowUnsupported: true"
        yield Failure(system.name, f"this system is not supported (supported: {host.SUPPORTED_TEXT})", fix)
    if not host.runs_systemd():
        yield Failure("systemd", "it is not process 1 of this machine", "use a server that boots with systemd")
    yield from full_disks()
    if not host.space(paths.SERVER.projects).programs:
        cause = "it is mounted with noexec, and a project's programs and libraries are there"
        mounted = f"mount -o remount,exec $(findmnt -no TARGET -T {paths.SERVER.projects})"
        fix = f"take noexec out of its line in /etc/fstab, then on the server: {mounted}"
        yield Failure(f"disk of {paths.SERVER.projects}", cause, fix)
    memory = host.available_memory()
    if memory < MEMORY_NEEDED:
        cause = f"{memory // MEBIBYTE} MiB are available, and {MEMORY_NEEDED // MEBIBYTE} MiB are needed"
        yield Failure("memory", cause, "add memory or a swap file, or stop something on the server (free -m)")


def full_disks() -> Iterator[Failure]:
    """Each file system that has no room for another release."""
    for path, needed in ((paths.SERVER.projects, PROJECTS_NEED), (paths.SERVER.memory, MEMORY_NEEDS)):
        space = host.space(path)
        if space.bytes < needed:
            cause = f"{space.bytes // MEBIBYTE} MiB are free, and {needed // MEBIBYTE} MiB are needed"
            fix = "free some space (df -h; apt-get clean; journalctl --vacuum-size=200M) or use a bigger disk"
            yield Failure(f"disk of {path}", cause, fix)
        if space.inodes is not None and space.inodes < INODES:
            cause = f"{space.inodes} inodes are free, and {INODES} are needed"
            yield Failure(f"disk of {path}", cause, "remove directories with many small files (on the server: df -i)")


def check_ports(ports: Iterable[int]) -> None:
    """Raise Failure if a program other than nginx has one of these ports."""
    raise_all(_taken(ports))


def _taken(ports: Iterable[int]) -> Iterator[Failure]:
    for listener in host.listeners(ports):
        if listener.process not in SERVED_BY:
            who = f"the process {listener.process} ({listener.pid})" if listener.pid else "an unknown process"
            cause = f"{who} listens on {listener.address}:{listener.port}, and nginx needs this port"
            fix = f"on the server: systemctl disable --now the service of {listener.process}, or use another server"
            yield Failure(f"port {listener.port}", cause, fix)
