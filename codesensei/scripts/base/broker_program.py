"""A broker that was on the server before: whether projects may use it, and why not."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from pathlib import Path

from codesensei.wire import paths
from codesensei.wire.quick import dataclass

PORT = "6379"


@dataclass(frozen=True)
class BrokerProgram:
    """One of the two programs; they differ in names only."""

    name: str

    @property
    def unit(self) -> str:
        return f"{self.name}-server.service"

    @property
    def main_config(self) -> Path:
        return paths.SERVER.brokers / self.name / f"{self.name}.conf"

    @property
    def drop_in(self) -> Path:
        return paths.SERVER.brokers / self.name / "codesensei.conf"

    @property
    def pending(self) -> Path:
        """Exists while a written change is not yet in use; shows that a run was killed."""
        return paths.SERVER.memory / "broker.pending"


def configured() -> BrokerProgram | None:
    """The shared broker, where it is one that we configured."""
    return next((one for one in map(BrokerProgram, ("valkey", "redis")) if one.drop_in.is_file()), None)


@dataclass(frozen=True)
class Reason:
    """Why the broker is left as it is, and what to do about it."""

    cause: str
    fix: str


def reason(broker: BrokerProgram, adopt: bool) -> Reason | None:
    """Why projects may not use this broker; None where they may, or where `adopt` takes it over."""
    settings = dict(_settings(broker.main_config, set()))
    elsewhere = "or point the project's variables at another broker"
    here = f"{broker.name} was on this server before and"
    for name, what in (("requirepass", "wants a password"), ("aclfile", "has users"), ("user", "has users")):
        if settings.get(name):
            fix = f"take {name} out of {broker.main_config}, {elsewhere}"
            return Reason(f"{here} {what}, and projects at redis://127.0.0.1:{PORT}/<number> give none", fix)
    if settings.get("port", [PORT]) != [PORT]:
        fix = f"set port {PORT} in {broker.main_config}, {elsewhere}"
        return Reason(f"{here} listens on port {' '.join(settings['port'])}, not {PORT}", fix)
    for name in ("replicaof", "slaveof"):
        if settings.get(name, ["no"])[:1] != ["no"]:
            return Reason(f"{here} is a copy of another", f"take {name} out of {broker.main_config}, {elsewhere}")
    take_over = f"{elsewhere}, or take it over with codesensei:adopt: true"
    if not adopt and not _loopback_only(settings.get("bind")):
        fix = f"set bind 127.0.0.1 in {broker.main_config}, {take_over}"
        return Reason(f"{here} serves other machines too (bind {' '.join(settings.get('bind', ['*']))})", fix)
    policy = settings.get("maxmemory-policy", ["noeviction"])
    if not adopt and settings.get("maxmemory", ["0"]) != ["0"] and policy != ["noeviction"]:
        fix = f"set maxmemory-policy noeviction in {broker.main_config}, {take_over}"
        return Reason(f"{here} is a cache: when it is full, it drops keys ({' '.join(policy)}), tasks among them", fix)
    return None


def _loopback_only(addresses: list[str] | None) -> bool:
    def is_loopback(text: str) -> bool:
        try:
            return ipaddress.ip_address(text.removeprefix("-")).is_loopback
        except ValueError:
            return text == "localhost"

    return bool(addresses) and all(map(is_loopback, addresses or []))


def _settings(path: Path, seen: set[Path]) -> Iterator[tuple[str, list[str]]]:
    """Each directive of a configuration file and of what it includes, with its words; the last one counts."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    for line in path.read_text(errors="replace").splitlines():
        try:
            words = shlex.split(line, comments=line.lstrip().startswith("#"))
        except ValueError:
            continue
        # The broker itself refuses a directive without a value.
        if len(words) < 2:
            continue
        if words[0].lower() == "include":
            pattern = path.parent / words[1]
            for found in sorted(pattern.parent.glob(pattern.name)):
                yield from _settings(found, seen)
        else:
            yield words[0].lower(), [word for word in words[1:] if word]
