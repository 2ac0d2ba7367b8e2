"""Servers on which nothing can be deployed: the message of a first deploy."""

from tests.host.broken.case import Broken

CASES = (
    Broken(
        "the system is not supported",
        before='sed -i.was \'s/^VERSION_ID=.*/VERSION_ID="11"/; s/^PRETTY_NAME=.*/PRETTY_NAME="Debian 11"/\' /usr/lib/os-release',
        after="mv /usr/lib/os-release.was /usr/lib/os-release",
        error="Debian 11 on SERVER: this system is not supported (supported: Debian 12 and 13, Ubuntu 22.04 and 24.04)",
        fix="use a server with one of them, or try it with codesensei:allowUnsupported: true",
    ),
    Broken(
        "port 80 is taken",
        before="systemd-run --quiet --unit=other python3 -m http.server 80;"
        " until python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 80))' 2>&-; do sleep 0.1; done",
        after="systemctl stop other.service",
        error="port 80 on SERVER: the process python3 (PID) listens on 0.0.0.0:80, and nginx needs this port",
        fix="on the server: systemctl disable --now the service of python3, or use another server",
    ),
    Broken(
        "the disk is small",
        before="mount -t tmpfs -o size=100M small /srv",
        after="umount /srv",
        error="disk of /srv/codesensei on SERVER: ALL MiB are free, and 1024 MiB are needed",
        fix="free some space (df -h; apt-get clean; journalctl --vacuum-size=200M) or use a bigger disk",
    ),
)
