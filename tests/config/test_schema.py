"""The schema that editors use is the one of the models, and it knows the example."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from codesensei.config.schema import schema, text
from tests.config.engine import EXAMPLE

SCHEMA = schema()
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def faults(value: Any, rule: Any, path: str = "") -> list[str]:
    """Where a value breaks the schema; reads only the words that this schema uses, and refuses others."""
    if isinstance(rule, bool):
        return [] if rule else [path]
    known = {"$ref", "anyOf", "enum", "const", "type", "properties", "required", "additionalProperties", "items"}
    known |= {"patternProperties", "propertyNames", "pattern", "minimum", "maximum", "minItems"}
    unknown = set(rule) - known - {"description", "title", "default", "$schema", "$defs"}
    assert not unknown, unknown
    found: list[str] = []
    if "$ref" in rule:
        found += faults(value, SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]], path)
    if "anyOf" in rule and all(faults(value, option, path) for option in rule["anyOf"]):
        found.append(path)
    types = rule.get("type", [])
    wanted = tuple(KINDS[name] for name in ([types] if isinstance(types, str) else types))
    wrong_kind = bool(wanted) and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted))
    if wrong_kind or value not in rule.get("enum", [value]) or value != rule.get("const", value):
        found.append(path)
    if isinstance(value, str) and not re.search(rule.get("pattern", ""), value):
        found.append(path)
    if isinstance(value, int) and not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        found.append(path)
    if isinstance(value, list):
        found += [path] if len(value) < rule.get("minItems", 0) else []
        found += [
            fault for i, item in enumerate(value) for fault in faults(item, rule.get("items", True), f"{path}[{i}]")
        ]
    if isinstance(value, dict):
        found += _faults_of_a_map(value, rule, path)
    return found


def _faults_of_a_map(value: dict[str, Any], rule: Any, path: str) -> list[str]:
    found = [f"{path}.{name}" for name in rule.get("required", []) if name not in value]
    for key, inner in value.items():
        patterns = [below for pattern, below in rule.get("patternProperties", {}).items() if re.search(pattern, key)]
        rules = [rule["properties"][key]] if key in rule.get("properties", {}) else []
        rules = rules + patterns or [rule.get("additionalProperties", True)]
        found += [fault for below in rules for fault in faults(inner, below, f"{path}.{key}")]
        found += [f"{path}.{key}"] if faults(key, rule.get("propertyNames", True)) else []
    return found


def test_the_file_is_current() -> None:
    """Make it again with: .venv/bin/python -m codesensei.config.schema > stacks/schema.json"""
    assert (EXAMPLE.parent / "schema.json").read_text() == text()


def example() -> Any:
    return yaml.safe_load(EXAMPLE.read_text())


def test_the_example_fits() -> None:
    assert faults(example(), SCHEMA) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("codesensei:domans", []),
        ("codesensei:project.slug", "Shop"),
        ("codesensei:project.interface", "http"),
        ("codesensei:project.sluug", "shop"),
        ("codesensei:project.workers.beat.singelton", True),
        ("codesensei:server.port", 70000),
        ("codesensei:secretEnv.API_TOKEN", "in plain text"),
        ("codesensei:sshPrivateKey", "in plain text"),
        ("codesensei:env.DEBUG", False),
        ("codesensei:env.DB-PASS", "x"),
        ("codesensei:tls", "letsencrypt"),
        ("codesensei:drift", "yes"),
        ("codesensei:tls", {"certificate": "x"}),
    ],
)
def test_a_mistake_is_marked(path: str, value: object) -> None:
    file = example()
    place = file["config"]
    *parts, last = path.split(".")
    for part in parts:
        place = place[part]
    place[last] = value
    assert faults(file, SCHEMA) != []


@pytest.mark.proves("config.switches")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("codesensei:production", "true"),
        ("codesensei:drift", "false"),
        ("codesensei:tls", {"certificate": "x", "key": {"secure": "v1:x"}}),
        ("codesensei:tls", False),
        ("codesensei:tls", "external"),
        ("codesensei:digestKey", {"secure": "v1:x"}),
        ("aws:region", "eu-central-1"),
        ("codesensei:env", {"A": 1, "B": "x"}),
    ],
)
def test_what_is_right_is_not_marked(key: str, value: object) -> None:
    file = example()
    file["config"][key] = value
    assert faults(file, SCHEMA) == []
