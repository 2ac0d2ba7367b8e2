"""A release: unpacked, installed, sealed, asked; jobs of the project's own code, and why one has failed."""
