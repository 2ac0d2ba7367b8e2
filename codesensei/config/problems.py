"""What is wrong with a stack config, told so that the user can fix it at once."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from codesensei.wire.quick import dataclass
from codesensei.wire.text import encodable

NAMESPACE = "codesensei:"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what, and how to fix it. Never holds a secret value.

    `rule` is a stable id of the rule that was broken; `path` is relative to the namespace (`project.slug`).
    """

    rule: str
    path: str
    message: str
    fix: str

    @classmethod
    def of(cls, error: PydanticCustomError, path: str) -> Problem:
        """What `types.reject` has made, at its place."""
        context = error.context or {}
        return cls(error.type, path, context["message"], context["fix"])

    def __str__(self) -> str:
        return f"{NAMESPACE}{self.path}: {self.message}\n    {self.fix}"


class BadConfig(Exception):
    """The stack config cannot be used. `problems` has every reason; `str()` is the text for the user."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(self._text())

    def _text(self) -> str:
        count = len(self.problems)
        head = "the stack config has 1 problem" if count == 1 else f"the stack config has {count} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        return encodable(f"{head}, nothing was run:\n{lines}")
