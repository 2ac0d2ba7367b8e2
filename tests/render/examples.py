"""The example project that the golden texts are about."""

from __future__ import annotations

from codesensei.config.names import Names


def names(**changes: str) -> Names:
    values = {
        "slug": "shop",
        "user": "deploy",
        "directory": ".",
        "server": "203.0.113.7",
        "scheme": "http",
        "stack": "organization/codesensei/shop",
        **changes,
    }
    return Names(domains=("shop.example.com",), apps_domain=None, **values)
