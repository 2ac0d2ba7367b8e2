"""A second server that plays the provider of a managed database: PostgreSQL with TLS, certificates of its own CA."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from tests.host.rows import psql
from tools.sandbox import Server

HOSTNAME = "db.provider.example"
ROLE, NAME = "tenant-1", "tenant_db"
PASSWORD = "m@naged/pass%word:1 ☃"

PREPARE = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update >/dev/null
apt-get -qq install --no-install-recommends postgresql openssl >/dev/null
folder=$(echo /etc/postgresql/*/main)
cd "$folder"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Provider CA' -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout server.key -out server.csr 2>/dev/null
printf 'subjectAltName=DNS:%s,IP:%s,IP:%s\n' "$1" "$2" "$3" >extensions
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile extensions \
    -out server.crt 2>/dev/null
chown postgres:postgres server.key server.crt
chmod 0600 server.key
cat >>postgresql.conf <<EOF
listen_addresses = '*'
ssl = on
ssl_cert_file = '$folder/server.crt'
ssl_key_file = '$folder/server.key'
EOF
printf 'hostssl all all all scram-sha-256\n' >>pg_hba.conf
systemctl restart postgresql
"""


@dataclass(frozen=True)
class Provider:
    """Where tenants' databases are."""

    server: Server

    def prepare(self) -> Provider:
        """Install and configure PostgreSQL, and make the tenant's role and database."""
        if self.server.console("test -e /etc/postgresql/*/main/ca.crt", check=False).returncode == 0:
            return self
        words = f"bash -s -- {HOSTNAME} {self.server.host} {self.server.host6}"
        self.server.console(words, input=PREPARE.encode(), timeout=600)
        psql(self.server, f"CREATE ROLE \"{ROLE}\" LOGIN PASSWORD '{PASSWORD}'")
        utf8 = "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
        psql(self.server, f'CREATE DATABASE {NAME} OWNER "{ROLE}" {utf8}')
        return self

    def url(self, host: str, options: str, port: int = 5432) -> str:
        """The URL that the provider's console shows."""
        return f"postgres://{quote(ROLE)}:{quote(PASSWORD, safe='')}@{host}:{port}/{NAME}?{options}"

    @property
    def certificate(self) -> str:
        """The certificate of its CA."""
        return self.server.console("cat /etc/postgresql/*/main/ca.crt").stdout

    def encrypted(self) -> set[str]:
        """From where the tenant is connected now, each over TLS; the others make this fail."""
        query = (
            f"SELECT host(client_addr), ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = '{ROLE}'"
        )
        found = [line.split("|") for line in psql(self.server, query).splitlines()]
        assert all(ssl == "t" for _, ssl in found), found
        return {address for address, _ in found}

    def clear(self) -> None:
        """Empty the tenant's database for another project."""
        psql(self.server, f'DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION "{ROLE}"', NAME)
