"""Stack files with one mistake each: rule, what is changed in the example, and the exact text that the user sees."""

from __future__ import annotations

from typing import NamedTuple


class Bad(NamedTuple):
    rule: str
    old: str
    new: str
    text: str


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
KEYSCAN = "get it with ssh-keyscan -t ed25519 HOST, and compare it with the server's console"
TOKEN = "v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
OWN_KIND = "    kind: auto\n"
OWN_ENV = "    GUNICORN_WORKERS:"
SECRET_END = f"      secure: {TOKEN}\n"
TLS_KEY = (
    "    key:\n      secure: |\n        clear:-----BEGIN PRIVATE KEY-----\n"
    "        MC4C\n        -----END PRIVATE KEY-----\n"
)
TLS = '  codesensei:tls: "off"\n'
DOMAINS = "  codesensei:domains: [shop.example.com]\n"
DRIFT = "  codesensei:drift: true\n"
WAIVE = "  codesensei:waive: {}\n"


def secret_url(value: str) -> tuple[str, str]:
    """A secret DATABASE_URL."""
    return SECRET_END, f"{SECRET_END}    DATABASE_URL: {{secure: '{value}'}}\n"


def _plain(line: str) -> tuple[str, str]:
    """One more plain variable."""
    return OWN_ENV, f"    {line}\n{OWN_ENV}"


def mapping(line: str) -> tuple[str, str]:
    """Variables by the part of the database that they hold."""
    after = "    # PostgreSQL extensions"
    return f"    env: {{}}\n{after}", f"    env: {{{line}}}\n{after}"


def backups(line: str) -> tuple[str, str]:
    """Backups with these keys."""
    return "  codesensei:env:\n", f"  codesensei:backups: {{{line}}}\n  codesensei:env:\n"


def _database(line: str) -> tuple[str, str]:
    """One more key of the database, in the place of its kind."""
    return OWN_KIND, f"    {line}\n"


_S3 = "to: s3:https://s3.example.com/shop"
BAD = [
    # Backups.
    Bad(
        "backup-target",
        *backups("to: ftp://nas/shop"),
        'backups.to: "ftp://nas/shop" is not a place for backups\n'
        "    write /backups/shop, sftp://user@host/path or s3:https://host/bucket/path",
    ),
    Bad(
        "backup-directory",
        *backups("to: /srv/codesensei/shop/shared/backups"),
        'backups.to: "/srv/codesensei/shop/shared/backups" is where the system, the project or anybody else writes\n'
        "    choose a directory of root's on another disk: /backups/shop",
    ),
    Bad(
        "backup-keep",
        *backups("to: /backups, keep: {daily: -1}"),
        "backups.keep.daily: -1 is too small: a number of backups is 0 or more\n    set 7, or remove the line",
    ),
    Bad(
        "backup-keep-none",
        *backups("to: /backups, keep: {daily: 0, weekly: 0, monthly: 0}"),
        "backups.keep: keeps no backup at all\n    set daily to 7, or remove keep",
    ),
    Bad(
        "backup-continuous-target",
        *backups(f"to: sftp://keeper@nas.example.com/shop, hostKey: {HOST_KEY}, database: continuous"),
        "backups.database: continuous backups go to a directory of the server or to s3:, and backups.to is sftp:\n"
        "    mount that storage and name the directory (to: /backups/shop), or set backups.database: dump",
    ),
    Bad(
        "backup-continuous-address",
        *backups(
            "to: s3:https://203.0.113.9/shop, accessKey: shop, secretKey: {secure: 'clear:canary'},"
            " database: continuous"
        ),
        "backups.to: continuous backups go to an s3: target by its name: pgBackRest takes no certificate of an IP "
        "address\n    write the name in its certificate, or set backups.database: dump",
    ),
    Bad(
        "backup-region",
        *backups(f"{_S3}, accessKey: shop, secretKey: {{secure: 'clear:canary'}}, region: Frankfurt"),
        'backups.region: "Frankfurt" is not the region of an S3 storage\n    write it like eu-central-1',
    ),
    Bad(
        "backup-access-key-text",
        *backups(f"{_S3}, accessKey: 'shop ', secretKey: {{secure: 'clear:canary'}}"),
        'backups.accessKey: "shop " is not the name of an access key\n    write it as the storage tells it',
    ),
    Bad(
        "backup-root-certificate",
        *backups(f"{_S3}, accessKey: shop, secretKey: {{secure: 'clear:canary'}}, rootCertificate: root.pem"),
        "backups.rootCertificate: is not a certificate in PEM form\n"
        "    set it from the file: pulumi config set --path codesensei:backups.rootCertificate < root.pem",
    ),
    Bad(
        "backup-secret-key-text",
        *backups(f"{_S3}, accessKey: shop, secretKey: {{secure: 'clear:canary '}}"),
        "backups.secretKey: has a line break, or a blank at an end\n"
        "    set it again, as the storage tells it: pulumi config set --secret --path codesensei:backups.secretKey",
    ),
    Bad(
        "backup-continuous-keep",
        *backups("to: /backups, database: continuous, keep: {monthly: 6}"),
        "backups.keep.monthly: with continuous backups, every moment of so many days and weeks can be restored, "
        "and none before\n    remove it",
    ),
    Bad(
        "backup-continuous-none",
        *backups("to: /backups, database: continuous, keep: {daily: 0, weekly: 0}"),
        "backups.keep: keeps no day and no week\n    set daily to 7, or remove keep",
    ),
    Bad(
        "backup-host-key",
        *backups("to: sftp://keeper@nas.example.com/shop"),
        f"backups.hostKey: is missing: without it, anyone in between could take the backups\n    {KEYSCAN}",
    ),
    Bad(
        "backup-key-unused",
        *backups("to: /backups, accessKey: shop"),
        "backups.accessKey: has no use: backups.to is not s3:\n    remove it",
    ),
    Bad(
        "backup-access-key",
        *backups(f'{_S3}, secretKey: {{secure: "clear:canary"}}'),
        "backups.accessKey: is missing: the storage needs one\n"
        "    add the key's name here, and its secret: "
        "pulumi config set --secret --path codesensei:backups.secretKey",
    ),
    Bad(
        "backup-secret-key",
        *backups(f"{_S3}, accessKey: shop"),
        "backups.secretKey: is missing: the storage needs the secret of its access key\n"
        "    pulumi config set --secret --path codesensei:backups.secretKey",
    ),
    Bad(
        "dump-keep",
        "    dumpKeep: 3\n",
        "    dumpKeep: -1\n",
        "database.dumpKeep: -1 is too small: a number of dumps is 0 or more\n    set 3, or 0 for none",
    ),
    Bad(
        "backup-password",
        *backups('to: /backups, password: {secure: "clear:canary"}'),
        "backups.password: is shorter than 12 characters, or has a line break or a blank at an end\n"
        "    remove it, to have one generated, or set the password that the backups were made with",
    ),
    # The form of the file.
    Bad(
        "unknown-key",
        "    directory: .\n",
        "    directory: .\n    requirement: base.txt\n",
        'project.requirement: unknown key\n    did you mean "requirements"?',
    ),
    Bad(
        "key-without-path",
        "  codesensei:secretEnv:\n",
        "  codesensei:secretEnv.TOKEN: {secure: 'clear:canary-of-a-token'}\n  codesensei:secretEnv:\n",
        "secretEnv.TOKEN: was set without --path, and nothing reads it\n"
        "    pulumi config rm codesensei:secretEnv.TOKEN,"
        " then pulumi config set --secret --path codesensei:secretEnv.TOKEN",
    ),
    Bad(
        "missing-key",
        "    settingsModule: config.settings.production\n",
        "",
        "project.settingsModule: is missing\n"
        "    name the module of your production settings: config.settings.production",
    ),
    Bad("wrong-type", 'python: ""', "python: 3.12", 'project.python: must be text\n    quote it: "…"'),
    Bad(
        "choice",
        "interface: auto",
        "interface: http",
        "project.interface: is not an allowed value\n    use one of: auto, wsgi, asgi",
    ),
    Bad(
        "server-interface",
        "    interface: auto\n    # auto | daphne | gunicorn | uvicorn; auto is gunicorn for WSGI, Daphne for ASGI.\n"
        "    server: auto\n",
        "    interface: wsgi\n    server: uvicorn\n",
        "project.server: uvicorn does not serve wsgi, which project.interface says\n"
        "    set project.interface to auto, or project.server to gunicorn",
    ),
    Bad(
        "not-a-number",
        "readTimeout: 60",
        "readTimeout: 60s",
        "limits.readTimeout: must be a whole number\n    write digits only, without a unit: 60",
    ),
    Bad(
        "not-a-flag",
        "codesensei:drift: true",
        "codesensei:drift: yes",
        "drift: must be true or false\n    write true or false",
    ),
    Bad("empty-text", "name: Shop", 'name: ""', "project.name: is empty\n    set a value, or remove the line"),
    Bad(
        "control-character",
        "name: Shop",
        'name: "Shop\\nExecStart=/bin/sh"',
        "project.name: contains a line break or another control character\n    use a single line",
    ),
    Bad(
        "unit-text",
        "name: Shop",
        "name: 'C:\\'",
        'project.name: "C:\\\\" ends with a blank or a backslash, or begins with a blank, which a unit cannot hold\n'
        "    remove it",
    ),
    Bad(
        "empty-list",
        'accept: ["2xx", "3xx", "401", "403", "404"]',
        "accept: []",
        "project.healthCheck.accept: is empty\n    list at least one, or remove the line to use the default",
    ),
    Bad(
        "listed-twice",
        "    extensions: []",
        "    extensions: [citext, hstore, citext]",
        'database.extensions: "citext" is listed twice\n    remove one of the two',
    ),
    # The server.
    Bad(
        "server-address",
        "host: 203.0.113.7",
        "host: root@203.0.113.7",
        'server.host: "root@203.0.113.7" is not a host name or an IP address\n'
        "    write the bare address, without user, port, scheme or brackets: 203.0.113.7",
    ),
    Bad(
        "server-address-zone",
        "host: 203.0.113.7",
        "host: fe80::1%eth0",
        'server.host: "fe80::1%eth0" is an address of one network alone\n'
        "    name an address that other machines reach it by: 2001:db8::7",
    ),
    Bad(
        "tls-key-unused",
        TLS,
        "  codesensei:tls:\n    acme: {email: ops@example.com}\n" + TLS_KEY,
        "tls.key: has no use: the certificate is the authority's\n"
        "    remove it: pulumi config rm --path codesensei:tls.key",
    ),
    Bad(
        "backup-secret-unused",
        *backups("to: /backups/shop, secretKey: {secure: 'clear:canary'}"),
        "backups.secretKey: has no use: backups.to is not s3:\n"
        "    remove it: pulumi config rm --path codesensei:backups.secretKey",
    ),
    Bad(
        "port",
        "port: 22\n    user: root",
        "port: 70000\n    user: root",
        "server.port: 70000 is not a TCP port\n    use a number from 1 to 65535; SSH's usual port is 22",
    ),
    Bad(
        "user-name",
        "    user: root\n",
        "    user: Admin User\n",
        'server.user: "Admin User" is not a user name\n'
        "    use lower-case letters, digits, '_' and '-', a letter first, at most 32 characters: deploy",
    ),
    Bad(
        "missing-host-key",
        f"    hostKey: {HOST_KEY}\n",
        "",
        f"server.hostKey: is missing: without it, anyone in between could pose as the server\n    {KEYSCAN}",
    ),
    Bad(
        "host-key",
        HOST_KEY,
        "SHA256:uNiVztksCsDhcc0u9e8BrJQXVUpKZIDTMczCvj3tD2s",
        f"server.hostKey: is not a public key of type ed25519 or ecdsa\n    {KEYSCAN}",
    ),
    Bad(
        "host-key-rsa",
        HOST_KEY,
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7",
        "server.hostKey: is an RSA key: it would restrict the connection to SHA-1 signatures, which servers refuse\n"
        "    give the server's ed25519 key: ssh-keyscan -t ed25519 HOST",
    ),
    Bad(
        "host-key-damaged",
        HOST_KEY,
        HOST_KEY[:50],
        f"server.hostKey: is not a complete ssh-ed25519 key: it was truncated or altered\n    {KEYSCAN}",
    ),
    Bad(
        "host-key-private",
        HOST_KEY,
        '"-----BEGIN OPENSSH PRIVATE KEY-----"',
        f"server.hostKey: is a private key\n    give the server's public key; {KEYSCAN}",
    ),
    # The project.
    Bad(
        "slug",
        "slug: shop",
        "slug: My_Shop",
        'project.slug: "My_Shop" is not a slug\n'
        "    use lower-case letters, digits and '-', a letter first, at most 31 characters: my-shop",
    ),
    Bad(
        "slug-own",
        "slug: shop",
        "slug: toolkit",
        "project.slug: toolkit is reserved by codesensei\n    choose another slug",
    ),
    Bad(
        "slug-reserved",
        "slug: shop",
        "slug: nginx",
        "project.slug: nginx.service is a system unit\n    choose another slug: nginx-site",
    ),
    Bad(
        "one-source",
        "      revision: v1.4.0\n",
        "      path: ../shop\n      revision: v1.4.0\n",
        "project.source: both git and path are given\n"
        "    give exactly one: {git: URL, revision: …} or {path: ../shop, …}",
    ),
    Bad(
        "git-scheme",
        "git: https://github.com/example/shop.git",
        "git: ext::sh -c id",
        "project.source.git: is not a supported git URL\n"
        "    use https://host/path, ssh://git@host/path, git@host:path or file:///path; for a local one, use path",
    ),
    Bad(
        "git-credentials",
        "git: https://github.com/example/shop.git",
        "git: https://ghp_0123456789@github.com/example/shop.git",
        "project.source.git: has credentials in the URL, where the state and every preview would show them\n"
        "    remove them: git here uses your own SSH agent or credential helper",
    ),
    Bad(
        "git-host",
        "git: https://github.com/example/shop.git",
        "git: https:///example/shop.git",
        "project.source.git: has no host\n    write https://host/path",
    ),
    Bad(
        "revision",
        "revision: v1.4.0",
        "revision: --upload-pack=id",
        'project.source.revision: "--upload-pack=id" is not a commit or a tag\n'
        "    give one commit or one tag: v1.4.0 or 4f2a9c1e",
    ),
    Bad(
        "source-path",
        "    directory: .\n",
        "    directory: ../other\n",
        'project.directory: "../other" points outside the source\n'
        "    write it relative to the root of the repository, without '..'",
    ),
    Bad(
        "media-serving",
        "    mediaServing: none\n",
        "    mediaServing: {protected: /x/}\n",
        "project.mediaServing: is no way to serve uploads\n"
        "    choose none, proxy or internal, or {internal: /protected/} for views that name another prefix",
    ),
    Bad(
        "internal-prefix",
        "    mediaServing: none\n",
        "    mediaServing: {internal: protected}\n",
        'project.mediaServing: "protected" is not the prefix of a path\n'
        "    start and end it with '/': {internal: /protected/}",
    ),
    Bad(
        "shared-path-own",
        "    sharedPaths: []\n",
        "    sharedPaths: [state/x]\n",
        'project.sharedPaths[0]: "state/x" cannot be shared\n    name a folder of uploads or data: media',
    ),
    Bad(
        "shared-path-file",
        "    sharedPaths: []\n",
        "    sharedPaths: [data/shop.sqlite3]\n",
        'project.sharedPaths[0]: "data/shop.sqlite3" is named like a file, and only folders are shared\n'
        "    share the folder that it is in, and let the settings name the file there: data",
    ),
    Bad(
        "shared-path-overlap",
        "    sharedPaths: []\n",
        "    sharedPaths: [media/cache, ./media]\n",
        'project.sharedPaths: "media" contains "media/cache"\n    list media alone',
    ),
    Bad(
        "module-name",
        "settingsModule: config.settings.production",
        "settingsModule: config/settings/production.py",
        'project.settingsModule: "config/settings/production.py" is not the name of a Python module\n'
        "    write it with dots, without '.py': config.settings.production",
    ),
    Bad(
        "application",
        "    # wsgiApplication: config.wsgi:application\n",
        "    wsgiApplication: shop.wsgi.application\n",
        'project.wsgiApplication: "shop.wsgi.application" is not module:object\n'
        "    write it with one colon: shop.wsgi:application",
    ),
    Bad(
        "system-user",
        "user: deploy",
        "user: www-data",
        'project.user: "www-data" is a system user\n    use an ordinary user: deploy',
    ),
    Bad(
        "user-is-login-user",
        "    user: root\n",
        "    user: deploy\n",
        'project.user: "deploy" is the login user, who can become root\n    give the project its own user: shop',
    ),
    Bad(
        "python",
        'python: ""',
        'python: "2.7"',
        'project.python: "2.7" is not a version of Python\n    write "3.12", or "" for the server\'s own',
    ),
    Bad(
        "python-needs-uv",
        'python: ""\n    # auto | pip | uv; auto is uv, and pip for what uv cannot install.\n    installer: auto',
        'python: "3.12.4"\n    installer: pip',
        'project.python: "3.12.4" names a patch release, which apt cannot choose\n'
        '    write "3.12", or set project.installer to uv',
    ),
    Bad(
        "package",
        "systemPackages: []",
        'systemPackages: ["libmagic1; reboot"]',
        'project.systemPackages[0]: "libmagic1; reboot" is not the name of a package\n'
        "    write it as apt names it: libmagic1",
    ),
    Bad(
        "extra",
        "extras: []",
        'extras: ["prod,dev"]',
        'project.extras[0]: "prod,dev" is not the name of an extra or of a group\n'
        "    write it as pyproject.toml or Pipfile names it: prod",
    ),
    Bad(
        "worker-name",
        "      beat:\n",
        "      Beat_1:\n",
        'project.workers.Beat_1: "Beat_1" is not the name of a worker\n'
        "    use lower-case letters, digits and '-', a letter first, at most 31 characters: beat",
    ),
    Bad(
        "worker-reserved",
        "      beat:\n",
        "      web:\n",
        'project.workers.web: "web" is reserved by codesensei\n    choose another name: worker',
    ),
    Bad(
        "stop-signal",
        "        singleton: true\n",
        "        stopSignal: SIGKILL\n",
        'project.workers.beat.stopSignal: "SIGKILL" is not a signal on which a program can finish its work\n'
        "    name the signal on which the program finishes its work and ends: SIGTERM, SIGINT or SIGQUIT",
    ),
    Bad(
        "empty-command",
        "worker: celery -A config worker -l info",
        'worker: ""',
        "project.workers.worker.command: the command is empty\n    set a shell command, or remove it",
    ),
    Bad(
        "command-nul",
        "afterMigrate: []",
        'afterMigrate: ["echo \\0"]',
        "project.hooks.afterMigrate[0]: the command has a NUL character\n    remove the character",
    ),
    Bad(
        "health-path",
        "      path: /\n",
        "      path: health\n",
        "project.healthCheck.path: \"health\" is not a path\n    start it with '/', percent-encode the rest: /health/",
    ),
    Bad(
        "health-accept",
        'accept: ["2xx", "3xx", "401", "403", "404"]',
        'accept: ["2xx", OK]',
        'project.healthCheck.accept[1]: "OK" is not an HTTP status\n    write "200", or "2xx" for a class',
    ),
    Bad(
        "seconds",
        "web: 40",
        "web: 0",
        "project.stopTimeout.web: 0 is too small: times are in seconds, at least 1\n    set a number of seconds: 60",
    ),
    Bad(
        "memory",
        "      web:\n        tasksMax: 2048",
        "      web:\n        memoryMax: 512",
        'project.resources.web.memoryMax: "512" is not a size of memory\n    write a whole number and K, M or G: 512M',
    ),
    Bad(
        "tasks",
        "      web:\n        tasksMax: 2048",
        "      web:\n        tasksMax: 2",
        "project.resources.web.tasksMax: 2 is too small: a web server and its workers need more\n    give 16 or more",
    ),
    Bad(
        "cpu-weight",
        "      web:\n        tasksMax: 2048",
        "      web:\n        cpuWeight: 0",
        "project.resources.web.cpuWeight: 0 is not a weight\n    use a number from 1 to 10000; every unit has 100",
    ),
    Bad(
        "connections",
        "connections: 400",
        "connections: -1",
        "limits.connections: -1 is too small: 0 is without a limit\n    give a number of requests: 400",
    ),
    Bad(
        "sandbox-off",
        "sandbox: {}",
        "sandbox: {NoNewPrivileges: true}",
        "project.sandbox.NoNewPrivileges: true does not loosen it\n"
        "    write false to switch it off, or remove the line",
    ),
    Bad(
        "sandbox-words",
        "sandbox: {}",
        "sandbox: {ReadWritePaths: false}",
        "project.sandbox.ReadWritePaths: false does not loosen it\n    list absolute paths: [/mnt/reports]",
    ),
    Bad(
        "sandbox-word",
        "sandbox: {}",
        "sandbox: {SystemCallFilter: [mount]}",
        'project.sandbox.SystemCallFilter: "mount" cannot be allowed\n'
        '    list groups of systemd: ["@mount"], or write false for all',
    ),
    Bad(
        "lock-timeout",
        "lockTimeout: 5",
        "lockTimeout: -1",
        "database.lockTimeout: -1 is too small: times are in seconds, 0 for no limit\n    set 5, or 0",
    ),
    Bad(
        "migration-timeout",
        "migrationTimeout: 0",
        "migrationTimeout: -1",
        "database.migrationTimeout: -1 is too small: times are in seconds, 0 for no limit\n    set 60, or 0",
    ),
    Bad(
        "keep-releases",
        "keepReleases: 5",
        "keepReleases: 1",
        "project.keepReleases: 1 is too small: the current and the previous release are always kept\n"
        "    give 2 or more",
    ),
    Bad(
        "migration",
        "acknowledgeMigrations: []",
        "acknowledgeMigrations: [0003_drop_price.py]",
        'project.acknowledgeMigrations[0]: "0003_drop_price.py" is not the name of a migration\n'
        "    write the app's label and the migration's name, without '.py': books.0003_drop_price",
    ),
    Bad(
        "python-path",
        "    pythonPath: []\n",
        '    pythonPath: ["a:b"]\n',
        'project.pythonPath[0]: "a:b" has a colon, which ends a folder\'s name in PYTHONPATH\n'
        "    rename the folder, or add it to sys.path in the settings",
    ),
    # The edge.
    Bad(
        "domain",
        "[shop.example.com]",
        "[shop_1.example.com]",
        'domains[0]: "shop_1.example.com" is not a host name\n    write it like shop.example.com',
    ),
    Bad(
        "domain-url",
        "[shop.example.com]",
        '["https://shop.example.com/"]',
        'domains[0]: "https://shop.example.com/" is more than a host name\n    use the name alone: shop.example.com',
    ),
    Bad(
        "domain-pattern",
        "[shop.example.com]",
        '["shop.*.example.com"]',
        'domains[0]: "shop.*.example.com" is a pattern\n'
        "    write *.example.com in codesensei:domains for all names below example.com, or list each host name",
    ),
    Bad(
        "domain-case",
        "[shop.example.com]",
        "[Shop.Example.com]",
        'domains[0]: "Shop.Example.com" has capital letters\n    write it as shop.example.com',
    ),
    Bad(
        "domain-ascii",
        "[shop.example.com]",
        "[bücher.example]",
        'domains[0]: "bücher.example" is not ASCII, as DNS needs it\n    write xn--bcher-kva.example',
    ),
    Bad(
        "domain-address",
        "[shop.example.com]",
        "[203.0.113.7]",
        'domains[0]: "203.0.113.7" is an address\n    list names only; without any, the server\'s address is used',
    ),
    Bad(
        "apps-domain-is-domain",
        "  # codesensei:appsDomain: apps.example.com\n",
        "  codesensei:appsDomain: shop.example.com\n",
        'appsDomain: "shop.example.com" is also in domains, but it is for generated names only\n'
        "    remove it from one of the two",
    ),
    Bad(
        "tls",
        TLS,
        "  codesensei:tls: letsencrypt\n",
        "tls: is not off, selfSigned, acme, external, {acme: …} or {certificate, key}\n    use one of these",
    ),
    Bad(
        "email",
        TLS,
        "  codesensei:tls: {acme: {email: ops}}\n",
        'tls.acme.email: "ops" is not an e-mail address\n    write it like ops@example.com',
    ),
    Bad(
        "acme-directory",
        TLS,
        "  codesensei:tls: {acme: {directory: acme.example.com}}\n",
        'tls.acme.directory: "acme.example.com" is not the URL of an ACME directory\n'
        "    write it like https://acme-staging-v02.api.letsencrypt.org/directory, or remove it for Let's Encrypt",
    ),
    Bad(
        "root-certificate",
        TLS,
        "  codesensei:tls: {acme: {rootCertificate: root.pem}}\n",
        "tls.acme.rootCertificate: is not a certificate in PEM form\n"
        "    set it from the file: pulumi config set --path codesensei:tls.acme.rootCertificate < root.pem",
    ),
    Bad(
        "certificate",
        TLS,
        "  codesensei:tls:\n    certificate: fullchain.pem\n" + TLS_KEY,
        "tls.certificate: is not a certificate in PEM form\n"
        "    set it from the file: pulumi config set --path codesensei:tls.certificate < fullchain.pem",
    ),
    Bad(
        "certificate-key",
        TLS,
        '  codesensei:tls:\n    certificate: "-----BEGIN PRIVATE KEY-----"\n' + TLS_KEY,
        "tls.certificate: contains a private key\n"
        "    give the key apart: pulumi config set --secret --path codesensei:tls.key < key.pem",
    ),
    Bad(
        "tls-key",
        TLS,
        "  codesensei:tls:\n    certificate: |\n      -----BEGIN CERTIFICATE-----\n      MIIB\n"
        "      -----END CERTIFICATE-----\n    key: {secure: 'clear:canary-no-key'}\n",
        "tls.key: is not a private key in PEM form without a passphrase\n"
        "    set it from the file: pulumi config set --secret --path codesensei:tls.key < key.pem",
    ),
    Bad(
        "tls-key-missing",
        TLS,
        "  codesensei:tls:\n    certificate: |\n      -----BEGIN CERTIFICATE-----\n      MIIB\n"
        "      -----END CERTIFICATE-----\n",
        "tls.key: is missing: a certificate needs its key\n"
        "    pulumi config set --secret --path codesensei:tls.key < key.pem",
    ),
    Bad(
        "network",
        "codesensei:trustedProxies: []",
        "codesensei:trustedProxies: [10.1.2.3/8]",
        'trustedProxies[0]: "10.1.2.3/8" is not a network\n    write an address or a network: 10.0.0.0/8',
    ),
    Bad(
        "size",
        "bodySize: 25m",
        "bodySize: 25 MB",
        'limits.bodySize: "25 MB" is not a size\n    use digits and k, m or g, greater than zero: 25m',
    ),
    # The database.
    Bad(
        "database-name",
        'name: ""',
        "name: my-shop",
        'database.name: "my-shop" is not a name for a database\n'
        "    use lower-case letters, digits and '_', a letter first, at most 63 characters: shop",
    ),
    Bad(
        "database-system",
        'name: ""',
        "name: template1",
        'database.name: "template1" is reserved by PostgreSQL\n    choose another name: shop',
    ),
    Bad(
        "database-default-name",
        "slug: shop",
        "slug: pg-shop",
        'project.slug: the database would be named "pg_shop", which is reserved by PostgreSQL\n'
        "    set codesensei:database.name",
    ),
    Bad(
        "extension",
        "extensions: []",
        "extensions: [timescaledb]",
        'database.extensions[0]: "timescaledb" is not a supported extension\n'
        "    supported: btree_gin, btree_gist, citext, cube, dict_int, fuzzystrmatch, hstore, intarray, isn, lo, "
        "ltree, pg_trgm, pgcrypto, plperl, postgis, postgis_raster, postgis_tiger_geocoder, postgis_topology, "
        "seg, tablefunc, tcn, tsm_system_rows, tsm_system_time, unaccent, uuid-ossp, vector",
    ),
    Bad(
        "external-without-url",
        *_database("kind: external"),
        "database.kind: is external, but no DATABASE_URL says where it is\n"
        "    pulumi config set --secret --path codesensei:secretEnv.DATABASE_URL",
    ),
    Bad(
        "mapping-incomplete",
        *mapping("DB_HOST: host, DB_NAME: name, DB_USER: user"),
        "database.env: maps no variable to: password\n"
        "    map url, or name, user and password (host and port where the settings read them)",
    ),
    Bad(
        "mapping-partly-given",
        *mapping("CELERY_BROKER_URL: url, MY_DATABASE: url"),
        "database.env.MY_DATABASE: has no value, but other mapped variables do\n"
        "    set all mapped variables, or none to have the database created",
    ),
    Bad(
        "database-variable-twice",
        *mapping("SECRET_KEY: url"),
        "database.env.SECRET_KEY: SECRET_KEY is also in generateSecrets\n"
        "    remove it from generateSecrets or from database.env",
    ),
    Bad(
        "url",
        *secret_url("clear:canary.example.com/shop"),
        "secretEnv.DATABASE_URL: is not a URL\n"
        "    write it like postgres://user:password@host:5432/name, without spaces",
    ),
    Bad(
        "url-encoding",
        *secret_url("clear:postgres://shop:canary#1@127.0.0.1/shop"),
        "secretEnv.DATABASE_URL: has an unescaped character that ends a part of the URL early\n"
        "    percent-encode user and password: # is %23, / %2F, ? %3F, @ %40, % %25",
    ),
    Bad(
        "url-port",
        *secret_url("clear:postgres://shop:canary@127.0.0.1:x/shop"),
        "secretEnv.DATABASE_URL: has no valid port\n    use a number from 1 to 65535, or leave the port out",
    ),
    Bad(
        "url-name",
        *secret_url("clear:postgres://shop:canary@127.0.0.1/"),
        "secretEnv.DATABASE_URL: has no database name\n    end it with one: postgres://user:password@127.0.0.1:5432/shop",
    ),
    Bad(
        "url-system-name",
        *secret_url("clear:postgres://postgres:canary@127.0.0.1/shop"),
        "secretEnv.DATABASE_URL: names a role reserved by PostgreSQL\n    choose another name: shop",
    ),
    Bad(
        "url-long-name",
        *secret_url(f"clear:postgres://shop:canary@127.0.0.1/{'x' * 64}"),
        "secretEnv.DATABASE_URL: the name of the database is longer than 63 bytes or not printable\n"
        "    choose a shorter name: PostgreSQL would truncate it",
    ),
    Bad(
        "url-password",
        *secret_url("clear:postgres://shop@127.0.0.1/shop"),
        "secretEnv.DATABASE_URL: has no password\n    add one: postgres://user:password@host/name",
    ),
    Bad(
        "local-not-postgres",
        *secret_url("clear:mysql://shop:canary@127.0.0.1/shop"),
        "secretEnv.DATABASE_URL: points to a database on the server that is not PostgreSQL\n"
        "    codesensei manages PostgreSQL only; for a database of your own, set database.kind to none",
    ),
    Bad(
        "sqlite-in-release",
        *_plain("DATABASE_URL: sqlite:///db.sqlite3"),
        "env.DATABASE_URL: points to a SQLite file inside the release, which the next deploy would lose\n"
        "    point it to shared, with four slashes: sqlite:////srv/codesensei/shop/shared/db.sqlite3",
    ),
    Bad(
        "sqlite-outside-shared",
        *_plain("DATABASE_URL: sqlite:////srv/codesensei/shop/current/db.sqlite3"),
        "env.DATABASE_URL: points to a SQLite file that no release shares\n"
        "    point it to shared: sqlite:////srv/codesensei/shop/shared/db.sqlite3",
    ),
    # Variables.
    Bad(
        "variable-name",
        *_plain("DB-PASS: x"),
        'env.DB-PASS: "DB-PASS" is not the name of a variable\n'
        "    use letters, digits and '_', not a digit first: DB_PASS",
    ),
    Bad(
        "variable-owned",
        *_plain("DJANGO_SETTINGS_MODULE: config.settings"),
        "env.DJANGO_SETTINGS_MODULE: DJANGO_SETTINGS_MODULE is set by the program itself\n"
        "    set codesensei:project.settingsModule instead",
    ),
    Bad(
        "variable-shell",
        *_plain("UID: x"),
        "env.UID: UID is set by every shell itself\n    give the project's variable another name",
    ),
    Bad(
        "env-boolean",
        *_plain("DEBUG: false"),
        'env.DEBUG: unquoted false is not text\n    write "false" (pulumi config set: --type string), or "1" and "0"',
    ),
    Bad(
        "env-float",
        *_plain("RATE: 1.5"),
        'env.RATE: unquoted 1.5 is not text\n    quote it: "1.5"',
    ),
    Bad(
        "env-null",
        *_plain("EMPTY:"),
        'env.EMPTY: has no value\n    write "" for an empty text, or remove the line',
    ),
    Bad(
        "env-structure",
        *_plain("HOSTS: [a, b]"),
        'env.HOSTS: is a list or a map, not text\n    write it as one text in quotes: \'["a", "b"]\'',
    ),
    Bad(
        "env-date",
        *_plain("SINCE: 2024-01-31"),
        'env.SINCE: is an unquoted date\n    quote it: "2024-01-31"',
    ),
    Bad(
        "env-number-form",
        *_plain("ZIP: 01234"),
        'env.ZIP: unquoted 01234 becomes 668\n    quote it: "01234"',
    ),
    Bad(
        "env-number",
        *_plain("BIG: 18446744073709551615"),
        "env.BIG: is too large to be passed on unchanged\n    quote it",
    ),
    Bad(
        "env-nul",
        *_plain('BIN: "a\\0b"'),
        "env.BIN: has a NUL character, which no environment can hold\n    encode the value, e.g. base64",
    ),
    Bad(
        "env-not-text",
        *_plain('BIN: "a\\uFDD0b"'),
        "env.BIN: has a character that is not valid text\n    encode the value, e.g. base64",
    ),
    Bad(
        "env-too-long",
        *_plain(f"BLOB: {'x' * (96 * 1024 + 1)}"),
        "env.BLOB: is longer than 96 KiB: the engine passes the whole config in one variable of at most 128 KiB\n"
        "    put it in a file in shared/, and set its path here",
    ),
    Bad(
        "worker-count",
        'GUNICORN_WORKERS: "3"',
        "GUNICORN_WORKERS: auto",
        'env.GUNICORN_WORKERS: is not a positive whole number\n    write it like "2"',
    ),
    Bad(
        "secret-and-plain",
        *_plain("API_TOKEN: x"),
        "secretEnv.API_TOKEN: API_TOKEN is also in env\n    remove it from env or from secretEnv",
    ),
    Bad(
        "generated-and-given",
        "codesensei:generateSecrets: [SECRET_KEY]",
        "codesensei:generateSecrets: [API_TOKEN]",
        "generateSecrets: API_TOKEN is also in secretEnv\n    remove it from secretEnv or from generateSecrets",
    ),
    Bad(
        "broker-variable-twice",
        "  codesensei:broker:\n    env: {}\n",
        "  codesensei:broker:\n    env: {CELERY_BROKER_URL: url}\n",
        "broker.env.CELERY_BROKER_URL: CELERY_BROKER_URL is also in env\n    remove it from env or from broker.env",
    ),
    Bad(
        "broker-mapping-incomplete",
        "  codesensei:broker:\n    env: {}\n",
        "  codesensei:broker:\n    env: {REDIS_HOST: host, REDIS_PORT: port}\n",
        "broker.env: maps neither the password nor the number, by which the stack would have a part of its own\n"
        "    map url, or password: {REDIS_PASSWORD: password}",
    ),
    Bad(
        "broker-password-alone",
        "  codesensei:broker:\n    env: {}\n",
        "  codesensei:broker:\n    env: {REDIS_HOST: host, REDIS_PASSWORD: password}\n",
        "broker.env: maps a password without the host and the port that it is for\n"
        "    map url, or host and port too: {REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password}",
    ),
    Bad(
        "database-url-made",
        "codesensei:generateSecrets: [SECRET_KEY]",
        "codesensei:generateSecrets: [DATABASE_URL]",
        "generateSecrets: DATABASE_URL is made by the program, with role and password\n    remove it here",
    ),
    Bad(
        "broker-number",
        "redis://127.0.0.1:6379/0\n  # Secret",
        "redis://127.0.0.1:6379/16\n  # Secret",
        "env.CELERY_BROKER_URL: has no valid database number\n"
        "    end it with a number from 0 to 15: redis://127.0.0.1:6379/0",
    ),
    Bad(
        "broker-address",
        "redis://127.0.0.1:6379/0\n  # Secret",
        "redis://[::1]:6379/0\n  # Secret",
        "env.CELERY_BROKER_URL: points to ::1, but the server's broker listens on 127.0.0.1 alone\n"
        "    use redis://127.0.0.1:6379/0",
    ),
    Bad(
        "broker-password",
        "redis://127.0.0.1:6379/0\n  # Secret",
        "redis://:canary@127.0.0.1:6379/0\n  # Secret",
        "env.CELERY_BROKER_URL: has a password, but the server's broker has none\n"
        "    remove it: redis://127.0.0.1:6379/0 (the broker listens on loopback only)",
    ),
    # Secrets.
    Bad(
        "secret-in-plain",
        f"    API_TOKEN:\n{SECRET_END}",
        "    API_TOKEN: canary-in-plain\n",
        "secretEnv.API_TOKEN: is not encrypted\n    pulumi config set --secret --path codesensei:secretEnv.API_TOKEN "
        "(with a new value, if others could read this one)",
    ),
    Bad(
        "secret-in-env",
        *_plain("SENTRY_DSN: {secure: 'clear:canary-dsn'}"),
        "env.SENTRY_DSN: is encrypted, but env holds plain values: it would be shown\n"
        "    remove it here and set it with: pulumi config set --secret --path codesensei:secretEnv.SENTRY_DSN",
    ),
    Bad(
        "encrypted",
        "    host: 203.0.113.7\n",
        "    host: {secure: 'clear:203.0.113.7'}\n",
        "server.host: is encrypted, but it is not a secret and would be shown\n    set it without --secret",
    ),
    Bad(
        "secret-not-text",
        f"    API_TOKEN:\n{SECRET_END}",
        "    API_TOKEN: {inner: {secure: 'clear:canary-inner'}}\n",
        "secretEnv.API_TOKEN: is not text\n"
        "    set it again: pulumi config set --secret --path codesensei:secretEnv.API_TOKEN",
    ),
    Bad(
        "ssh-key",
        "  # codesensei:sshPrivateKey: {secure: …}\n",
        "  codesensei:sshPrivateKey: {secure: 'clear:canary-no-key'}\n",
        "sshPrivateKey: is not a complete private key\n"
        "    set it from the file: pulumi config set --secret codesensei:sshPrivateKey < ~/.ssh/id_ed25519",
    ),
    Bad(
        "ssh-key-public",
        "  # codesensei:sshPrivateKey: {secure: …}\n",
        f"  codesensei:sshPrivateKey: {{secure: 'clear:{HOST_KEY}'}}\n",
        "sshPrivateKey: is a public key\n"
        "    set it from the file: pulumi config set --secret codesensei:sshPrivateKey < ~/.ssh/id_ed25519",
    ),
    Bad(
        "ssh-key-passphrase",
        "  # codesensei:sshPrivateKey: {secure: …}\n",
        "  codesensei:sshPrivateKey:\n    secure: |\n      clear:-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "      MIGbMFcGCSqGSIb3DQEFDTBK\n      -----END ENCRYPTED PRIVATE KEY-----\n",
        "sshPrivateKey: has a passphrase, which nobody can type during a deploy\n"
        "    remove this key and use the SSH agent, or set a key without one",
    ),
    Bad(
        "digest-key",
        "  # codesensei:digestKey: {secure: …}\n",
        "  codesensei:digestKey: {secure: 'clear:canary'}\n",
        "digestKey: is shorter than 16 characters\n"
        "    generate one: openssl rand -hex 32 | pulumi config set --secret codesensei:digestKey",
    ),
    Bad(
        "stack-name",
        '  codesensei:promoteFrom: ""\n',
        "  codesensei:promoteFrom: org/shop/staging\n",
        'promoteFrom: "org/shop/staging" is no name of a stack\n'
        "    name a stack of this project alone, as `pulumi stack ls` shows it: staging",
    ),
    Bad(
        "review-of-nothing",
        WAIVE,
        WAIVE + '  codesensei:reviewOf: {stack: "", branch: prices}\n',
        "reviewOf.stack: is empty\n    name the stack that it was made from",
    ),
    Bad(
        "review-filled-twice",
        WAIVE,
        f"{WAIVE}  codesensei:reviewOf: {{stack: staging, branch: prices, dataFrom: shop, dump: {'a' * 64}}}\n",
        "reviewOf.dump: dataFrom is given too\n    remove one of the two",
    ),
    Bad(
        "dump-digest",
        WAIVE,
        f"{WAIVE}  codesensei:reviewOf: {{stack: staging, branch: prices, dump: shop.dump}}\n",
        'reviewOf.dump: "shop.dump" is no SHA-256\n    let codesensei review up --dump FILE write it',
    ),
    Bad(
        "waive-rule",
        WAIVE,
        "  codesensei:waive: {hsts: later}\n",
        'waive.hsts: "hsts" is no rule of the policy\n    the rules are debug, secretKey, allowedHosts, backup, '
        "promotion, plainSecret.<variable>, or check.<id> for what check --deploy finds",
    ),
    Bad(
        "waive-reason",
        WAIVE,
        '  codesensei:waive: {check.W004: "…"}\n',
        "waive.check.W004: gives no reason\n    say in words why this stack need not follow the rule",
    ),
    Bad(
        "waive-path",
        WAIVE,
        "  codesensei:waive: {check: {W004: later}}\n",
        "waive: the name of a rule was taken apart: check.W004\n"
        '    pulumi config set --path \'codesensei:waive["check.W004"]\' "…"',
    ),
]
