"""How much of a project is read on the operator's machine: whatever a repository holds, time and memory are bounded."""

from __future__ import annotations

# Files of one commit, and what `git ls-tree` may say of them: a few objects of git can stand for any number of files.
FILES = 200_000
LISTING_BYTES = 32 << 20
# Of its archive.
ARCHIVE_BYTES = 2 << 30
# Of a file of which every line counts; of others, only the beginning is looked at.
TEXT_BYTES = 4 << 20
# Of a Python file, whose syntax tree takes a hundred times as much memory.
CODE_BYTES = 1 << 20
# Levels of its syntax tree.
NESTING = 200
# Modules from which settings may take names.
MODULES = 60
# Modules that Django loads before it serves, as far as they are followed.
LOADED = 2000
# Characters of a text that settings put together.
TEXT_LENGTH = 1 << 16
# Items of a list that settings put together.
ITEMS = 1 << 16
# Migrations that are read, and their bytes: a syntax tree takes a hundred times as many.
MIGRATIONS = 5_000
MIGRATION_BYTES = 32 << 20
# Files that a requirements file may include.
REQUIREMENTS = 100
# Names among which one that was meant is looked for.
CANDIDATES = 10_000


def size(count: int) -> str:
    """A number of bytes as people read it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GB"
