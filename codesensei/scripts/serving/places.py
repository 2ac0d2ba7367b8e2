"""What the project's processes may do that only its settings say, on this server: write beside its shared folder."""

from __future__ import annotations

from dataclasses import replace

from codesensei.scripts.base.step import Step
from codesensei.scripts.release import jobs, record, settings
from codesensei.scripts.release.release import Release
from codesensei.wire import paths, sandbox
from codesensei.wire.manifest import File, Manifest


def open_to(step: Step[Manifest], release: Release) -> Manifest:
    """The step's manifest, its units open to the places that the release's settings name."""
    facts, manifest = release.facts, step.data
    jobs.refuse_missing(release)
    if facts.places is None:
        # A release of an earlier version of the program.
        asked = settings.ask(step, release)
        facts = replace(facts, places=asked.places, sets_id=asked.sets_id)
        record.serves_with(step.project, release.name, facts)
    places = facts.places or ()

    def opened(text: str) -> str:
        return sandbox.opened(text, places, sets_id=facts.sets_id)

    def of(file: File) -> File:
        is_unit = file.path.startswith(f"{paths.SERVER.units}/")
        return replace(file, content=opened(file.content)) if is_unit else file

    candidate = replace(manifest.candidate, unit=opened(manifest.candidate.unit))
    plain = [place for place in places if sandbox.is_plain(place)]
    if plain:
        step.say(f"settings or variables lead to {', '.join(plain)}: the processes may write there too")
    for place in set(places) - set(plain):
        step.say(f"settings or variables lead to {place!r}, which stays read-only: rename it without spaces and signs")
    return replace(manifest, files=tuple(map(of, manifest.files)), candidate=candidate)
