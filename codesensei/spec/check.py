"""One pass over a stack config: everything that is wrong with it, or what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from codesensei.spec.broker_plan import BrokerPlan, plan_broker
from codesensei.spec.caution import cautions
from codesensei.spec.cross import cross_problems, worker_count_problems
from codesensei.spec.database_plan import DatabasePlan, plan_database
from codesensei.spec.environment import held
from codesensei.spec.errors import Problem, SpecError
from codesensei.spec.mend import mended, touches
from codesensei.spec.stack import StackSpec
from codesensei.spec.translate import problems_of
from codesensei.spec.words import meaning


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

    spec: StackSpec
    database: DatabasePlan
    broker: BrokerPlan
    warnings: tuple[str, ...]
    database_password: str | None = field(repr=False)


def validate(raw: Mapping[str, object], *, secret_names: Iterable[str] = ()) -> StackSpec:
    """The spec of a config that is given as plain data, keys without the namespace.

    Values of `secretEnv`, `tls.key`, `sshPrivateKey` and `digestKey` are left aside, whatever they are: of `secretEnv`
    the names count, together with `secret_names`. Raises SpecError with every problem.
    """
    public, names = without_secrets(raw, tuple(secret_names))
    spec, problems, _ = read_spec(public, names)
    if spec is None or problems:
        raise SpecError(tuple(problems))
    return spec


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


def read_spec(
    public: Mapping[str, object], names: tuple[str, ...]
) -> tuple[StackSpec | None, list[Problem], frozenset[str]]:
    """The spec, everything that is wrong with it, and the paths at which the spec is not what the config says."""
    failed: frozenset[str] = frozenset()
    problems: list[Problem] = []
    try:
        spec: StackSpec | None = StackSpec.model_validate(dict(public))
    except ValidationError as error:
        problems = problems_of(error, names)
        spec, failed = mended(public, error)
    return spec, problems + (cross_problems(spec, failed) if spec else []), failed


def check(public: Mapping[str, object], names: tuple[str, ...], secrets: SecretTexts) -> Checked | list[Problem]:
    """Everything about a config and its secret values."""
    spec, problems, failed = read_spec(public, names)
    problems += _held(secrets.env)
    if spec is None or touches(failed, ("env", "secretEnv", "database", "broker", "project.slug", "project.user")):
        return problems
    places = {name: f"env.{name}" for name in spec.env} | {name: f"secretEnv.{name}" for name in secrets.env}
    values = {name: meaning(value) for name, value in {**spec.env, **secrets.env}.items()}
    problems += worker_count_problems(values, places)
    broker, found = plan_broker(spec, values, places)
    problems += found
    given = plan_database(spec, values, places)
    if isinstance(given, Problem):
        return [*problems, given]
    if problems:
        return problems
    return Checked(spec, given.plan, broker, cautions(spec), given.password)


def _held(values: Mapping[str, str]) -> list[Problem]:
    problems = []
    for name, value in values.items():
        try:
            held(value)
        except PydanticCustomError as error:
            context = error.context or {}
            problems.append(Problem(error.type, f"secretEnv.{name}", context["message"], context["cure"]))
    return problems
