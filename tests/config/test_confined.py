"""What a stack loosens for its processes, and what they may use."""

from __future__ import annotations

import pytest

from codesensei.config import BadConfig
from codesensei.config.check import validate
from codesensei.config.confined import Sandbox
from codesensei.config.stack import config_warnings
from codesensei.wire import sandbox
from tests.config.bad import HOST_KEY

Given = dict[str, object]


def stack(**project: object) -> Given:
    source = {"path": ".", "revision": "main"}
    return {
        "server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
        "project": {"slug": "shop", "source": source, "settingsModule": "config.settings", **project},
    }


@pytest.mark.proves("processes.loosened")
def test_every_directive_can_be_loosened() -> None:
    always = {"SystemCallErrorNumber"}
    assert set(Sandbox.model_fields) == {*sandbox.DIRECTIVES, sandbox.WRITABLE} - always


@pytest.mark.proves("processes.loosened")
@pytest.mark.parametrize(
    ("given", "loosened", "warning"),
    [
        (
            {"NoNewPrivileges": False},
            {"NoNewPrivileges": ()},
            "NoNewPrivileges: is off, and so are CapabilityBoundingSet, LockPersonality, ",
        ),
        ({"PrivateTmp": "false"}, {"PrivateTmp": ()}, "PrivateTmp: is off"),
        ({"ProtectHome": "read-only"}, {"ProtectHome": ("read-only",)}, "ProtectHome: read-only is allowed"),
        (
            {"RestrictNamespaces": ["user", "pid"]},
            {"RestrictNamespaces": ("user", "pid")},
            "RestrictNamespaces: user, pid is allowed",
        ),
        ({"ReadWritePaths": "/mnt/a /b"}, {"ReadWritePaths": ("/mnt/a", "/b")}, "/mnt/a, /b is allowed"),
    ],
)
def test_what_is_loosened_is_told(given: Given, loosened: dict[str, tuple[str, ...]], warning: str) -> None:
    config = validate(stack(sandbox=given))
    assert config.project.loosened == loosened
    assert [text for text in config_warnings(config) if warning in text] != []


@pytest.mark.proves("processes.loosened")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ProtectHouse": False}, 'project.sandbox.ProtectHouse: unknown key\n    did you mean "ProtectHome"?'),
        ({"MemoryDenyWriteExecute": False}, "project.sandbox.MemoryDenyWriteExecute: unknown key"),
        ({"ReadWritePaths": ["/mnt/../etc"]}, 'project.sandbox.ReadWritePaths: "/mnt/../etc" cannot be allowed'),
        ({"ReadWritePaths": ["/"]}, 'project.sandbox.ReadWritePaths: "/" cannot be allowed'),
        ({"ReadWritePaths": ["/mnt/x\nExecStart=/bin/sh"]}, "project.sandbox.ReadWritePaths: "),
        ({"ProtectSystem": "strict"}, 'project.sandbox.ProtectSystem: "strict" cannot be allowed'),
        ({"RestrictNamespaces": []}, "project.sandbox.RestrictNamespaces: [] does not loosen it"),
    ],
)
def test_what_loosens_nothing_is_refused(given: Given, message: str) -> None:
    with pytest.raises(BadConfig) as caught:
        validate(stack(sandbox=given))
    assert message in str(caught.value)


def test_a_stack_that_loosens_nothing_hears_nothing() -> None:
    assert [text for text in config_warnings(validate(stack())) if "sandbox" in text] == []


@pytest.mark.proves("processes.resources")
def test_the_bounds_of_a_worker_are_its_own() -> None:
    mail = {"command": "x", "resources": {"memoryMax": "256m"}}
    project = validate(stack(workers={"mail": mail, "beat": "y"})).project
    assert project.workers["mail"].resources is not None
    assert project.workers["mail"].resources.memory_max == "256M"
    assert project.workers["beat"].resources is None
    assert (project.resources.web.memory_max, project.resources.web.tasks_max) == (None, 2048)
