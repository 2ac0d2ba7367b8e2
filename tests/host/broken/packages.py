"""Requirements that cannot be installed."""

from tests.host.broken.case import Broken

ZEROS = "0" * 64
NEWER = """
[build-system]
requires = ["setuptools>=69"]
build-backend = "setuptools.build_meta"
[project]
name = "newer"
version = "1.0"
requires-python = ">=3.99"
"""

CASES = (
    Broken(
        "no such version",
        replace={"requirements.txt": ("Django==5.2.19", "Django==5.2.9999")},
        error="install the requirements (release RELEASE) on SERVER: the package index has no version that matches Django==5.2.9999",
        fix="check its name, version and supported Pythons; for a private index set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in codesensei:secretEnv",
        log="No matching distribution found for Django==5.2.9999",
        quick=True,
    ),
    Broken(
        "requirements exclude each other",
        write={"requirements.txt": "Django==5.2.19\ndjango-celery-beat==2.5.0\n"},
        error="install the requirements (release RELEASE) on SERVER: the requirements conflict: The user requested Django==5.2.19; django-celery-beat 2.5.0 depends on Django<5.0 and >=2.2",
        fix="change one of the versions",
    ),
    Broken(
        "a hash does not match",
        write={"requirements.txt": f"packaging==26.3 --hash=sha256:{ZEROS}\n"},
        error="install the requirements (release RELEASE) on SERVER: the downloaded package packaging==26.3 does not match its hash in the requirements file",
        fix="regenerate the requirements file (pip-compile --generate-hashes); if the hash is right, the index serves another file",
    ),
    Broken(
        "a requirement has no hash",
        replace={"requirements.txt": ("packaging==26.3", f"packaging==26.3 --hash=sha256:{ZEROS}")},
        error="install the requirements (release RELEASE) on SERVER: some requirements have a hash, but Django==5.2.19 has none",
        fix="regenerate the requirements file with all packages in it (pip-compile --generate-hashes)",
    ),
    Broken(
        "Django needs a newer Python",
        replace={"requirements.txt": ("Django==5.2.19", "Django==6.0")},
        preview=True,
        error="requirements.txt: Django 6.0 needs Python 3.12",
        fix="use an older one, or set project.python, with project.installer: uv for one that the distribution lacks",
        debian=12,
    ),
    Broken(
        "a package of the project needs a newer Python",
        write={"newer/pyproject.toml": NEWER, "newer/newer.py": "", "requirements.txt": "./newer\n"},
        error="install the requirements (release RELEASE) on SERVER: newer does not run on this Python (PYTHON not in '>=3.99')",
        fix="pin a version that does, or set project.python (with project.installer: uv for a Python that the distribution lacks)",
    ),
    Broken(
        "a system library for a build is missing",
        replace={"requirements.txt": ("redis==", "python-ldap==3.4.4\nredis==")},
        error="install the requirements (release RELEASE) on SERVER: python-ldap must be compiled, and the system library with lber.h is missing",
        fix="set project.systemPackages: [libldap-dev, libsasl2-dev]",
    ),
    Broken(
        "a program for a build is missing",
        replace={"requirements.txt": ("redis==", "mysqlclient==2.2.7\nredis==")},
        error="install the requirements (release RELEASE) on SERVER: mysqlclient must be compiled, and MySQL's library is missing",
        fix="set project.systemPackages: [pkg-config, default-libmysqlclient-dev]",
    ),
    Broken(
        "a requirement's repository cannot be fetched",
        replace={"requirements.txt": ("redis==", "shop @ git+https://git.example/shop.git@v1\nredis==")},
        error="install the requirements (release RELEASE) on SERVER: the git repository of a requirement cannot be fetched: unable to access 'https://git.example/shop.git/': Could not resolve host: git.example",
        fix="check its address; if it is private, write https://${TOKEN}@… there and set TOKEN in codesensei:secretEnv",
    ),
    Broken(
        "a line is no requirement",
        replace={"requirements.txt": ("Django==5.2.19", "Django=5.2.19")},
        preview=True,
        error="requirements.txt:1: Django=5.2.19 is conda's form, which pip cannot read",
        fix="write Django==5.2.19; pip list --format=freeze writes all lines so",
    ),
    Broken(
        "the package index cannot be reached",
        replace={"requirements.txt": ("redis==", "# Ours\nredis==")},
        config={"env.PIP_INDEX_URL": "http://127.0.0.1:9/simple"},
        error="install the requirements (release RELEASE) on SERVER: the package index at 127.0.0.1 cannot be reached: Connection refused",
        fix="check the server's DNS and outbound connections; for another index set PIP_INDEX_URL in codesensei:secretEnv",
    ),
    Broken(
        "the disk is full",
        config={"project.installer": "pip"},
        replace={"requirements.txt": ("redis==", "# Full\nredis==")},
        before="mount -t tmpfs -o size=4M,mode=1777 small /tmp",
        after="umount /tmp",
        error="install the requirements (release RELEASE) on SERVER: the server's disk is full",
        fix="free some space (on the server: df -h), or lower project.keepReleases",
    ),
)
