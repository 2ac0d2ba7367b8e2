"""Back to a release that is still on the server."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pyinfra.operations import server, systemd

facts: dict[str, Any] = json.loads(Path(os.environ["PEER_FACTS"]).read_text())
base, release = facts["base"], facts["release"]

server.shell(
    name="Switch",
    commands=[
        f"test -e {release}/.built && ln -sfn {release} {base}/current.new && mv -T {base}/current.new {base}/current"
    ],
)
systemd.service(name="Restart", service=facts["slug"], restarted=True)
server.shell(name="It answers", commands=[facts["await"]])
