"""Backups by restic: made, checked by restoring them, and put back. Root's own; nothing of the project's code runs."""
