"""Stacks that use every part of the program, with a recognisable secret in every place that can hold one."""

from __future__ import annotations

from pathlib import Path

from pulumi.runtime.settings import Settings, configure

from codesensei.config import Stack
from tests.config.engine import API_TOKEN, EXAMPLE, load_text

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\\nMIIBcertificate\\n-----END CERTIFICATE-----\\n"
SSH_KEY = "canaryOfTheSshKey"
TLS_KEY = "canaryOfTheTlsKey"
BACKUP_KEY = "canaryOfTheBackups"
DATABASE_PASSWORD = "canary-of-the-database"


def _pem(body: str) -> str:
    return f"-----BEGIN PRIVATE KEY-----\\n{body}\\n-----END PRIVATE KEY-----\\n"


GIVEN = f"""config:
  codesensei:server: {{host: 203.0.113.7, user: admin, hostKey: {HOST_KEY}}}
  codesensei:sshPrivateKey: {{secure: "clear:{_pem(SSH_KEY)}"}}
  codesensei:project:
    slug: shop
    source: {{git: "https://example.com/shop.git", revision: v1}}
    settingsModule: config.settings
    mediaServing: proxy
  codesensei:domains: [shop.example.com]
  codesensei:tls: {{certificate: "{CERTIFICATE}", key: {{secure: "clear:{_pem(TLS_KEY)}"}}}}
  codesensei:secretEnv:
    DATABASE_URL: {{secure: "clear:postgres://shop:{DATABASE_PASSWORD}@127.0.0.1:5432/shop"}}
    API_TOKEN: {{secure: "clear:{API_TOKEN}"}}
"""

GENERATED = f"""config:
  codesensei:server: {{host: 203.0.113.7, hostKey: {HOST_KEY}}}
  codesensei:project:
    slug: shop
    source: {{git: "https://example.com/shop.git", revision: v1}}
    settingsModule: config.settings
    workers: {{worker: celery -A config worker}}
  codesensei:appsDomain: apps.example.com
  codesensei:tls: selfSigned
  codesensei:database: {{env: {{DB_HOST: host, DB_PORT: port, DB_NAME: name, DB_USER: user, DB_PASSWORD: password}}}}
  codesensei:broker: {{env: {{CELERY_BROKER_URL: url}}}}
  codesensei:generateSecrets: [SECRET_KEY]
"""

BACKED_UP = f"""config:
  codesensei:server: {{host: 203.0.113.7, hostKey: {HOST_KEY}}}
  codesensei:project:
    slug: shop
    source: {{git: "https://example.com/shop.git", revision: v1}}
    settingsModule: config.settings
    sharedPaths: [data]
  codesensei:backups:
    to: s3:https://s3.example.com/shop
    accessKey: shop
    secretKey: {{secure: "clear:{BACKUP_KEY}"}}
"""

SMALL = f"""config:
  codesensei:server: {{host: 203.0.113.7, hostKey: {HOST_KEY}}}
  codesensei:project:
    slug: shop
    source: {{git: "https://example.com/shop.git", revision: v1}}
    settingsModule: config.settings
"""

EXTERNAL = f"""config:
  codesensei:server: {{host: 203.0.113.7, hostKey: {HOST_KEY}}}
  codesensei:project:
    slug: shop
    source: {{git: "https://example.com/shop.git", revision: v1}}
    settingsModule: config.settings
  codesensei:secretEnv:
    DATABASE_URL: {{secure: "clear:postgres://shop:{DATABASE_PASSWORD}@db.example.com:5432/shop"}}
"""


def loaded(folder: Path, text: str) -> Stack:
    """The stack of this text, under the name that the recorder's engine gives it."""
    configure(Settings(project="codesensei", stack="stack", organization="acme"))
    return load_text(folder, text)


def example(folder: Path) -> Stack:
    """The stack file that documents every key."""
    return loaded(folder, EXAMPLE.read_text())


def given(folder: Path) -> Stack:
    """A stack that brings its own database URL, certificate and SSH key, on a server with a sudo user."""
    return loaded(folder, GIVEN)


def generated(folder: Path) -> Stack:
    """A stack for which the program makes everything: password, host name, broker number, certificate."""
    return loaded(folder, GENERATED)


def backed_up(folder: Path) -> Stack:
    """A stack with backups."""
    return loaded(folder, BACKED_UP)


def external(folder: Path) -> Stack:
    """A stack whose database is elsewhere: on the server nothing is made for it."""
    return loaded(folder, EXTERNAL)
