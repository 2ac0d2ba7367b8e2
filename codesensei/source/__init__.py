"""The project at one commit, read on the operator's machine; nothing of it is run or imported."""

from codesensei.source.errors import SourceError
from codesensei.source.git import Project, open_source
from codesensei.source.inspect import SettingsFacts, code_id, migrations, read_settings
from codesensei.source.requirements import Closure, requirements_closure

__all__ = [
    "Closure",
    "Project",
    "SettingsFacts",
    "SourceError",
    "code_id",
    "migrations",
    "open_source",
    "read_settings",
    "requirements_closure",
]
