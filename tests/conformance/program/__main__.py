"""The program of the conformance tests: it declares what resources.json beside it says.

A value {"$secret": x} is a secret, {"$output": [resource, property]} an output of an earlier resource,
{"$file": path}, {"$text": text} and {"$archive": path} are assets.
"""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_random
from pulumi_command import local, remote

CLASSES = {
    "remote.Command": remote.Command,
    "remote.CopyToRemote": remote.CopyToRemote,
    "local.Command": local.Command,
    **{name: getattr(pulumi_random, name) for name in dir(pulumi_random) if name.startswith("Random")},
}
MAKERS: dict[str, Any] = {
    "$secret": pulumi.Output.secret,
    "$output": lambda path: getattr(made[path[0]], path[1]),
    "$file": pulumi.FileAsset,
    "$text": pulumi.StringAsset,
    "$archive": pulumi.FileArchive,
}
made: dict[str, Any] = {}


def value(given: Any) -> Any:
    """The given JSON value with its special objects made."""
    if isinstance(given, list):
        return [value(item) for item in given]
    if not isinstance(given, dict):
        return given
    for key, make in MAKERS.items():
        if key in given:
            return make(value(given[key]))
    return {key: value(item) for key, item in given.items()}


def declare(entry: dict[str, Any]) -> Any:
    """One resource."""
    options = dict(entry["options"])
    options["depends_on"] = [made[name] for name in options.get("depends_on", [])]
    arguments = value(entry["arguments"])
    if entry["type"] == "raw":
        token = arguments.pop("token")
        return pulumi.CustomResource(token, entry["name"], arguments, pulumi.ResourceOptions(**options))
    return CLASSES[entry["type"]](entry["name"], **arguments, opts=pulumi.ResourceOptions(**options))


content = json.loads(Path("resources.json").read_text())
for item in content["resources"]:
    made[item["name"]] = declare(item)
for run in content["runs"]:
    pulumi.export(run["export"], local.run_output(**value(run["arguments"])).stdout)
for name, path in content["exports"].items():
    pulumi.export(name, getattr(made[path[0]], path[1]))
