"""A stack whose server.host leads to another machine: its data are not left unsaid, and the recipe moves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.reader import Reader
from tests.docs.table import MOVED
from tests.host.debians import each_debian
from tools.sandbox import Sandbox
from tools.trials.site import Site
from tools.trials.stack import Stack

pytestmark = [pytest.mark.host, pytest.mark.full]


@pytest.mark.proves("docs.commands", "register.moved")
@each_debian(13)
def test_the_data_are_carried_over(stack: Stack, sandbox: Sandbox, tmp_path: Path) -> None:
    old, entry = stack.server, stack.site.write()
    stack.site.await_job(entry)
    picture = f"/srv/codesensei/{stack.slug}/shared/media/a.txt"
    old.console(f"install -o deploy -g deploy -m 640 /etc/hostname {picture}")
    new = sandbox.up("moved", 13)
    try:
        stack.set("production", True)
        stack.set("waive", {"backup": "a test"})
        stack.set("project.source.revision", stack.revision(stack.config["codesensei:project"]["source"]["revision"]))
        stack.set("server.host", new.host)
        stack.set("server.hostKey", new.host_key)
        for done in (stack.preview(succeed=False), stack.up(succeed=False)):
            error = done.said("error")
            assert f"codesensei:server.host: was {old.host}, and {new.host} has nothing of this stack" in error
            assert f"stay on {old.host}, where guestbook.service, guestbook-worker.service go on running" in error
            assert "set codesensei:newServer: empty" in error
        stack.set("newServer", "empty")
        stack.up()
        here = Site(new.host, stack.hostname)
        assert here.greets("Hello")
        assert not here.shows(entry)
        replaced = {"203.0.113.7": old.host, "203.0.113.8": new.host, "shop": stack.slug}
        reader = Reader(MOVED, tmp_path / "home", replaced, {})
        reader.may_log_in(old, new)
        reader.types("docs/operating.md#a-new-machine")
        reader.ends()
        assert here.shows(entry)
        here.await_job(here.write())
        assert new.console(f"stat -c '%U %a' {picture}").stdout == "deploy 640\n"
        assert stack.site.get().status == 502
        assert "newServer: the server is no new one any more" in stack.preview().said("warning")
        stack.set("newServer", "")
        stack.up_without_changes()
    finally:
        new.down()
