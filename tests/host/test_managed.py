"""A managed database: another server has it, nothing is made for it here, and its certificate is checked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.host.debians import each_debian
from tests.host.provider import HOSTNAME, NAME, Provider
from tests.host.rows import psql
from tests.host.test_interruptions import always_served
from tools.sandbox import Sandbox
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

OURS = "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1"
VARIABLE = "codesensei:secretEnv.DATABASE_URL"


@pytest.fixture(scope="module")
def prepared(sandbox: Sandbox) -> Provider:
    return Provider(sandbox.up("beside", 13)).prepare()


@pytest.fixture
def provider(prepared: Provider) -> Iterator[Provider]:
    prepared.clear()
    yield prepared
    prepared.server.console("systemctl start postgresql")


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("database.auto.external", "database.kinds", "preflight.ports")
def test_a_project_moves_to_a_managed_database_at_an_ipv6_address(stack: Stack, provider: Provider) -> None:
    address = f"[{provider.server.host6}]"
    first, before = stack.serving(), psql(stack.server, OURS)
    local = stack.site.write()
    # Nobody listens there: said before anything is made, and the old release serves on.
    stack.set_secret(VARIABLE, provider.url(address, "sslmode=require", port=5999))
    with always_served(stack):
        error = stack.up(succeed=False).said("error")
    where = provider.server.host6
    assert f"error: database {where}:5999 on {stack.server.name}: it cannot be reached from this server" in error
    assert f"{where}: [Errno 111] Connection refused" in error
    assert "let this server's address through the database's firewall" in error
    assert stack.serving() == first
    stack.set_secret(VARIABLE, provider.url(address, "sslmode=require"))
    with always_served(stack):
        changes = stack.up().changes
    assert not any("database" in change.lower() and "Command" in change and "update" in change for change in changes)
    entry = stack.site.write()
    stack.site.await_job(entry)
    assert not stack.site.shows(local)
    assert provider.encrypted() == {stack.server.host6}
    assert psql(provider.server, f"SELECT count(*) FROM entries_entry WHERE id = {entry.number}", NAME) == "1"
    assert psql(stack.server, OURS) == before
    stack.up_without_changes()
    # And back to the server's own, where the data of before still is.
    stack.pulumi("config", "rm", "--path", VARIABLE)
    stack.up()
    assert stack.site.shows(local)
    assert not stack.site.shows(entry)


@pytest.mark.full
@each_debian(12)
@pytest.mark.proves("database.auto.external")
def test_a_certificate_of_the_provider_s_ca_is_checked_under_its_name(stack: Stack, provider: Provider) -> None:
    stack.server.console(f"echo '{provider.server.host} {HOSTNAME}' >>/etc/hosts")
    first = stack.serving()
    stack.set("project.source.revision", stack.commit({"certs/provider.pem": provider.certificate}))
    verified = "sslmode=verify-full&sslrootcert=certs/provider.pem"
    stack.set_secret(VARIABLE, provider.url(HOSTNAME, verified))
    stack.up()
    stack.site.await_job(stack.site.write())
    assert provider.encrypted() == {stack.server.host}
    served = stack.serving()
    assert served != first
    # By an address of its certificate, and by a name that is not in it.
    stack.set_secret(VARIABLE, provider.url(provider.server.host, verified))
    stack.up()
    stack.site.await_job(stack.site.write())
    served = stack.serving()
    stack.server.console(f"echo '{provider.server.host} other.example' >>/etc/hosts")
    stack.set_secret(VARIABLE, provider.url("other.example", verified))
    with always_served(stack):
        error = stack.up(succeed=False).said("error")
    assert 'server certificate for "db.provider.example"' in error
    assert stack.serving() == served
    # Deployed again while the provider is down: the cause is named, and nothing is switched.
    stack.set_secret(VARIABLE, provider.url(provider.server.host, verified))
    provider.server.console("systemctl stop postgresql")
    stack.set("env.GREETING", "Later")
    error = stack.up(succeed=False).said("error")
    assert f"database {provider.server.host}:" in error
    assert "it cannot be reached from this server" in error
    assert "Connection refused" in error
    assert stack.serving() == served
    provider.server.console("systemctl start postgresql")
    stack.up()
    assert stack.site.greets("Later")
