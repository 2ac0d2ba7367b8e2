"""Which steps a single change of the stack file or of the source runs: those that it needs, and no other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from codesensei import remote
from codesensei.config import Stack
from codesensei.source import Checkout, Closure
from codesensei.source.code import ids
from codesensei.webservers import SERVERS
from tests.components import recorder, stacks

BASE = f"""config:
  codesensei:server: {{host: 203.0.113.7, hostKey: {stacks.HOST_KEY}}}
  codesensei:project:
    slug: shop
    source: {{git: "https://example.com/shop.git", revision: v1}}
    settingsModule: config.settings
    workers: {{worker: celery -A config worker}}
  codesensei:domains: [shop.example.com]
  codesensei:tls: selfSigned
  codesensei:env: {{GREETING: Hello, OLD_FLAG: "1"}}
  codesensei:secretEnv: {{API_TOKEN: {{secure: "clear:first-token"}}}}
  codesensei:generateSecrets: [SECRET_KEY]
  codesensei:backups: {{to: /backups/shop}}
"""
CLOSURE = Closure(("requirements.txt",), "cd" * 32, False, ())
GONE = object()


@dataclass(frozen=True)
class Source:
    """What the project's repository has at the commit."""

    revision: str = recorder.REVISION
    closure: Closure = CLOSURE


RELEASE = "build switch"
VARIABLES = "environment build switch"
# What the stack file says, and the steps that run for it.
TABLE: dict[str, tuple[str, object, str]] = {
    # A release has a digest of its variables in its name.
    "a plain variable": ("env.GREETING", "Good evening", VARIABLES),
    "a new variable": ("env.NEW_FLAG", "1", VARIABLES),
    "a variable less": ("env.OLD_FLAG", GONE, VARIABLES),
    "a secret variable": ("secretEnv.API_TOKEN", {"secure": "clear:second-token"}, VARIABLES),
    "a generated variable": ("generateSecrets", ["SECRET_KEY", "SALT"], VARIABLES),
    # Processes and site are the switch's alone; the preflight holds new names against other stacks.
    "a worker's command": ("project.workers.worker", "celery -A config worker -c 4", "switch"),
    "a new worker": ("project.workers.mail", "celery -A config worker -Q mail", "preflight switch"),
    "no worker": ("project.workers", {}, "preflight switch"),
    "time to stop": ("project.stopTimeout", {"workers": 60}, "switch"),
    "memory": ("project.resources", {"web": {"memoryMax": "1G"}}, "switch"),
    "health check": ("project.healthCheck", {"path": "/health/"}, "switch"),
    "releases kept": ("project.keepReleases", 3, "switch"),
    "a hook after the switch": ("project.hooks", {"afterSwitch": ["true"]}, "switch"),
    "size of a request": ("limits", {"bodySize": "50m"}, "switch"),
    "trusted proxies": ("trustedProxies", ["203.0.113.9"], "switch"),
    # The certificate that the server signs itself names them.
    "a hostname": ("domains", ["shop.example.com", "www.shop.example.com"], "preflight tls switch"),
    # Without HTTPS, other findings of the policy count.
    "no TLS": ("tls", "off", "preflight tls build switch"),
    # Units of backups have the project's name, too.
    "the project's name": ("project.name", "Our shop", "switch backups"),
    # What runs before the switch makes another release.
    "a hook before migrate": ("project.hooks", {"beforeMigrate": ["true"]}, RELEASE),
    "a hook after collectstatic": ("project.hooks", {"afterCollectstatic": ["true"]}, RELEASE),
    "a rebuild": ("project.rebuild", "again", RELEASE),
    "extras": ("project.extras", ["prod"], RELEASE),
    "uv": ("project.installer", "uv", RELEASE),
    "other settings": ("project.settingsModule", "config.other", RELEASE),
    "static files elsewhere": ("project.static", "none", RELEASE),
    "another Python": ("project.python", "3.12", f"packages {RELEASE}"),
    "a shared folder": ("project.sharedPaths", ["data"], f"account {RELEASE} backups"),
    "uploads by nginx": ("project.mediaServing", "proxy", "account build switch"),
    "another user": ("project.user", "shopper", f"preflight account database {VARIABLES} backups"),
    # The project's programs run in it before the switch, too; the release stays the same.
    "a sandbox": ("project.sandbox", {"ProtectHome": False}, RELEASE),
    # A release that is prepared is not prepared again, but asked whether it may be.
    "static files first": ("project.collectstatic", "beforeMigrate", "build"),
    "acknowledged migrations": ("project.acknowledgeMigrations", ["shop.0002_price"], "build"),
    "time for locks": ("database", {"lockTimeout": 9}, "build"),
    "no rehearsal": ("database", {"rehearse": "never"}, "build"),
    "time for a migration": ("database", {"migrationTimeout": 60}, "build"),
    "dumps": ("database", {"dumpKeep": 5}, "build"),
    "no defaults that stay": ("database", {"keepDefaults": False}, "build"),
    # One of Debian's packages may be a module of nginx.
    "a package of Debian": ("project.systemPackages", ["imagemagick"], "packages proxy"),
    "hardening": ("server.hardening", "off", "packages"),
    "an extension of PostgreSQL": ("database", {"extensions": ["citext"]}, "packages database"),
    "another database": ("database", {"name": "other"}, f"preflight database {VARIABLES} backups"),
    "a broker's variable": ("broker", {"env": {"CELERY_BROKER_URL": "url"}}, f"preflight instance {VARIABLES}"),
    "a schedule of backups": ("backups.schedule", "hourly", "backups"),
    "backups kept": ("backups.keep", {"daily": 14}, "backups"),
    "no backups": ("backups", GONE, "packages build switch backups"),
    "production": ("production", True, "build switch"),
    # The release stays, and only the step that decides runs; DEBUG is held against the process that serves, too.
    "a waiver": ("waive", {"check.W004": "HSTS comes in May"}, "build"),
    "a waiver of DEBUG": ("waive", {"debug": "a week of trials"}, "build switch"),
    "a waiver of the file's own": ("waive", {"plainSecret.API_ID": "it is public"}, ""),
    "unsupported servers": ("allowUnsupported", True, "preflight"),
    "what destroy drops": ("onDestroy", {"database": "drop"}, "teardown"),
    "no look for drift": ("drift", False, ""),
}
SOURCES = {
    "a commit": (Source(revision="5" * 40), f"source {RELEASE}"),
    "requirements": (Source(closure=replace(CLOSURE, digest="ef" * 32)), RELEASE),
    "a commit with requirements": (Source("5" * 40, replace(CLOSURE, digest="ef" * 32)), f"source {RELEASE}"),
}


def steps_of(stack: Stack, source: Source, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The inputs of each step by its name."""
    project = stack.config.project
    code_id, packages_id = ids(source.revision, project, source.closure, "wsgi", SERVERS["gunicorn"])
    checkout = Checkout(source.revision, "Sell more", None, Path(__file__), source.revision[:4] * 16)
    values: dict[str, Any] = {
        "checkout": checkout,
        "requirements": source.closure,
        "id": code_id,
        "packages_id": packages_id,
    }
    run = recorder.run(stack, remote.Look(), monkeypatch, **values)
    steps = (it for it in run.registered if it.type.startswith("command:remote:"))
    return {it.name.removeprefix("shop-").removeprefix("server-"): it.inputs for it in steps}


# Of the stack file and the source as they are, found once.
BEFORE: dict[str, Any] = {}


def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The inputs of each step before a change."""
    if not BEFORE:
        BEFORE.update(steps_of(stacks.loaded(tmp_path, BASE), Source(), monkeypatch))
    return BEFORE


def edited(path: str, value: object) -> str:
    """The stack file with another value at the path `key.key`; GONE takes the key out."""
    file = yaml.safe_load(BASE)
    place = file["config"]
    *parents, last = f"codesensei:{path}".split(".")
    for key in parents:
        place = place.setdefault(key, {})
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return str(yaml.safe_dump(file))


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The steps that the engine runs: those whose line, data or triggers differ, which come, or which go."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.mark.slow
@pytest.mark.proves("order.only-what-changes", "words.release.outside")
@pytest.mark.parametrize("change", TABLE)
def test_a_change_of_the_stack_file_runs_its_steps(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, value, expected = TABLE[change]
    after = steps_of(stacks.loaded(tmp_path, edited(path, value)), Source(), monkeypatch)
    assert changed(before(tmp_path, monkeypatch), after) == set(expected.split())


@pytest.mark.proves("order.only-what-changes", "words.code-id")
@pytest.mark.parametrize("change", SOURCES)
def test_a_change_of_the_source_runs_its_steps(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, expected = SOURCES[change]
    stack = stacks.loaded(tmp_path, BASE)
    after = steps_of(stack, source, monkeypatch)
    assert changed(before(tmp_path, monkeypatch), after) == set(expected.split())
