"""What the project's checks for a deploy find. Runs in the project's Python as the app user, once Django is loaded.

Not what `check` finds anywhere: that is the same on a developer's machine, and `migrate` ends on its errors.
"""

from importlib import import_module
from typing import Any

# Silencing it would hide a weak key from the stack file, where it can be waived.
NEVER_SILENT = "security.W009"


def found() -> list[dict[str, str]]:
    """Warnings and errors of all checks that only `check --deploy` runs, in the order of their ids."""
    checks = import_module("django.core.checks")
    registry = import_module("django.core.checks.registry").registry
    everywhere = [*registry.get_checks()]
    messages = []
    for check in registry.get_checks(include_deployment_checks=True):
        if check in everywhere:
            continue
        try:
            messages += [_said(one) for one in check(app_configs=None, databases=None) or () if _counts(one, checks)]
        except Exception as error:  # noqa: BLE001  # its text may hold a secret
            name = f"{check.__module__}.{getattr(check, '__qualname__', 'check')}"
            messages.append({"id": name, "message": f"it ended with {type(error).__name__}", "hint": ""})
    return sorted(messages, key=lambda message: message["id"])


def _counts(message: Any, checks: Any) -> bool:
    return message.level >= checks.WARNING and (message.id == NEVER_SILENT or not message.is_silenced())


def _said(message: Any) -> dict[str, str]:
    return {"id": str(message.id or "unnamed"), "message": str(message.msg), "hint": str(message.hint or "")}
