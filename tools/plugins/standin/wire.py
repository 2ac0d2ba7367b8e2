"""The engine's wire values: property maps as plain Python, secrets and unknowns as the engine sends them."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Properties = dict[str, Any]


def load_protocol_only() -> None:
    """Make `pulumi.runtime.proto` importable without the rest of the SDK.

    A plugin needs the protocol alone; importing all of the SDK costs a third of a second at each start.
    """
    config = importlib.util.find_spec("pulumi")
    if config is None or not config.submodule_search_locations:
        raise ModuleNotFoundError("the pulumi package is not installed")
    root = config.submodule_search_locations[0]
    for name, path in (("pulumi", root), ("pulumi.runtime", f"{root}/runtime")):
        if name not in sys.modules:
            module = types.ModuleType(name)
            module.__path__ = [path]
            sys.modules[name] = module


def decode(struct: Any) -> Properties:
    """A protobuf Struct as a dictionary; secret wrappers, assets and the unknown string stay as they are."""
    return {key: _decode_value(value) for key, value in struct.fields.items()}


def _decode_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _open_output(decode(value.struct_value))
    if kind == "list_value":
        return [_decode_value(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def _open_output(value: Properties) -> Any:
    """An output value (what a plugin that accepts them may be sent) as a plain, secret or unknown value."""
    if value.get(SIGNATURE) != OUTPUT:
        return value
    known = value.get("value", UNKNOWN)
    return secret(known) if value.get("secret") else known


def encode(properties: Properties, struct: Any) -> Any:
    """Fill the protobuf Struct with the dictionary and return it."""
    struct.update(properties)
    return struct


def is_secret(value: Any) -> bool:
    """Whether the value is a secret's wrapper."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def secret(value: Any) -> Any:
    """The value marked as secret (once)."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def plain(value: Any) -> Any:
    """The value with all secret wrappers removed, at every depth."""
    if is_secret(value):
        return plain(value.get("value"))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def is_asset(value: Any) -> bool:
    """Whether the value is an asset or an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def differences(old: Any, new: Any, path: str = "") -> dict[str, str]:
    """Where two values differ: property path to "ADD", "DELETE" or "UPDATE".

    Paths have the engine's form, `environment.A` and `triggers[0]`. Of assets the engine sends hashes here. Secrets
    and assets differ as a whole; a value also differs from the same one marked as secret.
    """
    found: dict[str, str] = {}
    if any(is_secret(value) or is_asset(value) for value in (old, new)):
        return {} if old == new else {path: "UPDATE"}
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            here = f"{path}.{key}" if path else key
            if key not in old or key not in new:
                found[here] = "ADD" if key not in old else "DELETE"
            else:
                found |= differences(old[key], new[key], here)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            here = f"{path}[{index}]"
            if index >= len(old) or index >= len(new):
                found[here] = "ADD" if index >= len(old) else "DELETE"
            else:
                found |= differences(old[index], new[index], here)
    elif old != new:
        found[path] = "UPDATE"
    return found


def property_of(path: str) -> str:
    """The property that a path begins with."""
    return path.partition(".")[0].partition("[")[0]
