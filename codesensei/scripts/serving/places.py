"""Where the project's processes may write beside its shared folder: what only the settings name, on this server."""

from __future__ import annotations

from dataclasses import replace

from codesensei.scripts.base.step import Step
from codesensei.scripts.release import record, settings
from codesensei.scripts.release.release import Release
from codesensei.wire import paths, sandbox
from codesensei.wire.manifest import File, Manifest


def open_to(step: Step[Manifest], release: Release) -> Manifest:
    """The step's manifest, its units open to the places that the release's settings name."""
    facts, manifest = release.facts, step.data
    if facts.places is None:
        # A release of an earlier version of the program.
        facts = replace(facts, places=settings.ask(step, release).places)
        record.serves_with(step.project, release.name, facts)
    places = facts.places or ()
    if not places:
        return manifest

    def opened(file: File) -> File:
        is_unit = file.path.startswith(f"{paths.SERVER.units}/")
        return replace(file, content=sandbox.opened(file.content, places)) if is_unit else file

    candidate = replace(manifest.candidate, unit=sandbox.opened(manifest.candidate.unit, places))
    step.say(f"the settings name {', '.join(places)}: the processes may write there too")
    return replace(manifest, files=tuple(map(opened, manifest.files)), candidate=candidate)
