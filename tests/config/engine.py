"""Hand a stack file to the loader in the way the engine does.

Measured with `pulumi config --json` (3.274.1): top-level values are text, below them JSON; `yes` and `off` are text,
dates become the text of Go's time, integers beyond 64 bits become floats, `null` at the top is empty, and an encrypted
value is in clear, with its top-level key named among the secret ones.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import SETTINGS

from codesensei.config import Stack, load

EXAMPLE = Path(__file__).parents[2] / "stacks" / "Pulumi.example.yaml"
API_TOKEN = "canary-of-the-api-token"
CLEAR = "clear:"
PLACEHOLDER = "v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class _Loader(yaml.SafeLoader):
    """YAML as Go reads it: only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def config_of(text: str) -> tuple[dict[str, str], list[str]]:
    """What the program gets for the text of a stack file, and the keys that the engine calls secret.

    Of a ciphertext `clear:x` the value is x; the example's placeholder stands for API_TOKEN.
    """
    return config_from(yaml.load(text, _Loader)["config"])


def config_from(parsed: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """What the program gets for the `config` of a stack file that was parsed already."""
    config: dict[str, str] = {}
    secret_keys: list[str] = []
    for key, value in parsed.items():
        opened = _open(value)
        config[key] = opened if isinstance(opened, str) else "" if opened is None else json.dumps(opened)
        if opened != _plain(value):
            secret_keys.append(key)
    return config, secret_keys


def _open(value: Any) -> Any:
    if isinstance(value, dict) and list(value) == ["secure"]:
        text = str(value["secure"])
        return API_TOKEN if text == PLACEHOLDER else text.removeprefix(CLEAR)
    if isinstance(value, dict):
        return {key: _open(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_open(inner) for inner in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2**64:
        return float(value)
    if isinstance(value, datetime.date):
        time = value if isinstance(value, datetime.datetime) else datetime.datetime(value.year, value.month, value.day)
        return f"{time:%Y-%m-%d %H:%M:%S} +0000 UTC"
    return value


@contextmanager
def project_of(directory: Path, text: str | None) -> Iterator[None]:
    """A Pulumi project whose stack file has this text; None for one whose stack file cannot be found."""
    (directory / "stacks").mkdir(exist_ok=True)
    (directory / "Pulumi.yaml").write_text("name: codesensei\nruntime: python\nstackConfigDir: stacks\n")
    file = directory / "stacks" / "Pulumi.stack.yaml"
    file.unlink(missing_ok=True)
    if text is not None:
        file.write_text(text)
    before, SETTINGS.root_directory = SETTINGS.root_directory, str(directory)
    try:
        yield
    finally:
        SETTINGS.root_directory = before
        set_all_config({}, [])


def load_text(directory: Path, text: str, *, with_file: bool = True) -> Stack:
    """Load the text of a stack file."""
    with project_of(directory, text if with_file else None):
        set_all_config(*config_of(text))
        return load()


def changed(old: str, new: str) -> str:
    """The example with one change; `old` must stand in it exactly once."""
    text = EXAMPLE.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the example"
    return text.replace(old, new)
