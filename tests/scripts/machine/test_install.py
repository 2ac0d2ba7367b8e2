"""The packages of a release: made once for the same content, complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host
from codesensei.scripts.base.commands import run
from codesensei.scripts.release import exports, with_uv
from codesensei.scripts.release.builder import Builder
from codesensei.wire import codec
from codesensei.wire.steps import LockFile, LockTool
from tests.scripts.machine import doors, stack
from tests.scripts.machine.calls import Fault, How, Killed
from tests.scripts.machine.doors import Ended
from tests.scripts.machine.machine import Job, Machine
from tests.scripts.machine.packages import Index
from tests.scripts.machine.scenarios import FIRST

VENV = f"{stack.ROOT}/venvs/5e7ab1e00000-py3.13.5"
OTHER = replace(FIRST, code="c0de002")


@pytest.fixture
def machine() -> Iterator[Machine]:
    found = Machine.make()
    stack.make_server(found)
    stack.send(found, FIRST)
    yield found
    found.end()


def build(machine: Machine, wanted: stack.Stack = FIRST, fault: Fault | None = None, **changes: Any) -> Ended:
    data = stack.build_data(wanted, **changes)
    return doors.run(machine, "build", wanted.release, wanted.revision, data=data, fault=fault)


def installs(index: Index) -> list[str]:
    """The commands, without what is the same for all of them."""
    return [" ".join(words[words.index("install") :]) for words in index.commands if "install" in words]


def prepared(machine: Machine, **changes: Any) -> Index:
    index = Index(machine, **changes)
    index.install()
    return index


@pytest.mark.proves("deps.pip", "deps.server-missing", "paths.releases.built", "root.never")
def test_pip_installs_what_the_project_asks_for(machine: Machine) -> None:
    index = prepared(machine)
    ended = build(machine)
    assert ended.ok, ended.error
    assert installs(index) == [
        "install pip==25.3",
        "install --requirement base.txt",
        f"install --constraint {stack.ROOT}/env/{FIRST.release}.constraints.txt gunicorn==23.0.0",
    ]
    assert {ran.user for ran in machine.ran if "pip" in ran.argv} == {"csb-8d9001d3"}
    # Local paths in a requirements file are relative to where pip runs.
    [requirements] = [ran for ran in machine.ran if "--requirement" in ran.argv]
    assert requirements.properties["WorkingDirectory"] == f"{stack.ROOT}/releases/{FIRST.release}/requirements"
    assert f"{VENV}" in requirements.properties["ReadWritePaths"]
    assert machine.read(f"{VENV}/.complete") == "3.13.5\n"


@pytest.mark.proves("deps.server-missing")
def test_the_web_server_comes_under_the_projects_own_versions(machine: Machine) -> None:
    index = prepared(machine, requirements=("Django==5.2", "packaging==21.0"))
    assert build(machine).ok
    assert index.constraints == ["Django==5.2", "packaging==21.0"]


@pytest.mark.proves("deps.server-missing")
def test_a_web_server_of_the_projects_own_stays(machine: Machine) -> None:
    index = prepared(machine, requirements=("Django==5.2", "gunicorn==21.2.0"))
    assert build(machine).ok
    assert installs(index)[1:] == ["install --requirement base.txt"]


@pytest.mark.proves("deps.server-missing")
def test_an_older_web_server_where_the_pinned_one_does_not_go(machine: Machine) -> None:
    index = prepared(machine, failing={"gunicorn==23.0.0": "ResolutionImpossible"})
    ended = build(machine)
    assert ended.ok
    assert installs(index)[-1].endswith("gunicorn<23.0.0")
    assert "gunicorn 23.0.0 does not work with the project's packages" in ended.said


@pytest.mark.proves("deps.pip", "errors.four")
@pytest.mark.parametrize(
    ("words", "output", "says"),
    [
        ("--requirement", "ERROR: No matching distribution found for nothing==1.0", "install the requirements"),
        ("-m venv", "The virtual environment was not created", "create the venv"),
        ("freeze", "Killed", "list the packages"),
        ("--constraint", "ResolutionImpossible", "install gunicorn"),
    ],
)
def test_what_fails_leaves_no_complete_venv(machine: Machine, words: str, output: str, says: str) -> None:
    """The next release must not find it; and the same one is built again."""
    prepared(machine, failing={words: output})
    ended = build(machine)
    assert ended.code == 1
    assert ended.error.startswith(f"error: {says} (release {FIRST.release})")
    assert machine.read(f"{VENV}/.complete") is None
    machine.jobs.clear()
    stack.send(machine, FIRST)
    prepared(machine)
    assert build(machine).ok
    assert machine.read(f"{VENV}/.complete") is not None


@pytest.mark.proves("deps.pip")
def test_without_the_recent_pip_the_servers_own_is_used(machine: Machine) -> None:
    prepared(machine, failing={"install pip==25.3": "no such package"})
    ended = build(machine)
    assert ended.ok
    assert "the package index does not have pip==25.3" in ended.said


@pytest.mark.proves("deps.pip", "errors.logs")
def test_why_an_index_has_nothing_is_asked_aloud(machine: Machine) -> None:
    """Without -vv pip says that there are no versions, and keeps what the index answered to itself."""
    prepared(
        machine,
        failing={
            "-vv": "Could not fetch URL https://pypi.example.com/simple/x/: 401 Client Error: Unauthorized\n",
            "--requirement": "Could not find a version that satisfies the requirement x==1 (from versions: none)\n",
        },
    )
    ended = build(machine)
    assert not ended.ok
    assert "401" in ended.error
    asked = [ran.argv for ran in machine.ran if "-vv" in ran.argv]
    assert [argv[-1] for argv in asked] == ["x==1"]


@pytest.mark.proves("deps.reuse")
def test_packages_of_the_same_content_are_used_again(machine: Machine) -> None:
    index = prepared(machine)
    assert build(machine).ok
    machine.ran.clear()
    stack.send(machine, OTHER)
    assert build(machine, OTHER).ok
    assert installs(index) == []
    assert f'"venv": "{VENV.rpartition("/")[2]}"' in str(machine.read(f"{stack.MEMORY}/release/{OTHER.release}.json"))


@pytest.mark.proves("deps.reuse")
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"venvId": "0" * 40}, "000000000000-py3.13.5"),
        ({"inPlace": True}, f"{OTHER.release}-py3.13.5"),
        ({"python": "3.12"}, "5e7ab1e00000-py3.12.9"),
        ({"installer": "uv", "python": "3.11"}, "5e7ab1e00000-py3.11"),
    ],
)
def test_packages_of_another_content_are_installed(machine: Machine, changes: dict[str, Any], name: str) -> None:
    prepared(machine)
    assert build(machine).ok
    machine.write("/usr/bin/python3.12", "")
    machine.files.path("/usr/bin/python3.12").chmod(0o755)
    stack.send(machine, OTHER)
    assert build(machine, OTHER, **changes).ok
    assert sorted(path.name for path in machine.files.path(f"{stack.ROOT}/venvs").iterdir()) == sorted(
        [VENV.rpartition("/")[2], name]
    )


@pytest.mark.proves("deps.root")
def test_a_venv_without_its_marker_is_made_again(machine: Machine) -> None:
    index = prepared(machine)
    machine.write(f"{VENV}/lib/left", "")
    assert build(machine).ok
    assert machine.read(f"{VENV}/lib/left") is None
    assert "install --requirement base.txt" in installs(index)


@pytest.mark.proves("source.swept")
def test_a_copy_of_what_is_built_already_is_removed(machine: Machine) -> None:
    prepared(machine)
    assert build(machine).ok
    stack.send(machine, FIRST)
    arrived = machine.files.path(f"/var/lib/codesensei/incoming/{stack.SLUG}")
    assert list(arrived.iterdir())
    assert build(machine).ok
    assert not list(arrived.iterdir())


@pytest.mark.proves("source.swept")
def test_what_a_failed_deploy_has_left_is_removed(machine: Machine) -> None:
    prepared(machine)
    left = machine.files.path(f"/var/lib/codesensei/incoming/{stack.SLUG}/left.tar")
    left.write_bytes(b"x")
    assert build(machine).ok
    assert not left.exists()


@pytest.mark.proves("release.on-disk")
def test_what_a_note_calls_complete_is_on_the_disk_before(machine: Machine) -> None:
    """A note survives a power cut: what was written since the last `sync` may then be empty."""
    prepared(machine)
    release, record = f"{stack.ROOT}/releases/{FIRST.release}", f"{stack.MEMORY}/release/{FIRST.release}.json"
    unsafe: list[str] = []
    at = dict[str, list[str]]()

    def look(text: str) -> None:
        known = json.loads(machine.read(record) or "{}").get("state", "")
        at.setdefault("packages" if machine.read(f"{VENV}/.complete") else "", [*unsafe])
        at.setdefault(known, [*unsafe])
        if text.startswith("sync --file-system "):
            assert text.removeprefix("sync --file-system ") in (VENV, release)
            unsafe.clear()
        elif text.startswith(("job: ", "tar ")) or release in text:
            unsafe.append(text)

    machine.watch(look)
    ended = build(machine)
    assert ended.ok, ended.error
    look("")
    assert at["unpacked"]
    assert (at["packages"], at["built"], at["prepared"]) == ([], [], [])


@pytest.mark.proves("release.on-disk", "errors.four")
def test_a_disk_that_keeps_nothing_fails_the_build(machine: Machine) -> None:
    prepared(machine)
    assert build(machine).ok
    number = next(number for number, call in enumerate(machine.calls.made) if call.text.startswith("sync "))
    other = Machine.make()
    try:
        stack.make_server(other)
        stack.send(other, FIRST)
        prepared(other)
        ended = build(other, fault=Fault(number, How.REFUSED))
        assert ended.error.startswith(f"error: disk of {VENV} on ")
        assert other.read(f"{VENV}/.complete") is None
    finally:
        other.end()


@pytest.mark.slow
@pytest.mark.proves("deps.root")
def test_a_killed_build_is_done_again() -> None:
    """Killed at each call: the next run ends with the same files as one that nobody disturbed."""
    whole: list[str] = []
    calls: list[int] = []
    for number in [None, *range(200)]:
        if number is not None and number not in calls:
            continue
        found = Machine.make()
        try:
            stack.make_server(found)
            stack.send(found, FIRST)
            prepared(found)
            if number is None:
                assert build(found).ok
                calls, whole = found.calls.changes(), files_of(found)
                continue
            with pytest.raises(Killed):
                build(found, fault=Fault(number, How.KILLED))
            stack.send(found, FIRST)
            assert build(found).ok
            assert files_of(found) == whole
        finally:
            found.end()
    assert len(calls) > 20


def files_of(machine: Machine) -> list[str]:
    folders = [machine.files.path(f"{stack.ROOT}/{name}") for name in ("releases", "venvs", "env")]
    return sorted(machine.files.shown(path) for folder in folders for path in folder.rglob("*"))


@pytest.mark.proves("deps.uv")
def test_uv_installs_where_it_is_asked_for(machine: Machine) -> None:
    index = prepared(machine)
    assert build(machine, installer="uv", python="3.12").ok
    uv = f"/var/cache/codesensei/{stack.SLUG}/uv-0.9.9/bin/uv"
    venv = f"{stack.ROOT}/venvs/5e7ab1e00000-py3.12"
    by_uv = [" ".join(words[words.index(uv) + 1 :]) for words in index.commands if uv in words]
    constraints = f"--constraint {stack.ROOT}/env/{FIRST.release}.constraints.txt gunicorn==23.0.0"
    assert by_uv == [
        f"venv --allow-existing --python 3.12 {venv}",
        f"pip install --python {venv}/bin/python --requirement base.txt",
        f"pip freeze --python {venv}/bin/python --exclude-editable",
        f"pip install --python {venv}/bin/python {constraints}",
    ]
    # uv itself is kept for the next release.
    machine.ran.clear()
    stack.send(machine, OTHER)
    assert build(machine, OTHER, installer="uv", python="3.11").ok
    assert not any("uv==0.9.9" in words for words in index.commands)


@pytest.mark.proves("deps.uv-version")
def test_a_project_gets_the_uv_that_it_takes(machine: Machine) -> None:
    """Beside the usual one, which other releases go on using."""
    index = prepared(machine)
    assert build(machine, installer="uv", python="3.12", uv=">=0.9.13").ok
    words = [" ".join(command) for command in index.commands]
    assert any(line.endswith("install uv>=0.9.13") for line in words)
    used = {line.split("/bin/uv ")[0].split()[-1] for line in words if "/bin/uv " in line}
    assert used == {f"/var/cache/codesensei/{stack.SLUG}/uv-for-0.9.13"}


WHEELS = "/usr/share/python-wheels"
LEFT = f"{VENV}/left-by-uv"
UV = f"/var/cache/codesensei/{stack.SLUG}/uv-0.9.9"


def with_wheels(machine: Machine, **changes: Any) -> Index:
    """As Debian has them beside Python's own module venv."""
    machine.write(f"{WHEELS}/pip-25.1.1-py3-none-any.whl", "")
    return prepared(machine, **changes)


@pytest.mark.proves("build.compiled")
def test_modules_are_compiled_before_django_starts(machine: Machine) -> None:
    index = prepared(machine)
    assert build(machine).ok
    lines = [" ".join(words) for words in index.commands]
    [compiled] = [number for number, line in enumerate(lines) if "compileall" in line]
    first = next(number for number, line in enumerate(lines) if "ask_django" in line)
    assert compiled + 1 == first


@pytest.mark.proves("deps.auto")
def test_auto_is_uv_in_a_venv_like_any_other(machine: Machine) -> None:
    index = with_wheels(machine)
    ended = build(machine, installer="auto")
    assert ended.ok, ended.error
    assert "pip installs" not in ended.said
    shown = [" ".join(words).replace(UV, "UV").replace(VENV, "VENV") for words in index.commands]
    shown = [line.partition("uv.sh ")[2] or line for line in shown]
    assert [line for line in shown if "ask_django" not in line and "compileall" not in line] == [
        "/usr/bin/python3 -m venv --clear --without-pip UV",
        f"PYTHONPATH={WHEELS}/pip-25.1.1-py3-none-any.whl"
        " UV/bin/python -m pip --disable-pip-version-check --no-input install uv==0.9.9",
        "/usr/bin/python3 -m venv --without-pip VENV",
        f"UV/bin/uv pip install --python VENV/bin/python --no-index --find-links {WHEELS} pip",
        "UV/bin/uv pip install --python VENV/bin/python --requirement base.txt",
        "UV/bin/uv pip freeze --python VENV/bin/python --exclude-editable",
        "UV/bin/uv pip install --python VENV/bin/python"
        f" --constraint {stack.ROOT}/env/{FIRST.release}.constraints.txt gunicorn==23.0.0",
    ]
    [requirements] = [ran for ran in machine.ran if "--requirement" in ran.argv]
    # Nothing of the project's runs pip.
    [filled] = [ran for ran in machine.ran if "--no-index" in ran.argv]
    assert "-uUV_COMPILE_BYTECODE" in filled.argv
    assert requirements.environment["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert requirements.environment["UV_COMPILE_BYTECODE"] == "1"


@pytest.mark.proves("deps.auto", "deps.reuse")
def test_what_pip_has_installed_is_used(machine: Machine) -> None:
    index = with_wheels(machine)
    assert build(machine, installer="pip").ok
    machine.ran.clear()
    stack.send(machine, OTHER)
    assert build(machine, OTHER, installer="auto").ok
    assert installs(index) == []


@pytest.mark.proves("deps.auto")
def test_an_older_python_has_setuptools_too(machine: Machine) -> None:
    index = with_wheels(machine)
    assert build(machine, installer="auto").ok
    assert installs(index)[1].endswith(" pip")
    builder = Builder(None, None, Path("venv"), "3.11.2")  # type: ignore[arg-type]
    assert with_uv._first_packages(builder) == ["pip", "setuptools"]


@pytest.mark.proves("deps.auto")
def test_auto_wants_a_hash_for_all_where_one_has_one(machine: Machine) -> None:
    """As pip does."""
    index = with_wheels(machine)
    assert build(machine, installer="auto", hashed=True).ok
    assert installs(index)[2] == f"install --python {VENV}/bin/python --require-hashes --requirement base.txt"


@pytest.mark.proves("deps.auto")
def test_auto_without_wheels_lets_python_fill_the_venv(machine: Machine) -> None:
    index = prepared(machine)
    assert build(machine, installer="auto").ok
    assert [words for words in index.commands if "venv" in words] == [
        ["/usr/bin/python3", "-m", "venv", "--clear", UV],
        ["/usr/bin/python3", "-m", "venv", VENV],
    ]
    assert not any("--find-links" in words for words in index.commands)


@pytest.mark.proves("deps.auto")
@pytest.mark.parametrize(
    ("variables", "settings", "failing", "says"),
    [
        ("PIP_NO_BINARY='lxml'\n", "", {}, "uv does not know PIP_NO_BINARY"),
        ("PIP_CONFIG_FILE=pip.conf\n", "", {}, "uv does not know PIP_CONFIG_FILE"),
        ("", "[global]\nindex-url = https://mirror.example/simple\n", {}, "uv does not know index-url in "),
        ("", "[install]\ncert = /root/ours.pem\n", {}, "uv does not know cert in "),
        ("", "no section\n", {}, "pip.conf"),
        ("", "", {"install uv==": "ERROR: No matching distribution found for uv==0.9.9"}, "uv cannot be installed ("),
        ("", "", {"--find-links": "No space left on device"}, "uv does not fill the venv (the server's disk is full)"),
        (
            "",
            "",
            {"uv pip install --python VENV/bin/python --requirement": "  x No solution found"},
            "uv does not install the requirements (x No solution found)",
        ),
    ],
)
def test_auto_is_pip_where_uv_cannot(
    machine: Machine, variables: str, settings: str, failing: dict[str, str], says: str
) -> None:
    index = with_wheels(machine, failing={words.replace("VENV", VENV): said for words, said in failing.items()})
    machine.write(f"{stack.ROOT}/env/{FIRST.env}.env", variables)
    machine.write("/etc/pip.conf", settings)
    # Whatever uv has run has left something.
    machine.jobs[:] = [
        replace(job, effect=lambda _: machine.write(LEFT, "")) if job.code else job for job in machine.jobs
    ]
    ended = build(machine, installer="auto")
    assert ended.ok, ended.error
    assert "pip installs the packages: " in ended.said
    assert says in ended.said
    assert installs(index)[-3:] == [
        "install pip==25.3",
        "install --requirement base.txt",
        f"install --constraint {stack.ROOT}/env/{FIRST.release}.constraints.txt gunicorn==23.0.0",
    ]
    assert machine.read(LEFT) is None
    made = [words for words in index.commands if words[-1] == VENV]
    assert made[-1] == ["/usr/bin/python3", "-m", "venv", VENV]
    assert machine.read(f"{VENV}/.complete") == "3.13.5\n"


IGNORED = """
warning: Ignoring unsupported option in `base.txt`: `--require-hashes` (hint: pass it on the command line)
warning: Ignoring unsupported option in `base.txt`: `--use-feature`
warning: Ignoring unsupported option in `base.txt`: `--pre` (hint: pass `--pre` on the command line instead)
"""


@pytest.mark.proves("deps.auto", "deps.uv")
def test_what_uv_only_warns_of_is_not_lost_unheard(machine: Machine) -> None:
    """It installs without the option, and ends with 0."""
    index = with_wheels(machine)
    machine.jobs.insert(0, Job("uv pip install --python", 0, IGNORED))
    ended = build(machine, installer="auto")
    assert "pip installs the packages: uv ignores --pre of the requirements" in ended.said
    assert "install --requirement base.txt" in installs(index)
    stack.send(machine, OTHER)
    machine.write(f"{stack.ROOT}/env/{OTHER.env}.env", "PIP_NO_BINARY=lxml\n")
    by_uv = build(machine, OTHER, installer="uv", venvId="1" * 40)
    assert "uv does not know PIP_NO_BINARY, --pre: that has no effect on what is installed" in by_uv.said


@pytest.mark.proves("deps.auto")
def test_auto_takes_what_both_know(machine: Machine) -> None:
    index = with_wheels(machine)
    machine.write(f"{stack.ROOT}/env/{FIRST.env}.env", "PIP_INDEX_URL=https://index.example/simple\nPIP_RETRIES=9\n")
    machine.write("/etc/pip.conf", "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ntimeout = 60\n")
    ended = build(machine, installer="auto")
    assert ended.ok
    assert "pip installs" not in ended.said
    assert not any("pip==25.3" in words for words in index.commands)


@pytest.mark.proves("deps.auto")
def test_what_neither_can_install_is_told_as_pip_says_it(machine: Machine) -> None:
    said = "ERROR: No matching distribution found for nothing==1.0"
    with_wheels(machine, failing={"--requirement": said})
    ended = build(machine, installer="auto")
    assert ended.error.startswith(f"error: install the requirements (release {FIRST.release})")
    assert "nothing==1.0" in ended.error


@pytest.mark.proves("deps.auto", "config.python")
def test_auto_brings_a_python_that_the_server_lacks(machine: Machine) -> None:
    index = with_wheels(machine)
    assert build(machine, installer="auto", python="3.12").ok
    venv = f"{stack.ROOT}/venvs/5e7ab1e00000-py3.12"
    assert [*index.commands[2][-5:]] == ["venv", "--allow-existing", "--python", "3.12", venv]
    assert machine.read(f"{venv}/.complete") == "3.12\n"


@pytest.mark.proves("config.python")
def test_a_python_that_is_not_there_is_named(machine: Machine) -> None:
    prepared(machine)
    ended = build(machine, python="3.12")
    assert "this server has no python3.12" in ended.error
    machine.write("/usr/bin/python3.12", "")
    machine.files.path("/usr/bin/python3.12").chmod(0o755)
    assert build(machine, python="3.12").ok
    assert machine.read(f"{stack.ROOT}/venvs/5e7ab1e00000-py3.12.9/.complete") is not None


@pytest.mark.proves("deps.root", "root.trust")
def test_no_process_of_the_build_users_is_left_when_root_takes_over(machine: Machine) -> None:
    """Before the venv is root's, and after the last command that fills it."""
    prepared(machine)
    assert build(machine).ok
    texts = [call.text for call in machine.calls.made]
    marker = texts.index(f"write {VENV}/.complete")
    ended = max(number for number, text in enumerate(texts[:marker]) if text.startswith("pkill"))
    filled = max(number for number, text in enumerate(texts[:marker]) if text.startswith("job:"))
    assert ended > filled
    assert machine.files.path(f"{VENV}/bin/python").stat().st_mode & 0o777 == 0o640


@pytest.mark.proves("deps.pip")
def test_the_cache_of_downloads_has_a_bound(machine: Machine) -> None:
    prepared(machine)
    cache = f"/var/cache/codesensei/{stack.SLUG}"
    machine.write(f"{cache}/pip/wheel", "")
    assert build(machine).ok
    assert machine.read(f"{cache}/pip/wheel") is not None
    with machine.files.path(f"{cache}/pip/wheel").open("r+b") as file:
        file.truncate((1 << 30) + 1)
    stack.send(machine, OTHER)
    assert "emptied the cache" in build(machine, OTHER, inPlace=True).said
    assert machine.read(f"{cache}/pip/wheel") is None


@pytest.mark.proves("secrets.filter")
def test_what_pip_says_has_no_secret(machine: Machine) -> None:
    machine.write(f"{stack.ROOT}/env/{FIRST.env}.env", "DATABASE_PASSWORD='tops3cret'\n")
    prepared(machine, failing={"--requirement": "401 from https://user:tops3cret@pypi.example.com"})
    ended = build(machine)
    assert not ended.ok
    logs = "".join(path.read_text() for path in machine.files.path(f"{stack.MEMORY}/logs").iterdir())
    assert "tops3cret" not in ended.error + ended.said + logs
    assert "[secret]" in ended.error


EXPORTS = [
    (LockFile(tool="uv"), True, "export --quiet --frozen --format requirements-txt PROJECT"),
    (
        LockFile(tool="uv", extras=("prod",), groups=("queue",)),
        False,
        "export --quiet --frozen --format requirements-txt PROJECT --no-hashes --extra prod --group queue",
    ),
    (LockFile(tool="poetry"), True, "TOOL poetry==2.2.1 PLUGIN poetry export --no-interaction --only main"),
    (
        LockFile(tool="poetry", extras=("a", "b"), groups=("prod",)),
        False,
        "TOOL poetry==2.2.1 PLUGIN poetry export --no-interaction --only main,prod --extras a --extras b"
        " --without-hashes",
    ),
    (LockFile(tool="pdm"), True, "TOOL pdm==2.26.1 pdm export --format requirements --prod"),
    (
        LockFile(tool="pdm", extras=("prod",), groups=("queue",)),
        False,
        "TOOL pdm==2.26.1 pdm export --format requirements --group prod --group queue --without-hashes",
    ),
    (LockFile(tool="pipenv"), True, "TOOL pipenv==2025.0.4 pipenv requirements --categories packages --hash"),
    (
        LockFile(tool="pipenv", groups=("prod", "queue")),
        False,
        "TOOL pipenv==2025.0.4 pipenv requirements --categories packages prod queue",
    ),
    (
        LockFile(tool="pyproject", extras=("prod",), groups=("queue",)),
        False,
        "pip compile --quiet --python VENV/bin/python --extra prod --group queue pyproject.toml",
    ),
]  # fmt: skip


@pytest.mark.proves("deps.lock-files", "deps.extras")
@pytest.mark.parametrize("installer", ["auto", "uv", "pip"])
@pytest.mark.parametrize(("lock", "hashed", "asks"), EXPORTS)
def test_a_lock_is_written_as_requirements_by_its_own_tool(
    machine: Machine, lock: LockFile, hashed: bool, asks: str, installer: str
) -> None:
    index = with_wheels(machine)
    asked = "3.13" if installer == "uv" else ""
    ended = build(machine, installer=installer, lock=codec.encode(lock), hashed=hashed, python=asked)
    assert ended.ok, ended.error
    venv = VENV.replace("3.13.5", asked or "3.13.5")
    shown = [" ".join(words).replace(UV, "UV").replace(venv, "VENV") for words in index.commands]
    [exported] = [line for line in shown if "export.sh" in line]
    assert exported.partition("export.sh ")[2].partition("uv.sh ")[2] == "UV/bin/uv " + asks.replace(
        "TOOL", "tool run --quiet --python /usr/bin/python3 --from"
    ).replace("PLUGIN", "--with poetry-plugin-export==1.9.0").replace(
        "PROJECT", "--no-dev --no-emit-project --no-editable"
    )
    assert exported.partition("export.sh ")[2].startswith("VENV/requirements.txt ")
    assert ("VIRTUAL_ENV=VENV" in exported) is (lock.tool == "pdm")
    [installed] = [line for line in shown if "--requirement " in line]
    assert installed.endswith("--requirement VENV/requirements.txt")
    assert ("--require-hashes" in installed) is (hashed and installer == "auto")
    assert shown.index(exported) < shown.index(installed)


@pytest.mark.proves("deps.lock-files")
def test_a_pylock_is_installed_by_uv_alone(machine: Machine) -> None:
    index, lock = with_wheels(machine), LockFile(tool="pylock")
    assert build(machine, installer="auto", lock=codec.encode(lock)).ok
    assert installs(index)[2] == f"install --python {VENV}/bin/python --preview-features pylock --requirement base.txt"
    assert not any("export.sh" in " ".join(words) for words in index.commands)


@pytest.mark.proves("deps.lock-files")
@pytest.mark.parametrize(
    ("tool", "failing", "error"),
    [
        ("pylock", "install uv==", "only uv installs from it, and uv cannot be installed ("),
        ("poetry", "poetry export", "error: read requirements/base.txt (release "),
    ],
)
def test_a_lock_that_the_server_cannot_read_ends_the_deploy(
    machine: Machine, tool: LockTool, failing: str, error: str
) -> None:
    index = with_wheels(machine, failing={failing: "ERROR: no"})
    ended = build(machine, installer="auto", lock=codec.encode(LockFile(tool=tool)))
    assert not ended.ok
    assert error in ended.error
    assert not any("--requirement" in words for words in index.commands)


@pytest.mark.proves("deps.lock-files")
def test_what_a_tool_prints_is_written_without_the_public_index(tmp_path: Path) -> None:
    """pipenv always names it; a failing tool leaves nothing that could be installed."""
    file, printed = tmp_path / "requirements.txt", "-i https://pypi.org/simple\na==1\n-i https://own.example/simple\n"
    run(["sh", str(exports.SCRIPT), str(file), "printf", "%s", printed])
    assert file.read_text() == "a==1\n-i https://own.example/simple\n"
    assert [path.name for path in tmp_path.iterdir()] == ["requirements.txt"]
    file.unlink()
    assert run(["sh", str(exports.SCRIPT), str(file), "sh", "-c", "echo a; exit 3"], check=False).code == 3
    assert not file.exists()


@pytest.mark.proves("os.noexec")
@pytest.mark.parametrize("programs", [True, False])
def test_packages_are_not_built_where_no_program_may_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, programs: bool
) -> None:
    """pip builds in /tmp, and runs compilers and what they have made there."""
    prepared(machine)
    monkeypatch.setattr(host, "space", lambda path: host.Space(10**12, None, programs=programs))
    assert build(machine).ok
    [requirements] = [ran for ran in machine.ran if "--requirement" in ran.argv]
    assert requirements.environment.get("TMPDIR") == (None if programs else VENV)
