"""What `pulumi destroy` does first, on the operator's machine: it runs no program, so this speaks to the user."""

from __future__ import annotations

import pulumi
from pulumi_command import local

from codesensei.remote import openssh
from codesensei.remote.access import Access, note_of

# From the program's directory, which is where the engine's provider works; an older checkout may not have it.
SCRIPT = "codesensei/remote/destroy_check.sh"


def destroy_check(name: str, access: Access, *, stack: str, opts: pulumi.ResourceOptions) -> local.Command:
    """Make a destroy end at once, with the way to go on, where the server cannot be logged in to.

    The teardown's own failure is the provider's text. This has neither create nor update, so it runs at no other time.
    """
    server = access.server
    over = f" (over the jump host {server.proxy.host})" if server.proxy else ""
    return local.Command(
        name,
        delete=f"test ! -e {SCRIPT} || sh {SCRIPT}",
        environment={
            "SERVER": f"{server.host}{over}",
            "STACK": stack,
            "SSH_CONFIG": openssh.settings(server, "known_hosts"),
            "KNOWN_HOSTS": openssh.known_hosts(server),
            "NOTE": str(note_of(stack.rpartition("/")[2])),
        },
        stdin=access.private_key,
        add_previous_output_in_env=False,
        logging=local.Logging.NONE,
        # What it was called before version 1.0.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[pulumi.Alias(name="server-farewell")])),
    )
