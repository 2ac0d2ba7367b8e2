"""The JSON Schema of a stack file, for editors: `.venv/bin/python -m codesensei.config.schema > stacks/schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from codesensei.config.edge import TLS_WORDS
from codesensei.config.problems import NAMESPACE
from codesensei.config.stack import StackConfig
from codesensei.config.types import Model

_KEYS = {"secure": {"type": "string"}}
_SECRET = {"type": "object", "properties": _KEYS, "required": list(_KEYS), "additionalProperties": False}


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """No titles made of keys: they say nothing that the key does not say."""
        return False


def schema() -> dict[str, Any]:
    """Describe the whole file; its `config` may hold keys of other namespaces."""
    for part in Model.__subclasses__():
        # To write defaults down, where the program itself only needs the whole.
        part.model_rebuild(force=True)
    body = StackConfig.model_json_schema(by_alias=True, schema_generator=_Untitled)
    definitions: dict[str, Any] = body.pop("$defs")
    keys: dict[str, Any] = body["properties"]
    _add_secrets(keys, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack of codesensei",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"{NAMESPACE}{key}": value for key, value in keys.items()},
                "required": [f"{NAMESPACE}{key}" for key in body["required"]],
                "patternProperties": {f"^{NAMESPACE}(?!({'|'.join(sorted(keys))})$)": False},
            }
        },
        "$defs": definitions,
    }


def _add_secrets(keys: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Secrets are no part of the config, `tls` and a worker may be given as words, and YAML may read `off` as false."""
    names = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
    definitions["Secret"] = _SECRET | {"title": "Secret", "description": "Set it with: pulumi config set --secret"}
    secret = {"$ref": "#/$defs/Secret"}
    keys["sshPrivateKey"] = secret | {"description": "The SSH key to log in with; default: the SSH agent"}
    keys["digestKey"] = secret | {"description": "The key of the digests that stand for secrets in previews"}
    keys["secretEnv"] = {
        "type": "object",
        "description": "Secret variables",
        "propertyNames": names,
        "additionalProperties": secret,
    }
    keys["env"]["propertyNames"] = names
    for word in ("TlsOff", "TlsSelfSigned", "TlsExternal"):
        del definitions[word]
    files = definitions["TlsFiles"]
    for kind in (files, definitions["TlsAcme"]):
        del kind["properties"]["kind"]
    definitions["TlsAcme"]["required"] = ["acme"]
    files["properties"]["key"] = secret
    files["required"].append("key")
    keys["tls"] = {
        "description": "How the public reaches the project",
        "default": "off",
        "anyOf": [
            {"enum": [*TLS_WORDS, False]},
            {"$ref": "#/$defs/TlsAcme"},
            {"$ref": "#/$defs/TlsFiles"},
        ],
    }
    definitions["ServerConfig"]["properties"]["hardening"]["enum"] += [True, False]
    for name, what in (("password", "Of the backups; default: generated"), ("secretKey", "Secret of the access key")):
        definitions["BackupsConfig"]["properties"][name] = secret | {"description": what}
    workers = definitions["ProjectConfig"]["properties"]["workers"]
    workers["additionalProperties"] = {"anyOf": [{"type": "string"}, workers["additionalProperties"]]}


def text() -> str:
    """The schema as it is kept in the repository."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
