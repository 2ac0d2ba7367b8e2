"""`pulumi destroy`: the project goes, its data stays unless the stack says otherwise."""

from __future__ import annotations

import time

import pytest

from tests.host.debians import each_debian
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

TRACES = (
    "/etc/systemd/system /run/systemd/system /etc/nginx /etc/logrotate.d /etc/codesensei /srv/codesensei"
    " /usr/local/lib/codesensei /var/lib/codesensei /var/cache/codesensei /run/codesensei -iname '*guestbook*'"
)


def traces(stack: Stack) -> set[str]:
    return set(stack.server.console(f"find {TRACES}", check=False).stdout.split())


def units(stack: Stack) -> str:
    command = "systemctl list-units --all --plain --no-legend '*guestbook*'; pgrep -au deploy"
    return stack.server.console(command, check=False).stdout


@pytest.mark.proves("destroy.goes", "destroy.stays", "destroy.says", "words.shared")
def test_destroy_keeps_data_and_another_up_takes_it_up(stack: Stack) -> None:
    entry = stack.site.write()
    stack.site.await_job(entry)
    media = "/srv/codesensei/guestbook/shared/media/picture.txt"
    stack.server.console(f"runuser -u deploy -- sh -c 'echo kept > {media}'")
    logins = stack.logins()
    done = stack.destroy()
    # One to see that the server is there, one for the teardown.
    assert stack.logins() == logins + 2
    assert "kept: database guestbook" in done.output
    assert "generated names and secrets end with this stack's state" in done.output
    assert units(stack) == ""
    assert traces(stack) <= {
        "/srv/codesensei/guestbook",
        "/run/codesensei/project-guestbook.lock",
        "/run/codesensei/project-guestbook.holder",
    }
    assert (
        stack.server.console("cd /srv/codesensei/guestbook && find . -type f").stdout == "./shared/media/picture.txt\n"
    )
    login = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'guestbook'"
    assert stack.server.console(f'runuser -u postgres -- psql -XAtc "{login}"').stdout == "f\n"
    assert stack.site.get().status == 404
    assert stack.server.console("nginx -t", check=False).returncode == 0
    stack.up()
    assert stack.site.shows(entry)
    assert stack.server.console(f"cat {media}").stdout == "kept\n"
    stack.site.await_job(stack.site.write())
    stack.up_without_changes()


@pytest.mark.proves("destroy.stays")
@each_debian(13)
def test_destroy_drops_what_the_stack_says(stack: Stack) -> None:
    stack.site.write()
    stack.server.console("runuser -u deploy -- touch /srv/codesensei/guestbook/shared/media/picture.txt")
    stack.set("onDestroy", {"database": "drop", "media": "drop"})
    assert stack.up().changes == {"Command server-teardown", "Server server"}
    stack.destroy()
    assert units(stack) == ""
    assert {path for path in traces(stack) if not path.startswith("/run/")} == set()
    databases = "SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles WHERE rolname = 'guestbook'"
    assert "guestbook" not in stack.server.console(f'runuser -u postgres -- psql -XAtc "{databases}"').stdout
    assert stack.server.console("getent passwd deploy", check=False).returncode != 0
    assert "csb-" not in stack.server.console("getent passwd").stdout


WAYS = ("run pulumi destroy again", "set codesensei:server", "pulumi stack rm --force organization/codesensei/test")


@pytest.mark.full
@pytest.mark.proves("destroy.server-gone")
@each_debian(12)
def test_destroy_of_a_server_that_is_gone_ends_soon_and_says_how_to_go_on(stack: Stack) -> None:
    stack.server.container.kill()
    began = time.monotonic()
    done = stack.destroy(succeed=False, seconds=120)
    assert time.monotonic() - began < 60
    error = done.said("error")
    assert f"error: server {stack.server.host}: nothing is removed, for nobody can log in to it: " in error
    assert [way for way in WAYS if way not in error] == []
    assert "Traceback" not in done.output
    # Nothing is forgotten: destroy can be run again when the server is back.
    assert {"server-teardown", "guestbook-SECRET_KEY", "guestbook-database-password"} <= set(stack.resources())
    stack.server.boot()
    assert "the register forgets guestbook" in stack.destroy().output
    assert stack.resources() == {}


@pytest.mark.full
@each_debian(13)
def test_destroy_of_a_server_that_was_installed_anew(stack: Stack) -> None:
    """With another host key nobody knows whose it is; with the same one, nothing of the stack is there."""
    stack.server.console("mkdir /root/kept && cp /etc/ssh/ssh_host_* /root/kept")
    stack.server.console("rm /etc/ssh/ssh_host_* && ssh-keygen -A && systemctl restart ssh")
    error = stack.destroy(succeed=False, seconds=120).said("error")
    assert "Host key verification failed" in error
    assert [way for way in WAYS if way not in error] == []
    stack.server.console("cp /root/kept/* /etc/ssh && systemctl restart ssh")
    stack.server.console("rm -r /usr/local/lib/codesensei /var/lib/codesensei /srv/codesensei")
    assert "nothing is left" in stack.destroy().output
    assert stack.resources() == {}
