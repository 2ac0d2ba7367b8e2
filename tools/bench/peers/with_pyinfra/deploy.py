"""One deploy: what a change of code or variables needs, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from pyinfra import host
from pyinfra.facts.files import File, Link
from pyinfra.operations import files, pip, server, systemd

facts: dict[str, Any] = json.loads(Path(os.environ["PEER_FACTS"]).read_text())
base, release, slug = facts["base"], facts["release"], facts["slug"]
venv = f"{base}/shared/venv"
as_user = {"_sudo": True, "_sudo_user": "deploy"}

variables = files.template(
    name="Variables",
    src=f"{facts['templates']}/env.j2",
    dest=f"{base}/shared/env",
    user="deploy",
    group="deploy",
    mode="640",
    jinja_env_kwargs={"trim_blocks": True},
    variables=facts["variables"],
)
if not host.get_fact(File, path=f"{release}/.built"):
    archive, sent = facts["archive"], f"{base}/releases/{facts['revision']}.tar"
    command = ["git", "-C", facts["source"], "archive", "--format=tar", "-o", archive, facts["revision"]]
    subprocess.run(command, check=True)
    files.put(name="Send the archive", src=archive, dest=sent, user="deploy", group="deploy")
    server.shell(
        name="Unpack",
        commands=[f"mkdir -p {release} && tar -xf {sent} -C {release} && rm {sent}"],
        **as_user,
    )
    installed = f"{venv}/.installed-{facts['requirements']}"
    if not host.get_fact(File, path=installed):
        pip.venv(name="Virtual environment", path=venv, python="python3", **as_user)
        pip.packages(
            name="Packages",
            requirements=f"{release}/requirements.txt",
            pip=f"{venv}/bin/pip",
            extra_install_args="-q",
            **as_user,
        )
        files.file(name="Note", path=installed, user="deploy", group="deploy")
    prefix = f"cd {release} && set -a && . {base}/shared/env && PATH={venv}/bin:$PATH"
    server.shell(
        name="Migrate, collect static files",
        commands=[
            f"{prefix} && python manage.py migrate --noinput",
            f"{prefix} && python manage.py collectstatic --noinput && touch .built",
        ],
        **as_user,
    )
# `files.link` removes the link and makes it again, so that it is away for a moment.
current = host.get_fact(Link, path=f"{base}/current")
switched = not current or current["link_target"] != release
if switched:
    server.shell(
        name="Switch",
        commands=[f"ln -sfn {release} {base}/current.new && mv -T {base}/current.new {base}/current"],
    )
systemd.service(name="Restart", service=slug, restarted=True, _if=lambda: switched or variables.did_change())
server.shell(name="It answers", commands=[facts["await"]])
