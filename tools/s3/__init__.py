"""Versity's gateway, the S3 storage of the tests, built from its Go module into the cache. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tools.engine import modules

HERE = Path(__file__).parent
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"

__all__ = ["install"]


def install(say: Callable[[str], None] = print) -> Path:
    """The program, built if need be. Raises EngineError."""
    said = "the S3 storage of the tests from its Go module (once, some minutes)"
    return modules.install("versitygw", HERE, [PACKAGE], said, say) / "versitygw"
