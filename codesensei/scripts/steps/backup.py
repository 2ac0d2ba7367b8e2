"""`backup`: what a person or the timer asks for: now, begin, list [--json], verify [id], restore <id>."""

from __future__ import annotations

import json
import os
import sys
import time

from codesensei.scripts.backups import archiving, back, make, settings, status
from codesensei.scripts.backups.pgbackrest import Archive
from codesensei.scripts.backups.repository import Repository
from codesensei.scripts.base.step import Failure, Step
from codesensei.wire import codec
from codesensei.wire.answers import Backups, MadeBackup
from codesensei.wire.steps import Nothing

AGAIN = "try again"
USAGE = "usage: backup now | begin | list [--json] | verify [<id>] | restore <id>|latest | restore --at <time>|end"

_KNOWN = (("now", 0), ("begin", 0), ("verify", 0), ("verify", 1), ("restore", 1))
_AT = ("restore", "--at")


def run(slug: str, words: list[str]) -> int:
    """Do what the words say; 1 with the reason where it fails, 2 where they say nothing known."""
    step: Step[object] = Step(slug, "backup", (), Nothing())
    action, *others = words or [""]
    try:
        if action == "list" and others in ([], ["--json"]):
            _list(step, as_json=bool(others))
        elif (action, len(others)) in _KNOWN or (action, *others[:-1]) == _AT:
            settings.require(step.project)
            os.umask(0o077)
            with make.alone(step):
                _change(step, action, *others)
        else:
            print(USAGE, file=sys.stderr)
            return 2
    except (Failure, OSError) as error:
        print(Failure.of(error, "backup", AGAIN).text(), file=sys.stderr)
        return 1
    return 0


def _change(step: Step[object], action: str, snapshot: str = "latest", at: str = "") -> None:
    if action in ("now", "begin"):
        make.now(step, again=action == "begin")
    elif action == "verify":
        make.verify(step, snapshot)
    else:
        back.restore(step, "latest" if at else snapshot, at)


def _list(step: Step[object], *, as_json: bool) -> None:
    wanted = settings.require(step.project)
    found = Repository(step.project, wanted).snapshots()
    now = status.read(step.project)
    if as_json:
        made = tuple(MadeBackup(id=one.id, time=one.time) for one in found)
        told = Backups(to=wanted.to, days=wanted.days, backups=made, checked=now.checked, check_error=now.check_error)
        print(json.dumps(codec.encode(told), sort_keys=True))
        return
    for snapshot in found:
        print(f"{snapshot.id}  {snapshot.time[:19].replace('T', ' ')}")
    print(f"{len(found)} backups in {wanted.to}")
    if wanted.days and found:
        print(f"every moment since {found[0].time[:19].replace('T', ' ')}: restore --at 2026-11-30T12:00:00Z")
        for gap in archiving.lost(Archive(step.project, wanted)):
            print(f"but {archiving.described(gap)}, nor one after that and before the next backup")
    if now.checked:
        checked = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now.checked))
        print(f"last check: {checked}, {now.check_error or 'all rows were there'}")
