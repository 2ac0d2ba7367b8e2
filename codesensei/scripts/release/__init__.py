"""A release: unpacked, installed, sealed, inspected; jobs that run the project's code, and why one failed."""
