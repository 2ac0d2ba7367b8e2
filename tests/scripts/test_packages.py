"""What apt-get is asked, what it is never asked, and what its failures are called."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from codesensei.scripts.base import commands
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.hardening import harden
from codesensei.scripts.steps import packages
from tests.scripts.examples import PACKAGES


class FakeSystem:
    """dpkg-query, apt-cache and apt-get over two sets of names, and the clusters of PostgreSQL."""

    def __init__(self, installed: set[str], available: set[str]) -> None:
        self.installed, self.available = installed, available
        # What an installed package provides, by its own name.
        self.provides: dict[str, str] = {}
        self.clusters = ""
        self.calls: list[list[str]] = []
        self.failures: list[Result] = []

    def __call__(self, argv: Sequence[str], **options: Any) -> Result:
        if argv[0] == "dpkg-query" and "Provides" in argv[2]:
            there = [self.provides.get(name, "") for name in sorted(self.installed)]
            gone = [provides for name, provides in self.provides.items() if name not in self.installed]
            lines = [f"installed {each}" for each in there] + [f"config-files {each}" for each in gone]
            return Result("".join(f"{line}\n" for line in lines), "", 0)
        if argv[0] == "dpkg-query":
            names = (
                argv[3:] if argv[-1] != "postgresql-*" else [n for n in self.installed if n.startswith("postgresql-")]
            )
            return Result("".join(f"installed {name}\n" for name in names if name in self.installed), "", 0)
        if argv[0] == "apt-cache":
            known = "1.0" if argv[2] in self.available else "(none)"
            return Result(f"{argv[2]}:\n  Installed: (none)\n  Candidate: {known}\n", "", 0)
        if argv[0] == "pg_lsclusters":
            return Result(self.clusters, "", 0)
        words = [word for word in argv[1:] if word not in packages.OPTIONS]
        self.calls.append(words)
        assert options["env"]["DEBIAN_FRONTEND"] == "noninteractive"
        assert options["env"]["NEEDRESTART_SUSPEND"] == "1"
        if self.failures:
            return self.failures.pop(0)
        if words[0] == "install":
            self.installed |= set(words[3:])
            if "postgresql" in words:
                self.installed.add("postgresql-15")
        return Result("", "", 0)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    fake = FakeSystem(set(), {"nginx-light", "redis-server", "postgresql", *packages.BASE, "libmagic1"})
    monkeypatch.setattr(commands, "run", fake)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(harden, "plan", lambda step, hardening: harden.Plan(wanted=False))
    return fake


@pytest.mark.proves("os.needrestart", "config.system-packages")
def test_everything_missing_comes_in_one_installation(system: FakeSystem, make_step: Any) -> None:
    packages.run(make_step("packages", data=PACKAGES))
    assert [words[0] for words in system.calls] == ["update", "install"]
    assert system.calls[1][1:3] == ["--no-install-recommends", "--"]
    assert {"nginx-light", "redis-server", "postgresql", "libmagic1"} <= set(system.calls[1])
    assert {"build-essential", "python3-dev", "libpq-dev"} <= set(system.calls[1])


def test_a_second_run_does_not_call_apt_get(system: FakeSystem, make_step: Any) -> None:
    packages.run(make_step("packages", data=PACKAGES))
    system.calls.clear()
    step = make_step("packages", data=PACKAGES)
    packages.run(step)
    assert (system.calls, step.changes) == ([], 0)


def test_an_nginx_and_a_broker_that_are_there_are_kept(system: FakeSystem, make_step: Any) -> None:
    system.installed |= {"nginx-full", "redis-server", *packages.BASE}
    system.available.add("valkey-server")
    packages.run(make_step("packages", data=replace(PACKAGES, packages=(), postgresql=False)))
    assert system.calls == []


@pytest.mark.proves("broker.program")
def test_valkey_is_chosen_where_it_is_to_be_had(system: FakeSystem, make_step: Any) -> None:
    system.available.add("valkey-server")
    packages.run(make_step("packages", data=PACKAGES))
    assert "valkey-server" in system.installed
    assert "redis-server" not in system.installed


@pytest.mark.proves("database.extensions")
def test_packages_of_extensions_match_the_server(system: FakeSystem, make_step: Any) -> None:
    packages.run(make_step("packages", data=replace(PACKAGES, extensions=("postgis", "pgvector", "pg_trgm"))))
    assert system.calls[-1][3:] == ["postgresql-15-pgvector", "postgresql-15-postgis-3"]


@pytest.mark.proves("database.extensions")
def test_packages_of_extensions_match_the_cluster_of_the_port(system: FakeSystem, make_step: Any) -> None:
    system.installed |= {"postgresql-13", "postgresql-15"}
    system.clusters = "13 main 5433 online postgres /data /log\n15 main 5432 online postgres /data /log\n"
    packages.run(make_step("packages", data=replace(PACKAGES, extensions=("vector",), port=5433)))
    assert system.calls[-1][3:] == ["postgresql-13-pgvector"]


def test_certbot_and_another_python_come_on_demand_alone(
    system: FakeSystem, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.available.add("python3.12")
    packages.run(make_step("packages", data=PACKAGES))
    assert not {"certbot", "python3.12", "restic", "pgbackrest"} & system.installed
    packages.run(make_step("packages", data=replace(PACKAGES, backups=True, continuous=True)))
    assert {"restic", "pgbackrest"} <= system.installed
    packages.run(make_step("packages", data=replace(PACKAGES, certbot=True, python="3.12")))
    assert {"certbot", "python3.12", "python3.12-venv", "python3.12-dev"} <= system.installed
    monkeypatch.setattr(shutil, "which", lambda name, path: "/usr/local/bin/python3.9" if "3.9" in name else None)
    packages.run(make_step("packages", data=replace(PACKAGES, python="3.9")))
    with pytest.raises(Failure, match=r"Python 3\.8: .* has no package python3\.8"):
        packages.run(make_step("packages", data=replace(PACKAGES, python="3.8")))


@pytest.mark.proves("config.python")
def test_a_python_that_uv_brings_may_be_lacking(system: FakeSystem, make_step: Any) -> None:
    packages.run(make_step("packages", data=replace(PACKAGES, python="3.8", uv=True)))
    assert not any(name.startswith("python3.8") for name in system.installed)
    system.available.add("python3.12")
    packages.run(make_step("packages", data=replace(PACKAGES, python="3.12", uv=True)))
    assert "python3.12-venv" in system.installed


def test_an_extension_without_a_package_names_its_own_key(system: FakeSystem, make_step: Any) -> None:
    absent = failing("E: Unable to locate package postgresql-15-pgvector\n")
    system.failures = [Result("", "", 0)]
    packages.run(make_step("packages", data=PACKAGES))
    system.failures = [Result("", "", 0), absent]
    with pytest.raises(Failure) as failed:
        packages.run(make_step("packages", data=replace(PACKAGES, extensions=("pgvector",))))
    assert "codesensei:database.extensions" in failed.value.fix


@pytest.mark.parametrize("name", ["-oAPT::x=y", "git-", "--help", "a b", "Git", "", "git=1;2", "git/sid"])
def test_what_is_no_package_name_never_reaches_apt_get(system: FakeSystem, make_step: Any, name: str) -> None:
    with pytest.raises(Failure, match="not a package name"):
        packages.run(make_step("packages", data=replace(PACKAGES, packages=(name,))))
    assert system.calls == []


@pytest.mark.parametrize("name", ["g++", "libstdc++6", "libc6:i386", "python3.11-dev", "7zip"])
def test_real_names_are_accepted(system: FakeSystem, make_step: Any, name: str) -> None:
    packages.run(make_step("packages", data=replace(PACKAGES, packages=(name,))))
    assert name in system.installed


def failing(text: str) -> Result:
    return Result("", text, 100)


@pytest.mark.parametrize(
    ("said", "thing", "cause"),
    [
        ("E: Unable to locate package nosuch\n", "package nosuch", "has no package of this name"),
        ("E: Package 'python' has no installation candidate\n", "package python", "has no package of this name"),
        ("E: dpkg was interrupted, you must manually run\n", "apt-get install", "an earlier installation"),
        ("E: You don't have enough: No space left on device\n", "apt-get install", "the disk is full"),
        ("E: Something else\n", "apt-get install", "ended with status 100"),
    ],
)
def test_failures_are_explained(system: FakeSystem, make_step: Any, said: str, thing: str, cause: str) -> None:
    system.failures = [Result("", "", 0), failing(said)]
    with pytest.raises(Failure, match=cause) as failed:
        packages.run(make_step("packages", data=PACKAGES))
    assert failed.value.thing == thing
    assert failed.value.fix


RELEASE_FILE = "E: Release file for http://deb.example/debian/dists/trixie-updates/InRelease is"
GONE = "E: The repository 'http://ppa.example/x noble Release' does no longer have a Release file.\n"


@pytest.mark.proves("os.sources")
@pytest.mark.parametrize(
    ("said", "cause", "fix"),
    [
        (f"{RELEASE_FILE} not valid yet (invalid for another 3h 2min 1s).", "behind: package lists", "timedatectl"),
        (f"{RELEASE_FILE} not valid yet (invalid for another 9s).\n{GONE}", "for another 9s", "timedatectl"),
        (
            "W: OpenPGP signature verification failed: http://deb.example/debian trixie InRelease: Sub-process"
            " /usr/bin/sqv returned an error code (1), error message is: Verifying signature: Not live until"
            " 2026-11-21T08:48:10Z\n"
            "E: The repository 'http://deb.example/debian trixie InRelease' is not signed.\n",
            "not valid until 2026-11-21",
            "timedatectl",
        ),
        (
            f"{RELEASE_FILE} expired (invalid since 3d 2h 1min).",
            "trixie-updates/InRelease has expired",
            "another mirror",
        ),
    ],
)
def test_lists_of_another_time_are_told_as_that(
    system: FakeSystem, make_step: Any, said: str, cause: str, fix: str
) -> None:
    system.failures = [failing(said)]
    with pytest.raises(Failure, match=cause) as failed:
        packages.run(make_step("packages", data=PACKAGES))
    assert fix in failed.value.fix
    assert system.calls == [["update"]]


@pytest.mark.proves("os.sources")
@pytest.mark.parametrize(
    "said", [GONE, GONE.replace("Release' does no longer have a Release file", "InRelease' is not signed")]
)
def test_a_source_of_another_program_is_no_reason_to_stop(system: FakeSystem, make_step: Any, said: str) -> None:
    system.failures = [failing(said)]
    step = make_step("packages", data=PACKAGES)
    packages.run(step)
    assert "apt cannot use http://ppa.example/x noble; continuing with the other package lists" in step.said
    assert "nginx-light" in system.installed


@pytest.mark.proves("os.sources")
def test_what_is_missing_without_such_a_source_names_it(system: FakeSystem, make_step: Any) -> None:
    system.failures = [failing(GONE), failing("E: Unable to locate package nosuch\n")]
    with pytest.raises(Failure) as failed:
        packages.run(make_step("packages", data=PACKAGES))
    assert (
        "repair or remove what apt cannot use, in /etc/apt/sources.list.d: http://ppa.example/x noble"
        in failed.value.fix
    )


UNFETCHED = Result("", "W: Failed to fetch http://deb.example/x  Could not resolve 'deb.example'\n", 0)


@pytest.mark.proves("os.network")
@pytest.mark.parametrize("name", ["git", "libmagic1"])
def test_a_package_is_not_called_unknown_where_lists_could_not_be_fetched(
    system: FakeSystem, make_step: Any, name: str
) -> None:
    """The stack file is to blame at most for what it names itself."""
    system.failures = [UNFETCHED] * packages.NETWORK_TRIES + [failing(f"E: Unable to locate package {name}\n")]
    with pytest.raises(Failure, match="others could not be fetched") as failed:
        packages.run(make_step("packages", data=PACKAGES))
    assert failed.value.thing == f"package {name}"
    assert failed.value.fix.startswith("check the server's network and DNS")
    assert "Could not resolve 'deb.example'" in failed.value.log
    assert ("systemPackages" in failed.value.fix) == (name == "libmagic1")


@pytest.mark.proves("os.network")
def test_a_python_is_not_called_unknown_where_lists_could_not_be_fetched(system: FakeSystem, make_step: Any) -> None:
    system.failures = [UNFETCHED] * packages.NETWORK_TRIES
    with pytest.raises(Failure, match=r"Python 3\.8: .*others could not be fetched"):
        packages.run(make_step("packages", data=replace(PACKAGES, python="3.8")))


@pytest.mark.proves("os.network")
def test_for_a_package_of_the_product_the_sources_are_to_be_completed(system: FakeSystem, make_step: Any) -> None:
    system.failures = [Result("", "", 0), failing("E: Unable to locate package git\n")]
    with pytest.raises(Failure, match="has no package of this name") as failed:
        packages.run(make_step("packages", data=PACKAGES))
    assert failed.value.fix.startswith("let /etc/apt/sources.list")
    assert "systemPackages" not in failed.value.fix


@pytest.mark.proves("os.dpkg-lock")
def test_a_held_lock_is_waited_for_and_its_holder_named(system: FakeSystem, make_step: Any) -> None:
    lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (apt-get)\n"
    system.failures = [failing(lock), failing(lock)]
    step = make_step("packages", data=PACKAGES)
    packages.run(step)
    assert "waiting for process 812 (apt-get), which holds apt's lock" in step.said
    assert [words[0] for words in system.calls] == ["update", "update", "update", "install"]


@pytest.mark.proves("os.dpkg-lock")
def test_a_lock_that_is_never_given_up_ends_the_wait(
    system: FakeSystem, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**6, 100))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    system.failures = [failing("E: Could not get lock /var/lib/dpkg/lock-frontend\n")] * 50
    with pytest.raises(Failure, match="held apt's lock"):
        packages.run(make_step("packages", data=PACKAGES))
    assert len(system.calls) < 20


def test_a_passing_network_error_is_tried_again_and_a_lasting_one_named(system: FakeSystem, make_step: Any) -> None:
    bad = failing("E: Failed to fetch http://deb.example/x  Temporary failure resolving 'deb.example'\n")
    system.failures = [Result("", "", 0), bad]
    packages.run(make_step("packages", data=PACKAGES))
    assert [words[0] for words in system.calls] == ["update", "install", "install"]
    system.installed.clear()
    system.failures = [bad] * packages.NETWORK_TRIES
    with pytest.raises(Failure, match="cannot be reached"):
        packages.run(make_step("packages", data=PACKAGES))


def test_lists_that_only_half_came_are_no_reason_to_stop(system: FakeSystem, make_step: Any) -> None:
    system.failures = [Result("", "W: Failed to fetch http://other.example/x\n", 0)] * packages.NETWORK_TRIES
    packages.run(make_step("packages", data=PACKAGES))
    assert "nginx-light" in system.installed


@pytest.mark.proves("look.packages")
def test_what_must_stay_installed_is_noted_and_missed(system: FakeSystem, make_step: Any) -> None:
    step = make_step("packages", data=PACKAGES)
    packages.run(step)
    needed = [*step.packages]
    assert packages.lacking(needed) == []
    system.installed -= {"nginx-light"}
    system.installed |= {"nginx-full"}
    assert packages.lacking(needed) == []
    system.installed -= {"nginx-full", "libmagic1", "git"}
    assert packages.lacking(needed) == [
        f"none of {', '.join(packages.NGINX)} is installed",
        "package git is not installed",
        "package libmagic1 is not installed",
    ]


@pytest.mark.proves("look.packages")
@pytest.mark.parametrize("provides", ["libmagic1 (= 1:5.46-5)", "magic, libmagic1 (= 1:5.46-5), other", "libmagic1"])
def test_a_package_that_another_one_provides_is_installed(system: FakeSystem, make_step: Any, provides: str) -> None:
    """Debian 13 has libmagic1t64, which provides libmagic1."""
    packages.run(make_step("packages", data=PACKAGES))
    system.installed = system.installed - {"libmagic1"} | {"libmagic1t64"}
    system.provides["libmagic1t64"] = provides
    system.calls.clear()
    step = make_step("packages", data=PACKAGES)
    packages.run(step)
    assert (system.calls, step.changes, packages.lacking([*step.packages])) == ([], 0, [])
    system.installed -= {"libmagic1t64"}
    assert packages.lacking([*step.packages]) == ["package libmagic1 is not installed"]
    packages.run(step)
    assert system.calls[-1][3:] == ["libmagic1"]


@pytest.mark.proves("look.packages")
def test_a_broker_that_is_only_called_so_is_none(system: FakeSystem, make_step: Any) -> None:
    system.installed |= {"keydb", *packages.BASE}
    system.provides["keydb"] = "redis-server"
    step = make_step("packages", data=PACKAGES)
    packages.run(step)
    assert "redis-server" in system.installed
    system.installed -= {"redis-server"}
    assert packages.lacking([*step.packages]) == ["none of valkey-server, redis-server is installed"]
