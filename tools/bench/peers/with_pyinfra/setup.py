"""A project's place on the server: folders, database, units, site."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pyinfra.operations import files, postgres, server, systemd

facts: dict[str, Any] = json.loads(Path(os.environ["PEER_FACTS"]).read_text())
base, slug, database = facts["base"], facts["slug"], facts["db_name"]
# As Ansible renders templates, so that all peers write the same files.
rendered = {"jinja_env_kwargs": {"trim_blocks": True}, "mode": "644", "base": base, "slug": slug}
rendered |= {"hostname": facts["hostname"]}
as_postgres = {"_sudo": True, "_sudo_user": "postgres"}

for folder in (base, f"{base}/releases", f"{base}/shared"):
    files.directory(name=f"Folder {folder}", path=folder, user="deploy", group="deploy", mode="755")
postgres.role(name="Role", role=database, password=facts["db_password"], **as_postgres)
postgres.database(name="Database", database=database, owner=database, **as_postgres)
units = [
    files.template(
        name=f"Unit {name}",
        src=f"{facts['templates']}/{template}",
        dest=f"/etc/systemd/system/{name}.service",
        **rendered,
    )
    for name, template in ((slug, "web.service.j2"), (f"{slug}-worker", "worker.service.j2"))
]
server.shell(
    name="Reload systemd and enable",
    commands=["systemctl daemon-reload", f"systemctl -q enable {slug} {slug}-worker"],
    _if=lambda: any(unit.did_change() for unit in units),
)
site = files.template(
    name="Site", src=f"{facts['templates']}/site.conf.j2", dest=f"/etc/nginx/sites-enabled/{slug}", **rendered
)
systemd.service(name="Reload nginx", service="nginx", reloaded=True, _if=site.did_change)
