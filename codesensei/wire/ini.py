"""pgBackRest's configuration file, the one way in which it is written: sections with `name=value`, and no quotes.

A value is what stands after the first `=`, without blanks at its ends; every other character stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping

_BLANKS = " \t\r\n"


class IniError(ValueError):
    """A value that the file cannot hold. The text names the option, never its value."""


def refusal(value: str) -> str:
    """Why the file cannot hold a value; empty where it can."""
    if not value:
        return "is empty"
    if value != value.strip(_BLANKS):
        return "begins or ends with a blank"
    return "has a line break or a NUL character" if {"\n", "\0"} & {*value} else ""


def render(sections: Mapping[str, Mapping[str, object]]) -> str:
    """The whole file. IniError for what it cannot hold."""
    return "\n".join(
        f"[{section}]\n" + "".join(_line(name, str(value)) for name, value in options.items())
        for section, options in sections.items()
    )


def _line(name: str, value: str) -> str:
    if why := refusal(value):
        raise IniError(f"{name} {why}")
    return f"{name}={value}\n"
