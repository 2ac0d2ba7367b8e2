"""The closure of a requirements file: what is in it, what makes it part of a release, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from codesensei.source import Checkout, SourceError, requirements_closure
from codesensei.source.requirements import logical_lines

Make = Callable[[Mapping[str, str | bytes]], Checkout]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# What lines of a requirements file may install from the repository itself.
THERE = {
    "pyproject.toml": "",
    "lib/setup.py": "",
    "lib/thing/pyproject.toml": "",
    "lib/shop/setup.py": "",
    "wheels/x-1.0-py3-none-any.whl": "",
    "x-1.0-py3-none-any.whl": "",
    "x-1.0.tar.gz": "",
}


def test_includes_and_constraints_are_relative_to_their_file(project_of: Make) -> None:
    project = project_of(
        {
            "requirements/production.txt": "-r base.txt\n--constraint=../constraints.txt\n-c ./more.txt # why\n",
            "requirements/base.txt": "--requirement common/all.txt\nDjango==5.2\n",
            "requirements/common/all.txt": '-r"../with space.txt"\n',
            "requirements/with space.txt": "",
            "requirements/more.txt": "-r production.txt\n",
            "constraints.txt": "",
            "requirements/unused.txt": "",
        }
    )
    closure = requirements_closure(project, "requirements/production.txt")
    assert closure.files == (
        "requirements/production.txt",
        "requirements/base.txt",
        "requirements/common/all.txt",
        "requirements/with space.txt",
        "constraints.txt",
        "requirements/more.txt",
    )
    assert (closure.per_release, closure.why) == (False, ())


@pytest.mark.proves("deps.local")
@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "--editable .",
        "--editable=./lib",
        "-e .[extra]",
        ".",
        ".[extra]",
        "./lib",
        "lib/thing",
        "shop @ file:lib/shop",
        "wheels/x-1.0-py3-none-any.whl",
        "x-1.0-py3-none-any.whl ; python_version > '3'",
        "x-1.0.tar.gz",
        "-f wheels",
        "--find-links=./wheels",
        "git+https://git.example/x",
        "git+https://git.example/x@main",
        "git+https://git.example/x@v1.0#egg=x",
        "git+https://git.example/x@0123456",
        "x @ git+ssh://git@git.example/x.git",
        "x[a,b] @ git+https://git.example/x@main ; python_version > '3'",
        "-e git+https://git.example/x#egg=x",
        "hg+https://hg.example/x@" + COMMIT,
        "svn+https://svn.example/x",
        "-r https://example.com/requirements.txt",
        "-c https://example.com/constraints.txt",
    ],
)
def test_what_can_change_with_the_same_text(project_of: Make, line: str) -> None:
    closure = requirements_closure(
        project_of({**THERE, "requirements.txt": f"Django==5.2\n{line}\n"}), "requirements.txt"
    )
    assert closure.per_release
    assert len(closure.why) == 1
    assert closure.why[0].startswith("requirements.txt:2: ")


@pytest.mark.proves("deps.local", "deps.reuse")
@pytest.mark.parametrize(
    "line",
    [
        "Django",
        "Django>=5,<6",
        "django[argon2,bcrypt]==5.2 ; python_version >= '3.10'",
        "Django==5.2 --hash=sha256:0000 --hash=sha256:1111",
        "Django==5.2 \\\n    --hash=sha256:0000 \\\n    --hash=sha256:1111",
        f"git+https://git.example/x@{COMMIT}",
        f"git+https://git.example/x.git@{COMMIT}#egg=x&subdirectory=a",
        f"x @ git+ssh://git@git.example/x.git@{COMMIT} ; python_version > '3'",
        f"-e git+https://git.example/x@{COMMIT}#egg=x",
        "x @ https://files.example/x-1.0-py3-none-any.whl",
        "https://files.example/x-1.0.tar.gz#sha256=00",
        "--index-url https://${TOKEN}@pypi.example/simple",
        "--extra-index-url=https://pypi.example/simple",
        "-i https://pypi.example/simple",
        "--find-links https://files.example/",
        "--require-hashes",
        "--pre",
        "--no-binary :all:",
        "# -e .",
        "Django # -e .",
        "",
    ],
)
def test_what_stays_what_it_is(project_of: Make, line: str) -> None:
    closure = requirements_closure(project_of({"requirements.txt": f"{line}\n"}), "requirements.txt")
    assert closure.why == ()
    assert not closure.per_release


def test_credentials_of_a_private_repository_are_not_repeated(project_of: Make) -> None:
    text = "x @ git+https://me:token@git.example/x@main\n-r https://me:token@example.com/r.txt\n"
    closure = requirements_closure(project_of({"requirements.txt": text}), "requirements.txt")
    assert len(closure.why) == 2
    assert "token" not in "".join(closure.why)


@pytest.mark.proves("deps.reuse", "words.code-id")
def test_the_digest_follows_every_file_and_nothing_else(project_of: Make) -> None:
    first = requirements_closure(project_of({"r.txt": "-r b.txt\n", "b.txt": "a==1\n"}), "r.txt").digest
    other = requirements_closure(project_of({"README": "x"}), "r.txt").digest
    changed = requirements_closure(project_of({"b.txt": "a==2\n"}), "r.txt").digest
    assert first == other
    assert first != changed


def test_a_byte_order_mark_is_read_as_pip_reads_it(project_of: Make) -> None:
    text = "-r other.txt\r\n"
    project = project_of(
        {"r.txt": b"\xff\xfe" + text.encode("utf-16-le"), "s.txt": b"\xef\xbb\xbf" + text.encode(), "other.txt": ""}
    )
    assert requirements_closure(project, "r.txt").files == ("r.txt", "other.txt")
    assert requirements_closure(project, "s.txt").files == ("s.txt", "other.txt")


@pytest.mark.proves("preview.requirements")
@pytest.mark.parametrize(
    ("files", "fix"),
    [
        (
            {"backend/requirements.txt": "", "requirements/base.in": ""},
            "found backend/requirements.txt, requirements/base.in: set project.requirements to the right one",
        ),
        (
            {"pyproject.toml": "", "backend/uv.lock": ""},
            "found backend/uv.lock, pyproject.toml: set project.requirements to the right one",
        ),
        ({"Pipfile": ""}, "found Pipfile: commit Pipfile.lock (pipenv lock), and set project.requirements to it"),
        ({"a.txt": ""}, "commit a requirements file (pip freeze > requirements.txt)"),
    ],
)
def test_a_file_that_is_not_there(project_of: Make, files: dict[str, str], fix: str) -> None:
    project = project_of(files)
    with pytest.raises(SourceError) as caught:
        requirements_closure(project, "requirements.txt")
    assert caught.value.thing == "project.requirements requirements.txt"
    assert caught.value.cause == f"there is no such file in commit {project.short}"
    assert caught.value.fix == fix


@pytest.mark.proves("preview.requirements")
def test_an_include_that_is_not_there(project_of: Make) -> None:
    project = project_of({"requirements.txt": "Django\n\n-r bsae.txt\n", "deploy/bsae.txt": ""})
    with pytest.raises(SourceError) as caught:
        requirements_closure(project, "requirements.txt")
    assert str(caught.value) == (
        f"requirements.txt:3: includes bsae.txt, which is not in commit {project.short}\n"
        "    there is deploy/bsae.txt: fix the line"
    )


@pytest.mark.parametrize(
    ("layout", "line", "directory", "root"),
    [
        ({"pyproject.toml": "", "src/acme/__init__.py": ""}, "-e .", ".", "src"),
        ({"pyproject.toml": ""}, ".[prod]", ".", "."),
        ({"backend/pyproject.toml": ""}, "-e .", "backend", "backend"),
        ({"libs/foo/setup.py": ""}, "-e ./libs/foo", ".", "libs/foo"),
        ({"backend/libs/foo/setup.py": ""}, "./libs/foo", "backend", "backend/libs/foo"),
        ({"deploy/libs/foo/setup.py": ""}, "foo @ file:libs/foo", "deploy", "deploy/libs/foo"),
    ],
)
def test_local_paths_are_taken_from_where_they_lead_to_something(
    project_of: Make, layout: dict[str, str], line: str, directory: str, root: str
) -> None:
    project = project_of({**layout, "deploy/requirements.txt": f"Django\n{line}\n"})
    closure = requirements_closure(project, "deploy/requirements.txt", "backend")
    assert closure.directory == directory
    assert root in closure.roots
    assert closure.in_place is line.startswith("-e")
    assert closure.per_release


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("-e ./libs/foo", "installs ./libs/foo, which is not in commit"),
        ("../lib", "installs ../lib, which is not in commit"),
        ("wheels/x-1.0-py3-none-any.whl", "installs wheels/x-1.0-py3-none-any.whl, which is not in commit"),
        (".[extra]", "installs ., and there is no pyproject.toml or setup.py in it"),
    ],
)
def test_a_local_path_that_is_not_there(project_of: Make, line: str, cause: str) -> None:
    with pytest.raises(SourceError, match=r"^requirements.txt:1: ") as caught:
        requirements_closure(project_of({"requirements.txt": line}), "requirements.txt")
    assert caught.value.cause.startswith(cause)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("Pipfile", "pipenv lock"),
        ("backend/setup.py", "one line, a dot"),
        ("environment.yml", "pip freeze"),
    ],
)
def test_another_tools_file_is_no_requirements_file(project_of: Make, name: str, command: str) -> None:
    with pytest.raises(SourceError, match="is not a requirements file") as caught:
        requirements_closure(project_of({name: ""}), name)
    assert command in caught.value.fix


def test_an_include_that_a_variable_names_is_read_on_the_server(project_of: Make) -> None:
    closure = requirements_closure(project_of({"r.txt": "-r ${STAGE}.txt\n"}), "r.txt")
    assert (closure.files, closure.per_release, closure.in_place) == (("r.txt",), True, True)


def test_the_names_of_distributions(project_of: Make) -> None:
    text = "Django[argon2]==5.2 ; python_version>'3'\nacme-shop.core\n-e ./lib\nx @ https://e.example/x.whl\n./lib\nhttps://e.example/y-1.zip\n"
    closure = requirements_closure(project_of({"r.txt": text, "lib/setup.py": ""}), "r.txt")
    assert closure.names == {"django", "acme_shop_core", "x"}


@pytest.mark.proves("preview.requirements")
@pytest.mark.parametrize("line", ["-r /etc/passwd", "-r ../../etc/passwd"])
def test_an_include_outside_the_repository(project_of: Make, line: str) -> None:
    project = project_of({"requirements.txt": f"{line}\n"})
    with pytest.raises(SourceError, match=r"^requirements.txt:1: includes "):
        requirements_closure(project, "requirements.txt")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\nb\n", [(1, "a"), (2, "b")]),
        ("a \\\n  b\nc", [(1, "a   b"), (3, "c")]),
        ("# c \\\na", [(2, "a")]),
        ("a \\\n# c\nb", [(1, "a"), (3, "b")]),
        ("a#b\na #b", [(1, "a#b"), (2, "a")]),
        ("a \\", [(1, "a")]),
        ("\n\n  \n", []),
        ("a\r\nb\r\n", [(1, "a"), (2, "b")]),
    ],
)
def test_pips_lines(text: str, lines: list[tuple[int, str]]) -> None:
    assert logical_lines(text) == lines


@pytest.mark.proves("story.packages")
def test_what_is_asked_for_is_told_as_a_person_reads_it(project_of: Make) -> None:
    lines = [
        "Django[argon2] == 5.2.8 ; python_version > '3.9' --hash=sha256:00",
        "Typing_Extensions",
        "celery>=5,<6",
        f"forms @ git+https://user:s3cret@example.com/forms.git@{COMMIT}",
        "https://user:s3cret@example.com/x-1.0.tar.gz",
        "-e .",
        "-c constraints.txt",
    ]
    files = {**THERE, "requirements.txt": "\n".join(lines), "constraints.txt": "typing-extensions==4.2\n"}
    assert requirements_closure(project_of(files), "requirements.txt").asked == {
        "Django": "==5.2.8",
        "Typing_Extensions": "==4.2",
        "celery": ">=5,<6",
        "forms": f"git+https://example.com/forms.git@{COMMIT}",
        "https://example.com/x-1.0.tar.gz": "",
        ".": "",
    }


@pytest.mark.proves("deps.auto")
@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        ("django==5.2\n", False),
        ("django==5.2 \\\n    --hash=sha256:00\n", True),
        ("--require-hashes\ndjango==5.2\n", True),
        ("-r base.txt\n", True),
        ("django==5.2  # --hash=sha256:00\n", False),
    ],
)
def test_one_hash_asks_for_all(project_of: Make, text: str, hashed: bool) -> None:
    project = project_of({"requirements.txt": text, "base.txt": "django==5.2 --hash=sha256:00\n"})
    assert requirements_closure(project, "requirements.txt").hashed is hashed
