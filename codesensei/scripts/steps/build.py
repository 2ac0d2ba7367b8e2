"""Step `build`: a release's code and packages, made by the build user, and what Django says of its settings.

Everything is written inside the release's own directory, its venv and root's memory; nothing that serves is touched.
"""

from __future__ import annotations

import os
import time
from typing import Any

from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import checks, jobs, settings
from codesensei.scripts.release.install import install, require
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release, redactor
from codesensei.scripts.release.unpack import unpack


def run(step: Step[object]) -> None:
    """Unpack, install, ask Django; done once for a release, which never changes afterwards."""
    name, revision = step.args
    data = step.data
    release = Release(step.project, name, data["user"], data["directory"], data["settingsModule"])
    jobs.end_orphans(step)
    if release.notes.get("built") and release.path.is_dir() and (release.venv / ".complete").exists():
        facts = release.notes.get("facts")
        assert isinstance(facts, dict)
        # What is asked of the settings may be another now.
        _check(facts, release, data)
        step.say(f"release {name} is built already")
        return
    note(release, {"built": False, "prepared": None, "hooked": None, "twin": None})
    started = time.monotonic()
    jobs.make_home(step)
    unpack(step, release, revision, data["source"])
    unpacked = time.monotonic()
    install(step, release, data)
    installed = time.monotonic()
    facts = settings.ask(step, release)
    _check(facts, release, data)
    _make_static_root(step, release, facts, data)
    if facts["debug"]:
        step.say(f"warning: DEBUG is on in {data['settingsModule']}: every error shows visitors code and settings")
    note(
        release,
        {
            "facts": facts,
            "revision": revision,
            "built": True,
            "seconds": {
                "code": round(unpacked - started, 1),
                "packages": round(installed - unpacked, 1),
                "settings": round(time.monotonic() - installed, 1),
            },
        },
    )
    step.changed(f"release {name} is built")


def _make_static_root(step: Step[object], release: Release, facts: dict[str, Any], data: dict[str, Any]) -> None:
    """Many settings make sure of the folder themselves, which the app user may not do in a release."""
    if data["static"] == "serve" and facts["installedStaticfiles"]:
        argv = ["mkdir", "-p", os.path.join(release.code, facts["STATIC_ROOT"])]
        require(jobs.run_job(step, release, Job("make STATIC_ROOT", argv, as_build_user=True)), release, "STATIC_ROOT")


def _check(facts: dict[str, Any], release: Release, data: dict[str, Any]) -> None:
    """Refuse settings that would lose data or not work; what they say may quote a secret variable."""
    clean = redactor(release.project, release.name).clean
    try:
        checks.check(facts, release, data)
    except Failure as failure:
        raise Failure(failure.thing, clean(failure.cause), clean(failure.fix)) from None
