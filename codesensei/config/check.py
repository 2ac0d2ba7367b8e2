"""One pass over a stack config: everything that is wrong with it, or what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from codesensei.config.broker_plan import BrokerPlan, plan_broker
from codesensei.config.cross import cross_problems, worker_count_problems
from codesensei.config.database_plan import DatabasePlan, plan_database
from codesensei.config.environment import held
from codesensei.config.errors import BadConfig, Problem
from codesensei.config.mend import mended, touches
from codesensei.config.stack import StackConfig
from codesensei.config.translate import problems_of
from codesensei.config.warnings import config_warnings
from codesensei.wire.envfile import meaning


@dataclass(frozen=True)
class SecretTexts:
    """Secret values in clear, on their way from the engine into Outputs; they stay inside this package."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    ssh_private_key: str | None = field(default=None, repr=False)
    tls_key: str | None = field(default=None, repr=False)
    digest_key: str | None = field(default=None, repr=False)

    def all(self) -> list[str]:
        """Every value."""
        single = (self.ssh_private_key, self.tls_key, self.digest_key)
        return [*self.env.values(), *(value for value in single if value)]


@dataclass(frozen=True)
class Checked:
    """What a sound config means."""

    config: StackConfig
    database: DatabasePlan
    broker: BrokerPlan
    warnings: tuple[str, ...]
    database_password: str | None = field(repr=False)


def validate(raw: Mapping[str, object], *, secret_names: Iterable[str] = ()) -> StackConfig:
    """The config of a config that is given as plain data, keys without the namespace.

    Values of `secretEnv`, `tls.key`, `sshPrivateKey` and `digestKey` are left aside, whatever they are: of `secretEnv`
    the names count, together with `secret_names`. Raises BadConfig with every problem.
    """
    public, names = without_secrets(raw, tuple(secret_names))
    config, problems, _ = read_config(public, names)
    if config is None or problems:
        raise BadConfig(tuple(problems))
    return config


def without_secrets(
    raw: Mapping[str, object], names: tuple[str, ...] = ()
) -> tuple[dict[str, object], tuple[str, ...]]:
    """The config with its secret places empty, and the names of the secret variables."""
    public = {key: value for key, value in raw.items() if key not in {"sshPrivateKey", "digestKey"}}
    secret_env = public.get("secretEnv")
    if isinstance(secret_env, Mapping):
        names = (*names, *(name for name in map(str, secret_env) if name not in names))
        del public["secretEnv"]
    if names:
        public["secretEnv"] = names
    tls = public.get("tls")
    if isinstance(tls, Mapping):
        public["tls"] = {key: value for key, value in tls.items() if key != "key"}
    return public, names


def read_config(
    public: Mapping[str, object], names: tuple[str, ...]
) -> tuple[StackConfig | None, list[Problem], frozenset[str]]:
    """The config, everything that is wrong with it, and the paths at which the config is not what the config says."""
    failed: frozenset[str] = frozenset()
    problems: list[Problem] = []
    try:
        config: StackConfig | None = StackConfig.model_validate(dict(public))
    except ValidationError as error:
        problems = problems_of(error, names)
        config, failed = mended(public, error)
    return config, problems + (cross_problems(config, failed) if config else []), failed


def check(public: Mapping[str, object], names: tuple[str, ...], secrets: SecretTexts) -> Checked | list[Problem]:
    """Everything about a config and its secret values."""
    config, problems, failed = read_config(public, names)
    problems += _held(secrets.env)
    if config is None or touches(failed, ("env", "secretEnv", "database", "broker", "project.slug", "project.user")):
        return problems
    places = {name: f"env.{name}" for name in config.env} | {name: f"secretEnv.{name}" for name in secrets.env}
    values = {name: meaning(value) for name, value in {**config.env, **secrets.env}.items()}
    problems += worker_count_problems(values, places)
    broker, found = plan_broker(config, values, places)
    problems += found
    given = plan_database(config, values, places)
    if isinstance(given, Problem):
        return [*problems, given]
    if problems:
        return problems
    return Checked(config, given.plan, broker, config_warnings(config), given.password)


def _held(values: Mapping[str, str]) -> list[Problem]:
    problems = []
    for name, value in values.items():
        try:
            held(value)
        except PydanticCustomError as error:
            context = error.context or {}
            problems.append(Problem(error.type, f"secretEnv.{name}", context["message"], context["fix"]))
    return problems
