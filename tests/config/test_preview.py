"""The real Pulumi command on stack files: a wrong one ends the preview before anything runs, imports are taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.config.bad import BAD, OWN_ENV, Bad
from tests.config.cli import NAME, Project, inputs
from tests.config.engine import EXAMPLE, changed
from tools.demo.history import make_history
from tools.engine import EngineError, engine_environment, find

pytestmark = pytest.mark.engine

# One of each kind; the others in `make test-full`.
SAMPLE = {"unknown-key", "env-null", "env-date", "env-number-form", "secret-in-plain", "host-key-private", "tls-key"}
# What the engine adds to whatever ends a program.
ENGINES_OWN = "an unhandled error occurred: program exited with non-zero exit code: 1"
# The engine changes such a number before the program sees it, so it is told as LONG is.
ONLY_WITHOUT_ENGINE = "env-number"
# A number that only the engine changes.
LONG = Bad(
    "env-number-form",
    OWN_ENV,
    f"    BIG: 123456789012345678901234567890\n{OWN_ENV}",
    "env.BIG: unquoted 123456789012345678901234567890 becomes 1.2345678901234568e+29\n"
    '    quote it: "123456789012345678901234567890"',
)
# The processes would read it with quotes.
QUOTED_TWICE = Bad(
    "worker-count",
    'GUNICORN_WORKERS: "3"',
    "GUNICORN_WORKERS: '''\"3\"'''",
    'env.GUNICORN_WORKERS: is not a positive whole number\n    write it like "2"',
)
HEAD = "the stack config has 1 problem, nothing was run:\n  codesensei:"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A stack without a server."""
    try:
        return Project(tmp_path_factory.mktemp("preview") / "program", dict(engine_environment())).create()
    except EngineError as error:
        pytest.fail(str(error), pytrace=False)


def rows() -> list[object]:
    """Each mistake of the catalogue, few of them in every run."""
    here = [bad for bad in BAD if bad.rule != ONLY_WITHOUT_ENGINE]
    catalogue = [pytest.param(bad, id=bad.rule, marks=() if bad.rule in SAMPLE else pytest.mark.full) for bad in here]
    return [*catalogue, pytest.param(LONG, id="long-number"), pytest.param(QUOTED_TWICE, id="quoted-twice")]


@pytest.mark.proves("config.refused", "preview.config")
@pytest.mark.parametrize("bad", rows())
def test_a_wrong_stack_file_ends_the_preview(project: Project, bad: Bad) -> None:
    project.write(changed(bad.old, bad.new))
    done = project.preview()
    assert done.code != 0
    # The example's repository does not exist, which is told in the same run.
    ours, _, source = done.said("error").strip().partition("\nand the project's source:\n")
    assert ours in (HEAD + bad.text, f"{HEAD}{bad.text}\n\n{ENGINES_OWN}")
    assert source or "source" in bad.text
    assert "Traceback" not in done.output
    assert "canary" not in done.output
    assert {name for name in done.changes if name != f"Stack codesensei-{NAME}"} == set()


def test_the_sample_is_of_the_catalogue() -> None:
    assert {bad.rule for bad in BAD} >= SAMPLE


@pytest.fixture
def sound(project: Project, tmp_path: Path) -> Callable[[], Project]:
    """A function that puts a stack file back that can be previewed, whose source is a repository here."""
    history = make_history(tmp_path / "repository")

    def put() -> Project:
        config = yaml.safe_load(EXAMPLE.read_text())["config"]
        config["codesensei:project"]["source"] = {"path": str(history.path), "revision": history.commits[0].revision}
        config["codesensei:project"]["workers"] = {}
        config["codesensei:drift"] = False
        for key in ("codesensei:env", "codesensei:secretEnv"):
            del config[key]
        project.write(yaml.safe_dump({"config": config}))
        project.pulumi("config", "set", "--stack", NAME, "--secret", "codesensei:digestKey", "0123456789abcdef0123")
        return project

    return put


PASTED = {
    "FOO": "'bar < baz'",
    "DJANGO_ALLOWED_HOSTS": ".example.com",
    "GUNICORN_WORKERS": 2,
    "DATABASE_URL": "postgres://shop:s3cret-in-url@127.0.0.1:5432/shop",
    "DJANGO_SECRET_KEY": 's3cret $with\' "all" `kinds` \\ of % characters #1',
    "TLS_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----\n",
    "LOGGING": '{"level": "INFO", "path": "/var/log/$app"}',
    "EMPTY": "",
    "DASHES": "--not an option",
}
ENV_FILE = """# What the team used until now
export FOO='bar < baz'
DJANGO_ALLOWED_HOSTS=.example.com # all of ours
GUNICORN_WORKERS=2
DATABASE_URL=postgres://shop:s3cret-in-url@127.0.0.1:5432/shop
DJANGO_SECRET_KEY="s3cret \\$with' \\"all\\" \\`kinds\\` \\\\ of % characters #1"
TLS_PRIVATE_KEY="-----BEGIN PRIVATE KEY-----
s3cret
-----END PRIVATE KEY-----
"
LOGGING='{"level": "INFO", "path": "/var/log/$app"}'
EMPTY=
DASHES="--not an option"
"""
SECRET = {"DATABASE_URL", "DJANGO_SECRET_KEY", "TLS_PRIVATE_KEY"}


@pytest.mark.proves("env.import", "env.maps", "words.env-id.key")
@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("pasted.json", json.dumps(PASTED, indent=2), "'bar < baz'"),
        pytest.param(".env", ENV_FILE, "bar < baz", marks=pytest.mark.full),
    ],
)
def test_variables_are_imported_and_secrets_encrypted(
    sound: Callable[[], Project], tmp_path: Path, file: str, text: str, word: str
) -> None:
    project = sound()
    (tmp_path / file).write_text(text)
    importer = ["-m", "codesensei.config.import_env", str(tmp_path / file), "--stack", NAME]
    shown = project.python(*importer)
    assert shown.returncode == 0, shown.stderr
    assert "codesensei:env" not in project.file.read_text()
    done = project.python(*importer, "--set")
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in project.file.read_text() + shown.stdout + done.stdout
    written = yaml.safe_load(project.file.read_text())["config"]
    assert {name for name, value in written["codesensei:secretEnv"].items() if set(value) == {"secure"}} == SECRET
    opened = json.loads(project.pulumi("config", "--stack", NAME, "--show-secrets", "--json"))
    found = {**opened["codesensei:env"]["objectValue"], **opened["codesensei:secretEnv"]["objectValue"]}
    assert found == {name: str(value) for name, value in PASTED.items()} | {"FOO": word}
    preview = project.preview()
    assert preview.code == 0, preview.output
    seen = inputs(preview, "Environment shop")
    assert set(seen["env"]) == set(PASTED) - SECRET
    assert set(seen["secretEnv"]) == SECRET
    assert all(len(digest) == 10 for digest in seen["secretEnv"].values())
    assert "s3cret" not in preview.output + json.dumps(preview.events)
    assert inputs(preview, "Release shop")


@pytest.mark.proves("plugins.stand-ins")
def test_a_production_stack_refuses_stand_ins(sound: Callable[[], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    engine = find()
    if "stand-in" not in (engine.plugins, engine.language):
        pytest.skip("these plugins are Pulumi's own")
    project = sound()
    project.pulumi("config", "set", "--stack", NAME, "codesensei:production", "true")
    project.pulumi("config", "set", "--stack", NAME, "--path", "codesensei:waive.backup", "a test")
    project.pulumi("config", "set", "--stack", NAME, "--path", "codesensei:env.DJANGO_ALLOWED_HOSTS", ".example.com")
    monkeypatch.delitem(project.environment, "CODESENSEI_STANDINS", raising=False)
    done = project.preview()
    assert done.code != 0
    error = done.said("error")
    assert "codesensei:production: it is true, and this run is on stand-ins for Pulumi's own plugins: " in error
    assert ("the language host" in error, "resource-command-v" in error) == (
        engine.language == "stand-in",
        engine.plugins == "stand-in",
    )
    assert "export CODESENSEI_STANDINS=accept" in error
    assert "Traceback" not in done.output
    assert {name for name in done.changes if name != f"Stack codesensei-{NAME}"} == set()
    monkeypatch.setitem(project.environment, "CODESENSEI_STANDINS", "accept")
    done = project.preview()
    assert done.code == 0, done.output
    assert inputs(done, "Release shop")
