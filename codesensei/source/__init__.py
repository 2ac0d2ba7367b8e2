"""The project at one commit, read on the operator's machine; nothing of it is run or imported."""

from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError
from codesensei.source.git import open_source
from codesensei.source.inspect import SettingsFacts, code_id, django_directory, migrations, read_settings
from codesensei.source.requirements import Closure, requirements_closure

__all__ = [
    "Checkout",
    "Closure",
    "SettingsFacts",
    "SourceError",
    "code_id",
    "django_directory",
    "migrations",
    "open_source",
    "read_settings",
    "requirements_closure",
]
