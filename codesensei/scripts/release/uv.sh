#!/bin/sh
# Run uv with the package index and the certificates that the project's variables name for pip, unless they name others
# for uv.
set -eu
if [ -z "${UV_DEFAULT_INDEX-}${UV_INDEX_URL-}" ] && [ -n "${PIP_INDEX_URL-}" ]; then
    export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi
if [ -z "${UV_INDEX-}${UV_EXTRA_INDEX_URL-}" ] && [ -n "${PIP_EXTRA_INDEX_URL-}" ]; then
    export UV_INDEX="$PIP_EXTRA_INDEX_URL"
fi
if [ -z "${SSL_CERT_FILE-}" ] && [ -n "${PIP_CERT-}" ]; then
    export SSL_CERT_FILE="$PIP_CERT"
fi
exec "$@"
