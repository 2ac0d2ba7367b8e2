"""The way to a server: the only room that knows pulumi_command and SSH."""

from codesensei.remote.access import Access, Asking, ask, reach
from codesensei.remote.copy import copy_source, incoming_path
from codesensei.remote.destroy_check import destroy_check
from codesensei.remote.dns import remarks
from codesensei.remote.errors import RemoteError
from codesensei.remote.look import Look
from codesensei.remote.promotion import served_by
from codesensei.remote.standins import refuse_stand_ins
from codesensei.remote.state import State, read_state
from codesensei.remote.step import answer_of, remote_step, teardown_step
from codesensei.remote.told import warn
from codesensei.remote.toolkit import Toolkit, toolkit_step

__all__ = [
    "Access",
    "Asking",
    "Look",
    "RemoteError",
    "State",
    "Toolkit",
    "copy_source",
    "destroy_check",
    "incoming_path",
]
__all__ += ["answer_of", "ask", "reach", "read_state", "refuse_stand_ins", "remarks", "remote_step", "served_by"]
__all__ += ["teardown_step", "toolkit_step", "warn"]
