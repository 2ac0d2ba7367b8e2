"""What is allowed and still worth a word."""

from __future__ import annotations

import re
from collections.abc import Mapping

from codesensei.config.errors import NAMESPACE
from codesensei.config.stack import StackConfig

_SECRET_NAME = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|PASS|PWD|TOKEN|CREDENTIALS?|PRIVATE_KEY|API_?KEY|ACCESS_KEY|SECRET_KEY|DSN)(_|$)|SECRET",
    re.IGNORECASE,
)
# Names with such a word that hold no secret: paths, ids, hashers, lifetimes.
_HARMLESS_NAME = re.compile(
    r"_(FILE|PATH|NAME|ID|URL|AGE|TIMEOUT|LIFETIME|TTL|DAYS|HOURS|MINUTES|SECONDS|LENGTH|HASHERS?)$"
)
_URL_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)


def looks_secret(name: str, value: str) -> bool:
    """True where a variable seems to hold a secret, by its name or by a password in a URL."""
    if not value or value.lower() in {"0", "1", "true", "false", "none"}:
        return False
    if _URL_WITH_PASSWORD.search(value) or "PRIVATE KEY-----" in value:
        return True
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name.upper())


def config_warnings(config: StackConfig) -> tuple[str, ...]:
    """Sentences for the user; none holds a value of a variable."""
    found = [
        f"{NAMESPACE}env.{name}: looks like a secret, and stands in plain text in the stack file, the state and every "
        f"preview; move it: pulumi config set --secret --path {NAMESPACE}secretEnv.{name}, then remove it from env"
        for name, value in config.env.items()
        if looks_secret(name, value)
    ]
    found += [
        f"{NAMESPACE}trustedProxies: {network} is everybody: any visitor may then claim another address"
        for network in config.trusted_proxies
        if network.endswith("/0")
    ]
    project = config.project
    if project.share_user:
        found.append(
            f"{NAMESPACE}project.shareUser: every project on {config.server.host} that runs as {project.user} can read "
            "and change what the others have there: variables with their secrets, database, uploads, logs, processes"
        )
    for interface, other, given in (
        ("wsgi", "asgiApplication", project.asgi_application),
        ("asgi", "wsgiApplication", project.wsgi_application),
    ):
        if project.interface == interface and given:
            found.append(f"{NAMESPACE}project.{other}: is not used, because project.interface is {interface}")
    return tuple(found)


def namespace_warnings(keys: Mapping[str, object], known: set[str]) -> tuple[str, ...]:
    """Keys of ours that stand in another namespace, where nobody reads them (the engine accepts every namespace)."""
    return tuple(
        f"{key}: nobody reads this namespace; did you mean {NAMESPACE}{key.partition(':')[2]}?"
        for key in sorted(keys)
        if not key.startswith((NAMESPACE, "pulumi:")) and key.partition(":")[2] in known
    )
