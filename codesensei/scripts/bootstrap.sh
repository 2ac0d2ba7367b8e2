#!/bin/sh
# Install the toolkit and claim the slug:
#   sh <dir>/codesensei/scripts/bootstrap.sh <dir> <slug> claim <format> <stack> <identity> <adopt> <hash> [repair=<n>]
# <dir> is a new directory with the unpacked toolkit; it is removed however this ends.
set -eu

LIBRARY=/usr/local/lib/codesensei
LOCKS=/run/codesensei
CLOUD_INIT_WAIT=900
LOCK_WAIT=900
DPKG_WAIT=900

refuse() { # thing, cause, fix
    printf 'error: %s on %s: %s\nfix: %s\n' "$1" "$(uname -n)" "$2" "$3" >&2
    exit 1
}

# Progress. Errors go to standard error, which the SSH provider shows once.
say() { printf '%s\n' "$1"; }

wait_for_cloud_init() {
    command -v cloud-init >/dev/null 2>&1 || return 0
    [ ! -e /run/cloud-init/result.json ] || return 0
    say "waiting for cloud-init (at most $CLOUD_INIT_WAIT s)"
    # Its failures do not matter here: the checks that follow say what is missing.
    timeout "$CLOUD_INIT_WAIT" cloud-init status --wait >/dev/null 2>&1 </dev/null || true
}

python_is_complete() {
    python3 -I -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || return 1
    python3 -I -c '
import ast, base64, contextlib, dataclasses, fcntl, grp, hashlib, hmac, importlib, ipaddress, json, logging, pwd, re
import secrets, shutil, signal, socket, ssl, stringprep, subprocess, tarfile, tempfile, threading, unicodedata
import urllib.parse, urllib.request' 2>/dev/null
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l \
        apt-get -q -y -o "DPkg::Lock::Timeout=$DPKG_WAIT" -o Acquire::Retries=3 "$@" </dev/null
}

# The image may lack ss, which the preflight uses to see who listens.
programs_are_complete() { python_is_complete && command -v ss >/dev/null 2>&1; }

ensure_programs() {
    ! programs_are_complete || return 0
    command -v apt-get >/dev/null 2>&1 ||
        refuse "python3, iproute2" "Python 3.10 or newer, or ss, is missing, and there is no apt-get to install it" \
            "use a server with a supported system (README lists them)"
    say "installing python3 and iproute2"
    log=$(mktemp)
    # A new image's own timers may lock the package lists; apt-get does not wait for that lock.
    tries=0
    until { apt_get update && apt_get install --no-install-recommends python3 iproute2; } >"$log" 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -ge 60 ] || { [ "$tries" -ge 5 ] && ! grep -q 'Could not get lock' "$log"; }; then
            tail -n 20 "$log" | cut -c1-200 >&2
            rm -f "$log"
            refuse "python3, iproute2" "apt-get could not install them" \
                "see the lines above; on the server: apt-get install python3 iproute2"
        fi
        sleep 5
    done
    rm -f "$log"
    python_is_complete ||
        refuse "python3" "this server has $(python3 --version 2>&1), and 3.10 or newer is needed" \
            "use a server with a supported system (README lists them)"
}

content_hash() { # directory
    (cd "$1" && find . -name __pycache__ -prune -o -type f -print | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-20)
}

place_toolkit() { # directory; sets $toolkit
    if [ -n "$(find "$1" ! -type f ! -type d -print)" ]; then
        refuse "toolkit" "it contains something other than files and directories" "run pulumi up again"
    fi
    cp "$1/codesensei/scripts/run.sh" "$1/run"
    hash=$(content_hash "$1")
    toolkit=$LIBRARY/toolkit/$hash
    # Mode and owner count, too: the launcher must be executable, and only root may write there.
    if [ -x "$toolkit/run" ] && [ "$(content_hash "$toolkit")" = "$hash" ] &&
        [ -z "$(find "$toolkit" \( ! -user root -o -perm /022 \) -print)" ]; then
        return 0
    fi
    mkdir -p "$LIBRARY/toolkit"
    find "$LIBRARY/toolkit" -mindepth 1 -maxdepth 1 -name '.*' -exec rm -rf {} +
    cp -R "$1" "$LIBRARY/toolkit/.$hash"
    chown -R root:root "$LIBRARY/toolkit/.$hash"
    find "$LIBRARY/toolkit/.$hash" -type d -exec chmod 0755 {} +
    find "$LIBRARY/toolkit/.$hash" -type f -exec chmod 0644 {} +
    chmod 0755 "$LIBRARY/toolkit/.$hash/run"
    chmod 0755 "$LIBRARY" "$LIBRARY/toolkit"
    # Every step would compile them again. Python holds what is compiled against the source, whatever becomes of either.
    python3 -I -m compileall -q --invalidation-mode checked-hash "$LIBRARY/toolkit/.$hash" ||
        say "toolkit $hash could not be compiled: each step takes a little longer"
    # After a power cut its files would else be empty under a name that says what is in them.
    sync -f "$LIBRARY/toolkit/.$hash"
    if [ -e "$toolkit" ]; then
        mv -T "$toolkit" "$LIBRARY/toolkit/.broken"
    fi
    mv -T "$LIBRARY/toolkit/.$hash" "$toolkit"
    rm -rf "$LIBRARY/toolkit/.broken"
    say "toolkit $hash installed"
}

main() {
    [ "$#" -eq 8 ] || [ "$#" -eq 9 ] || {
        printf '%s\n' "usage: bootstrap.sh <dir> <slug> claim <format> <stack> <identity> <true|false> <hash> [repair=<n>]" >&2
        exit 2
    }
    directory=$1
    shift
    trap 'rm -rf "$directory"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for file in __main__.py codesensei/scripts/run.sh; do
        [ -f "$directory/$file" ] || refuse "toolkit" "$directory/$file is missing" "run pulumi up again"
    done
    [ "$(id -u)" -eq 0 ] ||
        refuse "user $(id -un)" "the server is set up as root" \
            "set codesensei:server.user to root or to a user with passwordless sudo"
    umask 022
    wait_for_cloud_init
    ensure_programs
    (umask 077 && mkdir -p "$LOCKS")
    exec 9>>"$LOCKS/bootstrap.lock"
    flock -w "$LOCK_WAIT" 9 ||
        refuse "toolkit" "another run is installing one and did not end within $LOCK_WAIT s" \
            "wait for it, then run pulumi up again"
    place_toolkit "$directory"
    python3 -I -B -X utf8 "$toolkit" "$@" </dev/null
}

main "$@"
