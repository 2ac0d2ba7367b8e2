"""All that reading the project shows of a deploy that would fail or go wrong: errors where certain, else warnings."""

from __future__ import annotations

from dataclasses import dataclass

from codesensei.config.project import ProjectConfig
from codesensei.source import missing, outdated, policy, pythons, static, unmade, writes
from codesensei.source.closure import Closure
from codesensei.source.errors import Told, raise_all
from codesensei.source.inspect import SettingsFacts
from codesensei.source.loaded import load
from codesensei.source.pythons import Unfit
from codesensei.source.settings import Modules, read_all
from codesensei.wire.steps import Finding

# More would hide the others.
_MOST = 20


@dataclass(frozen=True)
class Advice:
    """Warnings, what depends on the Python that the server has, and what the policy finds."""

    warnings: tuple[str, ...] = ()
    unfit: tuple[Unfit, ...] = ()
    findings: tuple[Finding, ...] = ()


def advise(modules: Modules, facts: SettingsFacts, closure: Closure, config: ProjectConfig) -> Advice:
    """What reading the source tells. SourceError with everything that is certain."""
    settings = read_all(modules, config.settings_module)
    loaded = load(modules, settings, config.settings_module, facts.application.partition(":")[0])
    hooks = config.hooks.model_dump(exclude={"after_switch"})
    found: list[Told] = [
        *missing.missing(loaded, settings, closure, hooks=any(hooks.values())),
        *outdated.outdated(loaded, settings, closure),
        *writes.written(modules, settings, config),
        *static.storages(settings),
        *static.compressor(settings, config),
        *unmade.translations(modules, settings, config),
        *unmade.cache_tables(modules, settings, config),
    ]
    told = list(dict.fromkeys(told.sentence for told in found if not told.certain))
    warnings = told if len(told) <= _MOST else [*told[:_MOST], f"and {len(told) - _MOST} more like these"]
    raise_all((told.error for told in found if told.certain), warnings)
    findings = tuple(policy.findings(settings, config.settings_module))
    return Advice(tuple(warnings), tuple(pythons.unfit(loaded, closure)), findings)
