"""A green deploy is what strangers get: hand-made sites, hostnames, the end of a redirect, uploads on another disk."""

from __future__ import annotations

import pytest

from tests.host.debians import each_debian
from tests.host.stack import Stack

pytestmark = pytest.mark.host

OLD = "/etc/nginx/sites-enabled/0-old.conf"
OLD_SITE = """server {{
    listen 80;
    server_name {};
    location / {{ default_type text/plain; return 200 "the old site\\n"; }}
}}
"""


def hand_made(stack: Stack, *names: str, file: str = OLD) -> None:
    """A site that somebody has made by hand and that nginx has read."""
    stack.server.console(
        f"cat > {file}; nginx -t && systemctl restart nginx", input=OLD_SITE.format(" ".join(names)).encode()
    )


@each_debian(13)
def test_a_hand_made_site_is_refused_or_taken_over(stack: Stack) -> None:
    hand_made(stack, stack.hostname)
    assert stack.site.get().body == "the old site\n"
    print(stack.preview().said("warning"))
    print(stack.up().output)
    stack.set("env.GREETING", "Good evening")
    error = stack.up(succeed=False).said("error")
    print(error)
