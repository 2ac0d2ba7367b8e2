"""Write an env file, and note which of its variables are secret."""

from __future__ import annotations

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step, write_json


def run(step: Step[object]) -> None:
    """Write env/<env7>.env as given: root's, readable by the app user's group."""
    (variables,) = step.args
    user = step.data["user"]
    try:
        files.group_id(user)
    except KeyError:
        raise Failure(f"user {user}", "there is no such user on this server", "run pulumi up again") from None
    path = step.project.env_file(variables)
    wrote = files.write_file(path, step.data["content"], 0o640, "root", user)
    step.converge(wrote, f"environment {path} written")
    step.manage(path)
    note = step.project.variable_notes(variables)
    facts = {name: step.data[name] for name in ("secretNames", "managedNames", "account", "user")}
    step.converge(write_json(note, facts), f"secret variables noted: {len(facts['secretNames'])}")
