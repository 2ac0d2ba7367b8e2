"""What the switch is given to make live."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei import remote
from codesensei.wire import codec
from codesensei.wire.manifest import Manifest
from tests.components import recorder, stacks


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    declared = recorder.run(stacks.generated(tmp_path), remote.Look(), monkeypatch)
    return codec.from_text(Manifest, declared.find("shop-switch").inputs["stdin"], "step switch")


@pytest.mark.proves("words.process", "paths.units")
def test_processes_are_the_web_one_and_the_workers(manifest: Manifest) -> None:
    assert [(unit.kind, unit.name) for unit in manifest.units] == [
        ("socket", "shop.socket"),
        ("web", "shop.service"),
        ("worker", "shop-worker.service"),
    ]
    places = {file.path for file in manifest.files}
    assert {f"/etc/systemd/system/{unit.name}" for unit in manifest.units} <= places
    assert manifest.homes == ("web", "worker")


@pytest.mark.proves("paths.socket")
def test_the_socket_is_the_app_user_s_and_the_proxy_s(manifest: Manifest) -> None:
    (text,) = (file.content for file in manifest.files if file.path.endswith("/shop.socket"))
    assert {
        "ListenStream=/srv/codesensei/shop/shared/gunicorn.sock",
        "SocketUser=deploy",
        "SocketGroup=www-data",
        "SocketMode=0660",
    } <= set(text.splitlines())
