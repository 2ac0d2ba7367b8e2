"""What a preview says of other stacks of the server, and of a server that is left."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from codesensei import remote, source
from codesensei.config import Stack
from codesensei.remote.state import StepState
from codesensei.wire import codec
from codesensei.wire.register import Entry, Kept, Register
from codesensei.wire.steps import Finding
from components import others
from components.backups import backup_data
from components.provisioning import packages_data
from components.server import preflight_data
from components.stack import deploy
from tests.components import recorder, stacks

NEW = "203.0.113.7"
CONTINUOUS = "backups: {to: /backups/shop, database: continuous}"
THEIRS = "it belongs to the stack acme/codesensei/other (slug blog)"


@dataclass
class Told:
    """Warnings, and whether this is a preview."""

    warnings: list[str] = field(default_factory=list)
    preview: bool = True


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(remote, "warn", told.warnings.append)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: told.preview)
    return told


def stack_of(folder: Path, *lines: str) -> Stack:
    return stacks.loaded(folder, stacks.GIVEN + "".join(f"  codesensei:{line}\n" for line in lines))


def access(register: Register | None = None, **changes: Any) -> Any:
    stack = changes.pop("stack", None)
    return remote.Access(stack, "shop", "agent.sock", remote.Look(register=register), **changes)


@pytest.mark.proves("preview.python")
def test_what_the_server_s_python_does_not_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = source.errors.Told(
        source.SourceError("requirements.txt", "it needs Python 3.12", "pin another"), certain=True
    )
    unfit = source.pythons.Unfit((3, 12), told, older=True)
    with pytest.raises(source.SourceError, match=r"needs Python 3\.12"):
        recorder.run(stack_of(tmp_path), remote.Look(python="3.11"), monkeypatch, unfit=(unfit,))
    assert recorder.run(stack_of(tmp_path), remote.Look(python="3.12"), monkeypatch, unfit=(unfit,)).outputs


def entry(stack: str = "acme/codesensei/other", identity: str = "theirs", **names: Any) -> Entry:
    user = names.pop("user", "blog")
    return Entry(stack=stack, identity=identity, user=user, names={kind: (name,) for kind, name in names.items()})


def refused(stack: Stack, register: Register, **changes: Any) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        others.refuse_foreseen(stack, access(register, **changes))
    return str(caught.value)


def archiving(folder: Path, *lines: str) -> Stack:
    return stacks.loaded(folder, stacks.SMALL + "".join(f"  codesensei:{line}\n" for line in lines))


@pytest.mark.proves("continuous.refused")
def test_one_stack_archives_a_postgresql(told: Told, tmp_path: Path) -> None:
    """Whatever the stack file says: there is one archive for each."""
    thing = "WAL archive of PostgreSQL at port 5432"
    known = Register(slugs={"blog": entry(archives="5432")})
    for lines in ((), ("adopt: true",), (f"shares: [{thing}]",)):
        text = refused(archiving(tmp_path, CONTINUOUS, *lines), known)
        assert text.startswith(f"{thing} on {NEW}: {THEIRS}\n    ")
        assert "backups.database: dump in one of the two stacks" in text
    others.refuse_foreseen(archiving(tmp_path, CONTINUOUS), access(Register(slugs={"blog": entry(archives="5433")})))
    others.refuse_foreseen(archiving(tmp_path, "backups: {to: /backups}"), access(known))


@pytest.mark.proves("continuous.kept", "continuous.on")
def test_what_the_steps_get(tmp_path: Path) -> None:
    stack = archiving(tmp_path, CONTINUOUS)
    data = backup_data(stack, ".", "", "")
    # Months would need their WAL as well.
    assert (data.days, data.keep.monthly) == (28, 0)
    assert "/backups/shop -/var/lib/codesensei-archive/shop\n" in data.service
    assert packages_data(stack).continuous
    more = archiving(tmp_path, "backups: {to: /b, database: continuous, keep: {daily: 40}}")
    assert backup_data(more, ".", "", "").days == 40
    dumped = archiving(tmp_path, "backups: {to: /b}")
    assert (backup_data(dumped, ".", "", "").days, packages_data(dumped).continuous) == (0, False)


@pytest.mark.proves("continuous.others")
def test_whose_databases_are_archived_too(told: Told, tmp_path: Path) -> None:
    known = Register(slugs={"blog": entry(databases="blog"), "shop": entry(databases="shop"), "static": entry()})
    others.say_what_is_archived(archiving(tmp_path, "backups: {to: /backups}"), access(known))
    others.say_what_is_archived(archiving(tmp_path, CONTINUOUS), access())
    assert told.warnings == []
    others.say_what_is_archived(archiving(tmp_path, CONTINUOUS), access(known))
    (warning,) = told.warnings
    assert "all that its PostgreSQL at port 5432 writes, so the databases there of blog are in these backups" in warning
    told.preview = False
    others.say_what_is_archived(archiving(tmp_path, CONTINUOUS), access(known))
    assert len(told.warnings) == 1


@pytest.mark.proves("register.preview")
@pytest.mark.parametrize(
    ("names", "thing"),
    [
        ({"units": "shop.service"}, "unit shop.service"),
        ({"hostnames": "shop.example.com"}, "hostname shop.example.com"),
        ({"databases": "shop"}, "database shop"),
        ({"roles": "shop"}, "database role shop"),
        ({"brokers": "3"}, "broker database 3"),
    ],
)
def test_a_name_of_another_stack(told: Told, tmp_path: Path, names: dict[str, str], thing: str) -> None:
    known = Register(slugs={"blog": entry(**names)})
    variables = 'env: {CACHE_URL: "redis://127.0.0.1:6379/3"}'
    stack = stack_of(tmp_path, variables)
    text = refused(stack, known)
    assert text.startswith(f"{thing} on {NEW}: {THEIRS}\n    ")
    told.preview = False
    others.refuse_foreseen(stack, access(known))
    told.preview = True
    others.refuse_foreseen(stack_of(tmp_path, variables, "adopt: true"), access(known))
    others.refuse_foreseen(stack, access())


@pytest.mark.proves("register.preview")
def test_all_clashes_are_told_at_once(told: Told, tmp_path: Path) -> None:
    known = Register(slugs={"blog": entry(user="deploy", hostnames="shop.example.com")})
    text = refused(stack_of(tmp_path), known)
    assert f"user deploy on {NEW}: the project blog runs as this user" in text
    assert f"hostname shop.example.com on {NEW}: {THEIRS}" in text
    assert "project.shareUser: true" in text


def test_a_user_that_is_shared_on_purpose(told: Told, tmp_path: Path) -> None:
    known = Register(slugs={"blog": entry(user="deploy")})
    stack = stacks.loaded(tmp_path, stacks.GIVEN.replace("    slug: shop\n", "    slug: shop\n    shareUser: true\n"))
    others.refuse_foreseen(stack, access(known))


def test_a_number_that_is_shared_on_purpose(told: Told, tmp_path: Path) -> None:
    known = Register(slugs={"blog": entry(brokers="3")})
    lines = ('env: {CACHE_URL: "redis://127.0.0.1:6379/3"}', 'shares: ["broker database 3"]')
    others.refuse_foreseen(stack_of(tmp_path, *lines), access(known))


@pytest.mark.proves("broker.shared-told")
@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('env: {CACHE_URL: "redis://127.0.0.1:6379/3"}', "broker database 3 of"),
        ("broker: {env: {H: host, N: number}}", "broker database given by broker.env of"),
        ("broker: {env: {X: url}}", ""),
        ('env: {CACHE_URL: "redis://cache.example.com/3"}', ""),
    ],
)
def test_who_can_use_the_broker_without_a_password(told: Told, tmp_path: Path, line: str, what: str) -> None:
    stack = stack_of(tmp_path, line)
    others.say_who_shares(stack, access(Register(slugs={"shop": entry()})))
    assert told.warnings == []
    others.say_who_shares(
        stack, access(Register(slugs={"shop": entry(brokers="417"), "blog": entry(), "wiki": entry()}))
    )
    assert len(told.warnings) == bool(what)
    for text in told.warnings:
        assert text.startswith(what)
        assert "has no password: every user of the server, and so the project blog, wiki, can read" in text


@pytest.mark.proves("broker.shared-told")
@pytest.mark.parametrize(("line", "count"), [("env: {A: a}", 1), ("broker: {env: {X: url}}", 0)])
def test_who_can_use_the_broker_that_only_the_settings_name(told: Told, tmp_path: Path, line: str, count: int) -> None:
    """The register has it from the last deploy; a stack that gets a broker of its own leaves it."""
    known = Register(slugs={"shop": entry(brokers="0"), "blog": entry()})
    others.say_who_shares(stack_of(tmp_path, line), access(known))
    assert [text.partition(" of ")[0] for text in told.warnings] == ["broker database 0"] * count


@pytest.mark.proves("register.preview")
def test_the_slug_of_another_stack(told: Told, tmp_path: Path) -> None:
    known = Register(slugs={"shop": entry(hostnames="shop.example.com")})
    text = refused(stack_of(tmp_path), known)
    assert f"slug shop on {NEW}: it belongs to the stack acme/codesensei/other (identity theirs)" in text
    assert "hostname" not in text
    left = Register(kept={"shop": Kept(stack="acme/codesensei/other", user="", role="", database="")})
    assert "data that a destroy of the stack acme/codesensei/other kept is still here" in refused(
        stack_of(tmp_path), left
    )


@pytest.mark.parametrize(("name", "identity"), [("acme/codesensei/stack", ""), ("acme/codesensei/renamed", "mine")])
def test_what_is_the_stack_s_own(told: Told, tmp_path: Path, name: str, identity: str) -> None:
    """By its identity, or before the end of a first deploy by its name."""
    known = Register(slugs={"shop": entry(name, "mine", user="deploy", hostnames="shop.example.com")})
    others.refuse_foreseen(stack_of(tmp_path), access(known, identity=identity))


@pytest.mark.proves("register.moved")
@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (stacks.GIVEN, "the database and the uploads stay on old.example.com, where shop.service go on running;"),
        (
            stacks.EXTERNAL,
            "the uploads stay on old.example.com, where shop.service go on running, in the same database",
        ),
    ],
)
def test_what_stays_on_the_server_that_is_left(told: Told, tmp_path: Path, text: str, stays: str) -> None:
    moved = access(moved_from="old.example.com", served="1234567-1234567")
    others.leave_no_data(stacks.loaded(tmp_path, text), moved)
    (warning,) = told.warnings
    assert warning.startswith(
        f"codesensei:server.host was old.example.com, and {NEW} has nothing of this stack: {stays}"
    )
    assert "docs/operating.md" in warning
    production = text.replace(
        "config:\n", "config:\n  codesensei:production: true\n  codesensei:waive: {backup: a test}\n"
    )
    with pytest.raises(remote.RemoteError, match="set codesensei:newServer: empty"):
        others.leave_no_data(stacks.loaded(tmp_path, production), moved)
    empty = production.replace("config:\n", "config:\n  codesensei:newServer: empty\n")
    others.leave_no_data(stacks.loaded(tmp_path, empty), moved)
    assert len(told.warnings) == 2


def test_a_server_that_is_no_new_one(told: Told, tmp_path: Path) -> None:
    others.leave_no_data(stack_of(tmp_path), access(served="1234567-1234567"))
    assert told.warnings == []
    others.leave_no_data(stack_of(tmp_path, "newServer: empty"), access())
    assert told.warnings == []
    others.leave_no_data(stack_of(tmp_path, "newServer: empty"), access(served="1234567-1234567"))
    assert "newServer: the server is no new one any more: remove it" in told.warnings[0]


FOUND = Finding(thing="hostname shop.example.com", cause="a site has it", fix="remove it")


@pytest.mark.proves("preview.foreseen")
def test_what_the_server_foresees_is_refused_in_preview(told: Told, tmp_path: Path) -> None:
    """With what its register says, each thing once."""
    stack, unit = stack_of(tmp_path), Finding(thing="unit shop.service", cause="by hand", fix="remove it")
    known = Register(slugs={"blog": entry(units="shop.service")})
    look = remote.Look(register=known, refused=(FOUND, unit))
    there = remote.Access(None, "shop", "agent.sock", look)  # type: ignore[arg-type]
    with pytest.raises(pulumi.RunError) as caught:
        others.refuse_foreseen(stack, there)
    text = f"hostname shop.example.com on {NEW}: a site has it\n    remove it\nunit shop.service on {NEW}: {THEIRS}\n"
    assert str(caught.value).startswith(text)
    assert "by hand" not in str(caught.value)
    told.preview = False
    others.refuse_foreseen(stack, there)


@pytest.mark.proves("preview.foreseen")
def test_the_server_is_asked_where_the_first_step_will_run(told: Told, tmp_path: Path) -> None:
    stack = stack_of(tmp_path)
    wanted = others.to_ask(stack, remote.State())
    assert wanted is not None
    assert (wanted.hostnames, wanted.login_user, wanted.adopt) == (("shop.example.com",), "admin", False)
    was = preflight_data(stack, "i", ["shop.example.com", "generated.apps.example"], [16])
    done = {"preflight": StepState(0, "0" * 64, data=codec.to_text(was))}
    served = remote.State(True, done, outputs={"server": NEW}, identity="i")
    assert others.to_ask(stack, served) is None
    for change in (
        "domains: [shop.example.com, new.example.com]",
        "adopt: true",
    ):
        text = stacks.GIVEN.replace("  codesensei:domains: [shop.example.com]\n", "") if "domains" in change else ""
        changed = stacks.loaded(tmp_path, f"{text or stacks.GIVEN}  codesensei:{change}\n")
        assert others.to_ask(changed, served) is not None
    assert others.to_ask(stack, replace(served, outputs={"server": "203.0.113.8"})) is not None
    damaged = {"preflight": StepState(0, "0" * 64, data="of another version")}
    assert others.to_ask(stack, replace(served, steps=damaged)) is not None
    told.preview = False
    assert others.to_ask(stack, remote.State()) is None


@pytest.mark.proves("preview.foreseen")
def test_a_stack_without_domains_asks_for_its_address(told: Told, tmp_path: Path) -> None:
    text = stacks.GIVEN.replace("  codesensei:domains: [shop.example.com]\n", "")
    alone = others.to_ask(stacks.loaded(tmp_path, text), remote.State())
    below = others.to_ask(stacks.loaded(tmp_path, stacks.GENERATED), remote.State())
    assert alone is not None
    assert below is not None
    assert (alone.hostnames, below.hostnames) == ((NEW,), ())


@pytest.mark.proves("preview.geography")
def test_the_scheme_of_the_database_s_url_is_held_against_the_fields(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a secret one, of which the source knows nothing."""
    found = source.geography.ByUrl("settings.py:3", "places/models.py:3", certain=True, extension=True)
    monkeypatch.setattr("codesensei.source.read_code", lambda _: recorder.code(geography=found))
    monkeypatch.setattr(remote, "read_state", remote.State)
    monkeypatch.setattr(remote, "ask", lambda *_, **__: None)
    monkeypatch.setattr(remote, "reach", _ended)
    geographic = stacks.GIVEN.replace("postgres://", "postgis://")
    elsewhere = stacks.GIVEN.replace("127.0.0.1", "db.example.com")
    for text in (stacks.GIVEN, stacks.GENERATED, elsewhere):
        with pytest.raises(source.SourceError, match="whose scheme is postgres, and the geographic fields"):
            deploy(stacks.loaded(tmp_path, text))
    for text in (geographic, geographic.replace("127.0.0.1", "db.example.com")):
        with pytest.raises(InterruptedError):
            deploy(stacks.loaded(tmp_path, text))
    lacking = replace(found, extension=False)
    monkeypatch.setattr("codesensei.source.read_code", lambda _: recorder.code(geography=lacking))
    for text, is_told in ((geographic, True), (geographic.replace("127.0.0.1", "db.example.com"), False)):
        told.warnings.clear()
        with pytest.raises(InterruptedError):
            deploy(stacks.loaded(tmp_path, text))
        assert any("set codesensei:database.extensions: [postgis]" in one for one in told.warnings) is is_told
    doubtful = replace(found, certain=False)
    monkeypatch.setattr("codesensei.source.read_code", lambda _: recorder.code(geography=doubtful))
    told.warnings.clear()
    with pytest.raises(InterruptedError):
        deploy(stack_of(tmp_path))
    assert any("whose scheme is postgres, unless something changes it" in warning for warning in told.warnings)


def _ended(*_: Any, **__: Any) -> None:
    raise InterruptedError


@pytest.mark.proves("preview.foreseen")
def test_the_look_is_given_the_question(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def reach(_: Any, state: Any, asked_too: Any, wanted: Any) -> None:
        asked.append(wanted)
        raise InterruptedError

    monkeypatch.setattr("codesensei.source.read_code", lambda _: recorder.code())
    monkeypatch.setattr(remote, "read_state", remote.State)
    monkeypatch.setattr(remote, "ask", lambda *_, **__: None)
    monkeypatch.setattr(remote, "reach", reach)
    stack = stack_of(tmp_path)
    with pytest.raises(InterruptedError):
        deploy(stack)
    assert asked == [others.to_ask(stack, remote.State())]


@pytest.mark.proves("look.meanwhile")
def test_the_server_is_asked_before_the_source_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(remote, "ask", lambda *_, **__: order.append("server"))

    def read_code(_: Any) -> source.Code:
        order.append("source")
        return recorder.code()

    monkeypatch.setattr("codesensei.source.read_code", read_code)
    monkeypatch.setattr(remote, "read_state", remote.State)
    monkeypatch.setattr(remote, "reach", _ended)
    with pytest.raises(InterruptedError):
        deploy(stack_of(tmp_path))
    assert order == ["server", "source"]
