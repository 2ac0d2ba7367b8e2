"""The uv that installs packages, which the operator's side and the server agree on."""

from __future__ import annotations

VERSION = "0.9.9"
