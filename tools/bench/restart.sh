#!/bin/bash
# `restart.sh <web unit> <worker unit>`: restart both, and wait until the worker has written that it has its broker.
set -eu
worker=$2
systemctl restart "$@"
start=$(systemctl show --property=InvocationID --value "$worker")
until journalctl --quiet --no-pager --output=cat "_SYSTEMD_INVOCATION_ID=$start" | grep -q ' Connected to '; do
    systemctl --quiet is-active "$worker"
    sleep 0.05
done
