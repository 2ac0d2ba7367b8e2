"""The server's own PostgreSQL: clusters, roles, passwords as verifiers, access."""
