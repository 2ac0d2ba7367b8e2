"""The password of a local DATABASE_URL: it changes at the switch, and with it alone."""

from __future__ import annotations

import shlex
from urllib.parse import quote

import pytest

from tests.host.debians import each_debian
from tests.host.rows import psql
from tests.host.test_interruptions import always_served, settled
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

FIRST, SECOND = "first/pass word:%1", "second'$pass\"word\\2"


def url(password: str) -> str:
    return f"postgres://guestbook:{quote(password, safe='')}@127.0.0.1:5432/guestbook"


# Whatever an administrator may have switched on to find slow or wrong statements.
TALKATIVE = """
ALTER SYSTEM SET log_statement = 'all';
ALTER SYSTEM SET log_min_duration_statement = 0;
ALTER SYSTEM SET log_duration = on;
ALTER SYSTEM SET log_transaction_sample_rate = 1;
ALTER SYSTEM SET debug_print_parse = on;
ALTER SYSTEM SET log_min_error_statement = 'debug5';
SELECT pg_reload_conf();
"""


def passwords_logged(stack: Stack, *values: str) -> list[str]:
    """Lines of PostgreSQL's log with a verifier or a password, however long they are."""
    text = stack.server.console("cat /var/log/postgresql/*.log").stdout
    assert "LOG:  statement: SELECT count(*)" in text
    return [line[:200] for line in text.splitlines() if any(word in line for word in ("SCRAM-SHA-256$", *values))]


def staged(stack: Stack) -> list[str]:
    return stack.server.console("cd /var/lib/codesensei/guestbook/database && ls -- *.json").stdout.split()


def opens(stack: Stack, password: str) -> bool:
    """Whether the role can log in with it."""
    command = f"PGPASSWORD={shlex.quote(password)} psql -XAtc 'SELECT 1' -h 127.0.0.1 -U guestbook guestbook"
    return stack.server.console(command, check=False).stdout == "1\n"


@pytest.mark.full
@pytest.mark.proves("database.password", "database.credentials-current", "database.auto.local")
@each_debian(13)
@pytest.mark.proves("database.password", "database.scram", "database.credentials-current")
def test_a_new_password_comes_into_force_with_the_release_that_has_it(stack: Stack) -> None:
    entry = stack.site.write()
    psql(stack.server, TALKATIVE)
    with always_served(stack):
        stack.set_secret("codesensei:secretEnv.DATABASE_URL", url(FIRST))
        stack.up()
    assert opens(stack, FIRST)
    assert stack.site.shows(entry)
    file = stack.file.read_text()
    first = stack.serving()
    stack.set_secret("codesensei:secretEnv.DATABASE_URL", url(SECOND))
    stack.use("broken")
    with always_served(stack):
        stack.up(succeed=False)
        assert opens(stack, FIRST)
        assert not opens(stack, SECOND)
        assert len(staged(stack)) == 3
        stack.site.await_job(stack.site.write())
        stack.file.write_text(file)
        stack.up()
    assert stack.serving() == first
    settled(stack)
    assert opens(stack, FIRST)
    stack.set_secret("codesensei:secretEnv.DATABASE_URL", url(SECOND))
    with always_served(stack):
        stack.up()
    assert opens(stack, SECOND)
    assert not opens(stack, FIRST)
    assert stack.site.shows(entry)
    settled(stack)
    # The release before has the old password in its variables; going back to it must not go back to that.
    stack.use("main~1")
    stack.up()
    assert opens(stack, SECOND)
    stack.site.await_job(stack.site.write())
    psql(stack.server, "SELECT count(*) FROM pg_roles")
    assert passwords_logged(stack, FIRST, SECOND, quote(FIRST, safe=""), quote(SECOND, safe="")) == []
    # Only the verifier in force is kept, beside the note of what the names are.
    assert len(staged(stack)) == 2
    assert "applied.json" in staged(stack)
