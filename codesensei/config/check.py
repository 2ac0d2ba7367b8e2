"""One pass over a stack config: everything that is wrong with it, or what it means."""

from __future__ import annotations

import difflib
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from codesensei.config.backups import BackupsConfig
from codesensei.config.plans import BrokerPlan, DatabasePlan, plan_broker, plan_database
from codesensei.config.policy import judge
from codesensei.config.problems import NAMESPACE, BadConfig, Problem
from codesensei.config.secrecy import BACKUP_SECRETS, SecretTexts
from codesensei.config.server import KEYSCAN
from codesensei.config.stack import StackConfig, config_warnings, cross_problems, worker_count_problems
from codesensei.config.types import LeftOut, Model, show
from codesensei.config.variables import refusal_fix
from codesensei.wire.envfile import meaning, value_refusal
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import MADE_HERE


@dataclass(frozen=True)
class Checked:
    """What a sound config means."""

    config: StackConfig
    database: DatabasePlan
    broker: BrokerPlan
    warnings: tuple[str, ...]
    database_password: str | None = field(repr=False)


def validate(raw: Mapping[str, object]) -> StackConfig:
    """The config of a config that is given as plain data, keys without the namespace.

    Secrets are left aside, whatever they are: of `secretEnv` the names count. Raises BadConfig with every problem.
    """
    public, names = without_secrets(raw)
    config, problems = read_config(public, names)
    if problems:
        raise BadConfig(tuple(problems))
    return config


def without_secrets(raw: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """The config with its secret places empty, and the names of the secret variables."""
    public = {key: value for key, value in raw.items() if key not in {"sshPrivateKey", "digestKey"}}
    names: tuple[str, ...] = ()
    secret_env = public.get("secretEnv")
    if isinstance(secret_env, Mapping):
        public["secretEnv"] = names = tuple(map(str, secret_env))
    tls = public.get("tls")
    if isinstance(tls, Mapping):
        public["tls"] = {key: value for key, value in tls.items() if key != "key"}
    backups = public.get("backups")
    if isinstance(backups, Mapping):
        public["backups"] = {key: value for key, value in backups.items() if key not in BACKUP_SECRETS}
    return public, names


def read_config(public: Mapping[str, object], names: tuple[str, ...]) -> tuple[StackConfig, list[Problem]]:
    """The config and everything that is wrong with it.

    Keys at which something is wrong are left out of it, so that rules about the other ones speak in the same run.
    """
    problems: list[Problem] = []
    try:
        config = StackConfig.model_validate(dict(public))
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        problems = [_problem(entry["type"], entry["loc"], entry.get("ctx", {}), names) for entry in entries]
        config = _sound_part(StackConfig, public, [_place(entry["loc"], ()) for entry in entries])
    return config, problems + cross_problems(config)


def check(public: Mapping[str, object], names: tuple[str, ...], secrets: SecretTexts) -> Checked | list[Problem]:
    """Everything about a config and its secret values."""
    config, problems = read_config(public, names)
    problems += _held(secrets.env)
    try:
        places = {name: f"env.{name}" for name in config.env}
        places |= {name: f"secretEnv.{name}" for name in config.secret_names}
        values = {name: meaning(value) for name, value in {**config.env, **secrets.env}.items()}
        with suppress(LeftOut):
            problems += worker_count_problems(config, values, places)
        broker, found = plan_broker(config, values, places)
        problems += found
        given = plan_database(config, values, places)
        judged = judge(config, given.plan)
        problems += [*judged.problems, *_filled(config, given.plan), *_archived(config, given.plan)]
    except LeftOut:
        return problems
    except BadConfig as error:
        return [*problems, *error.problems]
    if problems:
        return problems
    return Checked(config, given.plan, broker, (*judged.warnings, *config_warnings(config)), given.password)


def _filled(config: StackConfig, plan: DatabasePlan) -> list[Problem]:
    review = config.review_of
    if review is None or not review.fills or plan.kind in MADE_HERE:
        return []
    message = f"fills a database that codesensei makes on the server, and this one is {plan.kind}"
    return [Problem("review-data", "reviewOf", message, "remove dataFrom and dump, and copy the data by hand")]


def _archived(config: StackConfig, plan: DatabasePlan) -> list[Problem]:
    if config.backups is None or config.backups.database == "dump" or plan.kind in MADE_HERE:
        return []
    message = f"continuous is for a database that codesensei makes on the server, and this one is {plan.kind}"
    fix = "remove it" if plan.kind == "sqlite" else "remove it, and have its provider keep what restores it to a moment"
    return [Problem("backup-continuous-database", "backups.database", message, fix)]


def _held(values: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(refused.rule, f"secretEnv.{name}", refused.cause, refusal_fix(refused))
        for name, value in values.items()
        if (refused := value_refusal(value))
    ]


_KINDS = {
    "string_type": ("text", 'quote it: "…"'),
    "tuple_type": ("a list", "write it with brackets: [one, two]"),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"), ("a map", "write keys and values: {name: value}")
    ),
}
_MISSING = {
    "hostKey": ("is missing: without it, anyone in between could pose as the server", KEYSCAN),
    "revision": ("is missing: a deploy needs one commit", "name a commit or a tag: v1.4.0"),
    "server": ("is missing", "take it from stacks/Pulumi.example.yaml"),
    "project": ("is missing", "take it from stacks/Pulumi.example.yaml"),
    "settingsModule": ("is missing", "name the module of your production settings: config.settings.production"),
    "slug": ("is missing", "choose a short name for the project: shop"),
}
# Keys of the file that are no part of the config, because they hold secrets.
SECRET_KEYS = ("sshPrivateKey", "digestKey", "secretEnv")
# A key and keys below it, and numbers of a list's entries.
Place = tuple[int | str, ...]
_UNION_TAGS = {"off", "selfSigned", "files", "acme"}


def _problem(kind: str, found_at: Place, context: Mapping[str, Any], secret_names: tuple[str, ...]) -> Problem:
    """One of pydantic's errors as a problem."""
    loc = _place(found_at, secret_names)
    path = _path_of(loc)
    if "fix" in context:
        return Problem(kind, path, context["message"], context["fix"])
    if kind == "missing":
        message, fix = _MISSING.get(str(loc[-1]), ("is missing", "add it"))
        return Problem("missing-host-key" if loc[-1] == "hostKey" else "missing-key", path, message, fix)
    if kind == "extra_forbidden":
        return _unknown(loc, path)
    if kind == "literal_error":
        words = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return Problem("choice", path, "is not an allowed value", f"use one of: {words}")
    if kind == "too_short":
        return Problem("empty-list", path, "is empty", "list at least one, or remove the line to use the default")
    if loc == ("secretEnv",):
        kind = "dict_type"
    what, fix = _KINDS.get(kind, ("of another kind", "see stacks/Pulumi.example.yaml"))
    return Problem("wrong-type", path, f"must be {what}", fix)


def _place(loc: Place, secret_names: tuple[str, ...]) -> Place:
    """The place in the user's file: without pydantic's own marks."""
    parts = [part for part in loc if part != "[key]"]
    if len(parts) > 1 and parts[0] == "tls" and parts[1] in _UNION_TAGS:
        del parts[1]
    if len(parts) > 1 and parts[0] == "secretEnv" and isinstance(parts[1], int):
        parts[1] = secret_names[parts[1]] if secret_names else parts[1]
    return tuple(parts)


def _path_of(loc: Place) -> str:
    """`("project", "hooks", "afterMigrate", 0)` as `project.hooks.afterMigrate[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _unknown(loc: Place, path: str) -> Problem:
    if len(loc) > 1 or path.partition(".")[0] not in known_keys(()):
        return Problem("unknown-key", path, "unknown key", _did_you_mean(loc))
    # What `pulumi config set` makes of a key with a dot when --path is forgotten.
    name = f"{NAMESPACE}{path}"
    secret = "--secret " if path.startswith(("secretEnv.", "tls.key", "backups.password", "backups.secretKey")) else ""
    fix = f"pulumi config rm {name}, then pulumi config set {secret}--path {name}"
    return Problem("key-without-path", path, "was set without --path, and nothing reads it", fix)


def _did_you_mean(loc: Place) -> str:
    known = known_keys(loc[:-1])
    lowered = {key.lower(): key for key in known}
    word = str(loc[-1]).lower().replace("_", "").replace("-", "")
    near = difflib.get_close_matches(word, lowered, n=1, cutoff=0.7)
    if near:
        return f"did you mean {show(lowered[near[0]])}?"
    return f"known here: {', '.join(sorted(known))}" if known else "remove it"


def known_keys(loc: Place) -> list[str]:
    """The keys that may stand at a place of the file."""
    if loc == ("tls",):
        return ["acme", "certificate", "key"]
    if loc == ("backups",):
        return [*(str(field.alias) for field in BackupsConfig.model_fields.values()), *BACKUP_SECRETS]
    models: list[type[BaseModel]] = [StackConfig]
    for part in loc:
        fields = [field for model in models for field in model.model_fields.values()]
        below = [model for field in fields if field.alias == part for model in _models(field.annotation)]
        models = below or models  # a part that is no field is a key of a map, such as a worker's name
    keys = [field.alias for model in models for field in model.model_fields.values() if field.alias]
    return keys + [key for key in SECRET_KEYS if not loc and key not in keys]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in typing.get_args(annotation) for model in _models(part)]


M = TypeVar("M", bound=Model)


@functools.cache
def _adapter(model: type[Model], name: str) -> TypeAdapter[Any]:
    """What checks one field by itself; to make it takes longer than to check a whole stack file."""
    return TypeAdapter(model.model_fields[name].rebuild_annotation())


def _sound_part(model: type[M], data: Mapping[str, object], wrong: Sequence[Place], at: Place = ()) -> M:
    """What is right of `data`, without the keys at or below `at` at which something is `wrong`: those are left out."""
    values: dict[str, Any] = {}
    left_out = []
    for name, info in model.model_fields.items():
        key = str(info.alias)
        here = (*at, key)
        below = [place for place in wrong if place[: len(here)] == here]
        inner = info.annotation
        if not below and key in data:
            values[name] = _adapter(model, name).validate_python(data[key])
        elif not below:
            values[name] = info.default
        elif here not in below and isinstance(inner, type) and issubclass(inner, Model):
            values[name] = _sound_part(inner, cast(Mapping[str, object], data[key]), below, here)
        else:
            left_out.append(name)
    part = model.model_construct(**values)
    for name in left_out:
        part.__dict__.pop(name, None)
    return part
