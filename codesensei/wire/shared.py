"""What both sides say of a shared folder that cannot be one."""

from __future__ import annotations

# Cause and fix.
IN_STATIC_ROOT = (
    "it lies in STATIC_ROOT, where nginx follows no link: visitors would get 404 for what is in it",
    "let the project write below MEDIA_ROOT, with project.mediaServing: proxy; for django-compressor that is"
    " COMPRESS_ROOT = MEDIA_ROOT and COMPRESS_URL = MEDIA_URL",
)
