"""Lock files, and what is read of them before anything runs; those in tests/locks were written by their own tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from codesensei.source import Checkout, SourceError, requirements_closure
from codesensei.source.locks import other_uv
from codesensei.wire.steps import LockFile, LockTool

Make = Callable[[Mapping[str, str | bytes]], Checkout]
REAL = Path(__file__).parent.parent / "locks"
PLAIN = {"asgiref", "django", "sqlparse", "tzdata"}
UV = """\
version = 1

[[package]]
name = "shop"
source = { virtual = "." }
dependencies = [{ name = "lib" }, { name = "redis", extra = ["fast"] }, { name = "tool" }]

[[package]]
name = "lib"
version = "1.0"
source = { editable = "libs/lib" }

[[package]]
name = "redis"
version = "5.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "shop", extra = ["more"] }]

[package.optional-dependencies]
fast = [{ name = "hiredis" }]

[[package]]
name = "hiredis"
version = "3.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "tool"
version = "2.0"
source = { git = "https://me:secret@example.com/tool.git?rev=v2#0123456789abcdef0123456789abcdef01234567" }

[[package]]
name = "unused"
version = "9"
source = { registry = "https://pypi.org/simple" }
"""
ASKS = '[project]\nname = "shop"\ndependencies = ["lib", "redis[fast]>=5", "tool"]\n'


def files_of(tool: str, folder: str = "") -> dict[str, str | bytes]:
    return {f"{folder}{path.name}": path.read_bytes() for path in (REAL / tool).iterdir()}


@pytest.mark.proves("deps.lock-files", "deps.extras")
@pytest.mark.parametrize(
    ("tool", "file", "lock"),
    [
        ("uv", "uv.lock", LockFile(tool="uv", extras=("prod",))),
        ("poetry", "poetry.lock", LockFile(tool="poetry", groups=("prod",))),
        ("pdm", "pdm.lock", LockFile(tool="pdm", extras=("prod",))),
        ("pipenv", "Pipfile.lock", LockFile(tool="pipenv", groups=("prod",))),
    ],
)
def test_each_tool_s_lock(project_of: Make, tool: str, file: str, lock: LockFile) -> None:
    project = project_of(files_of(tool, "backend/"))
    closure = requirements_closure(project, f"backend/{file}", "backend")
    assert closure.names - {"tzdata"} == PLAIN - {"tzdata"}
    assert (closure.versions["django"], closure.asked["django"]) == ("==5.2.19", "==5.2.19")
    assert (closure.directory, closure.hashed, closure.per_release, closure.in_place) == ("backend", True, False, False)
    assert closure.lock == LockFile(tool=lock.tool)
    assert closure.files[0] == f"backend/{file}"
    assert closure.edited in ("backend/pyproject.toml", "backend/Pipfile")
    assert closure.resolved
    chosen = requirements_closure(project, f"backend/{file}", "backend", ("prod",))
    assert chosen.names - closure.names == {"gunicorn", "packaging"}
    assert (chosen.lock, chosen.digest) == (lock, closure.digest)


@pytest.mark.proves("deps.lock-files")
@pytest.mark.parametrize("name", ["pylock.toml", "pylock.prod.toml"])
def test_a_pylock_is_taken_whole(project_of: Make, name: str) -> None:
    closure = requirements_closure(project_of({name: (REAL / "pylock/pylock.toml").read_bytes()}), name)
    assert closure.names == PLAIN | {"gunicorn", "packaging"}
    assert (closure.files, closure.lock, closure.hashed) == ((name,), LockFile(tool="pylock"), False)


@pytest.mark.proves("deps.lock-files", "deps.extras")
def test_pyproject_without_a_lock(project_of: Make) -> None:
    text = (
        (REAL / "uv/pyproject.toml")
        .read_text()
        .replace("django==5.2.19", "Django [argon2] >= 5.2 ; python_version > '3'")
    )
    project = project_of({"pyproject.toml": text})
    closure = requirements_closure(project, "pyproject.toml", ".", ("prod", "dev"))
    assert closure.asked == {"Django": ">=5.2", "gunicorn": "==23.0.0", "iniconfig": ""}
    assert closure.lock == LockFile(tool="pyproject", extras=("prod",), groups=("dev",))
    assert not closure.hashed


@pytest.mark.proves("deps.lock-files", "deps.local")
def test_a_moving_reference_of_pyproject_belongs_to_one_commit(project_of: Make) -> None:
    text = '[project]\ndependencies = ["x @ git+https://e.example/x.git@{}"]\n'
    moving = requirements_closure(project_of({"pyproject.toml": text.format("main")}), "pyproject.toml")
    url = "git+https://e.example/x.git@main"
    assert moving.why == (f"pyproject.toml: installs {url}, which names no full commit and can move",)
    assert moving.per_release
    fixed = requirements_closure(project_of({"pyproject.toml": text.format("a" * 40)}), "pyproject.toml")
    assert not fixed.per_release


@pytest.mark.proves("deps.lock-files", "deps.local")
def test_uv_s_packages_are_those_that_the_project_reaches(project_of: Make) -> None:
    files = {"uv.lock": UV, "pyproject.toml": ASKS, "libs/lib/pyproject.toml": ""}
    closure = requirements_closure(project_of(files), "uv.lock")
    assert closure.asked == {
        "lib": "libs/lib",
        "redis": "==5.0",
        "hiredis": "==3.0",
        "tool": "https://example.com/tool.git?rev=v2#0123456789abcdef0123456789abcdef01234567",
    }
    assert (closure.per_release, closure.hashed, closure.unknown) == (True, False, True)
    assert closure.why == ("uv.lock: installs libs/lib from the repository itself",)
    assert closure.roots == ("libs/lib", "libs/lib/src")


@pytest.mark.parametrize(
    ("lock", "names"),
    [
        (
            '[[package]]\nname = "a"\nversion = "1"\ncategory = "main"\n[[package]]\nname = "b"\ncategory = "dev"\n',
            {"a"},
        ),
        (
            '[[package]]\nname = "a"\nversion = "1"\noptional = false\n[[package]]\nname = "b"\nversion = "1"\n',
            {"a", "b"},
        ),
        ('[[package]]\nname = "a"\nversion = "1"\n[[package]]\nname = "b"\nversion = "1"\noptional = true\n', {"a"}),
    ],
)
def test_older_locks_of_poetry(project_of: Make, lock: str, names: set[str]) -> None:
    project = project_of(
        {"poetry.lock": lock, "pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.9"\na = "1"\n'}
    )
    assert requirements_closure(project, "poetry.lock").names == names


@pytest.mark.proves("deps.lock-files", "deps.extras", "preview.requirements")
@pytest.mark.parametrize(
    ("files", "extras", "error"),
    [
        (
            {"uv.lock": UV, "pyproject.toml": ASKS.replace('"tool"', '"tool", "httpx", "Django"')},
            (),
            "project.requirements uv.lock: does not have django, httpx, which pyproject.toml asks for\n"
            "    bring it up to date (uv lock), and commit it",
        ),
        (
            {"uv.lock": UV, "pyproject.toml": ASKS},
            (),
            "project.requirements uv.lock: installs lib from libs/lib, which is not in commit {short}\n    commit it",
        ),
        (
            {"uv.lock": UV},
            (),
            "project.requirements uv.lock: belongs to pyproject.toml, which is not beside it in commit {short}\n"
            "    commit it",
        ),
        (
            files_of("uv"),
            ("prdo",),
            "project.extras: pyproject.toml has no extra or group prdo\n    it has dev, prod",
        ),
        (
            files_of("pylock"),
            ("prod",),
            "project.extras: pylock.toml has no extra or group prod\n    it has none: leave project.extras out",
        ),
        (
            {"requirements.txt": "django\n"},
            ("prod",),
            "project.extras: says what is installed beside what a lock file has anyway, and requirements.txt is none\n"
            "    leave it out, or set project.requirements to a lock file",
        ),
        (
            {"pyproject.toml": "[tool.poetry.dependencies]\n", "poetry.lock": ""},
            (),
            "project.requirements pyproject.toml: has no table [project], which lists dependencies\n"
            "    commit poetry.lock, and set project.requirements to it",
        ),
        (
            {"pyproject.toml": "[build-system]\n"},
            (),
            "project.requirements pyproject.toml: has no table [project], which lists dependencies\n"
            "    list them under [project] dependencies",
        ),
        (
            {"uv.lock": "version =\n", "pyproject.toml": ""},
            (),
            "uv.lock: cannot be read: Invalid value (at line 1, column 10)\n"
            "    fix that line, or make the file again",
        ),
        (
            {"Pipfile.lock": "[1]", "Pipfile": ""},
            (),
            "Pipfile.lock: cannot be read: it holds no table\n    make the file again",
        ),
        (
            {"Pipfile.lock": "[" * 100_000, "Pipfile": ""},
            (),
            "Pipfile.lock: cannot be read: ",
        ),
    ],
)  # fmt: skip
def test_a_lock_that_cannot_be_installed(
    project_of: Make, files: dict[str, str | bytes], extras: tuple[str, ...], error: str
) -> None:
    project = project_of(files)
    with pytest.raises(SourceError) as caught:
        requirements_closure(project, next(iter(files)), ".", extras)
    assert str(caught.value).startswith(error.format(short=project.short))


@pytest.mark.parametrize(
    "lock",
    [
        "package = 3\n",
        '[[package]]\nname = 3\nsource = "x"\ndependencies = ["x", 3]\ngroups = ["default"]\n',
        '[[package]]\nname = "a"\ngroups = 3\nsource = { virtual = "." }\ndependencies = [{ name = "a", extra = 3 }]\n',
        '[package]\nname = "a"\n',
        "[[package]]\nversion = 1.0\noptional-dependencies = []\n",
    ],
)
@pytest.mark.parametrize("tool", ["uv", "poetry", "pdm"])
def test_odd_locks_are_read_without_a_traceback(project_of: Make, tool: LockTool, lock: str) -> None:
    project = project_of({f"{tool}.lock": lock, "pyproject.toml": "project = 3\ntool = []\n"})
    if tool == "uv" and "virtual" not in lock:
        with pytest.raises(SourceError, match="locks no project at its own folder"):
            requirements_closure(project, "uv.lock")
        return
    assert requirements_closure(project, f"{tool}.lock").files == (f"{tool}.lock", "pyproject.toml")


@pytest.mark.proves("deps.uv-version")
@pytest.mark.parametrize(
    ("files", "folder", "wanted"),
    [
        # coldfront, of which a deploy failed with uv 0.9.9.
        ({"pyproject.toml": '[tool.uv]\nrequired-version = ">=0.9.13" # as in the Dockerfile\n'}, ".", ">=0.9.13"),
        ({"pyproject.toml": '[tool.uv]\nrequired-version = "0.8.4"\n'}, ".", "==0.8.4"),
        ({"uv.toml": 'required-version = "<0.9"\n', "pyproject.toml": ""}, "app/back", "<0.9"),
        ({"app/pyproject.toml": "[tool.uv]\npackage = false\n", "uv.toml": 'required-version = "<0.9"\n'}, "app", ""),
        ({"app/pyproject.toml": "[project]\n", "uv.toml": 'required-version = "~=0.10.1"\n'}, "app", "~=0.10.1"),
        ({"pyproject.toml": '[tool.uv]\nrequired-version = ">=0.5,<1"\n'}, ".", ""),
        ({"pyproject.toml": '[tool.uv]\nrequired-version = "==0.9.*"\n'}, ".", ""),
        ({"pyproject.toml": "[tool.uv]\nrequired-version = 9\n"}, ".", ""),
        ({}, "app", ""),
    ],
)
def test_another_uv_where_the_project_takes_no_other(
    project_of: Make, files: dict[str, str | bytes], folder: str, wanted: str
) -> None:
    assert other_uv(project_of({"requirements.txt": "django\n", **files}), folder) == wanted


def test_every_kind_of_requirements_tells_of_it(project_of: Make) -> None:
    table = '[tool.uv]\nrequired-version = ">=0.9.13"\n'
    files = {"uv.lock": UV, "pyproject.toml": f"{ASKS}{table}", "requirements.txt": "django\n"}
    project = project_of({**files, "libs/lib/pyproject.toml": ""})
    assert {requirements_closure(project, name).uv for name in files} == {">=0.9.13"}


DJANGO = '[[package]]\nname = "django"\nversion = "5.2"\n'
OF_UV = """\
version = 1
requires-python = ">=3.12"

[[package]]
name = "django"
version = "5.2.19"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "django" }]

[package.metadata]
requires-dist = [
    { name = "django", specifier = ">=5" },
    { name = "tomli", marker = "python_full_version < '3.11'" },
]
"""
WITH_MARKER = '[project]\nname = "shop"\nrequires-python = ">=3.12"\ndependencies = ["django>=5", "{}"]\n'
POETRY = '[tool.poetry.dependencies]\npython = "^3.12"\ndjango = "^5"\n'


@pytest.mark.proves("deps.lock-files")
@pytest.mark.parametrize(
    ("name", "lock", "beside"),
    [
        ("uv.lock", OF_UV, WITH_MARKER.format("tomli; python_version < '3.11'")),
        ("uv.lock", OF_UV.partition("[package.metadata]")[0], WITH_MARKER.format("tomli; python_version < '3.11'")),
        ("poetry.lock", DJANGO, WITH_MARKER.format("tomli; python_version < '3.11'")),
        ("poetry.lock", DJANGO, f"{POETRY}tomli = {{version = '^2', python = '<3.11'}}\n"),
        (
            "poetry.lock",
            DJANGO,
            f"{POETRY}tomli = [{{version = '1', python = '<3'}}, {{version = '2', markers = 'x'}}]\n",
        ),
        ("pdm.lock", DJANGO, WITH_MARKER.format("tomli; sys_platform == 'win32'")),
        (
            "Pipfile.lock",
            '{"default": {"django": {}}}',
            "[packages]\ntomli = {version = '*', sys_platform = '== \"a\"'}\n",
        ),
    ],
)
def test_what_a_marker_leaves_out_is_no_lack(project_of: Make, name: str, lock: str, beside: str) -> None:
    """A fresh lock of uv was refused: it has no row for what none of its Pythons takes."""
    edited = "Pipfile" if name == "Pipfile.lock" else "pyproject.toml"
    assert requirements_closure(project_of({name: lock, edited: beside}), name).names == {"django"}


@pytest.mark.proves("deps.lock-files")
@pytest.mark.parametrize(
    ("name", "lock", "beside"),
    [
        ("uv.lock", OF_UV, WITH_MARKER.format("httpx; sys_platform == 'linux'")),
        ("poetry.lock", DJANGO, WITH_MARKER.format("httpx>=1")),
        ("poetry.lock", DJANGO, f"{POETRY}httpx = {{version = '^2', extras = ['http2']}}\n"),
    ],
)
def test_what_a_lock_was_not_asked_for_is_a_lack(project_of: Make, name: str, lock: str, beside: str) -> None:
    with pytest.raises(SourceError, match=r"does not have httpx, which pyproject\.toml asks for"):
        requirements_closure(project_of({name: lock, "pyproject.toml": beside}), name)
