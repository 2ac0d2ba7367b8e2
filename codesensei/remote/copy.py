"""The project's source on its way to the server."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pulumi
from pulumi_command import remote

from codesensei.remote.access import Access
from codesensei.wire.paths import ProjectPaths


def incoming_path(slug: str, revision: str, host_key: str) -> str:
    """Where the archive of a revision arrives; a server with another host key is another one and gets it again."""
    machine = hashlib.sha256(host_key.encode()).hexdigest()[:8]
    return str(ProjectPaths(slug).incoming / f"{revision[:12]}-{machine}.tar")


def copy_source(
    name: str, access: Access, *, tar: Path, revision: str, opts: pulumi.ResourceOptions
) -> remote.CopyToRemote:
    """Copy the archive. The engine compares its content, so another checkout or machine copies nothing again."""
    server = access.server
    # A new address may be a new machine, also one that shows the host key of the old one (restored, or cloned).
    # A server that lost its memory has lost the archive too. A replacement only copies.
    return remote.CopyToRemote(
        name,
        connection=access.connection,
        source=pulumi.FileAsset(str(tar)),
        remote_path=incoming_path(access.slug, revision, access.server.host_key),
        triggers=[access.look.copy, f"{server.host}:{server.port}"],
        opts=opts,
    )
