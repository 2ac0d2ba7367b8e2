#!/bin/sh
# Run uv with the package index that the project's variables name for pip, unless they name one for uv.
set -eu
if [ -z "${UV_DEFAULT_INDEX-}${UV_INDEX_URL-}" ] && [ -n "${PIP_INDEX_URL-}" ]; then
    export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi
if [ -z "${UV_INDEX-}${UV_EXTRA_INDEX_URL-}" ] && [ -n "${PIP_EXTRA_INDEX_URL-}" ]; then
    export UV_INDEX="$PIP_EXTRA_INDEX_URL"
fi
exec "$@"
