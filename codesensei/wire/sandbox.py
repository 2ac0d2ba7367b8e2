"""What the project's processes and jobs may do on their server, as systemd's directives, and how one is loosened."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

# What the stack config loosens: a directive that is off has no words, any other one the words that it allows as well.
Loosened = Mapping[str, tuple[str, ...]]

WRITABLE = "ReadWritePaths"
_ON = (
    "NoNewPrivileges PrivateTmp PrivateDevices PrivateMounts ProtectClock ProtectHostname ProtectKernelLogs"
    " ProtectKernelModules ProtectKernelTunables ProtectControlGroups RestrictRealtime RestrictSUIDSGID LockPersonality"
    " RemoveIPC"
).split()
# A refused system call is an error of the program's, with a cause in its log, and does not kill it.
DIRECTIVES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(_ON, "yes"),
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "ProtectProc": "invisible",
        "RestrictNamespaces": "yes",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "CapabilityBoundingSet": "",
        "SystemCallArchitectures": "native",
        "SystemCallFilter": "@system-service",
        "SystemCallErrorNumber": "EPERM",
    }
)
# Without these, a program can get more privileges than its caller: systemd before 254 has each imply NoNewPrivileges=
# for a user's processes, and an empty bounding set leaves nothing to get.
WITH_PRIVILEGES = frozenset(
    """
    CapabilityBoundingSet LockPersonality NoNewPrivileges PrivateDevices ProtectClock ProtectHostname ProtectKernelLogs
    ProtectKernelModules ProtectKernelTunables RestrictAddressFamilies RestrictNamespaces RestrictRealtime
    RestrictSUIDSGID SystemCallArchitectures SystemCallFilter
    """.split()
)
# Of these, the words are all that is allowed; of the others, they are allowed as well.
INSTEAD = frozenset({"ProtectSystem", "ProtectHome", "RestrictNamespaces"})
# What ProtectHome= hides.
_HIDDEN = re.compile(r"/(home|root|run/user)(/|$)")
# What a unit's list of paths holds without quotes; nothing else is taken from what a project says.
_PLAIN = re.compile(r"/[A-Za-z0-9_@+=,./-]*")


def directives(loosened: Loosened, writable: Iterable[str]) -> dict[str, str]:
    """Every directive and its value; `writable` are the paths that may be written, as systemd reads them."""
    more = loosened.get(WRITABLE, ())
    # Without a /tmp of its own, a process needs the server's to be writable.
    temporary = ("/tmp", "/var/tmp") if "PrivateTmp" in loosened else ()
    found = {WRITABLE: " ".join([*writable, *more, *temporary])}
    gone = WITH_PRIVILEGES if "NoNewPrivileges" in loosened else frozenset()
    for name, value in DIRECTIVES.items():
        words = () if name in gone else loosened.get(name)
        if words is None:
            found[name] = value
        elif words:
            found[name] = " ".join(words if name in INSTEAD else (value, *words))
    return {**found, **shown(found)} if are_hidden(more) else found


def shown(found: Mapping[str, str]) -> dict[str, str]:
    """The directive with which a place below /home can be used at all, where there is one that hides it."""
    return {"ProtectHome": "read-only"} if found.get("ProtectHome") == "yes" else {}


def places_of(shared: str, places: Iterable[str] | None) -> list[str]:
    """What may be written: `shared`, and places that need not be there; one that a unit cannot hold is left out."""
    return [shared, *(f"-{place}" for place in places or () if is_plain(place))]


def is_plain(place: str) -> bool:
    """Whether a unit can hold the path."""
    return bool(_PLAIN.fullmatch(place))


def are_hidden(places: Iterable[str]) -> bool:
    """Whether one of them is where ProtectHome=yes shows nothing."""
    return any(map(_HIDDEN.match, places))


def opened(text: str, places: Collection[str], *, sets_id: bool = False) -> str:
    """A unit's text with more places that its process may use, and for one that `sets_id` bits of files."""
    text = re.sub(
        rf"^({WRITABLE}=)(\S+)(.*)$",
        lambda line: f"{line[1]}{' '.join(places_of(line[2], places))}{line[3]}",
        text,
        flags=re.MULTILINE,
    )
    if sets_id:
        text = re.sub("^RestrictSUIDSGID=yes\n", "", text, flags=re.MULTILINE)
    if are_hidden(places):
        text = re.sub("^ProtectHome=yes$", "ProtectHome=read-only", text, flags=re.MULTILINE)
    return text
