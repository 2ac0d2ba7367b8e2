"""`codesensei init`: a stack file from a few answers, in front of a `pulumi` that is played."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from codesensei.console import __main__ as console
from codesensei.console import init
from codesensei.console.errors import CommandError
from tests.console.test_review import CHECKOUT, KEY, Desk, desk
from tests.docs.reader import Reader
from tests.docs.table import INIT

__all__ = ["desk"]

ASSIGNED = 'import os\nos.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"\n'
BY_NAME = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", default)\n'
NEAR = (".", "", ("config.settings.local",))
MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")\n'
SETTINGS = 'import os\nSECRET_KEY = os.environ["DJANGO_SECRET_KEY"]\n'
ANSWERED = ("--server", "203.0.113.7", "--host-key", KEY, "--domain", "shop.example.com")


def run(*words: str, typed: str | None = None, code: int = 0) -> Result:
    done = CliRunner().invoke(console.cli, ["init", *words], input=typed)
    assert done.exit_code == code, f"{done.output}{done.exception!r}"
    return done


def config(desk: Desk, stack: str = "prod") -> dict[str, Any]:
    found = yaml.safe_load(desk.file(stack).read_text())["config"]
    return {key.removeprefix("codesensei:"): value for key, value in found.items()}


@pytest.fixture
def shop(desk: Desk) -> Desk:
    """The project's repository in the form that most have."""
    for name, text in {
        "manage.py": MANAGE,
        "requirements/production.txt": "django\n",
        "config/settings/local.py": "from .base import *\n",
        "config/settings/base.py": SETTINGS,
        "config/settings/production.py": "from .base import *\n",
    }.items():
        (desk.place / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.place / "shop" / name).write_text(text)
    desk.git("add", ".")
    desk.git("commit", "--quiet", "-m", "Sell more")
    desk.calls()
    return desk


@pytest.mark.proves("init.stack")
@pytest.mark.slow
def test_what_the_repository_tells_need_not_be_said(shop: Desk) -> None:
    done = run("prod", "--repository", "shop", *ANSWERED)
    assert done.output.splitlines() == [
        "made the stack prod: stacks/Pulumi.prod.yaml",
        "note: without codesensei:tls, it is served over HTTP: set tls: {acme: {email: …}} for a certificate",
        "next: pulumi preview --stack prod",
    ]
    assert config(shop) == {
        "server": {"host": "203.0.113.7", "user": "root", "hostKey": KEY},
        "project": {
            "slug": "shop",
            "source": {"path": "shop", "revision": shop.git("rev-parse", "main")},
            "settingsModule": "config.settings.production",
            "requirements": "requirements/production.txt",
        },
        "domains": ["shop.example.com"],
        "generateSecrets": ["DJANGO_SECRET_KEY"],
    }
    # As the engine has begun it.
    assert yaml.safe_load(shop.file("prod").read_text())["encryptionsalt"] == "v1:salt"
    assert shop.calls() == ["stack ls --json @", "stack init prod --no-select @"]


@pytest.mark.proves("console.files")
@pytest.mark.slow
def test_a_directory_is_looked_for_where_it_was_typed(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop.place / "home/me").mkdir(parents=True)
    monkeypatch.setenv("CODESENSEI_FROM", str(shop.place / "home/me"))
    place = shop.place / "home/shop"
    said = run("prod", "--repository", "../shop", *ANSWERED, code=1).output
    assert f"project.source.path {place}: {place} is not a directory\nfix: give the repository's directory" in said
    (shop.place / "shop").rename(place)
    run("prod", "--repository", "../shop", *ANSWERED)
    assert config(shop)["project"]["source"]["path"] == str(place)
    said = run("other", "--repository", ".", *ANSWERED, code=1).output
    assert "there is no repository\nfix: give the directory of the project's repository" in said


@pytest.mark.proves("console.names")
@pytest.mark.slow
def test_a_stack_may_be_named_with_organization_and_project(shop: Desk) -> None:
    whole = "organization/codesensei/prod"
    done = run(whole, "--repository", "shop", *ANSWERED)
    assert f"made the stack {whole}: stacks/Pulumi.prod.yaml" in done.output
    assert shop.stacks() == ["prod", "staging"]
    assert f"stack init {whole} --no-select @" in shop.calls()
    assert config(shop)["project"]["slug"] == "shop"
    assert "it is there already" in run(whole, "--repository", "shop", *ANSWERED, code=1).output


@pytest.mark.proves("init.stack")
@pytest.mark.slow
def test_the_secret_key_s_variable_is_found_however_it_is_read(shop: Desk) -> None:
    """By another module's reader too; in a comment, a text or another call it is none."""
    texts = {
        "base.py": 'import environ\nenv = environ.Env()\nKEY = env.str(\n    "SHOP_SECRET_KEY",\n    default="x",\n)\n',
        "production.py": (
            'from .base import *\nfrom decouple import config\nSECRET_KEY = env("OTHER_SECRET_KEY")\n'
            'TOKEN = config("PAY_SECRET_KEY")\nSIGNED: str = env("SIGNED_SECRET_KEY")\n'
            'if x:\n    SECRET_KEY: str = config("SIGNING", cast=str) if y else os.environ.get("KEY") or make("z")\n'
            '# os.environ["OLD_SECRET_KEY"]\n'
            """DOC = 'set os.environ["MY_SECRET_KEY"]'\nSAID = remember("env", "NO_SECRET_KEY")\n"""
        ),
    }
    for name, text in texts.items():
        (shop.place / "shop/config/settings" / name).write_text(text)
    shop.git("commit", "--quiet", "--all", "-m", "Read more")
    said = run("prod", "--repository", "shop", *ANSWERED).output
    assert set(config(shop)["generateSecrets"]) == {"OTHER_SECRET_KEY", "SIGNING", "KEY", "SHOP_SECRET_KEY"}
    # What another service knows too cannot be made here.
    for name in ("PAY_SECRET_KEY", "SIGNED_SECRET_KEY"):
        words = f"pulumi config set --stack prod --secret --path codesensei:secretEnv.{name}"
        assert f"note: {name} may be a key that another service gave you, so it is not generated: {words}\n" in said


@pytest.mark.proves("init.asks")
@pytest.mark.slow
def test_what_is_not_said_is_asked_and_the_host_key_is_shown(shop: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "somebody_is_there", lambda: True)
    scanned = shop.place / "bin/ssh-keyscan"
    scanned.write_text(f'#!/bin/sh\necho "$*" > {shop.place}/scanned\necho "203.0.113.7 {KEY}"\n')
    scanned.chmod(0o755)
    typed = "shop\n\n203.0.113.7\ny\nshop.example.com\nops@example.com\n"
    done = run("prod", "--port", "2222", "--user", "admin", "--json", typed=typed)
    assert (shop.place / "scanned").read_text().split()[-3:] == ["-p", "2222", "203.0.113.7"]
    assert init.fingerprint(KEY) in done.stderr
    assert json.loads(done.stdout)["file"] == "stacks/Pulumi.prod.yaml"
    found = config(shop)
    assert found["server"] == {"host": "203.0.113.7", "user": "admin", "hostKey": KEY, "port": 2222}
    assert found["project"]["settingsModule"] == "config.settings.production"
    assert found["tls"] == {"acme": {"email": "ops@example.com"}}
    # Nobody has compared it.
    typed = "shop\n\n203.0.113.7\nn\n\n"
    assert "Aborted" in run("other", typed=typed, code=1).output
    assert not shop.file("other").exists()


@pytest.mark.proves("init.asks")
@pytest.mark.parametrize(
    ("words", "lacks"),
    [
        (("--server", "h", "--host-key", KEY), "add --repository"),
        (("--repository", "shop", "--host-key", KEY), "add --server"),
        (("--repository", "shop", "--server", "h"), "add --host-key"),
        (("--repository", "shop", "--server", "h", "--host-key", KEY, "--email", "a@b.example"), "add --domain"),
    ],
)
def test_without_a_terminal_what_lacks_is_named(shop: Desk, words: tuple[str, ...], lacks: str) -> None:
    assert lacks in run("prod", *words, code=2).output
    assert shop.stacks() == ["staging"]


@pytest.mark.proves("init.stack")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--repository", "nowhere", *ANSWERED), "nowhere"),
        (("--repository", "shop", "--branch", "absent", *ANSWERED), "absent"),
        (("--repository", "shop", *ANSWERED[:2], "--host-key", "none"), "the host key: it is none"),
        (("--repository", "shop", *ANSWERED, "--settings", "no module!"), "codesensei:project.settingsModule"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(shop: Desk, words: tuple[str, ...], said: str) -> None:
    done = run("prod", *words, code=1)
    assert said in done.output
    assert "fix: " in done.output
    assert shop.stacks() == ["staging"]
    assert not shop.file("prod").exists()


@pytest.mark.proves("init.stack")
def test_a_stack_file_that_is_there_stays(shop: Desk) -> None:
    before = shop.file("staging").read_text()
    assert "it is there already" in run("staging", "--repository", "shop", *ANSWERED, code=1).output
    assert shop.file("staging").read_text() == before


@pytest.mark.proves("init.stack")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"src/manage.py": MANAGE, "uv.lock": ""}, ("src", "uv.lock", ("config.settings.local",))),
        ({"manage.py": "", "requirements.txt": "", "a/b/manage.py": MANAGE}, (".", "requirements.txt", ())),
        ({"README": ""}, (".", "", ())),
        ({"manage.py": f"default = 'shop.live'\nif x:\n    default = 'y'\n{BY_NAME}"}, (".", "", ("shop.live",))),
        ({"manage.py": "import shop", "shop/__init__.py": ASSIGNED}, (".", "", ("shop.settings",))),
        (
            {
                "manage.py": "",
                "shop/__init__.py": "",
                "shop/wsgi.py": MANAGE,
                "a/manage.py": "(",
                "tests/manage.py": ASSIGNED,
            },
            NEAR,
        ),
    ],
)
def test_what_the_repository_has(desk: Desk, files: dict[str, str], expected: tuple[Any, ...]) -> None:
    desk.git("rm", "--quiet", "-r", ".")
    for name, text in files.items():
        (desk.place / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.place / "shop" / name).write_text(text)
    desk.git("add", ".")
    desk.git("commit", "--quiet", "-m", "Move")
    found = init.look("shop")
    assert (found.directory, found.requirements, found.settings) == expected


@pytest.mark.proves("init.stack")
@pytest.mark.slow
def test_settings_above_the_folder_of_manage_py_are_found(desk: Desk) -> None:
    desk.git("rm", "--quiet", "-r", ".")
    for name, text in {"shop/site/manage.py": ASSIGNED, "shop/settings/__init__.py": SETTINGS, "uv.lock": ""}.items():
        (desk.place / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.place / "shop" / name).write_text(text)
    desk.git("add", ".")
    desk.git("commit", "--quiet", "-m", "Move")
    run("prod", "--repository", "shop", *ANSWERED)
    project = config(desk)["project"]
    assert (project["directory"], project["settingsModule"]) == ("shop/site", "shop.settings")
    assert project["pythonPath"] == ["."]
    assert config(desk)["generateSecrets"] == ["DJANGO_SECRET_KEY"]


@pytest.mark.proves("init.stack")
def test_a_branch_is_not_guessed(desk: Desk) -> None:
    desk.git("branch", "--quiet", "-m", "main", "next")
    with pytest.raises(CommandError, match="which branch is to be deployed is not known"):
        init.look("shop")
    assert init.look("shop", "next").checkout.revision == desk.git("rev-parse", "next")


@pytest.mark.parametrize(
    ("repository", "slug"),
    [
        ("https://git.example.com/team/My_Shop.git", "my-shop"),
        ("git@example.com:2nd-shop.git", "nd-shop"),
        ("../shop/", "shop"),
        ("/srv/" + "a" * 40, "a" * 31),
        ("/srv/42", "project"),
    ],
)
def test_the_slug_is_the_repository_s_name(repository: str, slug: str) -> None:
    assert init._slug(repository) == slug


@pytest.mark.proves("docs.commands")
@pytest.mark.slow
def test_the_command_as_it_is_printed(shop: Desk, tmp_path: Path) -> None:
    program = shop.place / "bin/codesensei"
    start = f"cd {shop.place}\nPYTHONPATH={CHECKOUT} exec {sys.executable} -m codesensei.console"
    program.write_text(f'#!/bin/sh\n{start} "$@"\n')
    program.chmod(0o755)
    # What a person is asked for.
    typed = {"init prod\n": f"init prod --repository shop {shlex.join(ANSWERED)}\n"}
    reader = Reader(INIT, tmp_path / "reader", typed, {"PATH": os.environ["PATH"]})
    assert "next: pulumi preview --stack prod" in reader.types("README.md#3-the-project.3")
    reader.ends()
