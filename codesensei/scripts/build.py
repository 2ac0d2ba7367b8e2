"""Step `build`: a release's code and packages, made by the build user, and what Django says of its settings.

Everything is written inside the release's own directory, its venv and root's memory; nothing that serves is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import shutil
import stat
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from codesensei.scripts import causes, checks, commands, files, jobs
from codesensei.scripts.jobs import Done, Job, Release
from codesensei.scripts.seal import seal
from codesensei.scripts.step import Failure, Step, write_json

# A recent pip: Debian 12's own fails on some hash-pinned requirements.
PIP = "pip==25.3"
UV = "uv==0.9.9"
FACTS = "codesensei-facts:"
SPARE_MEGABYTES = 300
SPARE_INODES = 20_000


def run(step: Step) -> None:
    """Unpack, install, ask Django; done once for a release, which never changes afterwards."""
    name, revision = step.args
    data = step.data
    release = Release(step.project, name, data["user"], data["directory"], data["settingsModule"])
    jobs.end_orphans(step)
    if release.notes.get("built") and release.path.is_dir() and (release.venv / ".complete").exists():
        _check_server(release, data["server"]["name"])
        step.say(f"release {name} is built already")
        return
    note(release, {"built": False, "prepared": None})
    started = time.monotonic()
    _check_room(step, data["source"])
    files.make_directory(step.project.cache.parent, 0o755)
    files.make_directory(step.project.cache, 0o700, step.project.build_user)
    _unpack(step, release, revision, data["source"])
    unpacked = time.monotonic()
    _venv(step, release, data)
    installed = time.monotonic()
    facts = _ask_django(step, release)
    _check(facts, release, data)
    note(
        release,
        {
            "facts": facts,
            "revision": revision,
            "built": True,
            "seconds": {
                "code": round(unpacked - started, 1),
                "packages": round(installed - unpacked, 1),
                "settings": round(time.monotonic() - installed, 1),
            },
        },
    )
    step.changed(f"release {name} is built")


def _check_server(release: Release, name: str) -> None:
    if not (release.venv / "bin" / name).exists():
        raise Failure(
            f"release {release.name}",
            f"it was built without {name}, and a release is never changed",
            "set project.rebuild to any new text: a new release is made",
        )


def note(release: Release, more: dict[str, Any]) -> None:
    """Add to what root knows of a release."""
    write_json(release.project.notes(release.name), {**release.notes, **more})


def _check_room(step: Step, source: dict[str, str]) -> None:
    room = os.statvfs(step.project.root)
    free, inodes = room.f_bavail * room.f_frsize // 2**20, room.f_favail
    if free < SPARE_MEGABYTES or (room.f_files and inodes < SPARE_INODES):
        raise Failure(
            "disk",
            f"{free} MB and {inodes} inodes are free at {step.project.root}, a release needs {SPARE_MEGABYTES} MB"
            f" and {SPARE_INODES} inodes",
            "make room, or lower project.keepReleases",
        )


def _unpack(step: Step, release: Release, revision: str, source: dict[str, str]) -> None:
    """The code, from one archive whose SHA-256 is known, into a new directory of the build user's."""
    archive = _archive(step, revision, source)
    _refuse_unsafe(archive)
    extract(step, release, archive)
    step.changed(f"code of {revision[:12]} is unpacked")


def extract(step: Step, release: Release, archive: Path) -> None:
    """Unpack a checked archive into a new directory of the build user's, in place of what is there."""
    files.remove_path(release.path)
    files.make_directory(release.path, 0o750, step.project.build_user, release.user)
    with open(archive, "rb") as stream:
        done = subprocess.run(
            [
                "tar",
                "--extract",
                "--file=-",
                "--no-same-owner",
                "--no-overwrite-dir",
                f"--directory={release.path}",
            ],
            stdin=stream,
            capture_output=True,
            text=True,
            user=step.project.build_user,
            group=release.user,
            extra_groups=[],
            umask=0o027,
            env={"PATH": commands.SYSTEM_PATH},
            check=False,
        )
    if done.returncode != 0:
        raise Failure(f"release {release.name}", "its archive cannot be unpacked", log=done.stderr)
    step.changes += 1


def archive_of(step: Step, revision: str) -> Path:
    """Where root's own copy of a commit's archive is."""
    return step.project.memory / "source" / f"{revision}.tar"


def _archive(step: Step, revision: str, source: dict[str, str]) -> Path:
    """Root's own copy of the source archive, checked; taken from where the login user's copy arrived."""
    kept = archive_of(step, revision)
    if kept.exists() and _sha256(kept) == source["sha256"]:
        return kept
    arrived = step.project.incoming / Path(source["tar"]).name
    files.make_directory(kept.parent, 0o700)
    try:
        handle = os.open(arrived, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise Failure(
            "source", f"the archive {arrived} is not there ({error.strerror})", "run pulumi up again"
        ) from None
    temporary = kept.with_suffix(".part")
    with os.fdopen(handle, "rb") as stream, open(temporary, "wb") as copy:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise Failure("source", f"{arrived} is not a regular file", "remove it and run pulumi up again")
        shutil.copyfileobj(stream, copy)
    found = _sha256(temporary)
    if found != source["sha256"]:
        raise Failure(
            "source",
            f"the archive arrived damaged (SHA-256 {found[:16]}, expected {source['sha256'][:16]})",
            "run pulumi up again; if it stays so, the disk of the server may be full",
        )
    os.rename(temporary, kept)
    arrived.unlink(missing_ok=True)
    return kept


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _refuse_unsafe(archive: Path) -> None:
    """Nothing in the archive may reach outside the directory that it is unpacked into."""
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            name = posixpath.normpath(member.name)
            reason = ""
            if _escapes(member.name):
                reason = "leads out of the project"
            elif not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                reason = "is a device or a pipe"
            elif member.issym() and _escapes(posixpath.join(posixpath.dirname(name), member.linkname)):
                reason = f"is a link out of the project ({member.linkname})"
            elif member.islnk() and _escapes(member.linkname):
                reason = f"is a hard link out of the project ({member.linkname})"
            elif name == ".codesensei" or name.startswith(".codesensei/"):
                reason = "has the name of the product's own folder"
            if reason:
                raise Failure("source", f"{member.name} {reason}", "remove it from the repository")


def _escapes(path: str) -> bool:
    return path.startswith("/") or posixpath.normpath(path).split("/")[0] == ".."


def _venv(step: Step, release: Release, data: dict[str, Any]) -> None:
    """The packages: an existing venv of the same content, or a new one, root's once it is complete."""
    python = _python(data)
    version = commands.run([python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).stdout.strip()
    version = data["python"] if data["installer"] == "uv" and data["python"] else version
    venv = step.project.venvs / f"{data['venvId'][:12]}-py{version}"
    note(release, {"venv": venv.name})
    if (venv / ".complete").exists():
        return
    files.remove_path(venv)
    files.make_directory(venv, 0o750, step.project.build_user, release.user)
    install = _with_uv if data["installer"] == "uv" else _with_pip
    install(step, release, venv, python, data)
    _web_server(step, release, venv, data["server"])
    run_as_nobody_else(step)
    seal(venv, step.project.build_user, release.user)
    files.write_file(venv / ".complete", version + "\n", 0o644)
    step.changed(f"packages are installed ({venv.name})")


def run_as_nobody_else(step: Step) -> None:
    """No process of the build user may be left when root takes over what it made."""
    commands.run(["pkill", "-KILL", "-U", step.project.build_user], check=False)


def _python(data: dict[str, Any]) -> str:
    wanted = data["python"]
    if not wanted or data["installer"] == "uv":
        return "/usr/bin/python3"
    path = shutil.which(f"python{wanted}", path=commands.SYSTEM_PATH)
    if path is None:
        raise Failure(
            f"Python {wanted}",
            f"this server has no python{wanted}",
            "leave project.python empty for the server's own, or set project.installer to uv, which brings its own",
        )
    return path


def _with_pip(step: Step, release: Release, venv: Path, python: str, data: dict[str, Any]) -> None:
    pip = [f"{venv}/bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _build(step, release, "create the venv", [python, "-m", "venv", str(venv)])
    _build(step, release, "install pip", [*pip, "install", PIP])
    _build(step, release, "install the requirements", [*pip, "install", "--requirement", data["requirements"]])


def _with_uv(step: Step, release: Release, venv: Path, python: str, data: dict[str, Any]) -> None:
    tool = step.project.cache / UV.replace("==", "-")
    wanted = ["--python", data["python"]] if data["python"] else ["--python", python]
    if not (tool / "bin" / "uv").exists():
        _build(step, release, "create uv's venv", [python, "-m", "venv", "--clear", str(tool)])
        _build(step, release, "install uv", [f"{tool}/bin/python", "-m", "pip", "install", UV])
    uv = f"{tool}/bin/uv"
    _build(step, release, "create the venv", [uv, "venv", "--allow-existing", "--seed", *wanted, str(venv)])
    _build(
        step,
        release,
        "install the requirements",
        [uv, "pip", "install", "--python", f"{venv}/bin/python", "--requirement", data["requirements"]],
    )


def _web_server(step: Step, release: Release, venv: Path, server: dict[str, str]) -> None:
    """gunicorn or Daphne, when the requirements do not bring it, under the project's own versions."""
    if (venv / "bin" / server["name"]).exists():
        return
    python = f"{venv}/bin/python"
    frozen = _build(step, release, "list the packages", [python, "-m", "pip", "freeze", "--exclude-editable"])
    constraints = [line for line in frozen.tail.splitlines() if "==" in line and not line.startswith(("#", "-"))]
    listed = step.project.environments / f"{release.name}.constraints.txt"
    files.write_file(listed, "\n".join(constraints) + "\n", 0o640, "root", release.user)
    wanted = f"{server['name']}=={server['version']}"
    _build(
        step,
        release,
        f"install {wanted}",
        [python, "-m", "pip", "install", "--no-input", "--constraint", str(listed), wanted],
    )


def _build(step: Step, release: Release, title: str, argv: list[str]) -> Done:
    """One build command as the build user, in the source's root."""
    variables = {"PIP_PROGRESS_BAR": "off", "UV_LINK_MODE": "copy"}
    job = Job(title, argv, as_build_user=True, directory=release.path, variables=variables)
    return require(jobs.run_job(step, release, job), release, title)


def require(done: Done, release: Release, title: str, cure: str = "") -> Done:
    """`done`, or Failure with the known cause that its output tells of."""
    if done.ok:
        return done
    ended = {"oom-kill": "Out of memory", "timeout": f"it did not end within {jobs.LONGEST_SECONDS // 3600} hours"}
    log = "\n".join(filter(None, [done.tail, ended.get(done.result, "")]))
    cause, known_cure = causes.explain_any(log, f"it ended with status {done.code}")
    raise Failure(f"{title} (release {release.name})", cause, known_cure or cure, done.tail, where=str(done.log))


def _ask_django(step: Step, release: Release) -> dict[str, Any]:
    script = Path(__file__).with_name("ask_django.py")
    argv = [f"{release.venv}/bin/python", "-B", str(script)]
    job = Job("ask Django for its settings", argv, answer=FACTS)
    done = require(jobs.run_job(step, release, job), release, "Django's settings")
    with contextlib.suppress(ValueError):
        facts = json.loads(done.answer)
        assert isinstance(facts, dict)
        return facts
    raise Failure("Django's settings", "the project's settings printed no facts", log=done.tail)


def _check(facts: dict[str, Any], release: Release, data: dict[str, Any]) -> None:
    """Refuse settings that would lose data or not work; what they say may quote a secret variable."""
    clean = jobs.redactor(release.project, release.name).clean
    try:
        checks.check(facts, release, data)
    except Failure as failure:
        raise Failure(failure.thing, clean(failure.cause), clean(failure.cure)) from None
