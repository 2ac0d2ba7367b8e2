"""A server that was reinstalled: with the new host key in the stack file, one `up` brings everything again."""

from __future__ import annotations

import pytest

from tools.trials.stack import Stack

pytestmark = [pytest.mark.host, pytest.mark.full]

AGAIN = (
    "rm /etc/ssh/ssh_host_* && ssh-keygen -A >/dev/null && systemctl restart ssh"
    " && cat /etc/ssh/ssh_host_ed25519_key.pub"
)


@pytest.mark.parametrize("deployed", [12, 13], indirect=True)
@pytest.mark.parametrize("drift", [True, False], ids=["drift", "no drift"])
def test_everything_comes_again_in_one_run(stack: Stack, drift: bool) -> None:
    server = stack.server
    stack.set("drift", drift)
    before = stack.outputs()
    server.restore("blank")
    key = " ".join(server.console(AGAIN).stdout.split()[:2])
    if drift:
        cause = "its host key is not the one in codesensei:server.hostKey"
        assert cause in stack.preview().said("warning")
        assert cause in stack.up(succeed=False, seconds=120).said("error")
    stack.set("server.hostKey", key)
    stack.up()
    assert stack.outputs() == before
    assert stack.site.greets("Hello")
    stack.site.await_job(stack.site.write())
    stack.up_without_changes()


@pytest.mark.parametrize("deployed", [12, 13], indirect=True)
def test_a_disk_that_was_put_back_from_before_the_first_deploy(stack: Stack) -> None:
    stack.server.restore("blank")
    assert "this server remembers nothing of the stack" in stack.preview().said("warning")
    stack.up()
    assert stack.site.greets("Hello")
    stack.up_without_changes()
