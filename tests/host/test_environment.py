"""Variables on a real server: what the file holds is what shells, systemd and Python read, whatever the values are."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

import pytest

from codesensei.wire import envfile
from tests.host.debians import each_debian
from tests.host.reading import differences
from tests.render.values import HARD, LONGEST, SEED_VARIABLE, batches, hard_share, seed
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

COUNT = 10_000
PEM = Path("/etc/ssl/certs/ca-certificates.crt")
# The value as it stands in the stack file, and as the project reads it.
PLAIN = {
    "FOO": ("'bar < baz'", "bar < baz"),
    "DOUBLE": ('"bar > baz"', "bar > baz"),
    "NO_WORD": ("'it's'", "'it's'"),
    "DOLLAR_WORD": ('"$HOME"', '"$HOME"'),
    "JSON": ('{"a": ["b c", "$d", "\\n"], "e": "\'"}', '{"a": ["b c", "$d", "\\n"], "e": "\'"}'),
    "SEARCH_URL": ("https://example.com/?q=a%20b&c=1;d#$frag", "https://example.com/?q=a%20b&c=1;d#$frag"),
    "SIGNS": ("< > ( ) | ; & # $ \\ \" ' ` ~ ! * %n %%", "< > ( ) | ; & # $ \\ \" ' ` ~ ! * %n %%"),
    "EMPTY": ("", ""),
    "BLANKS": ("  two before, two after  ", "  two before, two after  "),
    "LINES": ("one\ntwo\r\n\tthree\n", "one\ntwo\r\n\tthree\n"),
    "NAMES": ("Zoë 中文 😀", "Zoë 中文 😀"),
    "CALL": ("$(touch /tmp/called) `touch /tmp/called`", "$(touch /tmp/called) `touch /tmp/called`"),
}
KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "\n".join(secrets.token_hex(32) for _ in range(26))
    + "\n-----END PRIVATE KEY-----\n"
)


@pytest.mark.full
@pytest.mark.proves("env.same-reading", "env.data", "env.quoted-word")
def test_ten_thousand_random_values_are_read_back(deployed: Stack) -> None:
    number = seed()
    print(f"{SEED_VARIABLE}={number}")
    made = batches(COUNT, number)
    values = [value for variables in made for value in variables.values()]
    assert (len(values), min(map(len, values))) == (COUNT, 0)
    assert max(map(len, values)) > LONGEST * 0.95
    assert hard_share(values) > 0.5
    found = differences(deployed.server, made)
    assert found == {reader: [] for reader in found}, f"{SEED_VARIABLE}={number}"


@pytest.mark.full
@each_debian(13)
def test_each_escape_of_the_renderer_is_needed(deployed: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one of them some reader reads something else."""
    number = seed()
    some = batches(300, number, size=30)
    escapes = '"\\$`'
    assert envfile.quote(f"'{escapes}") == "\"'" + "".join(f"\\{character}" for character in escapes) + '"'
    for left_out in escapes:
        others = re.escape(escapes.replace(left_out, ""))
        monkeypatch.setattr(envfile, "_SPECIAL", re.compile(f"[{others}]"))
        found = differences(deployed.server, some)
        wrong = {reader for reader in found if found[reader]}
        # systemd takes `$` and a backquote as they are; every one matters to both shells.
        assert {"dash", "bash"} <= wrong, f"{SEED_VARIABLE}={number} without {left_out}"
        assert left_out in "$`" or {"systemd", "python"} <= wrong, f"{SEED_VARIABLE}={number} without {left_out}"


@pytest.mark.proves(
    "env.quoted-word",
    "env.data",
    "env.maps",
    "env.integers",
    "env.source",
    "root.env-file",
    "env.one-each",
    "workers.same",
    "web.workers",
)
@each_debian(13)
def test_hard_values_reach_every_process(stack: Stack) -> None:
    # The engine hands all config to the program in one variable, which Linux bounds, and escapes these three twice.
    big = "".join(secrets.choice([c for c in HARD + "abc" if c not in '"\\\n']) for _ in range(64 * 1024))
    hard = "".join(secrets.choice(HARD) for _ in range(8 * 1024)) + "\n"
    with stack.editing() as config:
        config["codesensei:env"] |= {name: given for name, (given, _) in PLAIN.items()}
        config["codesensei:env"] |= {"PORT_NUMBER": 8025, "CHAIN": PEM.read_text()[:6000], "GUNICORN_WORKERS": "2"}
    stack.set_secret("codesensei:secretEnv.SIGNING_KEY", KEY)
    stack.set_secret("codesensei:secretEnv.BIG", big)
    stack.set_secret("codesensei:secretEnv.HARD", hard)
    stack.up()
    expected = {name: read for name, (_, read) in PLAIN.items()}
    expected |= {"PORT_NUMBER": "8025", "SIGNING_KEY": KEY, "BIG": big, "HARD": hard, "CHAIN": PEM.read_text()[:6000]}
    web, worker = stack.environ(), stack.environ("worker")
    sourced = as_a_person_reads(stack)
    django = as_django_sees_it(stack)
    for name, value in expected.items():
        assert web.get(name) == worker.get(name) == sourced.get(name) == django.get(name) == value, name
    assert stack.server.console("ls /tmp/called", check=False).returncode != 0
    # The master process and its workers.
    pid = "$(systemctl show -P MainPID guestbook.service)"
    assert len(stack.server.console(f"pgrep -P {pid}").stdout.split()) == 2
    text = stack.server.console("cat /srv/codesensei/guestbook/shared/.env").stdout
    assert "\nFOO='bar < baz'\n" in text
    assert '\nDOUBLE="bar > baz"\n' in text
    names = re.findall(r"^([A-Z_]+)=", "".join(text.split(KEY)), re.MULTILINE)
    assert {name for name in expected if names.count(name) != 1} == set()
    stack.up_without_changes()


def as_a_person_reads(stack: Stack) -> dict[str, str]:
    """The variables after a strict shell of the app user has read shared/.env."""
    line = "set -eu; cd /srv/codesensei/guestbook; set -a; . shared/.env; set +a; exec env -0"
    found = []
    for shell in ("dash", "bash", "bash --posix"):
        block = stack.server.console(f"runuser -u deploy -- {shell} -c '{line}'").stdout
        found.append(dict(item.split("=", 1) for item in block.split("\0") if "=" in item))
    for other in found[1:]:
        assert {k: v for k, v in other.items() if k in found[0] and k not in ("_", "PWD", "SHLVL")} == {
            k: v for k, v in found[0].items() if k in other and k not in ("_", "PWD", "SHLVL")
        }
    return found[0]


def as_django_sees_it(stack: Stack) -> dict[str, str]:
    """os.environ in the project's own process, by the helper that people use."""
    code = "import json, os; print('ENVIRON' + json.dumps(dict(os.environ)))"
    done = stack.server.console(f'/srv/codesensei/guestbook/manage shell -c "{code}"')
    found: dict[str, str] = json.loads(done.stdout.partition("ENVIRON")[2])
    return found


@pytest.mark.full
@pytest.mark.proves("secrets.changed", "words.env-id", "env.generated")
@each_debian(12)
def test_a_changed_secret_changes_the_release_and_the_generated_ones_stay(stack: Stack) -> None:
    before, release = stack.environ(), stack.serving()
    stack.set_secret("codesensei:secretEnv.API_TOKEN", "another-token-of-this-stack")
    shown = stack.preview("--diff").output
    [line] = [line for line in shown.splitlines() if "API_TOKEN" in line and "=>" in line]
    digests = re.findall(r'"([0-9a-f]{10})"', line)
    assert len(set(digests)) == 2, line
    assert "another-token" not in shown
    stack.up()
    after = stack.environ()
    assert after["API_TOKEN"] == "another-token-of-this-stack"
    assert {name: after[name] for name in ("SECRET_KEY", "DATABASE_URL")} == {
        name: before[name] for name in ("SECRET_KEY", "DATABASE_URL")
    }
    code, variables = stack.serving().split("-")
    assert [code, variables != release.split("-")[1]] == [release.split("-")[0], True]
    # The same variables are the same release again, which was never removed.
    stack.set_secret("codesensei:secretEnv.API_TOKEN", before["API_TOKEN"])
    stack.up()
    assert stack.serving() == release
