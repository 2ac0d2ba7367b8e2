"""When a migrate that did not get a lock is run again, and what is said of that.

Each wait is short, because requests queue behind it; the pauses between the tries let them through.
"""

from __future__ import annotations

from typing import Literal

from codesensei.wire.quick import dataclass

# Seconds before each further try.
PAUSES = (5, 15, 45)
SHOWN = 3
WHY_NOT = {
    "no transaction": "it has atomic = False, so parts of it may be applied, and it is not recorded",
    "own transaction": "it ends its transaction by itself, so parts of it may be applied, and it is not recorded",
    "unrecorded": "it is applied, and did not get the lock to be recorded in django_migrations",
}


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A migration that did not get a lock; `why_not` it is not run again, empty where all of it was rolled back.

    `at` is the operation that failed, `done` those before it.
    """

    migration: str
    why_not: Literal["", "no transaction", "own transaction", "unrecorded"] = ""
    at: str = ""
    done: tuple[str, ...] = ()

    @property
    def why_not_again(self) -> str:
        """Why it is not run again, and what may be applied of it."""
        where = f"; it failed in operation {self.at}" if self.at else ""
        more = f" and {len(self.done) - SHOWN} more" if len(self.done) > SHOWN else ""
        stays = f"\nwhat it did before stays: {'; '.join(self.done[:SHOWN])}{more}" if self.done else ""
        return f"the migration {self.migration} is not tried again by itself: {WHY_NOT[self.why_not]}{where}{stays}"

    @property
    def fix(self) -> str:
        """What to do before the next deploy, where no index is in the way."""
        if self.why_not == "unrecorded":
            words = self.migration.replace(".", " ")
            return f"record it by a hook for one deploy: hooks.beforeMigrate: [python manage.py migrate --fake {words}]"
        return "see which parts of it are applied, and undo them or let it begin again there"

    def told(self, seconds: int, waited_for: str, number: int) -> str:
        """One try that was in vain, and when the next one is."""
        return (
            f"{self.migration} did not get {waited_for or 'its lock'} within {seconds} s, and is rolled back:"
            f" try {number} of {1 + len(PAUSES)}, the next in {PAUSES[number - 1]} s"
        )
