"""The project at one commit, read on the operator's machine; nothing of it is run or imported."""

from codesensei.source.archive import Checkout
from codesensei.source.closure import Closure
from codesensei.source.code import Code, ids, read_code
from codesensei.source.errors import SourceError
from codesensei.source.geography import hold as hold_geography
from codesensei.source.git import at, branches, checkout_of, open_source
from codesensei.source.history import History, Side, history
from codesensei.source.inspect import SettingsFacts, django_directory, migrations, read_settings
from codesensei.source.pending import Pending, pending
from codesensei.source.pythons import hold
from codesensei.source.requirements import requirements_closure
from codesensei.source.starts import find_module, started_with
from codesensei.source.variables import names_assigned, names_read

__all__ = ["Checkout", "Closure", "Code", "History", "SettingsFacts", "Side", "SourceError", "at", "django_directory"]
__all__ += ["Pending", "branches", "checkout_of", "history", "hold", "ids", "migrations", "open_source"]
__all__ += ["names_assigned", "names_read"]
__all__ += ["pending", "read_code", "read_settings", "requirements_closure", "started_with"]
__all__ += ["find_module", "hold_geography"]
