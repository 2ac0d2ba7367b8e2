"""All checks of the step `preflight`: made by it, and for a preview before anything of ours is on the server."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from codesensei.scripts.base import limited, register
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.together import Failures
from codesensei.scripts.checks import database, machine, names, user
from codesensei.wire import codec
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.steps import FORESEEN, MADE_HERE, Finding, Foreseen, Preflight

# It may return names that can be claimed, by their kind.
Check = Callable[[], Mapping[str, Sequence[str]] | None]

NO_SS = "whether its ports are free was not checked: it has no ss yet; pulumi up installs iproute2 first, and checks it"


def checks(step: Step[Preflight], entry: register.Entry) -> Iterator[Check]:
    """Each raises Failure, and changes nothing; the last one may wait for another machine."""
    data, place = step.data, step.data.database
    yield partial(machine.check, allow_unsupported=data.allow_unsupported)
    if data.ports:
        yield partial(machine.check_ports, data.ports)
    yield partial(names.check_hostnames, step.project, data.hostnames, adopt=data.adopt)
    yield partial(user.check, step, entry)
    for unit in data.units:
        yield partial(names.check_unit, entry, unit, data.adopt)
    if place is not None and place.kind in MADE_HERE:
        yield partial(database.check_local, step, place)
    if place is not None and place.kind == "external":
        yield partial(database.check_external, step, place)


def foresee(text: str) -> None:
    """Print what the checks refuse, and what else a preview can tell, each as soon as it is known."""
    data = codec.from_text(Preflight, text, "preview")
    if data.ports and shutil.which("ss", path=SYSTEM_PATH) is None:
        # A new server may lack it, and the toolkit brings it.
        _print(Foreseen(warnings=(NO_SS,)))
        data = replace(data, ports=())
    step = Step(data.slug, "preflight", (), data)
    entry = register.entry(step.slug) or register.Entry(stack=data.stack, identity=data.identity, names={})
    _print(Foreseen(warnings=tuple(_warnings(step))))
    _tell(partial(names.check_folder, step.project, adopt=data.adopt))
    for check in checks(step, entry):
        _tell(check)


def _warnings(step: Step[Preflight]) -> Iterator[str]:
    yield from names.foreseen(step.project, step.data.hostnames, adopt=step.data.adopt)
    if slow := limited.finding():
        yield f"{slow.thing}: {slow.cause}; {slow.fix}"


def _tell(check: Check) -> None:
    found: Sequence[Failure] = ()
    # What a step would say of its progress is no answer; a file that cannot be read is the step's to tell.
    with contextlib.suppress(OSError), contextlib.redirect_stdout(io.StringIO()):
        try:
            check()
        except Failure as failure:
            found = failure.found if isinstance(failure, Failures) else (failure,)
    _print(Foreseen(refused=tuple(Finding(thing=one.thing, cause=one.cause, fix=one.fix) for one in found)))


def _print(foreseen: Foreseen) -> None:
    if foreseen.refused or foreseen.warnings:
        print(f"\n{FORESEEN}{json.dumps(codec.encode(foreseen))}", flush=True)
