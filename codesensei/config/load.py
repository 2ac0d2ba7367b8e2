"""The stack config as the engine gives it, turned into a config and secrets. The only module here that knows Pulumi."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Literal

import pulumi
from pulumi.runtime import config as engine_config
from pulumi.runtime import settings

from codesensei.config.check import check, known_keys, read_config, without_secrets
from codesensei.config.plans import BrokerPlan, DatabasePlan
from codesensei.config.problems import NAMESPACE, BadConfig, Problem
from codesensei.config.secrecy import (
    BACKUP_SECRETS,
    SecretTexts,
    UnreadableStackFile,
    as_written,
    find_stack_file,
    once,
    secrecy_of,
    take_secrets,
)
from codesensei.config.stack import StackConfig
from codesensei.wire.envfile import Written
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.text import encodable

OTHER_FILE = (
    "this run's config is not the stack's own file (--config-file): "
    "whether each value of codesensei:secretEnv is encrypted cannot be checked",
)


class ConfigError(BadConfig, pulumi.RunError):
    """A BadConfig that ends the program without a traceback. `sound` is the config without what is wrong in it."""

    def __init__(self, problems: tuple[Problem, ...], sound: StackConfig) -> None:
        super().__init__(problems)
        self.sound = sound


@dataclass(frozen=True)
class Secrets:
    """Secret values, each an Output that is marked secret."""

    env: Mapping[str, pulumi.Output[Written]] = field(repr=False)
    ssh_private_key: pulumi.Output[str] | None = field(default=None, repr=False)
    tls_key: pulumi.Output[str] | None = field(default=None, repr=False)
    digest_key: pulumi.Output[str] | None = field(default=None, repr=False)
    database_password: pulumi.Output[str] | None = field(default=None, repr=False)
    backup_password: pulumi.Output[str] | None = field(default=None, repr=False)
    backup_key: pulumi.Output[str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Stack:
    """Everything that the program knows before it builds: the config, what follows from it, and the secrets."""

    config: StackConfig
    secrets: Secrets
    full_name: str
    """organization/project/stack"""
    database: DatabasePlan
    broker: BrokerPlan
    warnings: tuple[str, ...]
    digest: str = ""
    """Of the stack file and all plain values; empty where that would not tell each change of a secret."""

    @property
    def slug(self) -> str:
        """The project's short name."""
        return self.config.project.slug

    @property
    def user(self) -> str:
        """The app user; its primary group has the same name."""
        return self.config.project.user

    @property
    def paths(self) -> ProjectPaths:
        """The project's paths on the server."""
        return ProjectPaths(self.slug)

    @property
    def scheme(self) -> Literal["http", "https"]:
        """How the public reaches the project."""
        return "http" if self.config.tls.kind == "off" else "https"


def load() -> Stack:
    """Read this stack's config. Raises ConfigError with every problem at once."""
    config = {**engine_config.get_config_env(), **engine_config.CONFIG.get()}
    sealed_keys = {*filter(engine_config.is_config_secret, config), *engine_config.get_config_secret_keys_env()}
    raw = parsed({key.removeprefix(NAMESPACE): v for key, v in config.items() if key.startswith(NAMESPACE)})
    try:
        file = find_stack_file(Path(settings.get_root_directory() or "."), pulumi.get_stack())
    except UnreadableStackFile as error:
        raise pulumi.RunError(encodable(str(error))) from None
    other_file = file is not None and not file.is_of(raw)
    file = None if other_file else file
    sealed = {key.removeprefix(NAMESPACE) for key in sealed_keys if key.startswith(NAMESPACE)}
    secrecy = secrecy_of(raw, sealed, file)
    raw, changed = as_written(raw, file)
    secrets, found = take_secrets(raw)
    shown = without_secrets(raw)
    checked = check(*shown, secrets)
    problems = secrecy.told([*changed, *found, *(checked if isinstance(checked, list) else ())])
    if problems or isinstance(checked, list):
        raise ConfigError(once(problems, secrets), read_config(*shown)[0]) from None
    warnings = checked.warnings + _namespace_warnings(config, set(known_keys(())))
    warnings += OTHER_FILE if other_file else ()
    full_name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    outputs = _outputs(secrets, checked.database_password)
    digest = file.digest(raw, shown) if file else ""
    return Stack(checked.config, outputs, full_name, checked.database, checked.broker, warnings, digest)


# The engine hands every top-level value over as text; these are the ones that are text.
_TEXTS = frozenset({"sshPrivateKey", "digestKey", "appsDomain", "production", "drift", "adopt", "allowUnsupported"})


def parsed(config: Mapping[str, object]) -> dict[str, object]:
    """The config's top-level values, by key without the namespace, from what the engine has of them."""
    raw: dict[str, object] = dict(config)
    for key, text in config.items():
        if key not in _TEXTS and isinstance(text, str) and text[:1] in {"{", "["}:
            with suppress(ValueError, RecursionError):
                raw[key] = json.loads(text)
    return raw


def _outputs(secrets: SecretTexts, password: str | None) -> Secrets:
    def secret(value: str | None) -> pulumi.Output[str] | None:
        return None if value is None else pulumi.Output.secret(value)

    env = {name: pulumi.Output.secret(value) for name, value in secrets.env.items()}
    ssh_key, tls_key, digest_key = secret(secrets.ssh_private_key), secret(secrets.tls_key), secret(secrets.digest_key)
    backup_password, backup_key = (secret(secrets.backups.get(name)) for name in BACKUP_SECRETS)
    return Secrets(env, ssh_key, tls_key, digest_key, secret(password), backup_password, backup_key)


def _namespace_warnings(keys: Mapping[str, object], known: set[str]) -> tuple[str, ...]:
    """Keys of ours that stand in another namespace, where nobody reads them (the engine accepts every namespace)."""
    return tuple(
        f"{key}: nobody reads this namespace; did you mean {NAMESPACE}{key.partition(':')[2]}?"
        for key in sorted(keys)
        if not key.startswith((NAMESPACE, "pulumi:")) and key.partition(":")[2] in known
    )
