"""All that reading the project shows of a deploy that would fail or go wrong: errors where certain, else warnings."""

from __future__ import annotations

from collections.abc import Iterator

from codesensei.config import StackConfig
from codesensei.source import geography, missing, needs, outdated, policy, pythons, static, unmade, variables, writes
from codesensei.source.closure import Closure
from codesensei.source.errors import SourceError, Told, raise_all
from codesensei.source.geography import ByUrl
from codesensei.source.inspect import SettingsFacts
from codesensei.source.loaded import load
from codesensei.source.pythons import Unfit
from codesensei.source.settings import Modules, Settings, read_all
from codesensei.source.syntax import syntax_if_read
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Finding

# More would hide the others.
_MOST = 20


@dataclass(frozen=True)
class Advice:
    """Warnings, what depends on the server's Python, what the policy finds, what depends on the database's URL."""

    warnings: tuple[str, ...] = ()
    unfit: tuple[Unfit, ...] = ()
    findings: tuple[Finding, ...] = ()
    geography: ByUrl | None = None


def _variables(modules: Modules, settings: Settings) -> Iterator[Told]:
    """Those that the settings need and nothing sets."""
    if modules.variables:
        trees = {file: tree for file in settings.sure if (tree := syntax_if_read(modules.project, file))}
        yield from variables.missing(trees, modules.variables)
        yield from variables.overridden(modules.project, trees, modules.variables)


def advise(modules: Modules, facts: SettingsFacts, closure: Closure, stack: StackConfig) -> Advice:
    """What reading the source tells. SourceError with everything that is certain."""
    config = stack.project
    settings = read_all(modules, config.settings_module)
    loaded = load(modules, settings, config.settings_module, facts.application.partition(":")[0])
    hooks = config.hooks.model_dump(exclude={"after_switch"})
    found: list[Told] = [
        *missing.missing(loaded, settings, closure, hooks=any(hooks.values())),
        *_variables(modules, settings),
        *outdated.outdated(loaded, settings, closure),
        *writes.written(modules, settings, config),
        *static.storages(settings),
        *static.compressor(settings, config),
        *needs.needs(modules, settings, stack),
        *geography.told(loaded, settings, stack),
        *unmade.translations(modules, settings, config),
        *unmade.cache_tables(modules, settings, config),
    ]
    told = list(dict.fromkeys(told.sentence for told in found if not told.certain))
    warnings = told if len(told) <= _MOST else [*told[:_MOST], f"and {len(told) - _MOST} more like these"]
    errors, unfit = [told.error for told in found if told.certain], tuple(pythons.unfit(loaded, closure))
    if errors:
        # The server is not asked for its Python any more.
        try:
            warnings += pythons.hold(unfit, config.python)
        except SourceError as error:
            errors.append(error)
    raise_all(errors, warnings)
    findings = tuple(policy.findings(settings, config.settings_module))
    return Advice(tuple(warnings), unfit, findings, geography.by_url(loaded, settings, stack))
