"""certbot's deploy hook: put the renewed certificate where nginx reads it. Not a step; it takes the project's lock."""

from __future__ import annotations

from codesensei.scripts.base.step import Step
from codesensei.scripts.serving.certificates import Folder


def run(step: Step[object]) -> None:
    """Take the renewed certificate, check with `nginx -t`, reload; the one before stays where nginx refuses it."""
    folder = Folder.served(step.project)
    if folder is None or not folder.install(step):
        step.say("nothing serves with this certificate yet")
