"""Packages by uv, which pip installs first, and which is kept for the next release."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from codesensei.scripts.release import causes, exports
from codesensei.scripts.release.builder import OWN, Builder
from codesensei.scripts.release.jobs import JobResult
from codesensei.wire import envfile, paths, uv

SCRIPT = Path(__file__).with_name("uv.sh")
# Variables and keys of pip.conf with which uv installs the same as pip: uv.sh passes on the first three.
_KNOWN = frozenset(
    "index-url extra-index-url cert cache-dir default-timeout disable-pip-version-check no-cache-dir no-color no-input"
    " progress-bar quiet retries root-user-action timeout verbose".split()
)
_KNOWN_IN_FILES = _KNOWN - {"index-url", "extra-index-url", "cert"}
# What uv says of an option in a requirements file. It gets --require-hashes in its own way, and needs no features.
_IGNORED = re.compile(r"Ignoring unsupported option in .+: `(--(?!require-hashes|use-feature)[\w-]+)`")
# Until this version, Python itself fills a new venv with setuptools as well.
_WITHOUT_SETUPTOOLS = (3, 12)


def command(builder: Builder) -> list[str]:
    """uv, with the indexes that the project's variables name for pip."""
    return ["sh", str(SCRIPT), f"{_tool(builder)}/bin/uv"]


def install(builder: Builder, python: str) -> None:
    """Install the requirements, where uv alone may: with a Python of the server's, or with one that uv brings."""
    provide(builder)
    wanted = builder.step.data.python or python
    make = [*command(builder), "venv", "--allow-existing", "--python", wanted, str(builder.venv)]
    builder.require("create the venv", make)
    exports.write(builder, command(builder))
    done = builder.require("install the requirements", _install(builder))
    if lost := [*for_pip_alone(builder), *_ignored(done)]:
        builder.step.say(f"uv does not know {', '.join(lost)}: that has no effect on what is installed")


def provide(builder: Builder) -> None:
    """Have pip install uv, where that is not done."""
    if not _is_there(builder):
        builder.require("create uv's venv", _make_tool(builder))
        builder.require("install uv", _get_uv(builder))


def attempt(builder: Builder, python: str) -> str:
    """Install them as pip would, into a venv as Python makes it. Returns why uv cannot; empty where it has."""
    if alone := for_pip_alone(builder):
        return f"uv does not know {', '.join(alone)}"
    if not _is_there(builder):
        for title, argv in (("create uv's venv", _make_tool(builder)), ("install uv", _get_uv(builder))):
            if not (done := builder.run(title, argv)).ok:
                return f"uv cannot be installed ({_why(done)})"
    wheels = bundled_wheels()
    builder.require(
        "create the venv", [python, "-m", "venv", *(["--without-pip"] if wheels else []), str(builder.venv)]
    )
    if wheels:
        pip = [*command(builder), "pip", "install", "--python", builder.python, "--no-index"]
        packages = _first_packages(builder)
        # No process of the project runs pip: compiling it would take longer than unpacking it.
        uncompiled = ["-uUV_COMPILE_BYTECODE"] if packages == ["pip"] else []
        fill = [*OWN, *uncompiled, *pip, "--find-links", str(paths.SERVER.python_wheels), *packages]
        if not (done := builder.run("fill the venv", fill)).ok:
            return f"uv does not fill the venv ({_why(done)})"
    exports.write(builder, command(builder))
    done = builder.run("install the requirements with uv", _install(builder))
    if ignored := _ignored(done):
        return f"uv ignores {', '.join(ignored)} of the requirements"
    return "" if done.ok else f"uv does not install the requirements ({_why(done)})"


def for_pip_alone(builder: Builder) -> list[str]:
    """What pip is told by variables of the project or by a file of the server, and uv would not follow."""
    given = envfile.assignments(_text(builder.release.env_file))
    alone = [name for name in given if name.startswith("PIP_") and _key(name.removeprefix("PIP_")) not in _KNOWN]
    for path in (paths.SERVER.pip_settings, paths.SERVER.xdg_pip_settings):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(_text(path))
        except configparser.Error:
            alone.append(str(path))
            continue
        found = [(_key(key), value) for section in parser.values() for key, value in section.items()]
        alone += [f"{key} in {path}" for key, value in found if not _is_known(key, value)]
    return sorted(set(alone))


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _key(name: str) -> str:
    return name.lower().replace("_", "-")


def _is_known(key: str, value: str) -> bool:
    # uv trusts the system's certificates anyway.
    return key in _KNOWN_IN_FILES or (key == "cert" and value == "/etc/ssl/certs/ca-certificates.crt")


def bundled_wheels() -> list[Path]:
    """The wheels that Debian and Ubuntu keep for new venvs; Python itself would take seconds to unpack them."""
    return sorted(paths.SERVER.python_wheels.glob("pip-*.whl"))


def _tool(builder: Builder) -> str:
    """Where uv is kept: each set of versions that a project takes has a place of its own."""
    wanted = builder.step.data.uv
    name = re.sub(r"[^\w.]+", "-", wanted).strip("-") if wanted else uv.VERSION
    return f"{builder.step.project.cache}/uv-{'for-' if wanted else ''}{name}"


def _is_there(builder: Builder) -> bool:
    return Path(f"{_tool(builder)}/bin/uv").exists()


def _make_tool(builder: Builder) -> list[str]:
    without = ["--without-pip"] if bundled_wheels() else []
    return ["/usr/bin/python3", "-m", "venv", "--clear", *without, _tool(builder)]


def _get_uv(builder: Builder) -> list[str]:
    # A wheel of pip runs as it is.
    wheel = [f"PYTHONPATH={path}" for path in bundled_wheels()[-1:]]
    pip = [f"{_tool(builder)}/bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    return [*OWN, *wheel, *pip, "install", f"uv{builder.step.data.uv or f'=={uv.VERSION}'}"]


def _install(builder: Builder) -> list[str]:
    pip = [*command(builder), "pip", "install", "--python", builder.python]
    # With one hash pip wants one for every package, which uv has to be told.
    data = builder.step.data
    strict = ["--require-hashes"] if data.hashed and data.installer == "auto" else []
    known = ["--preview-features", "pylock"] if data.lock and data.lock.tool == "pylock" else []
    return [*pip, *known, *strict, "--requirement", builder.requirements]


def _first_packages(builder: Builder) -> list[str]:
    """What Python itself puts into a new venv."""
    older = tuple(map(int, builder.version.split(".")[:2])) < _WITHOUT_SETUPTOOLS
    return ["pip", "setuptools"] if older else ["pip"]


def _ignored(done: JobResult) -> list[str]:
    """The options of the requirements without which uv has gone on."""
    return list(dict.fromkeys(_IGNORED.findall(done.tail)))


def _why(done: JobResult) -> str:
    cause, _ = causes.explain_any(done.tail, "")
    last = [line.strip() for line in done.tail.splitlines() if line.strip()][-1:]
    return cause or next(iter(last), f"uv {done.ended}")
