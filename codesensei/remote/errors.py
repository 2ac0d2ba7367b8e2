"""Why a server cannot be used, told so that the user can fix it at once."""

from __future__ import annotations

import pulumi

from codesensei.wire.text import printable_lines


class RemoteError(pulumi.RunError):
    """A server cannot be used. A RunError, so the engine prints its text and no traceback. Holds no secret."""

    def __init__(self, thing: str, cause: str, fix: str) -> None:
        self.thing, self.cause, self.fix = thing, cause, fix
        super().__init__(printable_lines(f"{thing}: {cause}\n    {fix}"))
