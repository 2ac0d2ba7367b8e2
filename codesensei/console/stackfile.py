"""Stack files as the program reads them, and writes them: the same to each reader of YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from codesensei.config.problems import NAMESPACE
from codesensei.console.errors import CommandError

# What no reader takes for anything but text.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z:/._-]*[A-Za-z]")


class _Writer(yaml.SafeDumper):
    """Quotes each text that some reader might take for a number, a date or a truth: 1e3, 0123, off."""

    def ignore_aliases(self, data: Any) -> bool:
        """Each value stands where it is used."""
        return True


def _text(writer: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if _PLAIN.fullmatch(value) else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", value, style)


_Writer.add_representer(str, _text)


def text_of(plain: Mapping[str, object], head: str, others: Mapping[str, object] | None = None) -> str:
    """A stack file with these values, keys without the namespace; `others` stand beside `config`."""
    config = {f"{NAMESPACE}{key}": value for key, value in plain.items()}
    whole = {"config": config, **(others or {})}
    body = yaml.dump(whole, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False)
    return f"# {head}\n{body}"


def read(file: Path) -> dict[str, Any]:
    """The whole of a stack file, secrets encrypted. CommandError for one that is not there or cannot be read."""
    try:
        found = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise CommandError(str(file), "it is not there", "pulumi stack ls lists the stacks") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(str(file), f"it cannot be read: {str(error).splitlines()[0]}", "correct it") from None
    return found if isinstance(found, dict) else {}
