"""PostgreSQL: roles, and the verifiers of their passwords."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

UNIT = "postgresql@17-main.service"
CONF_D = "/etc/postgresql/17/main/conf.d"
ALTER = re.compile(r'ALTER ROLE "(\w+)" LOGIN PASSWORD (?:NULL|\'([^\']*)\');')
ASK = re.compile(r"SELECT rolpassword FROM pg_authid WHERE rolname = '(\w+)'")


def verifier_of(password: str) -> str:
    """What stands for a password's SCRAM verifier here."""
    return f"verifier-of:{password}"


class Postgres:
    """One cluster."""

    def __init__(self) -> None:
        self.roles: dict[str, str | None] = {}
        # Whether it archives, as its drop-ins had it when it last started.
        self.archives = False

    def restart(self, drop_ins: Iterable[str]) -> None:
        """Read the texts of its conf.d."""
        self.archives = any("archive_mode = on\n" in text for text in drop_ins)

    def accepts(self, role: str, password: str) -> bool:
        """Whether somebody can log in."""
        return self.roles.get(role) == verifier_of(password)

    def read(self, sql: str) -> str | None:
        """What the statements change, for the record; None where they only ask."""
        found = ALTER.search(sql)
        return f"psql ALTER ROLE {found[1]}" if found else None

    def run(self, sql: str) -> tuple[int, str, str]:
        """Status, output and errors of psql."""
        if found := ALTER.search(sql):
            if found[1] not in self.roles:
                return 3, "", f'ERROR:  role "{found[1]}" does not exist'
            self.roles[found[1]] = found[2]
            return 0, "", ""
        if found := ASK.search(sql):
            rows = [{"rolpassword": self.roles[found[1]]}] if found[1] in self.roles else []
            return 0, json.dumps(rows), ""
        raise AssertionError(f"a statement that nobody knows: {sql}")
