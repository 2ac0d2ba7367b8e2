#!/bin/bash
# Install what every peer's deploys need on the server. It is done once and not measured.
set -euo pipefail

main() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends \
        build-essential ca-certificates curl libpq-dev nginx-light postgresql python3-dev python3-packaging python3-venv \
        redis-server sudo
    id deploy >/dev/null 2>&1 || useradd --create-home --shell /bin/bash deploy
    rm -f /etc/nginx/sites-enabled/default
    systemctl enable -q --now postgresql redis-server nginx
    systemctl reload nginx
    [ -x /opt/uv/bin/uv ] || {
        python3 -m venv /opt/uv
        /opt/uv/bin/pip install -q --disable-pip-version-check "$UV"
    }
}

main
