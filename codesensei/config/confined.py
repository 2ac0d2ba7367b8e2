"""What the project's processes may do on their server, and how much of it they may use."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, WithJsonSchema

from codesensei.config.types import Model, Whole, at_least, matching, option, reject, show

Words = tuple[str, ...] | None
_OFF = {"enum": [False, "false"]}
_TEXT = {"type": "string"}
_TEXTS = WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]})
_WORDS = WithJsonSchema({"anyOf": [_OFF, _TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]})


def off(value: object) -> tuple[str, ...]:
    """A directive that is switched off: it has no words."""
    if value is False or value == "false":
        return ()
    raise reject("sandbox-off", f"{show(value)} does not loosen it", "write false to switch it off, or remove the line")


def _allowing(pattern: str, fix: str) -> BeforeValidator:
    """For a directive that allows words of a form; off where the form has nothing."""
    form = re.compile(pattern, re.ASCII)

    def words(value: object) -> tuple[str, ...]:
        if value in (False, "false") and form.fullmatch(""):
            return ()
        found = value.split() if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not found:
            raise reject("sandbox-words", f"{show(value)} does not loosen it", fix)
        for word in found:
            if not isinstance(word, str) or not word or not form.fullmatch(word):
                raise reject("sandbox-word", f"{show(word)} cannot be allowed", fix)
        return tuple(found)

    return BeforeValidator(words)


def memory(value: object) -> object:
    """A size in either case of its unit; one without a unit is a number in YAML."""
    return str(value).upper() if isinstance(value, str | int) else value


def _bytes(size: str | None) -> int:
    return int(size[:-1]) << 10 * ("KMG".index(size[-1]) + 1) if size else 0


def weight(value: int) -> int:
    """A share of the processor, as systemd counts it."""
    if not 1 <= value <= 10000:
        raise reject("cpu-weight", f"{value} is not a weight", "use a number from 1 to 10000; every unit has 100")
    return value


Off: TypeAlias = Annotated[Words, BeforeValidator(off), WithJsonSchema(_OFF)]
# A path that a unit can hold without quotes.
_PLACE = r"(?!.*/\.\.?(/|$))(/[A-Za-z0-9_@+=,.-]+)+"
Paths: TypeAlias = Annotated[Words, _allowing(_PLACE, "list absolute paths: [/mnt/reports]"), _TEXTS]
Full: TypeAlias = Annotated[Words, _allowing("(full)?", "write full, or false to switch it off"), _WORDS]
Readable: TypeAlias = Annotated[Words, _allowing("(read-only)?", "write read-only, or false to switch it off"), _WORDS]
_NAMESPACES, _NAMESPACES_FIX = (
    "(cgroup|ipc|mnt|net|pid|user|uts)?",
    "list some: [user, pid, net], or write false for all",
)
Namespaces: TypeAlias = Annotated[Words, _allowing(_NAMESPACES, _NAMESPACES_FIX), _WORDS]
_FAMILIES, _FAMILIES_FIX = (
    "(AF_(ALG|BLUETOOTH|CAN|KEY|PACKET|TIPC|VSOCK|XDP))?",
    "list some: [AF_PACKET], or write false",
)
Families: TypeAlias = Annotated[Words, _allowing(_FAMILIES, _FAMILIES_FIX), _WORDS]
# What @system-service lacks.
_CALLS = "(@(clock|cpu-emulation|debug|module|mount|obsolete|pkey|privileged|raw-io|reboot|swap))?"
_CALLS_FIX = 'list groups of systemd: ["@mount"], or write false for all'
Calls: TypeAlias = Annotated[Words, _allowing(_CALLS, _CALLS_FIX), _WORDS]

_SIZE_FIX = "write a whole number and K, M or G: 512M"
Memory: TypeAlias = Annotated[
    str, BeforeValidator(memory), matching(r"[1-9]\d{0,5}[KMG]", "memory", "a size of memory", _SIZE_FIX)
]
Tasks: TypeAlias = Annotated[Whole, at_least(16, "tasks", "a web server and its workers need more", "give 16 or more")]
Weight: TypeAlias = Annotated[Whole, AfterValidator(weight)]


class Sandbox(Model):
    """Directives of systemd that the project's processes and jobs go without, or with more than is usual."""

    # Each under its own name.
    model_config = ConfigDict(alias_generator=str)

    ReadWritePaths: Paths = option(None, "Where they may write beside shared and what the settings name")
    ProtectSystem: Full = option(None, "full: all but /usr, /boot and /etc may be written")
    ProtectHome: Readable = option(None, "read-only: what is below /home and /root can be read")
    PrivateTmp: Off = option(None, "/tmp and /var/tmp are those of the server")
    PrivateDevices: Off = option(None, "All devices can be opened")
    PrivateMounts: Off = option(None, "Mounts are seen by the server")
    ProtectProc: Off = option(None, "Processes of other users are seen")
    ProtectClock: Off = option(None, "The clock can be set")
    ProtectHostname: Off = option(None, "The host name can be set")
    ProtectKernelLogs: Off = option(None, "The kernel's log can be read")
    ProtectKernelModules: Off = option(None, "Modules of the kernel can be loaded")
    ProtectKernelTunables: Off = option(None, "/proc/sys and /sys can be written")
    ProtectControlGroups: Off = option(None, "Control groups can be written")
    NoNewPrivileges: Off = option(None, "A program can give more privileges than its caller has: sudo")
    CapabilityBoundingSet: Off = option(None, "Such a program can get any of root's")
    RestrictNamespaces: Namespaces = option(None, "Namespaces that can be made: Chromium's own sandbox needs user")
    RestrictAddressFamilies: Families = option(None, "More families of sockets")
    RestrictRealtime: Off = option(None, "Real-time scheduling can be asked for")
    RestrictSUIDSGID: Off = option(None, "Files can be made that run as their owner")
    LockPersonality: Off = option(None, "Old ways of the kernel can be asked for")
    RemoveIPC: Off = option(None, "Shared memory outlives the processes")
    SystemCallArchitectures: Off = option(None, "32-bit programs run")
    SystemCallFilter: Calls = option(None, "More groups of system calls")

    @property
    def loosened(self) -> dict[str, tuple[str, ...]]:
        """The directives that are named, with the words that each allows; without words it is off."""
        found = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: words for name, words in found if words is not None}


class ResourcesConfig(Model):
    """What one process may use, with those that it starts."""

    memory_high: Memory | None = option(None, "Memory from which on the kernel slows it down: 512M")
    memory_max: Memory | None = option(None, "Memory at which it is ended: 1G")
    tasks_max: Tasks = option(2048, "Processes and threads")
    cpu_weight: Weight | None = option(None, "Share of a busy processor: 1 to 10000; every unit has 100")

    @property
    def high_is_useless(self) -> bool:
        """Whether the process is ended before it is slowed down."""
        high, most = self.memory_high, self.memory_max
        return bool(high and most) and _bytes(high) >= _bytes(most)


class Resources(Model):
    """What the processes may use."""

    web: ResourcesConfig = option(ResourcesConfig.model_construct(), "The web process, and a candidate")
    workers: ResourcesConfig = option(ResourcesConfig.model_construct(), "Each worker without its own")
