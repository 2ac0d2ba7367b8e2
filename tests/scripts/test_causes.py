"""From real words of pip, Django, gunicorn and psycopg to cause and fix."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from codesensei.scripts.release.causes import KNOWN, explain, explain_any

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
ENVIRON = '  File "<frozen os>", line 679, in __getitem__\n'
LOG_HANDLER = """FileNotFoundError: [Errno 2] No such file or directory: '/opt/mailman/web/logs/mailmanweb.log'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/usr/lib/python3.13/logging/config.py", line 580, in configure
    handler = self.configure_handler(handlers[name])
ValueError: Unable to configure handler 'file'"""
DDL = "django.db.utils.ProgrammingError: "
HOST = 'connection to server at "db.example.com" (203.0.113.9), port 5432 failed: FATAL:  '
# Log, words of the cause, words of the fix.
LOGS = {
    "table of a cache": (
        '  File "/srv/codesensei/shop/venvs/v/lib/python3.13/site-packages/django/core/cache/backends/db.py", line 77,'
        " in get_many\n    with connection.cursor() as cursor:\n"
        f'{DDL}relation "site_cache" does not exist\nLINE 1: SELECT "cache_key", "value" FROM "site_cache"',
        "the table site_cache of a cache is missing",
        "hooks.afterMigrate: [python manage.py createcachetable]",
    ),
    "logs of another user's": (
        "Error: Error: '/srv/codesensei/shop/shared/logs/access.log' isn't writable [PermissionError(13, 'Permission"
        " denied')]",
        "the app user may not write /srv/codesensei/shop/shared/logs/access.log",
        "run pulumi up again, which gives it back",
    ),
    "a project's own log": (
        "PermissionError: [Errno 13] Permission denied: '/srv/codesensei/shop/shared/logs/django.log'",
        "the app user may not write /srv/codesensei/shop/shared/logs/django.log",
        "chown",
    ),
    "constraint of a table": (
        f'{DDL}constraint "shop_a_uniq" of relation "shop_a" does not exist',
        "the table shop_a has no constraint shop_a_uniq",
        "restore what was changed by hand",
    ),
    "column to drop": (
        f'{DDL}column "slug" of relation "shop_a" does not exist',
        "the table shop_a has no column slug",
        "compare the table with the migrations",
    ),
    "column of a migration": (
        f'  Applying shop.0003_slug...Traceback (most recent call last):\n{DDL}column "slug" of relation "shop_a"'
        " already exists",
        "the migration shop.0003_slug adds the column slug, which the database has already",
        "migrate --fake shop 0003_slug",
    ),
    "column elsewhere": (
        f'{DDL}column "slug" of relation "shop_a" already exists',
        "the table shop_a has the column slug already",
        "compare it",
    ),
    "rows that are alike": (
        'IntegrityError: could not create unique index "shop_a_name_key"\nDETAIL:  Key (name)=(x) is duplicated.',
        "rows have the same value in name",
        "clean them up in a migration before it",
    ),
    "rows and table at once": (
        'OperationalError: cannot ALTER TABLE "shop_a" because it has pending trigger events',
        "changes rows of shop_a and then the table",
        "split it into two migrations",
    ),
    "limit of a statement": (
        "OperationalError: canceling statement due to statement timeout",
        "longer than statement_timeout",
        "ALTER ROLE … SET statement_timeout = 0",
    ),
    "deadlock": ("OperationalError: deadlock detected", "each other's locks", "at a quieter time"),
    "migrations in a circle": (
        "django.db.migrations.exceptions.CircularDependencyError: shop.0002_a, blog.0003_b",
        "in a circle: shop.0002_a, blog.0003_b",
        "in a later migration",
    ),
    "replica": (
        "InternalError: cannot execute CREATE TABLE in a read-only transaction",
        "the database takes no changes",
        "the primary database's host",
    ),
    "SQLite with two writers": ("OperationalError: database is locked", "one writer at a time", '{"timeout": 20}'),
    "no site": ("Site.DoesNotExist: Site matching query does not exist.", "SITE_ID", "hooks.afterMigrate"),
    "database without TLS refused": (
        f'{HOST}no pg_hba.conf entry for host "203.0.113.7", user "shop", database "shop", no encryption',
        "lets nobody in without TLS, or not from this server (203.0.113.7)",
        "?sslmode=require",
    ),
    "database refuses the server": (
        f'{HOST}no pg_hba.conf entry for host "203.0.113.7", user "shop", database "shop", SSL encryption',
        "does not let this server (203.0.113.7) in",
        "pg_hba.conf",
    ),
    "database has no TLS": (
        'connection to server at "h" (203.0.113.9), port 5432 failed: server does not support SSL, but SSL was required',
        "asks for TLS",
        "sslmode=prefer",
    ),
    "socket of another user": (
        'connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: FATAL:  Peer authentication failed for'
        ' user "shop"',
        "lets the role shop in for the system's user of that name alone",
        "127.0.0.1",
    ),
    "clock that is behind": (
        "HTTPSConnectionPool(host='pypi.org', port=443): Max retries exceeded (Caused by SSLError(SSLCertVerification"
        "Error(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid')))",
        "this server's clock",
        "timedatectl set-ntp true",
    ),
    "setuptools without a hash": (
        "ERROR: Hashes are required in --require-hashes mode, but they are missing from some requirements. Here is a list"
        " of those:\n    setuptools==80.9.0 --hash=sha256:0c",
        "setuptools==80.9.0 has none",
        "--allow-unsafe",
    ),
    "setuptools that is not pinned": (
        "ERROR: In --require-hashes mode, all requirements must have their versions pinned with ==. These do not:\n"
        "    setuptools>=36 from https://files.pythonhosted.org/packages/x.whl (from markdown==3.1)",
        "the file does not pin setuptools",
        "--allow-unsafe",
    ),
    "setuptools that is not pinned, with uv": (
        "error: In `--require-hashes` mode, all requirements must be pinned upfront with `==`, but found: `setuptools`",
        "the file does not pin setuptools",
        "--allow-unsafe",
    ),
    "database that rejects the server": (
        f'{HOST}pg_hba.conf rejects connection for host "203.0.113.7", user "shop", database "shop", no encryption',
        "without TLS, or not from this server (203.0.113.7)",
        "?sslmode=require",
    ),
    "git for uv": ("error: Git executable not found. Ensure that Git is installed.", "no git", "[git]"),
    "private repository with uv": (
        "  x Failed to download and build `x @ git+https://github.com/a/x`\n  ├─▶ Git operation failed\n"
        "  ╰─▶ process didn't exit successfully: `/usr/bin/git fetch` (exit status: 128)\n      --- stderr\n"
        "      fatal: could not read Username for 'https://github.com': terminal prompts disabled",
        "cannot be fetched: could not read Username",
        "codesensei:secretEnv",
    ),
    "library on a disk without programs": (
        "ImportError: /srv/v/lib/python3.13/site-packages/x/_x.so: failed to map segment from shared object",
        "/srv/v/lib/python3.13/site-packages/x/_x.so is mounted with noexec",
        "findmnt -T",
    ),
    "wheel for a newer system": (
        "ImportError: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /srv/v/x/_x.so)",
        "/srv/v/x/_x.so was built for a newer system",
        "--no-binary",
    ),
    "port of gunicorn's own": ("[ERROR] Connection in use: ('0.0.0.0', 8000)", "already in use", "ss -tlnp"),
    "local path": (
        "Processing ./vendor/x (from -r requirements.txt (line 3))\n  Installing build dependencies: started\n"
        "  Preparing metadata (pyproject.toml): finished with status 'error'\n  error: subprocess-exited-with-error\n",
        "the package in ./vendor/x",
        "pyproject.toml or setup.py",
    ),
    "local path with uv": (
        "  Failed to build `x @ file:///srv/codesensei/shop/releases/1234567-89abcde/vendor/x`\n",
        "the package in vendor/x",
        "pyproject.toml or setup.py",
    ),
    "lock of Poetry": (
        "\npyproject.toml changed significantly since poetry.lock was last generated."
        " Run `poetry lock` to fix the lock file.\n",
        "poetry.lock does not fit pyproject.toml",
        "poetry lock",
    ),
    "log file": (LOG_HANDLER, "handler file cannot open /opt/mailman/web/logs/mailmanweb.log", "shared/logs"),
    "log file of others": (
        LOG_HANDLER.replace(
            "FileNotFoundError: [Errno 2] No such file or directory", "PermissionError: [Errno 13] X y"
        ),
        "handler file cannot open",
        "standard error",
    ),
    "path of others": (
        "PermissionError: [Errno 13] Permission denied: '/var/lib/weblate'",
        "may not open or write /var/lib/weblate",
        "shared/cache",
    ),
    "home folder": (
        "PermissionError: [Errno 13] Permission denied: '/home/weblate'",
        "may not open /home/weblate",
        "{ProtectHome: read-only}",
    ),
    "home folder in a shell": (
        "cat: /home/deploy/key.json: Permission denied\n",
        "may not open /home/deploy/key.json",
        "{ProtectHome: read-only}",
    ),
    "read-only folder": (
        "OSError: [Errno 30] Read-only file system: '/mnt/reports/2026/may.pdf'",
        "/mnt/reports/2026 is read-only",
        "{ReadWritePaths: [/mnt/reports/2026]}",
    ),
    "read-only folder in a shell": (
        "mkdir: cannot create directory \u2018/opt/shop/cache\u2019: Read-only file system\n",
        "/opt/shop is read-only",
        "{ReadWritePaths: [/opt/shop]}",
    ),
    "read-only folder of a redirection": (
        "/srv/codesensei/shop/env/x.sh: line 1: /var/backups/shop.sql: Read-only file system\n",
        "/var/backups is read-only",
        "{ReadWritePaths: [/var/backups]}",
    ),
    "read-only folder in Node": (
        "Error: EROFS: read-only file system, mkdir '/opt/cache/x'",
        "/opt/cache is read-only",
        "{ReadWritePaths: [/opt/cache]}",
    ),
    "device": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/dev/video0'",
        "no devices, such as /dev/video0",
        "{PrivateDevices: false}",
    ),
    "kernel": (
        "bash: line 1: /proc/sys/vm/overcommit_memory: Read-only file system\n",
        "the kernel's setting /proc/sys/vm/overcommit_memory",
        "{ProtectKernelTunables: false}",
    ),
    "a file in /tmp": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/feed.csv'\n",
        "a /tmp of their own, in which there is no /tmp/feed.csv",
        "{PrivateTmp: false}",
    ),
    "a socket in /tmp": (
        'connection to server on socket "/tmp/.s.PGSQL.5432" failed: No such file or directory',
        "there is no /tmp/.s.PGSQL.5432",
        "{PrivateTmp: false}",
    ),
    "Chromium": (
        "[0101/1:FATAL:zygote_host_impl_linux.cc(128)] No usable sandbox! If you are running on Ubuntu 23.10+",
        "makes a sandbox of its own",
        "--no-sandbox",
    ),
    "namespaces": (
        "unshare: unshare failed: Operation not permitted\n",
        "makes a sandbox of its own",
        "{RestrictNamespaces: false",
    ),
    "sudo": (
        'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.',
        "becomes root",
        "NoNewPrivileges: false",
    ),
    "packets": (
        "OSError: [Errno 97] Address family not supported by protocol",
        "a socket of a family",
        "RestrictAddressFamilies",
    ),
    "system call": (
        "PermissionError: [Errno 1] Operation not permitted: 'x'",
        "the system refuses what the project does",
        "project.sandbox",
    ),
    "system call that kills": (
        "shop-mail.service: code=dumped, status=31/SYS",
        "makes a system call",
        "SystemCallFilter",
    ),
    "mount namespace": (
        "shop.service: Failed to set up mount namespacing: /mnt/gone: No such file or directory\n",
        "cannot confine the process (/mnt/gone: No such file or directory)",
        "project.sandbox",
    ),
    "threads": ("RuntimeError: can't start new thread", "no more processes or threads", "tasksMax"),
    "gobject": ("ValueError: Namespace Rsvg not available", "the system library Rsvg", "gir1.2"),
    "libmagic": (
        "ImportError: failed to find libmagic.  Check your installation",
        "the system library libmagic is missing",
        "[libmagic1]",
    ),
    "host": (
        "django.core.exceptions.DisallowedHost: Invalid HTTP_HOST header: 'shop.example.com'. You may need to add"
        " 'shop.example.com' to ALLOWED_HOSTS.",
        "refuses the host shop.example.com",
        "leading dot",
    ),
    "database": (
        'connection failed: connection to server at "10.0.0.9", port 5432 failed: Connection refused',
        "the database at 10.0.0.9, port 5432, cannot be reached: Connection refused",
        "DATABASE_URL",
    ),
    "database by name": (
        'connection to server at "localhost" (127.0.0.1), port 5433 failed: Connection refused',
        "the database at localhost, port 5433, cannot be reached: Connection refused",
        "DATABASE_URL",
    ),
    "database of docker": (
        'could not translate host name "db" to address: Temporary failure in name resolution',
        "the database host db cannot be resolved on this server",
        "docker compose",
    ),
    "database's socket": (
        'connection to server on socket "/run/postgresql/.s.PGSQL.5432" failed: No such file or directory',
        "socket /run/postgresql/.s.PGSQL.5432 cannot be reached",
        "DATABASE_URL",
    ),
    "mysql": (
        """OperationalError: (2002, "Can't connect to server on '127.0.0.1' (115)")""",
        "the database at 127.0.0.1",
        "accepts",
    ),
    "password": (
        'FATAL:  password authentication failed for user "shop"',
        "password of shop",
        "percent-encoded",
    ),
    "no such database": (
        'FATAL:  database "shop" does not exist',
        "no database shop",
        "DATABASE_URL",
    ),
    "connections": (
        "FATAL:  sorry, too many clients already",
        "no more connections",
        "GUNICORN_WORKERS",
    ),
    "non-nullable": (
        "It is impossible to add a non-nullable field 'sku' to product without specifying a default.",
        "field sku",
        "freshly migrated database",
    ),
    "non-nullable, not asked": (
        "Field 'sku' on model 'product' not migrated: it is impossible to add a non-nullable field without specifying"
        " a default.",
        "field sku",
        "freshly migrated database",
    ),
    "null values": (
        'psycopg.errors.NotNullViolation: column "sku" of relation "shop_product" contains null values',
        "existing rows of the table shop_product have no value for sku",
        "freshly migrated database",
    ),
    "leaf nodes": (
        "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph: (0002_a, 0002_b in"
        " shop).",
        "0002_a, 0002_b in shop",
        "makemigrations --merge",
    ),
    "parent": (
        "NodeNotFoundError: Migration shop.0003_c dependencies reference nonexistent parent node ('shop', '0002_b')",
        "shop.0003_c needs ('shop', '0002_b')",
        "commit that migration",
    ),
    "history": (
        "InconsistentMigrationHistory: Migration admin.0001 is applied before its dependency auth.0001",
        "admin.0001 is applied before",
        "restore the migrations",
    ),
    "table exists": (
        'psycopg.errors.DuplicateTable: relation "shop_product" already exists',
        "shop_product already exists in the database",
        "--fake",
    ),
    "table of a migration": (
        "  Applying app.0001_initial... OK\n  Applying app.0002_index...Traceback (most recent call last):\n"
        'psycopg.errors.DuplicateTable: relation "note_text_idx" already exists',
        "the migration app.0002_index makes note_text_idx, which the database has already",
        "[python manage.py migrate --fake app 0002_index]",
    ),
    "table exists, no migration": (
        "(1050, \"Table 'app_note' already exists\")",
        "app_note already exists",
        "by a hook",
    ),
    "foreign table": (
        "django.db.utils.ProgrammingError: must be owner of table app_note",
        "app_note in the database belongs to another role",
        "codesensei:adopt: true",
    ),
    "foreign rows": ("permission denied for table app_note", "app_note in the database belongs to", "OWNER TO"),
    "foreign schema": ("permission denied for schema public", "in the schema public", "GRANT ALL ON SCHEMA public"),
    "postgis": (
        'django.db.utils.NotSupportedError: extension "postgis" is not available\n'
        'DETAIL:  Could not open extension control file "/usr/share/postgresql/17/extension/postgis.control"',
        "lacks the extension postgis",
        "codesensei:database.extensions: [postgis]",
    ),
    "pgvector": ('permission denied to create extension "vector"', "the extension vector", "extensions: [vector]"),
    "other extension": ('permission denied to create extension "dblink"', "the extension dblink", "administrator"),
    "geometry": (
        'django.db.utils.ProgrammingError: type "geometry" does not exist\nLINE 1: ...',
        "lacks the extension postgis",
        "extensions: [postgis]",
    ),
    "hstore": ('type "hstore" does not exist', "lacks the extension hstore", "extensions: [hstore]"),
    "trigrams": ('operator class "gin_trgm_ops" does not exist for access method "gin"', "pg_trgm", "[pg_trgm]"),
    "exclusion": (
        'data type integer has no default operator class for access method "gist"',
        "lacks the extension btree_gist",
        "extensions: [btree_gist]",
    ),
    "unaccent": ("function unaccent(character varying) does not exist", "the extension unaccent", "[unaccent]"),
    "uuid": ("function uuid_generate_v4() does not exist", "the extension uuid-ossp", "[uuid-ossp]"),
    "geographic engine": (
        "AttributeError: 'DatabaseOperations' object has no attribute 'geo_db_type'",
        "ENGINE of the database is none of GeoDjango's",
        '"django.contrib.gis.db.backends.postgis"',
    ),
    "lock": ("canceling statement due to lock timeout", "a table stayed locked", "lockTimeout"),
    "no such column": (
        "psycopg.errors.UndefinedColumn: column shop_product.sku does not exist",
        "no column shop_product.sku",
        "makemigrations",
    ),
    "no such table": ("sqlite3.OperationalError: no such table: shop_product", "no table shop_product", "commit"),
    "secret key": (
        "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
        "SECRET_KEY is not set",
        "generateSecrets",
    ),
    "environment key": (
        f"{ENVIRON}KeyError: 'SECRET_KEY'",
        "SECRET_KEY is not set",
        "generateSecrets",
    ),
    "environ": (
        "django.core.exceptions.ImproperlyConfigured: Set the STRIPE_KEY environment variable",
        "the variable STRIPE_KEY",
        "codesensei:secretEnv.STRIPE_KEY",
    ),
    "decouple": (
        "decouple.UndefinedValueError: STRIPE_KEY not found. Declare it as envvar or define a default value.",
        "the variable STRIPE_KEY",
        "codesensei:env",
    ),
    "os.environ": (f"{ENVIRON}KeyError: 'STRIPE_KEY'", "the variable STRIPE_KEY", "codesensei:env"),
    "os.environ in Debian 12": (
        '  File "/usr/lib/python3.10/os.py", line 680, in __getitem__\n    raise KeyError(key) from None\n'
        "KeyError: 'STRIPE_KEY'",
        "the variable STRIPE_KEY",
        "codesensei:env",
    ),
    "static root": (
        "django.core.exceptions.ImproperlyConfigured: You're using the staticfiles app without having set the"
        " STATIC_ROOT setting to a filesystem path.",
        "STATIC_ROOT is not set",
        "BASE_DIR",
    ),
    "static url": (
        "django.core.exceptions.ImproperlyConfigured: You're using the staticfiles app without having set the"
        " required STATIC_URL setting.",
        "STATIC_URL is not set",
        "/static/",
    ),
    "manifest": (
        "ValueError: Missing staticfiles manifest entry for 'shop/logo.svg'",
        "the static file shop/logo.svg",
        "commit the file",
    ),
    "style sheet": (
        "whitenoise.storage.MissingFileError: The file 'shop/paper.png' could not be found with <Storage object>.",
        "the static file shop/paper.png",
        "style sheet",
    ),
    "module": (
        "ModuleNotFoundError: No module named 'corsheaders'",
        "the module corsheaders cannot be found",
        "requirements",
    ),
    "settings": (
        "ImportError: Could not import settings 'config.settings.prod' (Is it on sys.path?)",
        "the settings module config.settings.prod",
        "settingsModule",
    ),
    "circular": (
        "ImportError: cannot import name 'Entry' from partially initialized module 'entries.models' (most likely due"
        " to a circular import) (/srv/codesensei/shop/releases/a/entries/models.py)",
        "import of entries.models leads back to itself",
        "import inside the function",
    ),
    "name": ("ImportError: cannot import name 'url' from 'django.conf.urls' (/x)", "url cannot be imported", "version"),
    "syntax": (
        '  File "/srv/codesensei/shop/releases/4f2a9c1-8be01d7/config/urls.py", line 12\n    path = = 1\n'
        "           ^\nSyntaxError: invalid syntax",
        "config/urls.py, line 12: SyntaxError: invalid syntax",
        "project.python",
    ),
    "registry": (
        '  File "/srv/codesensei/shop/current/config/asgi.py", line 5, in <module>\n    import chat.routing\n'
        '  File "/srv/codesensei/shop/current/chat/models.py", line 3, in <module>\n    class A(models.Model):\n'
        "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.",
        "AppRegistryNotReady",
        "get_asgi_application()",
    ),
    "registry without ASGI": (
        '  File "/srv/codesensei/shop/current/shop/__init__.py", line 1, in <module>\n    from .models import A\n'
        "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.",
        "AppRegistryNotReady",
        "AppConfig.ready()",
    ),
    "registry and gettext": (
        "django.core.exceptions.AppRegistryNotReady: The translation infrastructure cannot be initialized before the"
        " apps registry is ready. Check that you don't make non-lazy gettext calls at import time.",
        "translated before Django is set up",
        "gettext_lazy",
    ),
    "version": ("ERROR: No matching distribution found for Django==99.0", "Django==99.0", "PIP_INDEX_URL"),
    "newer Django": (
        "ERROR: Ignored the following versions that require a different python version: 6.0 Requires-Python >=3.12;"
        " 6.0.1 Requires-Python >=3.12\nERROR: Could not find a version that satisfies the requirement Django==6.0"
        " (from versions: 5.1, 5.2)\nERROR: No matching distribution found for Django==6.0",
        "Django==6.0 needs Python >=3.12",
        "project.python",
    ),
    "system check": (
        "SystemCheckError: System check identified some issues:\n\nWARNINGS:\nshop.Item: (models.W042) Auto-created"
        " primary key used\n\nERRORS:\nshop.Item.text: (postgres.E005) 'django.contrib.postgres' must be in"
        " INSTALLED_APPS in order to use SearchVectorField.\nshop.Item: (postgres.E005) 'django.contrib.postgres' must be"
        " in INSTALLED_APPS in order to use GinIndex.\n",
        "finds an error: shop.Item.text: (postgres.E005) 'django.contrib.postgres' must be in INSTALLED_APPS in order to"
        " use SearchVectorField.",
        "manage.py check",
    ),
    "range of newer Django": (
        "ERROR: Ignored the following versions that require a different python version: 6.0 Requires-Python >=3.12;"
        " 6.1.2 Requires-Python >=3.12\nERROR: Could not find a version that satisfies the requirement Django<6.2,>=6.1"
        " (from versions: 5.1, 5.2)\nERROR: No matching distribution found for Django<6.2,>=6.1",
        "no version of Django<6.2,>=6.1 runs on this server's Python (the last one that pip skipped, 6.1.2,"
        " needs Python >=3.12)",
        "project.python",
    ),
    "python": (
        "ERROR: Package 'django' requires a different Python: 3.9.2 not in '>=3.12'",
        "django does not run on this Python (3.9.2 not in '>=3.12')",
        "project.python",
    ),
    "index of pip that did not answer": (
        "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='pypi.example', port=443): Read timed"
        " out.",
        "the package index at pypi.example cannot be reached: timed out",
        "PIP_INDEX_URL",
    ),
    "index of uv": (
        "error: Request failed after 3 retries in 10.1s\n  cause: Failed to fetch: https://pypi.example/simple/shop/\n"
        "  cause: error sending request for url (https://pypi.example/simple/shop/)\n  cause: client error (Connect)\n"
        "  cause: dns error\n  cause: failed to lookup address information: Name or service not known\n",
        "the package index at pypi.example cannot be reached: Name or service not known",
        "UV_INDEX_URL",
    ),
    "index of an older uv": (
        "error: Failed to fetch: `https://u:p@pypi.example/simple/shop/`\n  Caused by: client error (Connect)\n"
        "  Caused by: Connection refused (os error 111)\n",
        "the package index at pypi.example cannot be reached: Connection refused",
        "UV_INDEX_URL",
    ),
    "service": (
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='login.example', port=443): Max retries exceeded"
        ' with url: /realms/shop (Caused by NameResolutionError("<urllib3.connection.HTTPSConnection object at 0x7f>:'
        " Failed to resolve 'login.example' ([Errno -2] Name or service not known)\"))",
        "the service at login.example cannot be reached: Name or service not known",
        "check its address in the settings",
    ),
    "service without a name": (
        "elastic_transport.ConnectionError: Connection error caused by: NewConnectionError(<urllib3.connection"
        ".HTTPConnection object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection refused))",
        "a service that the project asks cannot be reached: Connection refused",
        "check its address in the settings",
    ),
    "service's login": (
        "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://u:p@api.example/v1/prices",
        "the service at api.example refuses the login (HTTP status 401)",
        "its key in codesensei:secretEnv",
    ),
    "index of an old pip": (
        "WARNING: Retrying after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection"
        " object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/pip/",
        "the package index cannot be reached: Connection refused",
        "PIP_INDEX_URL",
    ),
    "what conflicts": (
        "ERROR: Cannot install -r x.txt (line 2) and Django==5.2 because these package versions have conflicting"
        " dependencies.\n\nThe conflict is caused by:\n    The user requested Django==5.2\n"
        "    shop 1.0 depends on Django<5.0\n\nTo fix this you could try to:\n1. loosen\n",
        "requirements conflict: The user requested Django==5.2; shop 1.0 depends on Django<5.0",
        "one of the versions",
    ),
    "conflict": (
        "ERROR: Cannot install Django==5.2 and shop==1.0 because these package versions have conflicting dependencies.",
        "requirements conflict: Django==5.2 and shop==1.0",
        "one of the versions",
    ),
    "uv": (
        "No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of django==99.0 and you"
        " require django==99.0, we can conclude that your requirements are unsatisfiable.",
        "Because there is no version of django==99.0",
        "UV_INDEX_URL",
    ),
    "hashes": ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "hash", "regenerate"),
    "hash of": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated\n"
        "    packaging==26.3 from https://files.example/packaging.whl (from -r requirements.txt (line 1)):",
        "the downloaded package packaging==26.3",
        "--generate-hashes",
    ),
    "no hash": (
        "ERROR: Hashes are required in --require-hashes mode, but they are missing from some requirements. Here is a"
        " list.\n    Django==5.2 --hash=sha256:00",
        "Django==5.2 has none",
        "--generate-hashes",
    ),
    "requirement": (
        "ERROR: Invalid requirement: 'Django=5.2': Expected end or semicolon",
        "not a requirement: Django=5.2",
        "name==version",
    ),
    "index login": (
        "ERROR: HTTP error 403 while getting x\nERROR: 403 Client Error: Forbidden for url: https://u:p@pkg.example/s/",
        "the package index at pkg.example refuses the login",
        "PIP_INDEX_URL",
    ),
    "index login (uv)": (
        "  x No solution found when resolving dependencies:\n  ╰─▶ Because shop was not found in the package registry\n"
        "      hint: An index URL (http://127.0.0.1:8765/simple/) could not be queried\n"
        "      due to a lack of valid authentication credentials (401 Unauthorized).\n",
        "the package index at 127.0.0.1 refuses the login (HTTP status 401)",
        "UV_INDEX_URL",
    ),
    "header": ("fatal error: ldap.h: No such file or directory", "ldap.h", "systemPackages"),
    "linker": ("/usr/bin/ld: cannot find -lmagic: No such file or directory", "magic is missing", "systemPackages"),
    "wheel": ("ERROR: Failed building wheel for pylibmc", "pylibmc cannot be built", "systemPackages"),
    "wheel of a compiler": (
        "      error: command '/usr/bin/x86_64-linux-gnu-gcc' failed with exit code 1\n  ERROR: Failed building wheel for"
        " pylibmc\nERROR: Failed to build installable wheels for some pyproject.toml based projects (pylibmc)",
        "the package pylibmc cannot be built",
        "systemPackages",
    ),
    "wheel of a compiler (uv)": (
        "  Failed to build `pylibmc==1.6`\n  ├─▶ The build backend returned an error\n"
        "      error: command '/usr/bin/x86_64-linux-gnu-gcc' failed with exit code 1\n",
        "the package pylibmc cannot be built",
        "systemPackages",
    ),
    "compiler alone": (
        "error: command '/usr/bin/x86_64-linux-gnu-g++' failed with exit code 1",
        "a package cannot be compiled",
        "systemPackages",
    ),
    "compiler that was killed": (
        "x86_64-linux-gnu-gcc: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.\n"
        "error: command '/usr/bin/x86_64-linux-gnu-gcc' failed with exit code 1\nERROR: Failed building wheel for grpcio",
        "the server ran out of memory",
        "add swap",
    ),
    "no package": (
        "ERROR: Could not find a version that satisfies the requirement shop-core==1.0 (from versions: none)\n"
        "ERROR: No matching distribution found for shop-core==1.0",
        "has no shop-core==1.0",
        "PIP_INDEX_URL",
    ),
    "repository": (
        "  Running command git clone --quiet https://git.example/shop.git /tmp/x\n"
        "  fatal: could not read Username for 'https://git.example': terminal prompts disabled",
        "cannot be fetched: could not read Username",
        "https://${TOKEN}@",
    ),
    "git": (
        "ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?",
        "no git",
        "systemPackages",
    ),
    "library": (
        "ImportError: libxmlsec1.so.1: cannot open shared object file: No such file or directory",
        "the system library libxmlsec1.so.1",
        "systemPackages",
    ),
    "gdal": (
        'ImproperlyConfigured: Could not find the GDAL library (tried "gdal"). Is GDAL installed?',
        "GDAL",
        "gdal-bin",
    ),
    "memory": (
        "Worker (pid:12) was sent SIGKILL! Perhaps out of memory?",
        "out of memory",
        "GUNICORN_WORKERS",
    ),
    "timeout": (
        "[CRITICAL] WORKER TIMEOUT (pid:12)\n[ERROR] Worker (pid:12) was sent SIGKILL! Perhaps out of memory?",
        "longer than gunicorn waits",
        "log",
    ),
    "disk": ("OSError: [Errno 28] No space left on device", "disk is full", "keepReleases"),
    "release": (
        "PermissionError: [Errno 13] Permission denied: '/srv/codesensei/shop/releases/4f2a9c1-8be01d7/app.log'",
        "the project writes app.log",
        "shared",
    ),
    "compressor that writes": (
        "PermissionError: [Errno 13] Permission denied: '/srv/codesensei/shop/releases/4f2a9c1-8be01d7/static/CACHE/css'",
        "django-compressor writes into the release",
        "COMPRESS_OFFLINE = True",
    ),
    "folder": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/srv/codesensei/shop/releases/a-b/logs/app.log'",
        "there is no logs/app.log in the release",
        "shared/logs",
    ),
    "uv and a newer python": (
        "No solution found when resolving dependencies:\n  ╰─▶ Because the current Python version (3.11.7) does not"
        " satisfy\n      Python>=3.12 and django==6.0 depends on Python>=3.12, we can conclude",
        "django==6.0 needs Python >=3.12, and this one is 3.11.7",
        "project.python",
    ),
    "uv and a python that cannot be had": (
        "error: Request failed after 3 retries\n  Caused by: Failed to download https://github.com/astral-sh/"
        "python-build-standalone/releases/download/20251031/cpython-3.14.0%2B20251031-x86_64.tar.gz",
        "uv cannot fetch Python 3.14.0",
        "UV_PYTHON_INSTALL_MIRROR",
    ),
    "removed module": (
        "  File \"django/http/request.py\", line 1\nModuleNotFoundError: No module named 'cgi'",
        "too old for this Python, which no longer has the module cgi",
        "newer versions of Django",
    ),
    "version from git": (
        "LookupError: setuptools-scm was unable to detect version for /srv/x.",
        "a package asks git for its version",
        "SETUPTOOLS_SCM_PRETEND_VERSION",
    ),
    "index password": (
        "WARNING: 401 Error, Credentials not correct for http://127.0.0.1:8000/simple/acme/\n"
        "ERROR: Could not find a version that satisfies the requirement acme (from versions: none)\n"
        "ERROR: No matching distribution found for acme",
        "the package index at 127.0.0.1 refuses the login (HTTP status 401)",
        "PIP_EXTRA_INDEX_URL",
    ),
    "attribute": ("Failed to find attribute 'app' in 'config.wsgi'.", "config.wsgi has no app", "wsgiApplication"),
    "attribute of Daphne": (
        "AttributeError: module 'config.asgi' has no attribute 'application'",
        "config.asgi has no application",
        "asgiApplication",
    ),
    "template": (
        "django.template.exceptions.TemplateDoesNotExist: shop/index.html",
        "template shop/index.html",
        "templates",
    ),
    "celery": (
        "Error: Invalid value for '-A' / '--app': \nUnable to load celery application.\nThe module shop was not found.",
        "The module shop was not found",
        "celery -A",
    ),
    "broker": (
        "consumer: Cannot connect to redis://127.0.0.1:6380/0: Error 111 connecting to 127.0.0.1:6380. Connection"
        " refused..",
        "the broker at redis://127.0.0.1:6380/0",
        "broker.env",
    ),
    "gunicorn": (
        "gunicorn.conf.py: worker_class is uvicorn.workers.UvicornWorker, which is refused",
        "worker_class is uvicorn.workers.UvicornWorker, which loses requests when it ends",
        "set project.server to uvicorn",
    ),
    "uvicorn": ("Error: No such option: --timeout-graceful-shutdown", "this Uvicorn cannot stop", "uvicorn 0.23"),
    "option": ("Error: No such option: --no-such-option", "does not know: --no-such-option", "stack file"),
    "program": ("/etc/codesensei/shop/x.sh: line 1: npm: command not found", "the program npm", "systemPackages"),
    "mode": ("/srv/x.sh: line 1: ./build.sh: Permission denied", "./build.sh is not executable", "chmod=+x"),
    "port": ("OSError: [Errno 98] Address already in use", "in use", "ss -tlnp"),
    "command": ("Unknown command: 'compress'", "no command compress", "INSTALLED_APPS"),
    "incomplete": ("ImproperlyConfigured: The EMAIL must be set", "The EMAIL must be set", "codesensei:env"),
    "refusal": ("CommandError: nothing to do", "nothing to do", "deploy again"),
    "index": (
        "WARNING: Retrying after connection broken by 'NewConnectionError(\"HTTPSConnection(host='pypi.example',"
        " port=443): Failed to establish a new connection: [Errno -3] Temporary failure in name resolution\")'",
        "the package index at pypi.example cannot be reached: Temporary failure in name resolution",
        "PIP_INDEX_URL",
    ),
    "windows": (
        "ERROR: Could not find a version that satisfies the requirement pywin32==306 (from versions: none)\n"
        "ERROR: No matching distribution found for pywin32==306",
        "pywin32==306 is for Windows or macOS",
        'sys_platform == "win32"',
    ),
    "path that is not there": (
        "ERROR: Invalid requirement: './vendor/shop': Expected package name at the start of dependency specifier\n"
        "    ./vendor/shop\n    ^ (from line 3 of requirements.txt)\n"
        "Hint: It looks like a path. File './vendor/shop' does not exist.",
        "installs the path ./vendor/shop",
        "commit it",
    ),
    "path without a package": (
        "ERROR: Directory '/srv/codesensei/shop/releases/aaaaaaa-bbbbbbb/vendor/shop' is not installable. Neither"
        " 'setup.py' nor 'pyproject.toml' found.",
        "installs vendor/shop, which is no Python package",
        "pyproject.toml",
    ),
    "path without a package (uv)": (
        "error: Distribution not found at: file:///srv/codesensei/shop/releases/aaaaaaa-bbbbbbb/vendor/shop",
        "vendor/shop, which is no Python package",
        "fix the path",
    ),
    "path that cannot be built": (
        "Collecting Django==5.2\n  Using cached django-5.2-py3-none-any.whl\nProcessing ./vendor/shop\n"
        "  Getting requirements to build wheel: started\n  error: subprocess-exited-with-error\n\n"
        "  x Getting requirements to build wheel did not run successfully.\n",
        "the package in ./vendor/shop, a path of the repository, cannot be built",
        "pyproject.toml or setup.py",
    ),
    "pkg_resources": (
        "ModuleNotFoundError: No module named 'pkg_resources'",
        "needs pkg_resources",
        "add setuptools<81 to the requirements",
    ),
    "pkg_resources in a build": (
        "  Getting requirements to build wheel: finished with status 'error'\n  error: subprocess-exited-with-error\n\n"
        "      ModuleNotFoundError: No module named 'pkg_resources'\n",
        "needs pkg_resources to be built",
        "PIP_BUILD_CONSTRAINT",
    ),
    "PyYAML": (
        "Getting requirements to build wheel did not run successfully.\n      AttributeError: cython_sources",
        "PyYAML is too old",
        "6.0.1",
    ),
    "C code of Python 3.10": (
        "multidict/_multidict.c:1:10: fatal error: longintrepr.h: No such file or directory",
        "too old for this Python, which no longer has longintrepr.h",
        "has a wheel for this Python",
    ),
    "C code of Python 3.7": (
        "ext.c:9:3: error: 'PyTypeObject' {aka 'struct _typeobject'} has no member named 'tp_print'",
        "no longer has tp_print",
        "has a wheel for this Python",
    ),
    "C code of Python 3.12": (
        "src/x.c:5:9: error: too few arguments to function '_PyLong_AsByteArray'",
        "no longer has _PyLong_AsByteArray",
        "has a wheel for this Python",
    ),
    "Python.h": ("fatal error: Python.h: No such file or directory", "headers of this Python", "python3-dev"),
    "mysqlclient": (
        "/bin/sh: 1: pkg-config: not found\nException: Can not find valid pkg-config name.\n"
        "Specify MYSQLCLIENT_CFLAGS and MYSQLCLIENT_LDFLAGS env vars manually",
        "mysqlclient must be compiled",
        "default-libmysqlclient-dev",
    ),
    "older mysqlclient": ("OSError: mysql_config not found", "mysqlclient must be compiled", "pkg-config"),
    "python-ldap": (
        "Modules/common.h:15:10: fatal error: lber.h: No such file or directory",
        "library with lber.h is missing",
        "[libldap-dev, libsasl2-dev]",
    ),
    "xmlsec": ("Unable to find xmlsec1 using pkg-config.  Please make sure it is", "xmlsec must", "libxmlsec1-dev"),
    "xmlsec and lxml": (
        "xmlsec.InternalError: (-1, 'lxml & xmlsec libxml2 library version mismatch')",
        "different versions of libxml2",
        "--no-binary",
    ),
    "lxml": (
        "Error: Please make sure the libxml2 and libxslt development packages are installed.",
        "lxml must be compiled",
        "libxslt1-dev",
    ),
    "Pillow": (
        "The headers or library files could not be found for jpeg,\na required dependency when compiling Pillow",
        "the system library jpeg is missing",
        "libjpeg-dev",
    ),
    "rust": ("error: can't find Rust compiler", "Rust is missing", "[cargo]"),
    "pycairo": (
        '../cairo/meson.build:31:12: ERROR: Dependency "cairo" not found, tried pkgconfig and cmake',
        "cairo is missing",
        "libcairo2-dev",
    ),
    "cairocffi": (
        'OSError: no library called "cairo-2" was found\nno library called "cairo" was found',
        "cairo is missing",
        "libcairo2-dev",
    ),
    "meson": (
        '../meson.build:41:13: ERROR: Dependency "dbus-1" not found, tried pkgconfig',
        "library dbus-1 is missing",
        "https://packages.debian.org/file:dbus-1.pc",
    ),
    "WeasyPrint": (
        "OSError: cannot load library 'gobject-2.0-0': gobject-2.0-0: cannot open shared object file: No such file or"
        " directory.  Additionally, ctypes.util.find_library() did not manage to locate a library called 'gobject-2.0-0'",
        "gobject-2.0-0, which WeasyPrint needs",
        "libpangoft2-1.0-0",
    ),
    "OpenCV": (
        "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
        "OpenCV needs libGL.so.1",
        "opencv-python-headless",
    ),
    "psycopg": (
        "ImportError: no pq wrapper available.\nAttempts made:\n- couldn't import psycopg 'c' implementation: No module"
        " named 'psycopg_c'\n- couldn't import psycopg 'python' implementation: libpq library not found",
        "libpq",
        "psycopg[binary]",
    ),
    "secret key of a longer name": (
        "django.core.exceptions.ImproperlyConfigured: Set the DJANGO_SECRET_KEY environment variable",
        "the variable DJANGO_SECRET_KEY",
        "generateSecrets",
    ),
    "django-configurations": (
        "ValueError: Value 'API_TOKEN' is required to be set as the environment variable 'DJANGO_API_TOKEN'",
        "the variable DJANGO_API_TOKEN",
        "codesensei:env",
    ),
    "pydantic": (
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nstripe_key\n"
        "  Field required [type=missing, input_value={}, input_type=dict]",
        "the variable stripe_key",
        "codesensei:env",
    ),
    "database URL": (
        "dj_database_url.UnknownSchemeError: Scheme 'shop://' is unknown. Did you forget to register custom backend?",
        "cannot read a URL",
        "percent-encoded",
    ),
    "boolean": ("ValueError: Not a boolean: maybe", "true or false", '"true"'),
    "driver": (
        "ModuleNotFoundError: No module named 'psycopg2'\n\nDuring handling of the above exception, another exception"
        " occurred:\n\ndjango.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg module",
        "PostgreSQL's driver",
        "psycopg[binary]",
    ),
    "driver of MySQL": (
        "django.core.exceptions.ImproperlyConfigured: Error loading MySQLdb module.\nDid you install mysqlclient?",
        "MySQL's driver",
        "mysqlclient",
    ),
    "backend": (
        "django.core.exceptions.ImproperlyConfigured: 'django.db.backends.postgresql_psycopg2' isn't an available"
        " database backend or couldn't be imported.",
        "no database backend django.db.backends.postgresql_psycopg2",
        "django.db.backends.postgresql",
    ),
    "old database": (
        "django.db.utils.NotSupportedError: MariaDB 10.6 or later is required (found 10.5.29).",
        "needs MariaDB 10.6 or later, and the database is 10.5.29",
        "older Django",
    ),
    "SQLite": (
        "django.db.utils.OperationalError: unable to open database file",
        "unable to open database file",
        "shared/db.sqlite3",
    ),
    "app": (
        "RuntimeError: Model class shop.models.Item doesn't declare an explicit app_label and isn't in an application in"
        " INSTALLED_APPS.",
        "not in INSTALLED_APPS",
        "add its app",
    ),
    "app twice": (
        "django.core.exceptions.ImproperlyConfigured: Application labels aren't unique, duplicates: shop",
        "the app shop twice",
        "AppConfig",
    ),
    "compress, and a template that it leaves out": (
        "Compressing... Invalid template webpush.html: 'staticfiles' is not a registered tag library. Must be one of:\n"
        "static\nCommandError: An error occurred during rendering core/event.html: 'ephios/js/event.js' could not be"
        " found in the COMPRESS_ROOT '/srv/codesensei/ephios/releases/1-2/static_root' or with staticfiles.",
        "does not find ephios/js/event.js",
        "commit the file",
    ),
    "tag library": (
        "django.template.exceptions.TemplateSyntaxError: 'shop_tags' is not a registered tag library. Must be one of:",
        "the tag library shop_tags",
        "__init__.py",
    ),
    "old setuptools": (
        "AttributeError: module 'pkgutil' has no attribute 'ImpImporter'. Did you mean: 'zipimporter'?",
        "no longer has ImpImporter",
        "newer version",
    ),
    "collections": (
        "ImportError: cannot import name 'Mapping' from 'collections' (/usr/lib/python3.11/collections/__init__.py)",
        "no longer has Mapping",
        "project.python",
    ),
    "time zone": (
        "zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Asia/Calcutta'",
        "the time zone Asia/Calcutta",
        "tzdata",
    ),
    "locale": ("locale.Error: unsupported locale setting", "sets a locale", "locales-all"),
    "development": (
        "ModuleNotFoundError: No module named 'debug_toolbar'",
        "debug_toolbar, a tool for development",
        "production settings",
    ),
    "compressor": (
        "compressor.exceptions.OfflineGenerationError: You have offline compression enabled but key"
        ' "d61d41e4" is missing from offline manifest. You may need to run "python manage.py compress".',
        "compresses offline",
        "afterCollectstatic: [python manage.py compress --force]",
    ),
    "compressor's file": (
        "compressor.exceptions.UncompressableFileError: 'shop/site.scss' could not be found in the COMPRESS_ROOT"
        " '/srv/codesensei/shop/releases/a-b/staticfiles' or with staticfiles.",
        "does not find shop/site.scss",
        "commit the file",
    ),
    "terser": (
        "compressor.exceptions.FilterError: /bin/sh: 1: terser: not found",
        "the program terser",
        "npx terser",
    ),
    "yuglify": (
        "pipeline.exceptions.CompressorError: b'/usr/bin/env: \xe2\x80\x98yuglify\xe2\x80\x99: No such file'\n"
        "/usr/bin/env: \u2018yuglify\u2019: No such file or directory",
        "the program yuglify",
        "beforeCollectstatic",
    ),
    "node": (
        "FileNotFoundError: [Errno 2] No such file or directory: 'npm'",
        "the program npm is not on the server",
        "[nodejs, npm]",
    ),
    "tailwind": (
        "CommandError: \nIt looks like node.js and/or npm is not installed or cannot be found.\n",
        "node.js is not on the server",
        "[nodejs, npm]",
    ),
    "gettext": (
        "CommandError: Can't find msgfmt. Make sure you have GNU gettext tools 0.15 or newer installed.",
        "msgfmt of GNU gettext",
        "[gettext]",
    ),
    "wkhtmltopdf": ("OSError: No wkhtmltopdf executable found: \"b''\"", "wkhtmltopdf", "[wkhtmltopdf]"),
    "xmlsec1": ("saml2.sigver.SigverError: Cannot find ['xmlsec1']", "program xmlsec1", "[xmlsec1]"),
    "program of a subprocess": (
        "FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'",
        "no file or program ffmpeg",
        "systemPackages",
    ),
    "file of another machine": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/app/shop/version.txt'",
        "opens /app/shop/version.txt",
        "BASE_DIR",
    ),
    "program of dash": ("/bin/sh: 1: ffmpeg: not found", "the program ffmpeg", "systemPackages"),
    "kombu and redis": (
        "kombu.exceptions.VersionMismatch: Redis transport requires redis-py versions 6.1.0 or later. You have 5.0.8",
        "Celery's kombu needs redis 6.1.0 or newer, and this is 5.0.8",
        "raise redis to 6.1.0",
    ),
    "channels_redis and redis": (
        '  File "/srv/x/site-packages/channels_redis/core.py", line 261, in _brpop_with_clean\n'
        "redis.exceptions.TimeoutError: Timeout reading from 127.0.0.1:6379",
        "channels_redis waits longer",
        "redis<8",
    ),
    "celery without redis": (
        "AttributeError: 'NoneType' object has no attribute 'Redis'",
        "the client of Redis is not in the requirements",
        "celery[redis]",
    ),
    "huey without redis": (
        'huey.exceptions.ConfigurationError: "redis" python module not found, cannot use Redis storage backend.',
        "the client of Redis is not in the requirements",
        "add redis",
    ),
    "celery without boto": (
        '  File "/srv/x/site-packages/kombu/transport/SQS.py", line 150, in <module>\n'
        "ModuleNotFoundError: No module named 'botocore'",
        "the module botocore, which Celery needs for its broker,",
        "celery[sqs]",
    ),
    "celery's transport": (
        "KeyError: 'No such transport: nonsense'",
        "no broker whose URL begins with nonsense",
        "redis://",
    ),
    "login of redis": (
        "redis.exceptions.AuthenticationError: Authentication required.",
        "the broker refuses the login: Authentication required",
        "{REDIS_PASSWORD: password}",
    ),
    "redis of docker": (
        "redis.exceptions.ConnectionError: Error -2 connecting to redis:6379. Name or service not known.",
        "the host of Redis, redis,",
        "docker compose",
    ),
    "redis": (
        "redis.exceptions.ConnectionError: Error 111 connecting to localhost:6380. Connection refused.",
        "Redis at localhost:6380 cannot be reached: Connection refused",
        "broker.env",
    ),
}


@pytest.mark.proves(
    "processes.refused",
    "causes.disallowed-host",
    "causes.connection-refused",
    "causes.non-nullable",
    "causes.secret-key",
    "causes.static",
    "causes.module",
    "causes.settings-module",
    "causes.asgi-not-ready",
    "causes.python-too-old",
    "causes.memory",
    "causes.services",
    "causes.build",
)
@pytest.mark.parametrize("name", LOGS)
def test_known_cause(name: str) -> None:
    log, cause, fix = LOGS[name]
    found = explain(f"Traceback (most recent call last):\n{log}\n")
    assert found is not None
    assert cause in found[0]
    assert fix in found[1]
    assert "?" not in found[0] or "hash" in name


def test_every_cause_has_a_log_here() -> None:
    tried = {known.title for known in KNOWN for log, *_ in LOGS.values() if re.search(known.pattern, log, re.M)}
    assert {known.title for known in KNOWN} == tried


def test_unknown_words_have_no_cause() -> None:
    assert explain("something else went wrong") is None


def test_an_unknown_exception_is_told_with_the_project_s_own_line() -> None:
    log = (
        "Traceback (most recent call last):\n"
        '  File "/srv/codesensei/shop/releases/a-b/manage.py", line 9, in <module>\n    main()\n'
        '  File "/srv/codesensei/shop/releases/a-b/shop/migrations/0002_x.py", line 7, in fail\n    raise X\n'
        '  File "/srv/codesensei/shop/venvs/1-py3/lib/python3.11/site-packages/x.py", line 1, in f\n    raise X\n'
        "shop.X: the shop is closed\n"
    )
    assert explain_any(log, "") == ("shop.X: the shop is closed (shop/migrations/0002_x.py, line 7)", "")
    assert explain_any("it hung", "it ended with status 3") == ("it ended with status 3", "")


def test_a_long_log_is_read_at_once() -> None:
    log = "".join(
        f'  File "/usr/lib/python3/x{number}.py", line {number}, in f\n    call({number})\n' for number in range(400)
    )
    started = time.monotonic()
    assert explain(log + "THESE PACKAGES DO NOT MATCH\n" * 400) is None
    assert time.monotonic() - started < 2


def rows() -> list[str]:
    """The table of the documentation: the first words of each cause."""
    first = {known.title: known for known in reversed(KNOWN)}
    names = ["…", "…", "…"]
    cells = [
        (title, first[title].cause.format(*names, path="…"), first[title].fix.format("NAME", "NAME"))
        for title in dict.fromkeys(known.title for known in KNOWN)
    ]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def test_the_documentation_has_every_known_cause_and_no_other() -> None:
    table = PAGE.read_text().partition("## Known causes")[2].partition("\n## ")[0]
    assert [line for line in table.splitlines() if line.startswith("| ")][1:] == rows()
