"""What the config means for the task broker on the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codesensei.config.problems import Problem
from codesensei.config.stack import StackConfig
from codesensei.config.urls import Url, UrlError, read_url

PORT = 6379
NUMBERS = 16


@dataclass(frozen=True)
class BrokerPlan:
    """Which numbers of the server's broker plain URLs name, and which variables get a URL with the stack's own."""

    numbers: tuple[int, ...] = ()
    variables: tuple[str, ...] = ()


def plan_broker(
    config: StackConfig, values: Mapping[str, str], places: Mapping[str, str]
) -> tuple[BrokerPlan, list[Problem]]:
    """Which variables lead to the server's own broker, and to which of its numbers (contract, "Broker")."""
    numbers: set[int] = set()
    problems: list[Problem] = []
    for name, value in sorted(values.items()):
        if not value.startswith(("redis://", "valkey://")):
            continue
        try:
            url = read_url(value)
            if url.local and (url.port or PORT) == PORT:
                numbers.add(_number(url))
        except UrlError as error:
            problems.append(Problem(error.rule, places[name], error.message, error.fix))
    return BrokerPlan(tuple(sorted(numbers)), tuple(sorted(config.broker.env))), problems


def _number(url: Url) -> int:
    if url.host == "::1":
        raise UrlError(
            "broker-address",
            "leads to ::1, but the server's broker listens on 127.0.0.1 alone",
            "lead it there: redis://127.0.0.1:6379/0",
        )
    if url.password or url.user:
        raise UrlError(
            "broker-password",
            "has a password, but the server's broker has none",
            "remove it: redis://127.0.0.1:6379/0 (the broker listens on loopback only)",
        )
    number = url.name or "0"
    if not (number.isascii() and number.isdigit() and int(number) < NUMBERS):
        raise UrlError(
            "broker-number",
            "names no database of the broker",
            f"end it with a number from 0 to {NUMBERS - 1}: redis://127.0.0.1:6379/0",
        )
    return int(number)
