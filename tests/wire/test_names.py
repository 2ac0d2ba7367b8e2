"""What is called how on a server, and what nobody may take."""

from __future__ import annotations

import pytest

from codesensei.wire import names
from codesensei.wire.paths import ProjectPaths


@pytest.mark.proves("paths.units", "register.reserved-units", "register.reserved-databases", "user.refused")
def test_names_of_a_project_and_of_the_system() -> None:
    assert names.web_unit("shop") == "shop.service"
    assert names.socket_unit("shop") == "shop.socket"
    assert names.worker_unit("shop", "worker") == "shop-worker.service"
    assert names.candidate_unit("shop") == "codesensei-candidate-shop.service"
    assert not any(map(names.is_system_unit, ("shop.service", "shop.socket", "shop-worker.service")))
    assert all(map(names.is_system_unit, ("ssh.service", "ssh.socket", "dbus.socket", "systemd-journald.socket")))
    assert not any(map(names.is_system_database, ("shop", "postgres_shop")))
    assert all(map(names.is_system_database, ("postgres", "current_user", "session_user", "current_role", "pg_x")))
    assert not any(map(names.is_system_user, ("deploy", "shop")))
    assert all(map(names.is_system_user, ("root", "messagebus", "systemd-network", names.build_user("shop"))))


def test_releases_with_the_same_variables_share_their_env_file() -> None:
    release = names.release_name("4f2a9c1" + "0" * 57, "8be01d7" + "1" * 57)
    assert release == "4f2a9c1-8be01d7"
    assert names.RELEASE.fullmatch(release)
    shared = str(ProjectPaths("shop").env_file(release))
    assert shared == "/srv/codesensei/shop/env/8be01d7.env" == str(ProjectPaths("shop").env_file("0000000-8be01d7"))
