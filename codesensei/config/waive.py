"""The key `waive`: rules of the policy by name, each with the reason why this stack need not follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from codesensei.config.types import Text, reject, show
from codesensei.wire import policy


def rule_name(value: str) -> str:
    """A rule of the policy, or any id of Django's checks."""
    if fix := policy.name_problem(value):
        raise reject("waive-rule", f"{show(value)} is no rule of the policy", fix)
    return value


def reason(value: str) -> str:
    """Words: the three dots of a line that was only pasted are none."""
    if not any(map(str.isalnum, value)):
        raise reject("waive-reason", "gives no reason", "say in words why this stack need not follow the rule")
    return value


def whole_names(value: object) -> object:
    """Refuse the maps that `--path` makes of a name with a dot."""
    found = value if isinstance(value, Mapping) else {}
    for name, inner in found.items():
        if isinstance(inner, Mapping):
            below = f"{name}.{next(iter(inner), 'W004')}"
            fix = f'pulumi config set --path \'codesensei:waive["{below}"]\' "…"'
            raise reject("waive-path", f"the name of a rule was taken apart: {below}", fix)
    return value


RuleName = Annotated[str, AfterValidator(rule_name), Field(json_schema_extra={"pattern": policy.NAME_PATTERN})]
Waivers = Annotated[dict[RuleName, Annotated[Text, AfterValidator(reason)]], BeforeValidator(whole_names)]
