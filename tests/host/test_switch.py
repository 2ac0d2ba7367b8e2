"""The switch: what it asks before it calls a release live."""

from __future__ import annotations

import pytest

from tests.host.debians import each_debian
from tools.trials.stack import Stack, eventually

pytestmark = pytest.mark.host

OTHER = "/etc/nginx/conf.d/00-other.conf"
SITE = 'server {{ listen 80; listen [::]:80; server_name {name}; return 500 "somebody else"; }}'
# Whether the other site answers (or, with a sign before it, does not).
ASK = (
    "{{ exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\nHost: {name}\\r\\n\\r\\n' >&3;"
    " {sign}grep -q 'somebody else' <&3; }}"
)


@pytest.mark.full
@pytest.mark.proves("switch.edge", "switch.all-or-nothing")
@each_debian(12)
def test_a_site_that_visitors_would_get_instead_is_named(stack: Stack) -> None:
    """The candidate is sound and the processes run, and visitors would still see another site: nothing changes."""
    first = stack.serving()
    site = SITE.format(name=stack.hostname)
    stack.server.console(f"cat > {OTHER} && systemctl reload nginx", input=site.encode())
    # Old workers of nginx may still answer for a moment.
    eventually(stack.server, ASK.format(name=stack.hostname, sign=""))
    stack.set("env.GREETING", "Good evening")
    error = stack.up(succeed=False).said("error")
    thing, site = f"hostname {stack.hostname} on {stack.server.name}", f"the nginx site {OTHER}"
    assert f"error: {thing}: {site}, which codesensei did not write, already serves it" in error
    assert f" on {stack.server.name}: " in error
    assert stack.serving() == stack.serving("worker") == first
    assert stack.outputs()["release"] == first
    stack.server.console(f"rm {OTHER} && systemctl reload nginx")
    eventually(stack.server, ASK.format(name=stack.hostname, sign="! "))
    assert stack.site.greets("Hello")
    stack.up()
    assert stack.site.greets("Good evening")


# Again and again, because it is a matter of milliseconds: with several commands every second start failed.
STARTS = """
(while [ ! -e /run/enough ]; do systemctl daemon-reload; done) &
for _ in $(seq 10); do
    systemctl stop {slug}.socket {slug}.service
    systemctl reset-failed {slug}.socket
    systemctl start {slug}.socket || journalctl -u {slug}.socket -n 5 -o cat
done
touch /run/enough
wait
rm /run/enough
systemctl start {slug}.service
"""


@pytest.mark.full
@pytest.mark.proves("web.socket.reload")
@each_debian(13)
def test_a_socket_starts_while_systemd_reads_its_units_again(stack: Stack) -> None:
    said = stack.server.console("bash -s 2>&1", input=STARTS.format(slug=stack.slug).encode(), timeout=300).stdout
    assert said == ""
    assert stack.site.greets("Hello")


MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entries", "0001_initial")]
    operations = [migrations.AddField("entry", "note", models.TextField(null=True))]
"""
COLUMN = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'entries_entry' AND column_name = 'note'"


@pytest.mark.proves("migrations.before-switch", "hooks.failing", "order.inert")
@each_debian(13)
def test_the_old_release_lives_on_with_what_an_additive_migration_added(stack: Stack) -> None:
    """The hook behind the migration fails, so it stays that way until somebody fixes the hook."""
    first, entry = stack.serving(), stack.site.write()
    files = {"entries/migrations/0002_note.py": MIGRATION}
    stack.set("project.source.revision", stack.commit(files, base="main~2"))
    stack.set("project.hooks.afterMigrate", ["echo this hook gives up; exit 3"])
    error = stack.up(succeed=False).said("error")
    assert "this hook gives up" in error
    assert "fix: " in error
    assert stack.serving() == stack.serving("worker") == first
    assert stack.server.console(f'runuser -u postgres -- psql -XAt guestbook -c "{COLUMN}"').stdout == "1\n"
    assert stack.site.shows(entry)
    again = stack.site.write()
    stack.site.await_job(again)
    assert stack.site.shows(again)
    stack.set("project.hooks.afterMigrate", [])
    stack.up()
    assert stack.serving() != first
    assert stack.site.shows(again)
