"""Lines of freezing tools that no server can install, and what takes their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from codesensei.source import Checkout, SourceError, requirements_closure

Make = Callable[[Mapping[str, str | bytes]], Checkout]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.proves("preview.leftovers")
@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("pkg-resources==0.0.0", "remove the line"),
        ("pkg_resources == 0.0.0 ; python_version > '3'", "remove the line"),
        ("python-apt==2.7.7+ubuntu5", "remove the line"),
        ("distro-info===1.1+ubuntu0.2", "remove the line"),
        ("numpy=1.26.4=py311h64a7726_0", "write numpy==1.26.4; pip list --format=freeze writes all lines so"),
        ("numpy=1.26.4", "write numpy==1.26.4; pip list --format=freeze writes all lines so"),
        ("certifi @ file:///croot/certifi_1700501669400/work/certifi", "write certifi==VERSION as pip list"),
        ("six @ file:///C:/ci/six_1605205335545/work", "write six==VERSION as pip list"),
        ("x[a] @ file:///tmp/x-1.0.post1-py3-none-any.whl#sha256=00", "write x==1.0.post1"),
        ("x @ file:///tmp/x-1.0.tar.gz", "write x==1.0"),
        ("file:///srv/my_lib-2.1-py3-none-any.whl", "write my_lib==2.1"),
        ("/home/anna/my-lib-2.1.tar.gz ; python_version > '3'", "write my-lib==2.1"),
        ("file:///home/anna/shop", "write NAME==VERSION as pip list"),
        (
            "-e /home/anna/shop",
            "if it is this repository itself, write -e . or remove the line; otherwise write NAME==",
        ),
        ("--editable=file:///home/anna/shop", "if it is this repository itself, write -e . or remove the line"),
        (r"-e c:\users\anna\shop", "if it is this repository itself, write -e . or remove the line"),
        ("# Editable install with no version control (shop==0.3)\n-e /home/anna/shop", "otherwise write shop==0.3"),
        (
            f"-e git+ssh://git@git.example/me/shop.git@{COMMIT}#egg=shop&subdirectory=a",
            f"otherwise write shop @ git+https://git.example/me/shop.git@{COMMIT}",
        ),
        ("-e git+git@git.example:me/shop.git", "otherwise write shop @ git+https://git.example/me/shop.git"),
    ],
)
def test_a_leftover_is_named_with_the_line_to_write(project_of: Make, line: str, fix: str) -> None:
    project = project_of({"requirements.txt": f"Django==5.2\n{line}\n"})
    with pytest.raises(SourceError, match=re.escape(fix)) as caught:
        requirements_closure(project, "requirements.txt")
    assert caught.value.thing == f"requirements.txt:{2 + line.count(chr(10))}"


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "./lib",
        "lib @ file:lib",
        "lib @ file://${PROJECT_ROOT}/lib",
        f"-e git+https://git.example/x@{COMMIT}#egg=x",
        f"x @ git+ssh://git@git.example/x.git@{COMMIT}",
        "x @ https://files.example/x-1.0-py3-none-any.whl",
        "x==1.0+cu118",
        "setuptools==0.0.0",
    ],
)
def test_what_a_server_can_install_is_no_leftover(project_of: Make, line: str) -> None:
    requirements_closure(project_of({"pyproject.toml": "", "lib/setup.py": "", "r.txt": f"{line}\n"}), "r.txt")
