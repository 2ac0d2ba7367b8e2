"""What a candidate said it serves with, held against what Django was asked before it, and against the stack."""

from __future__ import annotations

import json
from dataclasses import replace

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.together import raise_all
from codesensei.scripts.release import checks, record, uses
from codesensei.scripts.release.record import Facts, Use
from codesensei.scripts.release.release import Release, redactor
from codesensei.scripts.serving import visitors
from codesensei.wire import codec, policy
from codesensei.wire.codec import WireError
from codesensei.wire.manifest import Manifest
from codesensei.wire.paths import ProjectPaths

Uses = tuple[Use, ...] | None
# What the deploy has checked: with others in the process that serves, data or files would be missing.
MUST_AGREE = {name.lower(): name for name in ("DATABASES", "MEDIA_ROOT", "MEDIA_URL", "STATIC_URL")}
FIX = "what wsgi.py or asgi.py loads when it starts (a .env file, another settings module), manage.py must load too"


def hold(step: Step[Manifest], release: Release) -> None:
    """Take what the candidate says as the release's facts. Raises Failure where it serves with other settings."""
    project, manifest = step.project, step.data
    said = _read(project)
    if said is None:
        return
    asked, clean = release.facts, redactor(project, release.name).clean
    thing, module = f"release {release.name}", said.settings_module
    if module not in ("", release.settings_module):
        cause = f"it serves with the settings {module}, and project.settingsModule is {release.settings_module}"
        fix = "in wsgi.py or asgi.py, only os.environ.setdefault may set DJANGO_SETTINGS_MODULE; or set"
        raise Failure(thing, cause, f"{fix} project.settingsModule to {module}")
    for key, name in MUST_AGREE.items():
        one, other = getattr(said, key), getattr(asked, key)
        if one != other:
            cause = f"the process that serves has another {name} than manage.py"
            raise Failure(thing, clean(f"{cause}: {codec.encode(one)}, not {codec.encode(other)}"), FIX)
    raise_all(checks.debug_in_production(said, release, manifest))
    # The web process may not load all that workers use.
    said = replace(
        said,
        shared=_both(asked.shared, said.shared),
        unset=asked.unset,
        places=asked.places,
        sets_id=asked.sets_id,
        checks=asked.checks,
    )
    uses.claim(step, release, said, adopt=manifest.adopt, shares=manifest.shares)
    record.serves_with(project, release.name, said)


def _both(asked: Uses, said: Uses) -> Uses:
    return asked if said is None else tuple(dict.fromkeys((*(asked or ()), *said)))


def warnings(release: Release, manifest: Manifest) -> list[str]:
    """What of the settings that serve its team should know, as sentences."""
    facts = release.facts
    told = []
    if facts.debug and "debug" not in manifest.waived:
        told.append(policy.sentence(policy.finding("debug", module=facts.settings_module or release.settings_module)))
    if names := checks.overridden(facts, release):
        told.append(f"the project does not have the stack's values of {', '.join(names)}: {checks.OVERRIDDEN_FIX}")
    told += [
        f"codesensei:shares: no setting leads to {name}: remove it" for name in uses.unused(facts, manifest.shares)
    ]
    clean = redactor(release.project, release.name).clean
    return [*told, *map(clean, visitors.warnings(release, manifest))]


def _read(project: ProjectPaths) -> Facts | None:
    """The facts in the candidate's HOME, which is the app user's; None where it wrote none."""
    path = project.candidate_home / "settings.json"
    try:
        return codec.decode(Facts, json.loads(files.read_foreign(path)), str(path))
    except (ValueError, WireError):
        return None
