"""Known causes: what the output of pip, Django, gunicorn and others means, and what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codesensei.scripts.base import excerpt
from codesensei.webservers.gunicorn import UVICORN_WORKERS
from codesensei.wire.quick import dataclass

# A title, then three lines for each pattern: the pattern, the cause, the fix. The first pattern that matches wins, so
# the more exact ones come first.
_TABLE = r"""
# Packages
hash mismatch
    THESE PACKAGES DO NOT MATCH THE HASHES.*(?:\n\s+(\S+) from)?|Hash mismatch for `([^`]+)`
    the downloaded package {0} does not match its hash in the requirements file
    regenerate the requirements file (pip-compile --generate-hashes); if the hash is right, the index serves another file
hashes missing
    Hashes are required in --require-hashes mode, but they are missing.*\n(?:.*\n)?\s+((?:setuptools|pip|wheel|distribute)\b\S*) --hash
    some requirements have a hash, but {0} has none
    regenerate the requirements file with it (pip-compile --generate-hashes --allow-unsafe; without that it leaves {0} out)
    Hashes are required in --require-hashes mode, but they are missing.*\n(?:.*\n)?\s+(\S+) --hash
    some requirements have a hash, but {0} has none
    regenerate the requirements file with all packages in it (pip-compile --generate-hashes)
    --require-hashes\W+mode, all requirements must (?:have their versions pinned|be pinned upfront) with \W?==\W[^:]*:\s*\W?([\w.-]+)
    some requirements have a hash, but the file does not pin {0}
    regenerate it with all packages in it (pip-compile --generate-hashes --allow-unsafe; without that it leaves setuptools and pip out)
a package needs another Python
    Package '([^']+)' requires a different Python: (\S+ not in '[^']+')
    {0} does not run on this Python ({1})
    pin a version that does, or set project.python (with project.installer: uv for a Python that the distribution lacks)
    different python version: (?:.*; )?([\w.]+) Requires-Python ([^;\s]+)(?:.*\n)+?.*No matching distribution found for (\S+==\1)$
    {2} needs Python {1}, which this server does not have
    pin a version that runs on it, or set project.python (with project.installer: uv for a Python that the distribution lacks)
    different python version: (?:.*; )?([\w.]+) Requires-Python ([^;\s]+)(?:.*\n)+?.*No matching distribution found for (\S+[<>~]\S+)$
    no version of {2} runs on this server's Python (the last one that pip skipped, {0}, needs Python {1})
    widen the range, or set project.python (with project.installer: uv for a Python that the distribution lacks)
    current\s+Python\s+version\s+\(([\d.]+)\)\s+does\s+not\s+satisfy\s+Python(\S+)\s+and\s+(\S+)
    {2} needs Python {1}, and this one is {0}
    pin a version that runs on it, or set project.python
uv cannot fetch a Python
    Failed to download https?://\S*?/cpython-([\d.]+\d)|No interpreter found for Python ([\d.]*\d)
    uv cannot fetch Python {0}
    let the server reach github.com, set UV_PYTHON_INSTALL_MIRROR in codesensei:env, or leave project.python empty for the server's own
a package asks git for its version
    (?:setuptools-scm|vcs-versioning) was unable to detect version
    a package asks git for its version, and a release has no git history
    set SETUPTOOLS_SCM_PRETEND_VERSION in codesensei:env
the package index refuses
    (40[13]) Error, Credentials not correct for (?:https?://)?(?:[^@/\s]*@)?([\w.-]+)|HTTP status client error \((40[13])[^)]*\) for url \((?:https?://)?(?:[^@/\s]*@)?([\w.-]+)
    the package index at {1} refuses the login (HTTP status {0})
    check the login in PIP_INDEX_URL or PIP_EXTRA_INDEX_URL, in codesensei:secretEnv
    index URL \((?:https?://)?(?:[^@/\s)]*@)?([\w.-]+)[^)]*\)\s+could\s+not\s+be\s+queried[^(]*\((40[13])
    the package index at {0} refuses the login (HTTP status {1})
    check the login in UV_INDEX_URL or UV_EXTRA_INDEX_URL, PIP_INDEX_URL or PIP_EXTRA_INDEX_URL, in codesensei:secretEnv
    (?:HTTP error \d+ while getting .*\n.*?|because of HTTP error |Could not fetch URL .*?)(40[13]) Client Error: \S+ for url: (?:https?://)?(?:[^@/\s]*@)?([\w.-]+)
    the package index at {1} refuses the login (HTTP status {0})
    check the login in PIP_INDEX_URL or PIP_EXTRA_INDEX_URL, in codesensei:secretEnv
the server's clock is wrong
    certificate is not yet valid
    a certificate is not valid yet by this server's clock, which is behind
    on the server: timedatectl set-ntp true; then compare date -u with the time of your machine
the package index cannot be reached
    (?:WARNING: Retrying |Could not fetch URL |due to an (?:OS|Environment)Error: |pip\._vendor\.[\w.]+: ).*?HTTPS?Connection(?:Pool)?\(host='([^']+)'.*?(Name or service not known|Temporary failure in name resolution|No address associated|Connection refused|timed out|unreachable|certificate verify failed)
    the package index at {0} cannot be reached: {1}
    check the server's DNS and outbound connections; for another index set PIP_INDEX_URL in codesensei:secretEnv
    (?:WARNING: Retrying .*?NewConnectionError\(|NewConnectionError\('?<pip\._vendor).*?: Failed to establish a new connection: (?:\[Errno -?\d+\] )?([^'"]+)
    the package index cannot be reached: {0}
    check the server's DNS and outbound connections; for another index set PIP_INDEX_URL in codesensei:secretEnv
    Failed to fetch: `?(?:https?://)?(?:[^@/`\s]*@)?([\w.-]+).*\n(?:.*\n){0,6}?.*?(Name or service not known|Temporary failure in name resolution|No address associated|Connection refused|timed out|unreachable|UnknownIssuer)
    the package index at {0} cannot be reached: {1}
    check the server's DNS and outbound connections; for another index set UV_INDEX_URL in codesensei:secretEnv
conflicting requirements
    The conflict is caused by:\n((?:[ \t]+\S.*\n)+)
    the requirements conflict: {0}
    change one of the versions
    Cannot install (.+?) because these package versions have conflicting dependencies
    the requirements conflict: {0}
    change one of the versions
a package for Windows or macOS alone
    (?:satisfies the requirement|No matching distribution found for|Because) (?:.*no (?:versions?|wheels?).* )?((?:pywin32|pypiwin32|pywinpty|pywin32-ctypes|wmi|windows-curses|win-inet-pton|twisted-iocpsupport|appnope|pyobjc[\w-]*)\b[^\s,]*)
    {0} is for Windows or macOS, and this server runs Linux
    remove it from the requirements file, or add a marker to its line: ; sys_platform == "win32" (or "darwin")
no such package
    Could not find a version that satisfies the requirement (\S+) \(from versions: none\)
    the package index has no {0} for this Python, or cannot be reached
    check its name and the server's outbound connections; for a private index set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in codesensei:secretEnv
no such version
    No matching distribution found for (\S+)
    the package index has no version that matches {0}
    check its name, version and supported Pythons; for a private index set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in codesensei:secretEnv
requirements cannot be resolved (uv)
    No solution found when resolving dependencies:\s*(?:.*─▶\s*)?(.+)
    the requirements cannot be resolved: {0}
    change the versions in the requirements file; for a private index set UV_INDEX_URL in codesensei:secretEnv
a lock file is out of date
    pyproject\.toml changed significantly since (\S+\.lock) was last generated
    {0} does not fit pyproject.toml
    bring it up to date with its own tool (poetry lock, pdm lock), and commit it
git is missing
    Cannot find command 'git'|Git executable not found
    a requirement is in a git repository, and the server has no git
    set project.systemPackages: [git]
a repository cannot be fetched
    (?:Git operation failed|process didn't exit successfully: `\S*git)(?:.*\n)*?\s*(?:fatal|ERROR|error|remote): (.+)
    the git repository of a requirement cannot be fetched: {0}
    check its address; if it is private, write https://${{TOKEN}}@… there and set TOKEN in codesensei:secretEnv
    Running command git (?:clone|fetch|checkout) .*\n(?:.*\n)*?\s*(?:fatal|ERROR|error|remote): (.+)
    the git repository of a requirement cannot be fetched: {0}
    check its address; if it is private, write https://${{TOKEN}}@… there and set TOKEN in codesensei:secretEnv
a path of the requirements
    Invalid requirement: ['"]?(\.{0,2}/[^'"\n:]*)
    the requirements file installs the path {0}, which is not in the release
    commit it, and write the path as seen from the directory of the requirements file or of manage.py
    Directory '([^']+)' is not installable|Distribution not found at: (?:file://)?(\S+)|(/\S+|\./\S+) does not appear to be a Python project
    the requirements file installs {path}, which is no Python package
    commit a pyproject.toml or setup.py in it, or fix the path
a line of the requirements is invalid
    Invalid requirement: ['"]?([^'"\n:]+)
    the requirements file has a line that is not a requirement: {0}
    write it as name==version
pkg_resources is missing
    (?:Getting requirements to build|get_requires_for_build|Preparing metadata)(?:.*\n)*?.*No module named '?pkg_resources
    a package needs pkg_resources to be built, which newer versions of setuptools no longer have
    use a newer version of it; or commit build.txt with the line setuptools<81, and set PIP_BUILD_CONSTRAINT and UV_BUILD_CONSTRAINT to build.txt in codesensei:env
    No module named '?pkg_resources
    a package needs pkg_resources, which newer versions of setuptools no longer have
    add setuptools<81 to the requirements file, or use a newer version of the package in the log
a package needs an older Cython
    AttributeError: (?:.* has no attribute ')?cython_sources
    PyYAML is too old to be built here
    use PyYAML 6.0.1 or newer in the requirements
a package's C code is too old
    fatal error: (longintrepr\.h): No such file|Py(?:Type|Frame|ThreadState|Interpreter)\w*\W[^\n]{0,80} has no member named \W(\w+)|too few arguments to function \W(_PyLong_AsByteArray)
    a package's C code is too old for this Python, which no longer has {0}
    use a version of the package in the log that has a wheel for this Python, or an older Python (project.python, project.installer: uv)
Python's headers are missing
    fatal error: Python\.h: No such file
    a package must be compiled, and the headers of this Python are missing
    name them in project.systemPackages: python3-dev, or python3.12-dev for project.python: "3.12"
mysqlclient cannot be built
    Can not find valid pkg-config name|(?:mysql_config|mariadb_config)(?: executable)? not found
    mysqlclient must be compiled, and MySQL's library is missing
    set project.systemPackages: [pkg-config, default-libmysqlclient-dev]
python-ldap cannot be built
    fatal error: ((?:lber|ldap|sasl/sasl)\.h): No such file
    python-ldap must be compiled, and the system library with {0} is missing
    set project.systemPackages: [libldap-dev, libsasl2-dev]
xmlsec cannot be built
    Unable to find xmlsec1 using pkg-config|xmlsec1 is not installed or not in path|pkg-config --exists xmlsec1'
    xmlsec must be compiled, and its system library is missing
    set project.systemPackages: [pkg-config, libxml2-dev, libxmlsec1-dev, libxmlsec1-openssl]
xmlsec and lxml do not fit
    lxml & xmlsec libxml2 library version mismatch
    xmlsec and lxml were built with different versions of libxml2
    add the lines --no-binary lxml and --no-binary xmlsec to the requirements file, and set project.systemPackages: [pkg-config, libxml2-dev, libxslt1-dev, libxmlsec1-dev, libxmlsec1-openssl]
lxml cannot be built
    make sure the libxml2 and libxslt development packages are installed|fatal error: libx(?:ml|slt)/\S+: No such file
    lxml must be compiled, and its system libraries are missing
    use a version with a wheel for this Python, or set project.systemPackages: [libxml2-dev, libxslt1-dev]
Pillow cannot be built
    headers or library files could not be found for (\w+)
    Pillow must be compiled, and the system library {0} is missing
    use a version with a wheel for this Python, or set project.systemPackages: [libjpeg-dev, zlib1g-dev, libfreetype-dev]
Rust is missing
    can't find Rust compiler|Cargo, the Rust package manager, is not installed
    a package must be compiled, and Rust is missing
    use a version with a wheel for this Python, or set project.systemPackages: [cargo]
cairo is missing
    [Dd]ependency "?(?:py)?cairo"? not found|no library called "(?:lib)?cairo(?:-2)?" was found
    the system library cairo is missing
    set project.systemPackages: [libcairo2-dev, pkg-config]
a compiler runs out of memory
    Killed signal terminated program|\(signal: 9, SIGKILL: kill\)
    a package must be compiled, and the server ran out of memory
    use a version with a wheel for this Python, add swap, or use a larger server
a build tool is missing
    Cannot find command '([\w-]+)'|(pg_config)(?: executable)? not found|(pkg-config): (?:command )?not found|(cmake|cargo|rustc|swig|ninja)(?:: command)? not found
    a package cannot be built without the program {0}
    name its Debian package in project.systemPackages, for example [git, pkg-config, cmake]
a package cannot be compiled
    fatal error: ([\w/.+-]+\.h(?:pp)?): No such file
    a package must be compiled, and the system library with {0} is missing
    name the library's -dev package in project.systemPackages (find the package at https://packages.debian.org/file:{0})
    cannot find -l([\w+.-]+)
    a package must be compiled, and the system library {0} is missing
    name the library's -dev package in project.systemPackages
    pkg-config --exists ([\w.+-]+)' returned non-zero|No package '([^']+)' found|Package ([\w.+-]+) was not found in the pkg-config|ERROR: Dependency "([^"]+)" not found, tried pkg
    a package must be compiled, and the system library {0} is missing
    name pkg-config and the library's -dev package in project.systemPackages (find it at https://packages.debian.org/file:{0}.pc)
    ^\s*(?:Processing|Obtaining) (\.{0,2}/\S*|file:\S+).*\n(?:(?!\s*(?:Collecting|Processing|Obtaining) ).*\n)*?\s*error: subprocess-exited-with-error|Failed to build `\S+ @ file://\S*?/releases/[^/]+/([^`]+)`
    the package in {0}, a path of the repository, cannot be built
    fix its pyproject.toml or setup.py (the log says where), or name what it lacks in project.systemPackages
    Failed building wheel for ([\w.-]+)|Failed to build ['`]?(?!installable )([\w.-]+)
    the package {0} cannot be built on this server
    choose a version with a wheel for this Python, or name what it lacks in project.systemPackages
    error: command '\S*(?:gcc|cc|[cg]\+\+|clang)' failed
    a package cannot be compiled on this server
    choose a version of the package in the log that has a wheel for this Python, or name what it lacks in project.systemPackages
WeasyPrint's libraries are missing
    cannot load library '?(?:lib)?((?:gobject|pango|pangoft2|harfbuzz|fontconfig)[\w.-]*)
    the system library {0}, which WeasyPrint needs, is missing
    set project.systemPackages: [libpango-1.0-0, libpangoft2-1.0-0, libharfbuzz-subset0]
OpenCV needs a display
    ImportError: (libGL\.so[\w.]*|libgthread\S+?):
    OpenCV needs {0}, which a server does not have
    use opencv-python-headless in the requirements instead of opencv-python
libmagic is missing
    failed to find libmagic
    the system library libmagic is missing
    set project.systemPackages: [libmagic1]
psycopg finds no libpq
    no pq wrapper available
    psycopg has neither its binary part nor the system library libpq
    write psycopg[binary] in the requirements, or set project.systemPackages: [libpq5]
a disk allows no programs
    (?:ImportError|OSError): (/\S+): failed to map segment from shared object
    the disk of {0} is mounted with noexec, so no program or library there can run
    mount it without noexec (on the server: findmnt -T {0})
a package is for a newer system
    version .(GLIBC(?:XX)?_[\d.]+). not found \(required by ([^)]+)\)
    {1} was built for a newer system than this server's: it needs {0}
    use a version with a wheel for this system, or have it compiled here: --no-binary with its name in the requirements file
a system library is missing
    (?:ImportError|OSError): (?:cannot load library '?)?(lib[\w.+-]+\.so[\w.]*)\b.*(?:cannot open shared object|not found)
    the system library {0} is missing
    name its package in project.systemPackages (find the package at https://packages.debian.org/file:{0})
    ValueError: Namespace (\w+) not available
    the system library {0}, which Python uses through GObject introspection, is missing
    name its package, gir1.2-…, in project.systemPackages (on the server: apt-cache search gir1.2)
    Could not find the (\w+) library
    the system library {0} is missing
    name its packages in project.systemPackages, for example [gdal-bin, libgdal-dev] for GeoDjango
# The sandbox
a home folder is hidden
    (?:PermissionError|FileNotFoundError): \[Errno \d+\] [\w -]+: '(/(?:home|root|run/user)(?:/[^']*)?)'|(/(?:home|root|run/user)/[^\s:'"]+)['"\u2019]?: Permission denied
    the project may not open {0}: home folders are hidden from its processes and hooks
    keep it in the project's shared folder; or, where the app user may read it, set project.sandbox: {{ProtectHome: read-only}}
a device is hidden
    No such file or directory: '(/dev/[^']+)'|(/dev/[^\s:'"]+)['"]?: No such file or directory
    the project may open no devices, such as {0}
    where the app user may open it, set project.sandbox: {{PrivateDevices: false}}
the kernel's settings are read-only
    \[Errno 30\] Read-only file system: '(/(?:proc|sys)/[^']*)'|(/(?:proc|sys)/[^\s:'"]+)['"]?: Read-only file system
    the project may not change the kernel's setting {0}
    let root set it, in /etc/sysctl.d; or, where the app user may write it, set project.sandbox: {{ProtectKernelTunables: false}}
a place is read-only
    \[Errno 30\] Read-only file system: '(/(?!srv/codesensei/)[^']*)/[^/']*'|(/(?!srv/codesensei/)[^\s:'"\u2018\u2019]*)/[^\s:/'"\u2018\u2019]+['"\u2019]?: Read-only file system|EROFS: read-only file system, \w+ '(/(?!srv/codesensei/)[^']*)/[^/']*'
    {0} is read-only for the project's processes and hooks
    write to the project's shared folder; or, where the app user may write, set project.sandbox: {{ReadWritePaths: [{0}]}}
/tmp is the project's own
    (?:FileNotFoundError: .*: |socket |unix:/*)['"]?(/(?:var/)?tmp/[^'"\s]+)['"]?(?: failed: No such file|$)|(?:connect to|through socket).*'(/(?:var/)?tmp/[^']+)'
    the project's processes have a /tmp of their own, in which there is no {0}
    keep it in the project's shared folder; for what others make in /tmp, set project.sandbox: {{PrivateTmp: false}}
a program makes a sandbox of its own
    No usable sandbox!|Failed to move to new namespace|(?:unshare|clone|CLONE_NEW\w+|namespaces?)\b.{0,80}Operation not permitted|bwrap: .*(?:namespace|not permitted)|SUID sandbox helper binary|setuid sandbox is not running as root
    a program makes a sandbox of its own, as Chromium does, which the project's processes may not
    start it with --no-sandbox, because its unit is one; or set project.sandbox: {{RestrictNamespaces: false, SystemCallFilter: ["@mount"]}}
sudo is refused
    (?:sudo|su|doas|pkexec): .*(?:no new privileges|effective uid is not 0|unable to change to root gid|must be setuid root|cannot set groups)
    the project calls a program that becomes root, which its processes may not
    let root do it in a unit of its own, which the project asks by a file or a socket; or set project.sandbox: {{NoNewPrivileges: false}}
a family of sockets is refused
    \[Errno 97\] Address family not supported by protocol|EAFNOSUPPORT
    the project opens a socket of a family that its processes may not use
    name the family in project.sandbox: {{RestrictAddressFamilies: [AF_PACKET]}}
a system call is refused
    SIGSYS|Bad system call|status=31/SYS
    a program of the project makes a system call that its processes may not make
    name its group in project.sandbox: {{SystemCallFilter: ["@debug"]}} (on the server: systemd-analyze syscall-filter), or switch SystemCallFilter off
    PermissionError: \[Errno 1\] Operation not permitted(?:: '([^']+)')?
    the system refuses what the project does, though the files' modes may allow it (Operation not permitted)
    if the project needs it, loosen the directive that refuses it, by its name, in project.sandbox (systemctl cat shows them)
a process cannot be confined
    Failed to set up mount namespacing: (.+)|Failed at step (NAMESPACE) spawning
    systemd cannot confine the process ({0})
    make the path that it names on the server, or take it out of project.sandbox; a server that is a container must allow mount namespaces
too many processes
    can't start new thread|fork: (?:retry: )?Resource temporarily unavailable
    the project's process may start no more processes or threads
    start fewer, or raise tasksMax in project.resources
# The database
the database cannot be reached
    (?:failed to resolve host|could not translate host name) ['"]([^'"]+)
    the database host {0} cannot be resolved on this server
    name the database's real host in DATABASE_URL; the service names of docker compose do not exist on a server
    connection to server at "([^"]+)"(?: \([^)]*\))?, port (\d+) failed: (Connection refused|[Cc]onnection timed out|timeout expired|No route to host|Network is unreachable)
    the database at {0}, port {1}, cannot be reached: {2}
    check host and port in DATABASE_URL, that the database runs, and that it accepts connections from this server
    connection to server on socket "([^"]+)" failed: (No such file or directory|Connection refused)
    the database's socket {0} cannot be reached: {1}
    check that the database runs on this server, or name its host and port in DATABASE_URL
    Can't connect to (?:local )?(?:MySQL )?server (?:on|through socket) '([^']+)'(?:.*?\((\d+)\))?
    the database at {0} cannot be reached
    check host and port of the database, that it runs, and that it accepts connections from this server
the database refuses this server
    (?:no pg_hba\.conf entry|pg_hba\.conf rejects connection) for host "([^"]+)".*(?:no encryption|SSL off)
    the database lets nobody in without TLS, or not from this server ({0})
    add ?sslmode=require to DATABASE_URL; if that is there, let the database's administrator allow {0}
    (?:no pg_hba\.conf entry|pg_hba\.conf rejects connection) for host "([^"]+)"
    the database does not let this server ({0}) in with this role
    let the database's administrator allow it (pg_hba.conf, or the provider's list of allowed addresses)
    server does not support SSL, but SSL was required
    DATABASE_URL asks for TLS, which the database does not have
    take sslmode out of DATABASE_URL, or write sslmode=prefer
    [Pp]eer authentication failed for user "([^"]+)"
    by its socket, the database lets the role {0} in for the system's user of that name alone
    name the host 127.0.0.1 and the role's password in DATABASE_URL
the database refuses the password
    password authentication failed for user "?([\w.-]+)
    the database refuses the password of {0}
    check the password in DATABASE_URL; special characters must be percent-encoded there
the database does not exist
    (?:FATAL|failed):.*?(database|role) "([^"]+)" does not exist
    there is no {0} {1} on the database server
    check the name in DATABASE_URL, or create it there
an extension is missing
    (?:extension "|permission denied to create extension "|/)(postgis\w*|vector)(?:" is not available|"|\.control")
    the database lacks the extension {0}, which the role may not create
    set codesensei:database.extensions: [{0}]; in a database elsewhere, as its administrator: CREATE EXTENSION {0}
    extension "([\w-]+)" is not available|could not open extension control file "[^"]*/([\w-]+)\.control"|permission denied to create extension "([\w-]+)"
    the database lacks the extension {0}, which the role may not create
    install its package (project.systemPackages), and let PostgreSQL's administrator run in that database: CREATE EXTENSION {0}
    type "(?:\w+\.)?(?:geometry|geography|raster)" does not exist|function (?:st|postgis)_\w+\([^)]*\) does not exist|Cannot determine PostGIS version
    the database lacks the extension postgis
    set codesensei:database.extensions: [postgis]; in a database elsewhere, as its administrator: CREATE EXTENSION postgis
    type "(?:\w+\.)?(?:vector|halfvec|sparsevec)" does not exist|vector type not found in the database
    the database lacks the extension vector (pgvector)
    set codesensei:database.extensions: [pgvector]; in a database elsewhere, as its administrator: CREATE EXTENSION vector
    type "(?:\w+\.)?(hstore|citext|ltree|cube)" does not exist|(hstore) type not found in the database
    the database lacks the extension {0}
    set codesensei:database.extensions: [{0}]; in a database elsewhere: CREATE EXTENSION {0}
    operator class "\w*_trgm_ops" does not exist|function (?:word_)?similarity\([^)]*\) does not exist
    the database lacks the extension pg_trgm
    set codesensei:database.extensions: [pg_trgm]; in a database elsewhere: CREATE EXTENSION pg_trgm
    no default operator class for access method "(gin|gist)"
    the database lacks the extension btree_{0}
    set codesensei:database.extensions: [btree_{0}]; in a database elsewhere: CREATE EXTENSION btree_{0}
    function (unaccent)\([^)]*\) does not exist|text search \w+ "(unaccent)" does not exist
    the database lacks the extension unaccent
    set codesensei:database.extensions: [unaccent]; in a database elsewhere: CREATE EXTENSION unaccent
    function (?:crypt|gen_salt|digest|hmac|pgp_\w+)\([^)]*\) does not exist
    the database lacks the extension pgcrypto
    set codesensei:database.extensions: [pgcrypto]; in a database elsewhere: CREATE EXTENSION pgcrypto
    function uuid_generate_v\w+\([^)]*\) does not exist
    the database lacks the extension uuid-ossp
    set codesensei:database.extensions: [uuid-ossp]; in a database elsewhere: CREATE EXTENSION "uuid-ossp"
the database's engine knows no geography
    '(?:Database\w+|\w*SchemaEditor)' object has no attribute '(?:geo_db_type|get_geom_placeholder\w*|gis_\w+|spatial\w*|geometry_\w+)'
    models have geographic fields, and the ENGINE of the database is none of GeoDjango's
    write in the settings: DATABASES["default"]["ENGINE"] = "django.contrib.gis.db.backends.postgis" (or postgis:// in a DATABASE_URL of your own), and set codesensei:database.extensions: [postgis]
a cache's table is missing
    /django/core/cache/backends/db\.py"(?:.*\n)*?.*(?:relation "?([\w.]+)"? does not exist|no such table: ([\w.]+)|Table '([\w.]+)' doesn't exist)
    the table {0} of a cache is missing in the database: migrate does not make it
    set project.hooks.afterMigrate: [python manage.py createcachetable]
too many connections
    (sorry, too many clients already|remaining connection slots are reserved)
    the database accepts no more connections
    use fewer GUNICORN_WORKERS, a smaller conn_max_age, or raise max_connections
# Migrations
a non-nullable field without default
    impossible to (?:add a non-nullable field '([^']+)'|change a nullable field '([^']+)')|trying to (?:add a non-nullable field '([^']+)'|change the nullable field '([^']+)')|Field '([^']+)' on model '[^']+' not migrated: it is impossible
    the field {0} may not be null and has no default
    generate the migration again against a freshly migrated database, with a default, and commit it
    column "([^"]+)" of relation "([^"]+)" contains null values|NOT NULL constraint failed: new__(\w+)\.(\w+)
    existing rows of the table {1} have no value for {0}, which may not be null
    generate the migration again against a freshly migrated database, with a default, and commit it
conflicting migrations
    Conflicting migrations detected; multiple leaf nodes in the migration graph: \(([^)]+)\)
    two migrations follow the same one: {0}
    run manage.py makemigrations --merge in the project and commit the new migration
a migration is missing
    Migration (\S+) dependencies reference nonexistent parent node (\([^)]+\))
    the migration {0} needs {1}, which is not in the commit
    commit that migration, or fix the dependencies
migrations in a circle
    CircularDependencyError: (.+)
    migrations depend on each other in a circle: {0}
    make the models first without the foreign key that closes the circle, and add it in a later migration
migrations out of order
    InconsistentMigrationHistory: (.+)
    migrations were applied in another order than the commit's: {0}
    restore the migrations that were applied, or write new ones that follow them
rows do not allow a migration
    could not create unique index "([^"]+)"(?:.*\n)*?.*Key \(([^)]*)\)
    rows have the same value in {1}, which the migration makes unique ({0})
    clean them up in a migration before it, or on the server
    cannot (?:ALTER|DROP) TABLE "([^"]+)" because it has pending trigger events
    a migration changes rows of {0} and then the table, in one transaction
    split it into two migrations, of which the first changes the rows
    canceling statement due to statement timeout
    a statement takes longer than statement_timeout of the role or the database allows
    let migrations have more: in their database ALTER ROLE … SET statement_timeout = 0; or split the migration
    deadlock detected
    the migration and something that uses the site waited for each other's locks
    run pulumi up again at a quieter time; a migration that changes many tables is better split
a column already exists
    Applying (\w+)\.(\w+)\.\.\.(?:(?!Applying )[\s\S])*?column "([^"]+)" of relation "[^"]+" already exists
    the migration {0}.{1} adds the column {2}, which the database has already
    compare both; if they are the same, record the migration by a hook for one deploy: hooks.beforeMigrate: [python manage.py migrate --fake {0} {1}]
    column "([^"]+)" of relation "([^"]+)" already exists
    the table {1} has the column {0} already
    compare it with what the migration adds; one that has made it can be recorded by a hook for one deploy: hooks.beforeMigrate: [python manage.py migrate --fake APP NAME]
a table already exists
    Applying (\w+)\.(\w+)\.\.\.(?:(?!Applying )[\s\S])*?(?:relation|table|Table) ["']?([\w.]+)["']? already exists
    the migration {0}.{1} makes {2}, which the database has already
    compare both; if they are the same, record the migration by a hook for one deploy: hooks.beforeMigrate: [python manage.py migrate --fake {0} {1}]
    (?:relation|table|Table) ["']?([\w.]+)["']? already exists
    {0} already exists in the database
    compare it with what makes it; a migration that has made it can be recorded by a hook for one deploy: hooks.beforeMigrate: [python manage.py migrate --fake APP NAME]
a table belongs to somebody else
    must be owner of (?:table|relation|sequence|index|view|materialized view|type|function|schema) ("?[\w.]+"?)|permission denied for (?:table|relation|sequence|view|materialized view) ("?[\w.]+"?)
    {0} in the database belongs to another role, often because another one has restored a dump
    set codesensei:adopt: true for one deploy: all that is in the stack's database gets its role; in a database elsewhere: ALTER TABLE … OWNER TO, for each table
    permission denied for schema (\w+)
    the database role may not make tables in the schema {0}
    set codesensei:adopt: true for one deploy, if the schema is the stack's; in a database elsewhere, as its owner: GRANT ALL ON SCHEMA {0} TO the role
the database takes no changes
    cannot execute [\w ]+ in a read-only transaction
    the database takes no changes: it is a replica, or default_transaction_read_only is on for the role
    name the primary database's host in DATABASE_URL
the SQLite file is locked
    OperationalError: database is locked
    another process was writing the SQLite file, and SQLite has one writer at a time
    run pulumi up again; for a site with workers set DATABASES["default"]["OPTIONS"] = {{"timeout": 20}}, or use PostgreSQL
a table is locked
    canceling statement due to lock timeout|could not obtain lock on relation "([^"]+)"
    a table stayed locked for longer than database.lockTimeout
    run pulumi up again at a quieter time, end what holds the lock (pg_stat_activity), or raise database.lockTimeout
a table is not as migrations left it
    (constraint|column) "([^"]+)" of relation "([^"]+)" does not exist
    the table {2} has no {0} {1}, which a migration changes: the database is not as the migrations left it
    compare the table with the migrations, and restore what was changed by hand
a table or column is missing
    (relation|column) "?([\w.]+)"? does not exist|no such (table|column): ([\w.]+)
    the database has no {0} {1}, which the models have: a migration is missing
    run manage.py makemigrations in the project and commit the migration; if a module asks the database while it is imported (forms, urls, apps), move that into a function
Django's system check fails
    SystemCheckError: System check identified(?s:.)*?^(\S+: \([\w.]+\.[EC]\d+\) .+)$
    Django's system check finds an error: {0}
    fix that; manage.py check with the same settings and database shows every error
# Settings
SECRET_KEY is missing
    The SECRET_KEY setting must not be empty|(?:KeyError|ImproperlyConfigured|EnvError|UndefinedValueError).*?\bSECRET_KEY\b
    SECRET_KEY is not set
    add it to codesensei:generateSecrets, or run pulumi config set --secret --path codesensei:secretEnv.SECRET_KEY
    (?:KeyError|ImproperlyConfigured|EnvError|UndefinedValueError|environment variable).*?\b(\w+_SECRET_KEY)\b
    the settings need the variable {0}, which is not set
    add it to codesensei:generateSecrets where any random value will do; else run pulumi config set --secret --path codesensei:secretEnv.{0}
STATIC_URL is missing
    using the staticfiles app without having set the required STATIC_URL|Empty static prefix not permitted
    STATIC_URL is not set
    add STATIC_URL = "/static/" to the settings
STATIC_ROOT is missing
    using the staticfiles app without having set the STATIC_ROOT
    STATIC_ROOT is not set
    add STATIC_ROOT = BASE_DIR / "staticfiles" to the settings, or set project.static to none
a database URL cannot be read
    UnknownSchemeError|No support for '[^']*'\. We support:|ParseError: This string is not a valid url|Port could not be cast to integer value
    the settings cannot read a URL, such as DATABASE_URL
    write it as postgres://user:password@host:5432/name; special characters in the password must be percent-encoded
a variable has another type
    (?:ValueError: Not a boolean|ValueError: [Ii]nvalid truth value)
    the settings want true or false for a variable that has another value
    set it to "true" or "false" in codesensei:env
a database driver is missing
    Error loading (psycopg)\w*(?: or psycopg)? module
    Django cannot load PostgreSQL's driver
    add psycopg[binary] (or psycopg2-binary) to the requirements file; if it is there, the log has why it does not load
    Error loading MySQLdb module
    Django cannot load MySQL's driver
    add mysqlclient to the requirements file, and set project.systemPackages: [pkg-config, default-libmysqlclient-dev]
a database backend does not exist
    '([\w.]+)' isn't an available database backend
    Django has no database backend {0}
    correct ENGINE in DATABASES (django.db.backends.postgresql), or add the package that brings it to the requirements file
the database is too old
    NotSupportedError: (\w+ [\d.]+) or later is required \(found ([\d.]+)
    this Django needs {0} or later, and the database is {1}
    use an older Django in the requirements, or a newer database
the SQLite file cannot be opened
    (unable to open database file|attempt to write a readonly database)
    the SQLite file cannot be opened for writing ({0})
    keep it in the project's shared folder, where the app user may write: /srv/codesensei/<slug>/shared/db.sqlite3
the site of SITE_ID is missing
    Site matching query does not exist
    SITE_ID in the settings names no row of the table django_site
    set SITE_ID to one that is there, or make it in hooks.afterMigrate
an app is missing
    doesn't declare an explicit app_label and isn't in an application in INSTALLED_APPS
    a model is imported whose app is not in INSTALLED_APPS
    add its app to INSTALLED_APPS of the deployed settings, and import it by the same path everywhere
    Application labels aren't unique, duplicates: (\S+)
    INSTALLED_APPS has the app {0} twice
    remove one of them, or give one another label in its AppConfig
    ^(?!.*Invalid template ).*'(\w+)' is not a registered tag library
    a template loads the tag library {0}, which no installed app has
    add its app to INSTALLED_APPS of the deployed settings, or commit its templatetags package with __init__.py
a variable is missing
    ImproperlyConfigured: Set the (\w+) environment variable|UndefinedValueError: (\w+) not found|Environment variable "(\w+)" not set|as the environment variable '(\w+)'|validation errors? for \w+\n(\w+)\n\s+Field required|(?:<frozen os>|/os\.py)", line \d+, in __getitem__\n(?:\s+.*\n)?KeyError: '(\w+)'
    the settings need the variable {0}, which is not set
    set it in codesensei:env; for a secret: pulumi config set --secret --path codesensei:secretEnv.{0}
AppRegistryNotReady
    (?:/|")(?:asgi|routing|consumers)\.py"(?:.*\n)*?.*AppRegistryNotReady: (.+)
    a module imports models before Django is set up (AppRegistryNotReady)
    in asgi.py call get_asgi_application() before importing routing or consumers, and set project.asgiApplication to asgi.py's application
    AppRegistryNotReady: The translation infrastructure
    a text is translated before Django is set up (AppRegistryNotReady)
    use gettext_lazy instead of gettext at the line in the log
    AppRegistryNotReady: (.+)
    a module imports models before Django is set up (AppRegistryNotReady)
    import models neither in the settings nor in an app's __init__.py: do it in AppConfig.ready() or inside the function
a circular import
    partially initialized module '([^']+)'
    the import of {0} leads back to itself (a circular import)
    import inside the function that needs it, or move what both modules share into a third
a syntax error
    File "([^"]+)", line (\d+)\n(?:.*\n){0,4}?\s*((?:SyntaxError|IndentationError|TabError): .+)
    {path}, line {1}: {2}
    fix that line; if it runs on your machine, it needs a newer Python than this server's: set project.python
a package is too old for the Python
    No module named '((?:aifc|asynchat|asyncore|cgi|cgitb|crypt|distutils|imghdr|imp|nntplib|pipes|smtpd|sndhdr|telnetlib|uu)(?:\.\w+)*)'
    a package is too old for this Python, which no longer has the module {0}
    use newer versions of Django and the packages in the log, or an older Python (project.python, project.installer: uv)
a package is too old to be built here
    module 'pkgutil' has no attribute '(ImpImporter)'|cannot import name '(\w+)' from 'collections'|module 'collections' has no attribute '(\w+)'|module 'inspect' has no attribute '(getargspec)'|use_2to3 is (invalid)
    a package is too old for this Python, which no longer has {0}
    use a newer version of the package in the log, or an older Python (project.python, project.installer: uv)
a time zone is unknown
    No time zone found with key ([\w/+-]+)|Incorrect timezone setting: (\S+)
    this server does not know the time zone {0}
    add tzdata to the requirements file (it has the old names too), or correct TIME_ZONE
a locale is unknown
    locale\.Error: unsupported locale setting
    the project sets a locale that this server does not have
    use C.UTF-8, or set project.systemPackages: [locales-all]
the settings module is wrong
    No module named '([\w.]+)'(?:(?!Traceback).*\n)*?.*ImportError: Could not import settings|ImportError: Could not import settings '([^']+)'
    the settings module {0} cannot be imported
    check project.settingsModule and what it imports
a tool for development is missing
    No module named '(debug_toolbar|django_extensions|django_browser_reload|silk|nplusone|pytest\w*)[\w.]*'
    the deployed settings load {0}, a tool for development that is not in the requirements
    take it out of the production settings (INSTALLED_APPS, MIDDLEWARE, urls.py), or add it to the requirements file
a client of Celery's broker is missing
    /kombu/transport/(?:.*\n)*?.*ModuleNotFoundError: No module named '([\w.]+)'
    the module {0}, which Celery needs for its broker, is not in the requirements
    add it to the requirements file; celery[redis], celery[sqs] and celery[librabbitmq] name what these brokers need
a module is missing
    (?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)
    the module {0} cannot be found
    add its package to the requirements file (its name may differ: environ is django-environ); if it is the project's own, commit it, and check project.directory and project.pythonPath
a name cannot be imported
    ImportError: cannot import name '([^']+)' from '([^']+)'
    {0} cannot be imported from {1}
    check that name; if it belongs to a package, the requirements may have another version than the code was written for
# Files
the disk is full
    No space left on device|Disk quota exceeded
    the server's disk is full
    free some space (on the server: df -h), or lower project.keepReleases
compressed files are missing
    offline compression enabled but key
    django-compressor compresses offline, and its manifest is missing or of other templates
    set project.hooks.afterCollectstatic: [python manage.py compress --force]; where a block depends on the language, set COMPRESS_OFFLINE_CONTEXT
    (?:UncompressableFileError|An error occurred during rendering [^:\n]+): '([^']+)' could not be found
    django-compressor does not find {0}
    commit the file (is it in .gitignore?), or fix its name in the template
a static file is missing
    Missing staticfiles manifest entry for '([^']+)'
    a template names the static file {0}, which was not collected
    commit the file (is it in .gitignore?), build it in hooks.beforeCollectstatic, or fix its name in the template
    The file '([^']+)' could not be found with
    a style sheet names the static file {0}, which is not in the commit
    commit the file (is it in .gitignore?), build it in hooks.beforeCollectstatic, or fix its name in the style sheet
style sheets are made while the site serves
    (?:PermissionError|OSError): \[Errno (?:13|30)\] [\w -]+: '/srv/codesensei/[^/]+/(?:releases|current)/[^']*/(CACHE)(?:/[^']*)?'
    django-compressor writes into the release while it answers, and a release must not change
    set COMPRESS_OFFLINE = True, and project.hooks.afterCollectstatic: [python manage.py compress]
the project writes where it may not
    (?:PermissionError|OSError): \[Errno (?:13|30)\] [\w -]+: '(/srv/codesensei/[^/]+/(?:releases|current)/[^']+)'
    the project writes {path} into the release, which must not change
    let it write to shared/logs or shared/cache, for example; a folder that must only exist can be committed (.gitkeep)
a folder is missing
    FileNotFoundError: \[Errno 2\] No such file or directory: '(/srv/codesensei/[^/]+/(?:releases|current)/[^']+)'
    there is no {path} in the release
    commit it; a folder for what the project writes belongs below shared, for example shared/logs
a log file cannot be opened
    (?:FileNotFoundError|PermissionError|OSError): \[Errno \d+\] [\w -]+: '([^']+)'\n(?:.*\n){0,60}?ValueError: Unable to configure handler '([^']+)'
    the log handler {1} cannot open {0}
    log to standard error, which the journal keeps, or to a file in shared/logs, where processes and builds may write
Node is missing
    (?:sh: (?:\d+: )?|line \d+: |env: )\W?(?:\S*/)?(node(?:js)?|np[mx])\W?: (?:command )?(?:not found|No such file)|No such file or directory: '(?:\S*/)?(node(?:js)?|np[mx])'|(node\.js) and/or npm is not installed
    the program {0} is not on the server
    set project.systemPackages: [nodejs, npm] and build the assets in hooks.beforeCollectstatic (npm ci, npm run build); or commit what the build makes
a program of Node is missing
    (?:sh: (?:\d+: )?|line \d+: |env: )\W?(?:\S*/)?(yarn|pnpm|terser|uglifyjs|yuglify|cleancss|csso|lessc|sass|postcss|webpack|vite|esbuild|rollup|gulp|grunt|tailwindcss|babel|tsc|coffee|stylus)\W?: (?:command )?(?:not found|No such file)|No such file or directory: '(?:\S*/)?(yarn|pnpm|terser|uglifyjs|yuglify|cleancss|csso|lessc|sass|postcss|webpack|vite|esbuild|rollup|gulp|grunt|tailwindcss|babel|tsc|coffee|stylus)'
    the program {0}, which Node installs, is not on the server
    install it in hooks.beforeCollectstatic (npm ci, with project.systemPackages: [nodejs, npm]) and call it by npx {0}; or commit what the build makes
gettext is missing
    Can't find (msgfmt|msgmerge|xgettext|msguniq|msgattrib)
    the program {0} of GNU gettext is not on the server
    set project.systemPackages: [gettext]
wkhtmltopdf is missing
    No wkhtmltopdf executable found
    the program wkhtmltopdf is not on the server
    set project.systemPackages: [wkhtmltopdf]; Debian 13 has no such package: use WeasyPrint there
xmlsec1 is missing
    Cannot find \['?xmlsec1|xmlsec1 binary
    the program xmlsec1 is not on the server
    set project.systemPackages: [xmlsec1]
a file or a program is missing
    FileNotFoundError: \[Errno 2\] No such file or directory: '([\w.-]+)'$
    there is no file or program {0}
    for a program, name its package in project.systemPackages; a file must be in the commit, and be opened below BASE_DIR
    FileNotFoundError: \[Errno 2\] No such file or directory: '(/[^']+)'$
    the project opens {0}, which this server does not have
    build the path from BASE_DIR, or set it by a variable to a path in the project's shared folder
what is in the shared folder is another user's
    Error: '(/srv/codesensei/[^/']+/shared/[^']+)' isn't writable|PermissionError: \[Errno 13\] [\w -]+: '(/srv/codesensei/[^/']+/shared/[^']+)'
    the app user may not write {0}, which is in the project's shared folder
    if the folder is no longer the app user's, run pulumi up again, which gives it back (with codesensei:drift: true); give back a file by chown on the server
the project opens what it may not
    PermissionError: \[Errno 13\] [\w -]+: '([^']+)'
    the project may not open or write {0}
    let it write to the project's shared folder, for example shared/cache; a build may only write to shared/logs
# Requests
DisallowedHost
    Invalid HTTP_HOST header: '([^']+)'
    Django refuses the host {0} (DisallowedHost)
    add it to ALLOWED_HOSTS, or its domain with a leading dot (.example.com) for all names below it
a template is missing
    TemplateDoesNotExist: (\S+)
    the template {0} does not exist
    commit it in a templates folder of an app in INSTALLED_APPS, or of DIRS in TEMPLATES
# Processes
gunicorn with Uvicorn's workers
    gunicorn\.conf\.py: worker_class is (\S+), which is refused
    gunicorn's worker_class is {0}, which {uvicorn}
    remove it from gunicorn.conf.py (or GUNICORN_CMD_ARGS) and set project.server to uvicorn
Uvicorn is too old
    No such option:? '?--timeout-graceful-shutdown
    this Uvicorn cannot stop without losing requests
    use uvicorn 0.23 or newer in the requirements
a request takes too long
    WORKER TIMEOUT
    a request took longer than gunicorn waits (30 s), and its worker was killed
    find what it waits for in the log: a service that does not answer, or a lock
out of memory
    MemoryError|Out of memory|oom-kill|OOM killer|out of memory\?|Cannot allocate memory|signal: killed
    the server ran out of memory
    use fewer GUNICORN_WORKERS or a lower --concurrency, raise memoryMax in project.resources where it is set, add swap, or use a larger server
the application is missing
    Failed to find attribute '([^']+)' in '([^']+)'
    the module {1} has no {0}
    set project.wsgiApplication, or project.asgiApplication where Daphne or Uvicorn serves, as module:name
    module '([\w.]+)' has no attribute '(app\w*)'
    the module {0} has no {1}
    set project.wsgiApplication, or project.asgiApplication where Daphne or Uvicorn serves, as module:name
the Celery application is missing
    Unable to load celery application\.\s+(.+)
    Celery finds no application: {0}
    check the name after celery -A in project.workers, and that the module it names has the application
Celery's client of Redis does not fit
    Redis transport requires redis-py versions ([\d.]+) or later\. You have ([\d.]+)
    Celery's kombu needs redis {0} or newer, and this is {1}
    raise redis to {0} or newer in the requirements file; where another package keeps it older, pin an older kombu
channels_redis and redis do not fit
    /channels_redis/(?:.*\n)*?.*redis\.exceptions\.TimeoutError: Timeout reading from
    this version of redis gives up when nothing comes for 5 s, and channels_redis waits longer
    write redis<8 in the requirements file
a client of the broker is missing
    Missing redis library|'NoneType' object has no attribute '(?:Strict)?Redis'|"redis" python module not found
    the client of Redis is not in the requirements
    add redis to the requirements file; for Celery write celery[redis], which has a version that fits
    No such transport: ([^\s'"]+)
    Celery knows no broker whose URL begins with {0}
    begin the broker's URL with redis://, rediss://, amqp:// or amqps://
the broker refuses the login
    redis\.exceptions\.AuthenticationError: (.+?)\.?$
    the broker refuses the login: {0}
    give the client the whole URL that codesensei:broker.env sets, or map the password too: {{REDIS_PASSWORD: password}}
the broker cannot be reached
    Cannot connect to (\S+?): (?:Error \d+ connecting to \S+ )?(.+?)\.?$
    the broker at {0} cannot be reached: {1}
    check the broker's URL; codesensei:broker.env sets one for the broker of this server
Redis cannot be reached
    Error -?\d+ connecting to ([\w.-]+):\d+\. (?:Name or service not known|Temporary failure in name|No address associated)
    the host of Redis, {0}, cannot be resolved
    name its real host: the service names of docker compose do not exist on a server; codesensei:broker.env sets the URL of the broker of this server
    Error \d+ connecting to (\S+?:\d+)\. (.+?)\.?$
    Redis at {0} cannot be reached: {1}
    check the URL in the settings; codesensei:broker.env sets the URL of the broker of this server
a service cannot be reached
    HTTPS?Connection(?:Pool)?\(host='([^']+)'.*?(Name or service not known|Temporary failure in name resolution|No address associated|Connection refused|timed out|unreachable|certificate verify failed)
    the service at {0} cannot be reached: {1}
    check its address in the settings, and the server's DNS and outbound connections
    NewConnectionError\(.*?: Failed to establish a new connection: (?:\[Errno -?\d+\] )?([^'"()]+)
    a service that the project asks cannot be reached: {0}
    check its address in the settings, and the server's DNS and outbound connections
a service refuses the login
    (40[13]) Client Error: \S+ for url: (?:https?://)?(?:[^@/\s]*@)?([\w.-]+)
    the service at {1} refuses the login (HTTP status {0})
    check its address in the settings, and its key in codesensei:secretEnv
an option does not exist
    (?:Error: )?No such option:? '?(--?[\w-]+)|unrecognized arguments: (.+)
    the command has an option that the program does not know: {0}
    fix the command in the stack file
a program is missing
    (?:line \d+: )([^\s:]+): (?:command not found|No such file or directory)|(?:sh: \d+|exec): ([^\s:]+): not found
    the program {0} does not exist on the server
    add its package to the requirements file (the venv's bin is first on PATH), or to project.systemPackages
a program is not executable
    (?:line \d+: )([^\s:]+): Permission denied
    the file {0} is not executable
    commit it with its mode (git update-index --chmod=+x), or call its interpreter (bash {0})
an address is in use
    Connection in use: \('?[\w.:]*'?, (\d+)\)|Address already in use|\[Errno 98\].*?(?:\('?[\w.:]*'?, (\d+)\))?
    the port that it listens on is already in use
    choose another port, or stop what listens there (on the server: ss -tlnp)
a management command is missing
    Unknown command: '([^']+)'
    manage.py has no command {0}
    check its name, and that its app is in INSTALLED_APPS of the deployed settings module
the settings are incomplete
    ImproperlyConfigured: (.+)
    Django's settings are incomplete: {0}
    change what it names in the settings; if it is a variable, set it in codesensei:env or codesensei:secretEnv
a command refuses
    ^CommandError: (.+)
    {0}
    fix what it names and deploy again
"""


@dataclass(frozen=True)
class Known:
    """A cause that a log may show. `title` is its name in the documentation; {0}, {1} are what `pattern` captures."""

    title: str
    pattern: str
    cause: str
    fix: str


def _read(table: str) -> Iterator[Known]:
    title = ""
    lines = (line for line in table.splitlines() if line and not line.startswith("#"))
    for line in lines:
        if line.startswith(" "):
            yield Known(title, line.strip(), next(lines).strip(), next(lines).strip())
        else:
            title = line


KNOWN = tuple(_read(_TABLE.replace("{uvicorn}", UVICORN_WORKERS.cause)))


def explain(log: str) -> tuple[str, str] | None:
    """The known cause that `log` shows, and its fix; None if it shows none."""
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
    """`explain`, or the exception that ended the program, or `otherwise`; the fix may be empty."""
    return explain(log) or (excerpt.exception(log) or otherwise, "")
