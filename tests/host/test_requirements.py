"""What a requirements file can say, and what comes of it on the server: each release is really built there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.wire import steps
from codesensei.wire.steps import Packages
from tests.host import index
from tests.host.test_build import BACKEND, BOTH, ON_12, ON_13
from tests.host.workshop import SETTINGS, START, Workshop
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

HASHED = """\
asgiref==3.13.0 \\
    --hash=sha256:f9596a2434512686473d50f96ff6207fbba49ae1a785dfac614df4aeb085674d
Django==5.2.19 --hash=sha256:5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00
# why this one
sqlparse==0.6.1 \\
    --hash=sha256:3be5a72d04c873d690d7c6dedd33d6fae2ef82759881ceec02fc2efd0cba564f
"""
LIBRARY = """\
import pathlib, zipfile


def build_wheel(directory, settings=None, metadata=None):
    return _wheel(directory, pathlib.Path("foo.py").read_text())


def build_editable(directory, settings=None, metadata=None):
    return _wheel(directory, None)


def _wheel(directory, text):
    name = "foo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        if text is None:
            wheel.writestr("foo.pth", str(pathlib.Path.cwd()))
        else:
            wheel.writestr("foo.py", text)
        wheel.writestr("foo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: foo\\nVersion: 1.0\\n")
        wheel.writestr("foo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("foo-1.0.dist-info/RECORD", "")
    return name
"""
FOO = {"libs/foo/pyproject.toml": BACKEND, "libs/foo/backend.py": LIBRARY, "libs/foo/foo.py": "WORD = 'one'\n"}
NATIVE = """\
import pathlib, subprocess, zipfile


def build_wheel(directory, settings=None, metadata=None):
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "native.so", "native.c", "-lmagic"], check=True)
    name = "native-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        wheel.write("native.so")
        wheel.writestr("native-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: native\\nVersion: 1.0\\n")
        wheel.writestr("native-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any")
        wheel.writestr("native-1.0.dist-info/RECORD", "")
    return name
"""
ACME = index.wheel("acme_theme", "2.0", {"acme_theme.py": "NAME = 'acme'\n"})


@pytest.fixture
def lab(debian: int, first_deploys: Callable[[int], Stack], place: Path) -> Workshop:
    """A workshop on the server of the deployed stack, which is put back before others use it."""
    stack = first_deploys(debian)
    stack.dirty = True
    return Workshop(stack.server, place / f"lab-{debian}").open()


def requiring(*lines: str, **files: str) -> dict[str, str | bytes]:
    return {**START, **files, "requirements.txt": "".join(f"{line}\n" for line in ("Django==5.2.19", *lines))}


@BOTH
@pytest.mark.parametrize("installer", ["auto", "pip", "uv"])
@pytest.mark.full
def test_a_private_index_by_a_secret_variable(lab: Workshop, debian: int, installer: str) -> None:
    url = index.start_index(lab.server, {"acme_theme-2.0": ACME})
    files = requiring("gunicorn==23.0.0", "acme-theme==2.0")
    project = {"installer": installer}
    wrong = url.replace("//", f"//{index.USER}:wrong-password@")
    refused = lab.build(files, project, secrets={"PIP_EXTRA_INDEX_URL": wrong}, succeed=False)
    assert "install the requirements (release " in refused.error
    assert "the package index at 127.0.0.1 refuses the login (HTTP status 401)" in refused.error
    secret = url.replace("//", f"//{index.USER}:{index.ENCODED}@")
    built = lab.build(files, project, secrets={"PIP_EXTRA_INDEX_URL": secret})
    assert lab.packages(built)["acme-theme".replace("-", "_")] == "2.0"
    assert lab.python(built, "import acme_theme; print(acme_theme.NAME)") == "acme"
    assert index.PASSWORD not in built.said
    assert index.ENCODED not in built.said
    places = "/var/lib/codesensei /srv/codesensei /var/log /tmp /var/cache/codesensei"
    leaks = index.found_in(lab.server, [index.PASSWORD, index.ENCODED], places)
    assert [path for path in leaks if not path.startswith("/srv/codesensei/lab/env/")] == []
    # Where the release runs it is an ordinary variable.
    assert list(leaks) == [f"/srv/codesensei/lab/env/{built.release[-7:]}.env"]


@pytest.mark.full
@ON_12
@pytest.mark.proves("deps.pip", "deps.server-missing")
def test_hash_pinned_files_and_a_wrong_hash(lab: Workshop) -> None:
    """The distribution's own pip is an old one; gunicorn is added although every requirement must have a hash."""
    built = lab.build({**START, "requirements.txt": "--require-hashes\n" + HASHED}, {"installer": "pip"})
    found = lab.packages(built)
    assert (found["django"], found["gunicorn"], found["pip"]) == ("5.2.19", "23.0.0", "25.3")
    wrong = HASHED[:-5] + ("0000" if HASHED[-5:-1] != "0000" else "1111") + "\n"
    refused = lab.build({**START, "requirements.txt": wrong}, succeed=False)
    assert "does not match its hash" in refused.error
    refused = lab.build({**START, "requirements.txt": HASHED + "gunicorn==23.0.0\n"}, succeed=False)
    assert "some requirements have a hash, but gunicorn==23.0.0 has none" in refused.error


LOCKS = Path(__file__).parent.parent / "locks"


@ON_13
@pytest.mark.proves("deps.lock-files", "deps.extras")
@pytest.mark.parametrize(
    ("tool", "installer"),
    [
        ("uv", "auto"),
        ("poetry", "auto"),
        pytest.param("pipenv", "pip", marks=pytest.mark.full),
        pytest.param("pdm", "uv", marks=pytest.mark.full),
        pytest.param("pylock", "auto", marks=pytest.mark.full),
        pytest.param("pipenv", "auto", marks=pytest.mark.full),
        pytest.param("uv", "pip", marks=pytest.mark.full),
    ],
)
def test_a_lock_file(lab: Workshop, tool: str, installer: str) -> None:
    """Its own tool reads it, in a fixed version; what is for development is not installed."""
    lock = {path.name: path.read_bytes() for path in (LOCKS / tool).iterdir()}
    name = next(name for name in lock if name.endswith(".lock") or name == "pylock.toml")
    extras = [] if tool == "pylock" else ["prod"]
    project: dict[str, object] = {"requirements": f"backend/{name}", "installer": installer, "extras": extras}
    files: dict[str, str | bytes] = {**START, **{f"backend/{name}": text for name, text in lock.items()}}
    built = lab.build(files, project)
    found = lab.packages(built)
    assert (found["django"], found["asgiref"][:2], found["sqlparse"][:2]) == ("5.2.19", "3.", "0.")
    assert (found["gunicorn"], "packaging" in found, "iniconfig" in found) == ("23.0.0", True, False)
    assert "pip installs the packages" not in built.said
    left = lab.server.console(f"cd {built.path} && find . -name '.venv*' -o -name '.pdm*' -o -name '*.part'").stdout
    assert left == ""


@pytest.mark.full
@ON_13
def test_a_file_as_other_systems_write_it(lab: Workshop) -> None:
    """UTF-16 with a byte order mark, CRLF, includes in other directories, constraints, markers, options, comments."""
    index_url = index.start_index(lab.server, {"acme_theme-2.0": ACME, "acme_theme-3.0": ACME.replace(b"2.0", b"3.0")})
    text = (
        "# production\r\n-r ../base.txt\r\n--extra-index-url " + index_url.replace("//", "//${INDEX_LOGIN}@") + "\r\n"
        "acme-theme \\\r\n  >=2\r\ncolorama==0.4.6 ; sys_platform == 'win32'\r\n--constraint limits.txt # no newer\r\n"
    )
    files: dict[str, str | bytes] = {
        **{name: content for name, content in START.items() if name != "requirements.txt"},
        "requirements/production/all.txt": b"\xff\xfe" + text.encode("utf-16-le"),
        "requirements/base.txt": b"\xef\xbb\xbfDjango==5.2.19\n",
        "requirements/production/limits.txt": "acme-theme<3\n",
    }
    login = {"INDEX_LOGIN": f"{index.USER}:{index.ENCODED}"}
    built = lab.build(files, {"requirements": "requirements/production/all.txt"}, secrets=login)
    found = lab.packages(built)
    assert (found["acme_theme"], found["django"]) == ("2.0", "5.2.19")
    assert "colorama" not in found
    assert list(built.code.requirements.files) == [
        "requirements/production/all.txt",
        "requirements/base.txt",
        "requirements/production/limits.txt",
    ]


@ON_12
@pytest.mark.full
def test_requirements_from_git(lab: Workshop) -> None:
    index.start_index(lab.server, {})
    library = {name.removeprefix("libs/foo/"): text for name, text in FOO.items()}
    url, revision = index.serve_repository(lab.server, "foo", library)
    pinned = lab.build(requiring("gunicorn==23.0.0", f"foo @ git+{url}@{revision}"))
    assert lab.python(pinned, "import foo; print(foo.WORD)") == "one"
    moving = lab.build(requiring("gunicorn==23.0.0", f"git+{url}@v1#egg=foo"))
    assert moving.code.requirements.per_release
    assert moving.venv.split("/")[-1].startswith(moving.code.id[:12])
    editable = lab.build(requiring("gunicorn==23.0.0", f"-e git+{url}@{revision}#egg=foo"))
    assert lab.python(editable, "import foo; print(foo.__file__)") == f"{editable.venv}/src/foo/foo.py"
    refused = lab.build(requiring(f"git+{url}@v9"), succeed=False)
    assert "the git repository of a requirement cannot be fetched: " in refused.error


@ON_13
@pytest.mark.full
def test_packages_of_the_repository_itself(lab: Workshop) -> None:
    """`-e .` is used where it lies: another variable is another release, and its packages are its own."""
    top = {"pyproject.toml": BACKEND, "backend.py": LIBRARY, "foo.py": "WORD = 'top'\n"}
    files = requiring("gunicorn==23.0.0", "-e .", **top)
    first = lab.build(files, env={"X": "1"})
    second = lab.build(files, env={"X": "2"})
    assert first.code.id == second.code.id
    assert first.venv != second.venv
    lab.server.console(f"rm -r {first.path} {first.venv}")
    assert lab.python(second, "import foo; print(foo.WORD, foo.__file__)") == f"top {second.path}/foo.py"


@ON_13
@pytest.mark.full
def test_packages_of_directories_of_the_repository(lab: Workshop) -> None:
    copied = lab.build(requiring("gunicorn==23.0.0", "./libs/foo", **FOO))
    assert lab.python(copied, "import foo; print(foo.WORD)") == "one"
    other = lab.build(requiring("gunicorn==23.0.0", "./libs/foo", **{**FOO, "libs/foo/foo.py": "WORD = 'two'\n"}))
    assert lab.python(other, "import foo; print(foo.WORD)") == "two"
    assert lab.python(copied, "import foo; print(foo.WORD)") == "one"
    below = {f"backend/{name}": text for name, text in START.items() if name != "requirements.txt"}
    below |= {f"backend/{name}": text for name, text in FOO.items()}
    below["backend/requirements.txt"] = "Django==5.2.19\n./libs/foo\n"
    project = {"directory": "backend", "requirements": "backend/requirements.txt"}
    built = lab.build(below, project)
    assert lab.python(built, "import foo; print(foo.WORD)") == "one"


@ON_12
@pytest.mark.full
def test_packages_are_used_again_for_the_same_content_and_no_other(lab: Workshop) -> None:
    first = lab.build({**START, "README": "first"})
    lab.server.console(f"touch -d 2020-01-01 {first.venv}/.complete")
    again = lab.build({**START, "README": "second"}, env={"X": "1"})
    assert again.release != first.release
    assert again.venv == first.venv
    assert lab.server.console(f"stat -c %y {first.venv}/.complete").stdout.startswith("2020-01-01")
    for files, project in (
        ({"requirements.txt": "gunicorn==23.0.0\nDjango==5.2.19\n"}, {}),
        ({}, {"rebuild": "again"}),
    ):
        built = lab.build({**START, **files}, project)
        assert built.code.id != first.code.id
        assert built.venv != first.venv
    lab.server.console(f"rm {first.venv}/.complete && echo garbage > {first.venv}/bin/gunicorn")
    fixed = lab.build({**START, "README": "third"})
    assert fixed.venv == first.venv
    assert lab.packages(fixed)["gunicorn"] == "23.0.0"
    assert "garbage" not in lab.server.console(f"cat {first.venv}/bin/gunicorn").stdout


@ON_13
@pytest.mark.full
def test_a_change_of_the_interface_brings_its_server(lab: Workshop) -> None:
    asgi = START["config/wsgi.py"].replace("wsgi", "asgi")
    files = {**requiring(), "config/asgi.py": asgi}
    web = lab.build(files)
    sockets = lab.build(files, {"interface": "asgi"})
    assert "gunicorn" in lab.packages(web)
    assert "daphne" in lab.packages(sockets)
    assert web.release != sockets.release


@ON_12
@pytest.mark.full
def test_a_server_is_added_under_the_project_s_own_versions(lab: Workshop) -> None:
    asgi = START["config/wsgi.py"].replace("wsgi", "asgi")
    old = "Django==3.2.25\nasgiref==3.4.1\n"
    built = lab.build({**START, "requirements.txt": old, "config/asgi.py": asgi}, {"interface": "asgi"})
    found = lab.packages(built)
    assert (found["django"], found["asgiref"]) == ("3.2.25", "3.4.1")
    assert found["daphne"].startswith("3.")
    assert "daphne 4.1.2 does not work with the project's packages" in built.said
    # More packages than a log's last lines hold: each of them is a constraint.
    many = {f"filler_{number:03}-1.0": index.wheel(f"filler_{number:03}", "1.0", {}) for number in range(90)}
    url = index.start_index(lab.server, {"aaa-1.0": index.wheel("aaa", "1.0", {}), **many})
    lines = ["packaging==21.0", "aaa", *(label.replace("-1.0", "==1.0") for label in many)]
    secret = url.replace("//", f"//{index.USER}:{index.ENCODED}@")
    built = lab.build(requiring(*lines), secrets={"PIP_EXTRA_INDEX_URL": secret})
    assert lab.packages(built)["packaging"] == "21.0"
    assert "gunicorn" in lab.packages(built)


@pytest.mark.full
@pytest.mark.parametrize("debian", [12, pytest.param(13, marks=pytest.mark.full)])
@pytest.mark.proves("deps.auto", "deps.root", "deps.server-missing")
def test_auto(lab: Workshop, debian: int) -> None:
    """uv installs into a venv as Python makes it, whose byte code is there; pip takes the place of uv that cannot."""
    built = lab.build({**START, "requirements.txt": HASHED})
    found = lab.packages(built)
    assert (found["django"], found["gunicorn"]) == ("5.2.19", "23.0.0")
    assert "pip installs the packages" not in built.said
    # As in a venv of the system's own Python: 12's has setuptools as well.
    assert ("pip" in found, "setuptools" in found) == (True, debian == 12)
    assert lab.server.console(f"find {built.venv} ! -user root").stdout == ""
    query = "import os, django.db.models.query as query; print(os.path.exists(query.__cached__))"
    assert lab.python(built, query) == "True"
    # uv alone would take the package that has no hash.
    refused = lab.build({**START, "requirements.txt": HASHED + "packaging==26.3\n"}, succeed=False)
    assert "some requirements have a hash, but packaging==26.3 has none" in refused.error
    by_pip = lab.build(requiring("packaging==26.3"), env={"PIP_NO_BINARY": "packaging"})
    assert "pip installs the packages: uv does not know PIP_NO_BINARY" in by_pip.said
    assert lab.packages(by_pip)["packaging"] == "26.3"


@pytest.mark.parametrize("debian", [13, pytest.param(12, marks=pytest.mark.full)])
@pytest.mark.proves("deps.uv", "deps.root")
def test_uv(lab: Workshop, debian: int) -> None:
    built = lab.build(requiring(), {"installer": "uv"})
    assert lab.packages(built) == {**lab.packages(built), "django": "5.2.19", "gunicorn": "23.0.0"}
    assert "pip" not in lab.packages(built)
    assert lab.server.console(f"find {built.venv} ! -user root").stdout == ""
    if debian == 12:
        hashed = lab.build({**START, "requirements.txt": "--require-hashes\n" + HASHED}, {"installer": "uv"})
        assert "gunicorn" in lab.packages(hashed)
    missing = lab.build(requiring(), {"installer": "uv", "python": "3.12"}, env={"UV_HTTP_TIMEOUT": "5"}, succeed=False)
    assert "create the venv (release " in missing.error
    assert "uv cannot fetch Python 3.12" in missing.error
    assert "UV_PYTHON_INSTALL_MIRROR" in missing.error


@pytest.mark.full
@ON_12
@pytest.mark.proves("config.system-packages", "config.python")
def test_system_packages_and_pythons(lab: Workshop) -> None:
    library = {"pyproject.toml": BACKEND, "backend.py": NATIVE, "native.c": "#include <magic.h>\nint x;\n"}
    files = requiring("./libs/native", **{f"libs/native/{name}": text for name, text in library.items()})
    refused = lab.build(files, succeed=False)
    assert "the system library with magic.h is missing" in refused.error
    assert "-dev package in project.systemPackages" in refused.error
    none = Packages(packages=(), postgresql=False, port=None, extensions=(), python="", certbot=False)
    _, said = lab.step(steps.PACKAGES, replace(none, packages=("libmagic-dev",)))
    assert "installed libmagic-dev" in said
    lab.build(files)
    ok, said = lab.step(steps.PACKAGES, replace(none, packages=("libmagick-of-none-dev",)), check=False)
    assert not ok
    assert "error: package libmagick-of-none-dev on debian-12: Debian GNU/Linux 12" in said
    assert "has no package of this name" in said
    assert "apt-cache search" in said
    ok, said = lab.step(steps.PACKAGES, replace(none, python="3.12"), check=False)
    assert not ok
    assert "error: Python 3.12 on debian-12: Debian GNU/Linux 12" in said
    assert "has no package python3.12 (its own Python is 3.11.2)" in said
    assert "set project.installer to uv" in said
    _, said = lab.step(steps.PACKAGES, replace(none, python="3.11"))
    built = lab.build(requiring("gunicorn==23.0.0"), {"python": "3.11"})
    assert lab.python(built, "import sys; print('%d.%d' % sys.version_info[:2])") == "3.11"


@ON_13
@pytest.mark.full
def test_the_environment_is_there_while_packages_are_built(lab: Workshop) -> None:
    backend = LIBRARY.replace(
        'pathlib.Path("foo.py").read_text()', '"WORD = " + repr(__import__("os").environ["WORD"])'
    )
    settings = SETTINGS + "\nif os.environ['WORD'] != 'a b':\n    raise SystemExit('another word')\n"
    files = {**requiring("gunicorn==23.0.0", "./libs/foo", **FOO), "libs/foo/backend.py": backend}
    built = lab.build({**files, "config/settings.py": settings}, env={"WORD": "a b"})
    assert lab.python(built, "import foo; print(foo.WORD)") == "a b"


VERSIONS = {
    12: ["3.2.25", "4.0.10", "4.1.13", "4.2.30", "5.0.14", "5.1.15", "5.2.19"],
    13: ["4.1.13", "4.2.30", "5.0.14", "5.1.15", "5.2.19", "6.0.10", "6.1.3"],
}
CASES = [(debian, version) for debian, versions in VERSIONS.items() for version in versions]


@pytest.mark.parametrize(("debian", "version"), CASES)
@pytest.mark.full
def test_a_version_of_django(lab: Workshop, version: str) -> None:
    files = {**START, "requirements.txt": f"Django=={version}\ngunicorn==23.0.0\n"}
    built = lab.build(files)
    assert lab.python(built, "import django; print(django.__version__)") == version
    assert lab.server.console(f"cat {built.path}/.codesensei/static/hello.txt").stdout == "hello\n"
    lab.python(built, "import sys; sys.path.insert(0, '.'); import config.wsgi")


@pytest.mark.parametrize(
    ("debian", "version", "says"),
    [
        pytest.param(
            12, "6.0.10", "Django==6.0.10 needs Python >=3.12, which this server does not have", marks=pytest.mark.full
        ),
        (13, "3.2.25", "a package is too old for this Python, which no longer has the module"),
    ],
)
def test_a_django_that_does_not_go_with_the_python(lab: Workshop, version: str, says: str) -> None:
    files = {**START, "requirements.txt": f"Django=={version}\ngunicorn==23.0.0\n"}
    refused = lab.build(files, {"settingsModule": "config.settings"}, succeed=False)
    assert says in refused.error
    assert "project.python" in refused.error
