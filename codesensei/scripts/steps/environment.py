"""Write an env file, and note which of its variables are secret."""

from __future__ import annotations

from codesensei.scripts.base import files
from codesensei.scripts.base.fixes import again
from codesensei.scripts.base.step import Failure, Step, write_json
from codesensei.scripts.release.release import VariableNotes
from codesensei.scripts.serving import live
from codesensei.scripts.serving.live import Live
from codesensei.wire import codec
from codesensei.wire.names import variables_of
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Environment


def run(step: Step[Environment]) -> None:
    """Write env/<env7>.env as given: root's, readable by the app user's group."""
    (variables,) = step.args
    data = step.data
    try:
        files.group_id(data.user)
    except OSError:
        raise Failure(
            f"user {data.user}", "there is no such user on this server", again(step.slug, "account")
        ) from None
    path = step.project.env_file(variables)
    if _was_edited(step.project, variables, data.content):
        live.renew_all(step.project)
    wrote = files.write_file(path, data.content, 0o640, "root", data.user)
    step.converge(wrote, f"environment {path} written")
    step.manage(path)
    notes = VariableNotes(
        secret_names=data.secret_names, managed_names=data.managed_names, account=data.account, user=data.user
    )
    wrote = write_json(step.project.variable_notes(variables), codec.encode(notes))
    step.converge(wrote, f"secret variables noted: {len(data.secret_names)}")


def _was_edited(project: ProjectPaths, variables: str, content: str) -> bool:
    """Whether what serves may have been started with another text of these variables."""
    path, release = project.env_file(variables), Live.read(project).release
    serves = release is not None and variables_of(release) == variables
    return serves and path.is_file() and files.text_of(path) != content
