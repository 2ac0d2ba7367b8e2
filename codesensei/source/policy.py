"""What the policy finds in settings that are written plainly; what only running tells, the server finds."""

from __future__ import annotations

from collections.abc import Iterator

from codesensei.source.settings import Settings
from codesensei.wire import policy
from codesensei.wire.steps import Finding


def findings(settings: Settings, module: str) -> Iterator[Finding]:
    """What is certain. No value is shown."""
    known = {name: setting.value for name, setting in settings.found.items() if setting.certain}
    if known.get("DEBUG") is True:
        yield policy.finding("debug", module=module)
    if isinstance(key := known.get("SECRET_KEY"), str) and key and policy.is_weak(key):
        yield policy.finding("secretKey", module=module)
    if isinstance(hosts := known.get("ALLOWED_HOSTS"), list) and "*" in hosts:
        yield policy.finding("allowedHosts", module=module)
