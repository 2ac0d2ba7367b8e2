"""A manifest as the operator's side sends it, and the same as commit 75650ac has kept it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codesensei.wire import codec, paths
from codesensei.wire.manifest import Candidate, File, HealthCheck, Manifest, Unit
from codesensei.wire.paths import ProjectPaths

PROJECT = ProjectPaths("shop")
WEB, SOCKET, MAIL = "shop.service", "shop.socket", "shop-mail.service"


def manifest(**changes: Any) -> Manifest:
    """One web process and one worker."""
    found = Manifest(
        slug="shop",
        user="deploy",
        directory=".",
        settings_module="shop.settings",
        files=(
            File(path=str(paths.unit(SOCKET)), content="[Socket]\n"),
            File(path=str(paths.unit(WEB)), content="[Service]\nExecStart=web\n"),
            File(path=str(paths.unit(MAIL)), content="[Service]\nExecStart=mail\n"),
            File(path=str(PROJECT.worker_script("mail")), content="mail\n", mode="0640", group="deploy", renews=MAIL),
            File(path=str(PROJECT.site), content="server {}\n"),
        ),
        units=(
            Unit(name=SOCKET, kind="socket", stop_timeout=40),
            Unit(name=WEB, kind="web", stop_timeout=40),
            Unit(name=MAIL, kind="worker", stop_timeout=600, command="mail"),
        ),
        homes=("web", "mail"),
        candidate=Candidate(
            unit="[Service]\nExecStart=web --workers @workers@ @release@\n",
            files=(File(path=str(PROJECT.candidate_programs / "gunicorn_conf.py"), content="\n"),),
            workers=3,
        ),
        health=HealthCheck(
            path="/", timeout=5, accept=("2xx",), hosts=("shop.example.com", "www.example.com"), scheme="https"
        ),
        database=None,
        url="https://shop.example.com/",
        keep_releases=5,
        after_switch=(),
        tls=None,
        acme=False,
        default_tls=None,
    )
    return replace(found, **changes)


def kept_by_75650ac(wanted: Manifest) -> dict[str, Any]:
    """`live.json` as that commit wrote it."""
    data = codec.encode(wanted)
    for file in data["files"]:
        file.setdefault("mode", "0644")
    for unit in data["units"]:
        if unit["kind"] == "worker":
            unit.setdefault("singleton", False)
    candidate = data["candidate"]
    candidate["unit"] = candidate["unit"].replace("@workers@", str(candidate["workers"]))
    candidate |= {"name": "codesensei-candidate-shop.service", "socket": str(PROJECT.candidate_socket)}
    return {**data, "staticHooks": []}
