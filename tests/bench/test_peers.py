"""The peers' own parts: what they are told of the project, and how they are installed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from codesensei.wire import uv
from tools.bench.peers.facts import HERE, Facts
from tools.bench.peers.install import python_of
from tools.bench.peers.peer import PYINFRA, SHELL, UV, Ansible, Bash, BashWithUv, Peer, Pyinfra, script
from tools.bench.source import Source
from tools.bench.tool import ToolError, Wanted

pytestmark = pytest.mark.slow

ODD = "a 'quoted' \"text\" with $HOME, `id` and a \\"
PEERS: list[type[Peer]] = [Bash, BashWithUv, Pyinfra, Ansible]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("bench") / "source").create()


def facts_of(source: Source, directory: Path) -> tuple[Facts, Wanted]:
    return Facts("bash-uv", 1, source.path, directory), source.wanted("a mark", ODD)


def test_every_value_survives_the_env_file(source: Source, tmp_path: Path) -> None:
    facts, wanted = facts_of(source, tmp_path)
    text = facts.environment(wanted)["ENV_FILE"]
    (tmp_path / "env").write_text(text)
    command = ["bash", "-c", 'set -a; . "$1"; printf %s "$GREETING"', "read", str(tmp_path / "env")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ODD
    assert text.count("\n") == len(facts.variables(wanted)) - 1


def test_pyinfra_and_ansible_get_what_the_script_gets(source: Source, tmp_path: Path) -> None:
    facts, wanted = facts_of(source, tmp_path / "facts")
    known = json.loads(facts.write(wanted).read_text())
    told = facts.environment(wanted)
    shared = {"SLUG": "slug", "BASE": "base", "RELEASE": "release", "DB_NAME": "db_name", "DB_PASSWORD": "db_password"}
    shared |= {"REQUIREMENTS": "requirements", "HOST_NAME": "hostname"}
    assert {key: told[key] for key in shared} == {key: known[name] for key, name in shared.items()}
    assert known["variables"]["GREETING"] == ODD


@pytest.mark.parametrize("name", sorted(path.stem for path in SHELL.glob("*.sh")))
def test_a_script_is_told_every_variable_that_it_reads(name: str, source: Source, tmp_path: Path) -> None:
    facts, wanted = facts_of(source, tmp_path)
    told = {
        "provision": {"UV": UV},
        "wipe": facts.place,
        "serving": facts.place,
        "release": facts.environment(wanted) | {"MODE": "deploy", "INSTALLER": "pip"},
    }[name]
    text = (SHELL / f"{name}.sh").read_text()
    assert set(re.findall(r"\$\{?([A-Z][A-Z_]+)", text)) <= set(told)
    words = shlex.split(script(name, told))
    assert words[-3:] == ["bash", "-c", text]
    assert dict(word.split("=", 1) for word in words[1:-3]) == told


def test_peers_share_nothing_on_their_server(source: Source, tmp_path: Path) -> None:
    assert len({peer.slug for peer in PEERS}) == len({peer.number for peer in PEERS}) == len(PEERS)


def test_uv_is_the_version_that_the_product_takes() -> None:
    assert f"uv=={uv.VERSION}" == UV


@pytest.mark.parametrize("path", sorted(HERE.glob("*/requirements.txt")), ids=lambda path: path.parent.name)
def test_every_package_of_a_peer_has_one_version(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.]+", line)] == []


@pytest.mark.full
def test_a_peer_that_cannot_be_installed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESENSEI_CACHE", str(tmp_path / "cache"))
    requirements = tmp_path / PYINFRA.name / "requirements.txt"
    requirements.parent.mkdir()
    requirements.write_text(f"{tmp_path}/missing\n")
    with pytest.raises(ToolError, match=r"cannot be installed: .*pip install.*missing"):
        python_of(requirements)
    assert not list((tmp_path / "cache").rglob("bin"))
