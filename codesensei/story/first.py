"""What a stack brings that has never served anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from codesensei.source import Checkout
from codesensei.story.section import Section, section
from codesensei.story.server import WantedServer, brought
from codesensei.story.variables import Variable, given
from codesensei.wire.manifest import Manifest
from codesensei.wire.names import worker_key


def of_first_deploy(
    checkout: Checkout,
    wanted: Manifest,
    web: str,
    variables: Mapping[str, Variable],
    remarks: Mapping[str, str],
    stores: Sequence[str],
    server: WantedServer,
) -> list[Section]:
    """The sections of a first deploy: `web` is what serves, `remarks` are on hostnames, `stores` what data go to."""
    return [
        section("release", [f"first deploy of {checkout.short} {checkout.subject}"]),
        section("variables", [f"+ {name} {given(variables[name])}" for name in sorted(variables)]),
        section("processes", [f"+ web: {web}"], _workers(wanted)),
        section("site", _site(wanted, remarks)),
        section("server", stores, *brought(server)),
    ]


def _workers(wanted: Manifest) -> Iterator[str]:
    for unit in wanted.units:
        if unit.kind == "worker":
            yield f"+ {worker_key(wanted.slug, unit.name)}: {unit.command}{' (singleton)' if unit.singleton else ''}"


def _site(wanted: Manifest, remarks: Mapping[str, str]) -> Iterator[str]:
    for name in wanted.health.hosts:
        remark = f" ({remarks[name]})" if name in remarks else ""
        yield f"+ {wanted.health.scheme}://{f'[{name}]' if ':' in name else name}/{remark}"
