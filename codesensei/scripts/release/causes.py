"""Known causes: from the words of pip, Django, gunicorn and others to what to change."""

from __future__ import annotations

import re
from dataclasses import dataclass

from codesensei.scripts.base import excerpt
from codesensei.webservers.gunicorn import UVICORN_WORKERS

_SET_VARIABLE = (
    "set it in codesensei:env; where it is secret: pulumi config set --secret --path codesensei:secretEnv.{0}"
)
_NAME_APPLICATION = (
    "set project.wsgiApplication (project.asgiApplication for Daphne), or the same in the settings, as module:name"
)
_COMMIT_MIGRATION = "run manage.py makemigrations in the project and commit the migration that it writes"


@dataclass(frozen=True)
class Known:
    """A cause that a log may tell of. `title` is its name in the documentation; {0}, {1} are what `pattern` captures."""

    title: str
    pattern: str
    cause: str
    fix: str


# The first that matches wins: what is more exact comes first.
KNOWN: tuple[Known, ...] = (
    # Packages
    Known(
        "hash mismatch",
        r"THESE PACKAGES DO NOT MATCH THE HASHES.*(?:\n\s+(\S+) from)?|Hash mismatch for `([^`]+)`",
        "the downloaded package {0} does not match its hash in the requirements file",
        "make the requirements file again (pip-compile --generate-hashes); if its hash is right, the package index is serving something else",
    ),
    Known(
        "hashes missing",
        r"Hashes are required in --require-hashes mode, but they are missing.*\n(?:.*\n)?\s+(\S+) --hash",
        "some requirements have a hash and {0} has none",
        "make the requirements file again (pip-compile --generate-hashes), with all packages in it",
    ),
    Known(
        "a package needs another Python",
        r"Package '([^']+)' requires a different Python: (\S+ not in '[^']+')",
        "{0} does not run on this Python ({1})",
        "pin a version of it that does, or set project.python (with project.installer: uv for a Python that the distribution lacks)",
    ),
    Known(
        "a package needs another Python",
        r"different python version: (?:.*; )?([\w.]+) Requires-Python ([^;\s]+)(?:.*\n)+?.*No matching distribution found for (\S+==\1)$",
        "{2} needs Python {1}, which is not this server's",
        "pin a version that runs on it, or set project.python (with project.installer: uv for a Python that the distribution lacks)",
    ),
    Known(
        "a package needs another Python",
        r"different python version: (?:.*; )?([\w.]+) Requires-Python ([^;\s]+)(?:.*\n)+?.*No matching distribution found for (\S+[<>~]\S+)$",
        "no version of {2} runs on this server's Python (pip left out versions, {0} the last of them, which needs Python {1})",
        "widen the range to a version that runs on it, or set project.python (with project.installer: uv for a Python that the distribution lacks)",
    ),
    Known(
        "a package needs another Python",
        r"current\s+Python\s+version\s+\(([\d.]+)\)\s+does\s+not\s+satisfy\s+Python(\S+)\s+and\s+(\S+)",
        "{2} needs Python {1}, and this one is {0}",
        "pin a version that runs on it, or set project.python",
    ),
    Known(
        "uv cannot fetch a Python",
        r"Failed to download https?://\S*?/cpython-([\d.]+\d)|No interpreter found for Python ([\d.]*\d)",
        "uv cannot fetch Python {0}",
        "let the server reach github.com, name a mirror in codesensei:env (UV_PYTHON_INSTALL_MIRROR), or leave project.python empty for the server's own",
    ),
    Known(
        "a package asks git for its version",
        r"(?:setuptools-scm|vcs-versioning) was unable to detect version",
        "a package asks git for its version, and a release has no git history",
        "set SETUPTOOLS_SCM_PRETEND_VERSION in codesensei:env",
    ),
    Known(
        "the package index refuses",
        r"(40[13]) Error, Credentials not correct for (?:https?://)?(?:[^@/\s]*@)?([\w.-]+)|HTTP status client error \((40[13])[^)]*\) for url \((?:https?://)?(?:[^@/\s]*@)?([\w.-]+)",
        "the package index at {1} refuses the login (HTTP status {0})",
        "check the login in PIP_INDEX_URL or PIP_EXTRA_INDEX_URL, in codesensei:secretEnv",
    ),
    Known(
        "the package index refuses",
        r"index URL \((?:https?://)?(?:[^@/\s)]*@)?([\w.-]+)[^)]*\)\s+could\s+not\s+be\s+queried[^(]*\((40[13])",
        "the package index at {0} refuses the login (HTTP status {1})",
        "check the login in UV_INDEX_URL or UV_EXTRA_INDEX_URL, PIP_INDEX_URL or PIP_EXTRA_INDEX_URL, in codesensei:secretEnv",
    ),
    Known(
        "the package index refuses",
        r"(40[13]) Client Error: \S+ for url: (?:https?://)?(?:[^@/\s]*@)?([\w.-]+)",
        "the package index at {1} refuses the login (HTTP status {0})",
        "check the login in PIP_INDEX_URL or PIP_EXTRA_INDEX_URL, in codesensei:secretEnv",
    ),
    Known(
        "the package index cannot be reached",
        r"HTTPS?Connection(?:Pool)?\(host='([^']+)'.*?(Name or service not known|Temporary failure in name resolution|No address associated|Connection refused|timed out|unreachable|certificate verify failed)",
        "the package index at {0} cannot be reached: {1}",
        "check the server's name resolution and its way out to the network; for another index set PIP_INDEX_URL in codesensei:secretEnv",
    ),
    Known(
        "the package index cannot be reached",
        r"NewConnectionError\(.*?: Failed to establish a new connection: (?:\[Errno -?\d+\] )?([^'\"]+)",
        "the package index cannot be reached: {0}",
        "check the server's name resolution and its way out to the network; for another index set PIP_INDEX_URL in codesensei:secretEnv",
    ),
    Known(
        "conflicting requirements",
        r"The conflict is caused by:\n((?:[ \t]+\S.*\n)+)",
        "the requirements exclude each other: {0}",
        "change one of their versions",
    ),
    Known(
        "conflicting requirements",
        r"Cannot install (.+?) because these package versions have conflicting dependencies",
        "the requirements exclude each other: {0}",
        "change one of their versions",
    ),
    Known(
        "no such package",
        r"Could not find a version that satisfies the requirement (\S+) \(from versions: none\)",
        "the package index knows no {0} for this Python, or cannot be reached",
        "check its name, and the server's way out to the network; for a private index set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in codesensei:secretEnv",
    ),
    Known(
        "no such version",
        r"No matching distribution found for (\S+)",
        "the package index has no version that fits {0}",
        "check name and version, and which Python it supports; for a private index set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in codesensei:secretEnv",
    ),
    Known(
        "requirements cannot be solved (uv)",
        r"No solution found when resolving dependencies:\s*(?:.*─▶\s*)?(.+)",
        "the requirements cannot be solved: {0}",
        "change the versions in the requirements file; for a private index set UV_INDEX_URL in codesensei:secretEnv",
    ),
    Known(
        "a repository cannot be fetched",
        r"Running command git (?:clone|fetch|checkout) .*\n(?:.*\n)*?\s*(?:fatal|ERROR|error|remote): (.+)",
        "the git repository of a requirement cannot be fetched: {0}",
        "check its address; where it is private, write https://${{TOKEN}}@… there and set TOKEN in codesensei:secretEnv",
    ),
    Known(
        "a line of the requirements is wrong",
        r"Invalid requirement: ['\"]?([^'\"\n:]+)",
        "the requirements file has a line that is no requirement: {0}",
        "write it as name==version",
    ),
    Known(
        "a program for building is missing",
        r"Cannot find command '([\w-]+)'|(mysql_config|pg_config)(?: executable)? not found|(pkg-config): (?:command )?not found|(cmake|cargo|rustc|swig|ninja)(?:: command)? not found",
        "a package needs the program {0} to be built",
        "name its Debian package in project.systemPackages, for example [git, pkg-config, default-libmysqlclient-dev]",
    ),
    Known(
        "a package cannot be compiled",
        r"fatal error: ([\w/.+-]+\.h(?:pp)?): No such file",
        "a package must be compiled here, and the system library with {0} is missing",
        "name the library's -dev package in project.systemPackages (on the server: apt-file search {0})",
    ),
    Known(
        "a package cannot be compiled",
        r"cannot find -l([\w+.-]+)",
        "a package must be compiled here, and the system library {0} is missing",
        "name the library's -dev package in project.systemPackages",
    ),
    Known(
        "a package cannot be compiled",
        r"pkg-config --exists ([\w.+-]+)' returned non-zero|No package '([^']+)' found|Package ([\w.+-]+) was not found in the pkg-config",
        "a package must be compiled here, and the system library {0} is missing",
        "name the library's -dev package in project.systemPackages, for example default-libmysqlclient-dev for mysqlclient",
    ),
    Known(
        "a package cannot be compiled",
        r"Failed building wheel for ([\w.-]+)|Failed to build '?([\w.-]+)|error: command '\S*(?:gcc|cc|c\+\+)' failed",
        "the package {0} cannot be built here",
        "choose a version with a wheel for this Python, or name what it lacks in project.systemPackages",
    ),
    Known(
        "a system library is missing",
        r"(?:ImportError|OSError): (?:cannot load library '?)?(lib[\w.+-]+\.so[\w.]*)\b.*(?:cannot open shared object|not found)|ImportError: failed to find (lib\w+)",
        "the system library {0} is missing",
        "name its package in project.systemPackages (on the server: apt-file search {0})",
    ),
    Known(
        "a system library is missing",
        r"ValueError: Namespace (\w+) not available",
        "the system library {0}, which Python uses through GObject introspection, is missing",
        "name its package in project.systemPackages: gir1.2-… (on the server: apt-cache search gir1.2)",
    ),
    Known(
        "a system library is missing",
        r"Could not find the (\w+) library",
        "the system library {0} is missing",
        "name its packages in project.systemPackages, for example [gdal-bin, libgdal-dev] for GeoDjango",
    ),
    # The database
    Known(
        "the database cannot be reached",
        r"(?:failed to resolve host|could not translate host name) ['\"]([^'\"]+)",
        "the database's host {0} has no address here",
        "name the database's real host in DATABASE_URL; the service names of docker compose do not exist on a server",
    ),
    Known(
        "the database cannot be reached",
        r"connection to server at \"([^\"]+)\"(?: \([^)]*\))?, port (\d+) failed: (Connection refused|[Cc]onnection timed out|timeout expired|No route to host|Network is unreachable)",
        "the database at {0}, port {1}, cannot be reached: {2}",
        "check host and port in DATABASE_URL, that the database runs, and that it accepts connections from this server",
    ),
    Known(
        "the database cannot be reached",
        r"connection to server on socket \"([^\"]+)\" failed: (No such file or directory|Connection refused)",
        "the database's socket {0} cannot be reached: {1}",
        "check that the database runs on this server, or name its host and port in DATABASE_URL",
    ),
    Known(
        "the database cannot be reached",
        r"Can't connect to (?:local )?(?:MySQL )?server (?:on|through socket) '([^']+)'(?:.*?\((\d+)\))?",
        "the database at {0} cannot be reached",
        "check host and port of the database, that it runs, and that it accepts connections from this server",
    ),
    Known(
        "the database refuses the password",
        r"password authentication failed for user \"?([\w.-]+)",
        "the database refuses the password of {0}",
        "check the password in DATABASE_URL; special characters must be percent-encoded there",
    ),
    Known(
        "the database does not exist",
        r"(?:FATAL|failed):.*?(database|role) \"([^\"]+)\" does not exist",
        "there is no {0} {1} on the database server",
        "check the name in DATABASE_URL, or make it there",
    ),
    Known(
        "too many connections",
        r"(sorry, too many clients already|remaining connection slots are reserved)",
        "the database takes no more connections",
        "use fewer GUNICORN_WORKERS, a smaller conn_max_age, or raise max_connections",
    ),
    # Migrations
    Known(
        "a non-nullable field without default",
        r"impossible to (?:add a non-nullable field '([^']+)'|change a nullable field '([^']+)')|trying to (?:add a non-nullable field '([^']+)'|change the nullable field '([^']+)')|Field '([^']+)' on model '[^']+' not migrated: it is impossible",
        "the field {0} may not be null and has no default",
        "generate the migration again against a freshly migrated database, with a default, and commit it",
    ),
    Known(
        "a non-nullable field without default",
        r"column \"([^\"]+)\" of relation \"([^\"]+)\" contains null values|NOT NULL constraint failed: new__(\w+)\.(\w+)",
        "the rows that the table {1} has already have no value for {0}, which may not be null",
        "generate the migration again against a freshly migrated database, with a default, and commit it",
    ),
    Known(
        "conflicting migrations",
        r"Conflicting migrations detected; multiple leaf nodes in the migration graph: \(([^)]+)\)",
        "two migrations follow the same one: {0}",
        "run manage.py makemigrations --merge in the project and commit the migration that it writes",
    ),
    Known(
        "a migration is missing",
        r"Migration (\S+) dependencies reference nonexistent parent node (\([^)]+\))",
        "the migration {0} needs {1}, which is not in the commit",
        "commit that migration, or fix the dependencies",
    ),
    Known(
        "migrations in another order",
        r"InconsistentMigrationHistory: (.+)",
        "the database has migrations in another order than the commit: {0}",
        "bring back the migrations that were applied, or write new ones that follow them",
    ),
    Known(
        "a table exists already",
        r"(?:relation|table) \"?([\w.]+)\"? already exists",
        "the table {0} exists already",
        "the database was changed without this migration; where the table is right: manage migrate --fake APP NAME",
    ),
    Known(
        "a table is locked",
        r"canceling statement due to lock timeout|could not obtain lock on relation \"([^\"]+)\"",
        "a table is locked by something that takes longer than database.lockTimeout",
        "run pulumi up again at a quieter time, end what holds the lock (pg_stat_activity), or raise database.lockTimeout",
    ),
    Known(
        "a table or column is missing",
        r"(relation|column) \"?([\w.]+)\"? does not exist|no such (table|column): ([\w.]+)",
        "the database has no {0} {1}, which the models have: a migration is missing",
        _COMMIT_MIGRATION,
    ),
    Known(
        "Django's system check fails",
        r"SystemCheckError: System check identified(?s:.)*?^(\S+: \([\w.]+\.[EC]\d+\) .+)$",
        "Django's system check finds an error: {0}",
        "fix it as it says; manage.py check with these settings and such a database shows all of them",
    ),
    # Settings
    Known(
        "SECRET_KEY is missing",
        r"The SECRET_KEY setting must not be empty|(?:KeyError|ImproperlyConfigured|EnvError|UndefinedValueError).*?\bSECRET_KEY\b",
        "SECRET_KEY is not set",
        "add SECRET_KEY to codesensei:generateSecrets, or set it: pulumi config set --secret --path codesensei:secretEnv.SECRET_KEY",
    ),
    Known(
        "STATIC_URL is missing",
        r"using the staticfiles app without having set the required STATIC_URL|Empty static prefix not permitted",
        "STATIC_URL is not set",
        'add STATIC_URL = "/static/" to the settings',
    ),
    Known(
        "STATIC_ROOT is missing",
        r"using the staticfiles app without having set the STATIC_ROOT",
        "STATIC_ROOT is not set",
        'add STATIC_ROOT = BASE_DIR / "staticfiles" to the settings, or set project.static to none',
    ),
    Known(
        "a variable is missing",
        r"ImproperlyConfigured: Set the (\w+) environment variable|UndefinedValueError: (\w+) not found|Environment variable \"(\w+)\" not set|(?:<frozen os>|/os\.py)\", line \d+, in __getitem__\n(?:\s+.*\n)?KeyError: '(\w+)'",
        "the settings need the variable {0}, and it is not set",
        _SET_VARIABLE,
    ),
    Known(
        "AppRegistryNotReady",
        r"AppRegistryNotReady: (.+)",
        "a module imports models before Django is set up (AppRegistryNotReady)",
        "in asgi.py call get_asgi_application() before importing routing or consumers, or name another module in project.asgiApplication",
    ),
    Known(
        "a circular import",
        r"partially initialized module '([^']+)'",
        "the import of {0} leads back to itself (a circular import)",
        "import inside the function that needs it, or move what both modules need into a third",
    ),
    Known(
        "a syntax error",
        r"File \"([^\"]+)\", line (\d+)\n(?:.*\n){0,4}?\s*((?:SyntaxError|IndentationError|TabError): .+)",
        "{path}, line {1}: {2}",
        "fix that line; if it runs on your machine, it has syntax of a newer Python than this server's: see project.python",
    ),
    Known(
        "a package is too old for the Python",
        r"No module named '((?:aifc|asynchat|asyncore|cgi|cgitb|crypt|distutils|imghdr|imp|nntplib|pipes|smtpd|sndhdr|telnetlib|uu)(?:\.\w+)*)'",
        "a package is too old for this Python, which has no module {0} any more",
        "take newer versions of Django and of the packages that the log names, or an older Python (project.python with project.installer: uv)",
    ),
    Known(
        "the settings module is wrong",
        r"No module named '([\w.]+)'(?:(?!Traceback).*\n)*?.*ImportError: Could not import settings|ImportError: Could not import settings '([^']+)'",
        "the settings module {0} cannot be imported",
        "check project.settingsModule, and what it imports",
    ),
    Known(
        "a module is missing",
        r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)",
        "the module {0} cannot be found",
        "add its package to the requirements file; where it is a module of the project, commit it, and check project.directory and project.settingsModule",
    ),
    Known(
        "a name cannot be imported",
        r"ImportError: cannot import name '([^']+)' from '([^']+)'",
        "{0} cannot be imported from {1}",
        "check that name; where the module is a package's, the version in the requirements file is another than the code was written for",
    ),
    # Files
    Known(
        "the disk is full",
        r"No space left on device|Disk quota exceeded",
        "the server's disk is full",
        "make room (on the server: df -h), or lower project.keepReleases",
    ),
    Known(
        "a static file is missing",
        r"Missing staticfiles manifest entry for '([^']+)'",
        "a template names the static file {0}, which is not among the collected ones",
        "commit the file (is it in .gitignore?), or fix its name in the template",
    ),
    Known(
        "a static file is missing",
        r"The file '([^']+)' could not be found with",
        "a style sheet names the static file {0}, which is not in the commit",
        "commit the file (is it in .gitignore?), or fix its name in the style sheet",
    ),
    Known(
        "the project writes where it may not",
        r"(?:PermissionError|OSError): \[Errno (?:13|30)\] [\w -]+: '(/srv/codesensei/[^/]+/(?:releases|current)/[^']+)'",
        "the project writes {path}, and a release is never changed",
        "let it write below the project's shared folder, for example shared/logs or shared/cache; a folder that it only makes sure of can be committed (with a .gitkeep)",
    ),
    Known(
        "a folder is missing",
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '(/srv/codesensei/[^/]+/(?:releases|current)/[^']+)'",
        "there is no {path} in the release",
        "commit it; a folder for what the project writes belongs below shared, for example shared/logs",
    ),
    Known(
        "a log file cannot be opened",
        r"(?:FileNotFoundError|PermissionError|OSError): \[Errno \d+\] [\w -]+: '([^']+)'\n(?:.*\n){0,60}?ValueError: Unable to configure handler '([^']+)'",
        "the log handler {1} cannot open {0}",
        "let it write to standard error, which the journal keeps, or to a file in the project's shared/logs, where processes and builds may write",
    ),
    Known(
        "the project opens what it may not",
        r"PermissionError: \[Errno 13\] [\w -]+: '([^']+)'",
        "the project may not open or write {0}",
        "let it write below the project's shared folder, for example shared/cache; a build may write to shared/logs alone",
    ),
    # Requests
    Known(
        "DisallowedHost",
        r"Invalid HTTP_HOST header: '([^']+)'",
        "Django refuses the host {0} (DisallowedHost)",
        "add it to ALLOWED_HOSTS, or its domain with a leading dot (.example.com) for all names below it",
    ),
    Known(
        "a template is missing",
        r"TemplateDoesNotExist: (\S+)",
        "the template {0} does not exist",
        "commit it in a templates folder of an app in INSTALLED_APPS, or of DIRS in TEMPLATES",
    ),
    # Processes
    Known(
        "gunicorn with Uvicorn's workers",
        r"gunicorn\.conf\.py: worker_class is (\S+), which is refused",
        f"gunicorn's worker_class is {{0}}, which {UVICORN_WORKERS.cause}",
        "remove it from gunicorn.conf.py (or GUNICORN_CMD_ARGS) and set project.server to uvicorn",
    ),
    Known(
        "Uvicorn is too old",
        r"No such option:? '?--timeout-graceful-shutdown",
        "this Uvicorn cannot end without losing requests",
        "use uvicorn 0.23 or newer in the requirements",
    ),
    Known(
        "a request takes too long",
        r"WORKER TIMEOUT",
        "a request took longer than gunicorn waits (30 s), and its worker was ended",
        "find what it waits for in the log: a service that does not answer, or a lock",
    ),
    Known(
        "no memory",
        r"MemoryError|Out of memory|oom-kill|OOM killer|out of memory\?|Cannot allocate memory|signal: killed",
        "the server has no memory left for it",
        "use fewer GUNICORN_WORKERS or a lower --concurrency, or a larger server",
    ),
    Known(
        "the application is missing",
        r"Failed to find attribute '([^']+)' in '([^']+)'",
        "the module {1} has no {0}",
        _NAME_APPLICATION,
    ),
    Known(
        "the application is missing",
        r"module '([\w.]+)' has no attribute '(app\w*)'",
        "the module {0} has no {1}",
        _NAME_APPLICATION,
    ),
    Known(
        "the Celery application is missing",
        r"Unable to load celery application\.\s+(.+)",
        "Celery finds no application: {0}",
        "check the name after celery -A in project.workers, and that the module it names has the application",
    ),
    Known(
        "the broker cannot be reached",
        r"Cannot connect to (\S+?): (?:Error \d+ connecting to \S+ )?(.+?)\.?$",
        "the broker at {0} cannot be reached: {1}",
        "check the broker's URL; codesensei:broker.env sets one for the broker of this server",
    ),
    Known(
        "an option does not exist",
        r"(?:Error: )?No such option:? '?(--?[\w-]+)|unrecognized arguments: (.+)",
        "the command has an option that its program does not know: {0}",
        "fix the command in the stack file",
    ),
    Known(
        "a program is missing",
        r"(?:line \d+: )([^\s:]+): (?:command not found|No such file or directory)|exec: ([^\s:]+): not found",
        "the program {0} does not exist on the server",
        "add its package to the requirements file (the venv's bin is first on PATH), or to project.systemPackages",
    ),
    Known(
        "a program may not be executed",
        r"(?:line \d+: )([^\s:]+): Permission denied",
        "the file {0} may not be executed",
        "commit it with its mode (git update-index --chmod=+x), or call its interpreter (bash {0})",
    ),
    Known(
        "an address is in use",
        r"Address already in use|\[Errno 98\].*?(?:\('?[\w.:]*'?, (\d+)\))?",
        "the port that it listens on is in use already",
        "choose another port, or end what listens there (on the server: ss -tlnp)",
    ),
    Known(
        "a management command is missing",
        r"Unknown command: '([^']+)'",
        "manage.py has no command {0}",
        "check its name, and that its app is in INSTALLED_APPS of the settings module that is deployed",
    ),
    Known(
        "the settings are incomplete",
        r"ImproperlyConfigured: (.+)",
        "Django's settings are not complete: {0}",
        "set what it names in codesensei:env or codesensei:secretEnv, or change the settings",
    ),
    Known(
        "a command refuses",
        r"^CommandError: (.+)",
        "{0}",
        "fix what it names and deploy again",
    ),
)


def explain(log: str) -> tuple[str, str] | None:
    """The cause and the fix that `log` tells of; None when it tells of nothing known."""
    text = excerpt.without_code(log)
    for known in KNOWN:
        match = re.search(known.pattern, text, re.MULTILINE)
        if match:
            groups = ["; ".join(map(str.strip, group.strip().splitlines())) for group in match.groups() if group]
            path = excerpt.relative(groups[0]) if groups else ""
            groups += ["?"] * (3 - len(groups))
            return known.cause.format(*groups, path=path), known.fix.format(*groups)
    return None


def explain_any(log: str, otherwise: str) -> tuple[str, str]:
    """`explain`, or the exception that ended the program, or else `otherwise`; the fix may be empty."""
    return explain(log) or (excerpt.exception(log) or otherwise, "")
