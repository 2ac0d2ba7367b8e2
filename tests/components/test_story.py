"""What a preview tells of a stack that serves: every part of the program that a story is made of, together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.output import UNKNOWN, Output
from pulumi.runtime import mocks

from codesensei import remote, story
from codesensei.config import Stack
from codesensei.remote.state import State
from codesensei.story.release import OTHER_BUILD
from codesensei.wire.register import Entry, Register
from codesensei.wire.steps import NOTHING_ASKED, Drift, Memory
from codesensei.wire.table_locks import Table
from components import deploy
from components import story as story_of
from components.base import if_known
from components.release import build_data
from tests.components import recorder, stacks
from tests.config.engine import API_TOKEN


def state_of(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> State:
    """The state that a deploy of this stack has left."""
    with monkeypatch.context() as quietly:
        quietly.setattr(pulumi, "info", lambda _: None)
        made = recorder.run(stack, remote.Look(), quietly)
    commands = [{"type": one.type, "outputs": recorder.opened(one.inputs)} for one in made.commands()]
    found = State.of(dict(zip(map(str, range(len(commands))), commands, strict=True)))
    return replace(found, outputs={"release": found.steps["switch"].words[2], "revision": recorder.REVISION})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said in a preview."""
    lines: list[str] = []
    monkeypatch.setattr(pulumi, "info", lines.append)
    return lines


def preview(
    stack: Stack, state: State, monkeypatch: pytest.MonkeyPatch, look: remote.Look | None = None, **changes: Any
) -> None:
    recorder.run(stack, look or remote.Look(), monkeypatch, previewed=state, **changes)


STOPPED = Drift(step="switch", thing="shop.service is inactive", lines=("inactive (dead) -> active",))
DRIFTED = remote.Look(drift=(STOPPED,))


EVERY = {"example": stacks.example, "given": stacks.given, "generated": stacks.generated, "external": stacks.external}


DATABASES = {
    "example": "+ database shop in PostgreSQL on this server, with the role shop",
    "given": "+ database shop in PostgreSQL on this server, with the role shop",
    "generated": "+ database shop in PostgreSQL on this server, with the role shop",
    "external": "database shop at db.example.com, where nothing is made",
}


@pytest.mark.proves("story.silent")
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.slow
def test_what_does_not_change_is_not_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    stack = EVERY[name](tmp_path)
    state = state_of(stack, monkeypatch)
    preview(stack, state, monkeypatch)
    recorder.run(stack, remote.Look(), monkeypatch, updated=state)
    assert told == []


@pytest.mark.proves("story.first")
@pytest.mark.parametrize("name", EVERY)
def test_a_first_deploy_tells_what_it_brings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    stack = EVERY[name](tmp_path)
    preview(stack, State(), monkeypatch)
    (text,) = told
    sections = {part.name: part.entries for part in story.read(text)}
    assert sections["release"] == ("first deploy of 4f2a9c1 Sell more",)
    assert [entry.partition(":")[0] for entry in sections["processes"]] == [
        "+ web",
        *(f"+ {key}" for key in sorted(stack.config.project.workers)),
    ]
    assert [entry.partition("://")[2].partition("/")[0] for entry in sections["site"]][: len(stack.config.domains)] == [
        *stack.config.domains
    ]
    assert set(stack.secrets.env) <= {entry.split()[1] for entry in sections["variables"]}
    assert DATABASES[name] in sections["server"]
    assert API_TOKEN not in text


DUMPED, CONTINUOUS = "backups: {to: /b}", "backups: {to: /b, database: continuous}"


@pytest.mark.proves("continuous.restart")
@pytest.mark.parametrize(
    ("was", "wanted", "mode"),
    [
        (DUMPED, CONTINUOUS, "archive_mode on"),
        ("", CONTINUOUS, "archive_mode on"),
        (CONTINUOUS, DUMPED, "archive_mode as before"),
        (CONTINUOUS, "", "archive_mode as before"),
    ],
)
@pytest.mark.slow
def test_a_restart_of_postgresql_is_told_with_whose_databases_are_in_it(
    was: str, wanted: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    texts = (stacks.SMALL + (f"  codesensei:{backups}\n" if backups else "") for backups in (was, wanted))
    before, after = (stacks.loaded(tmp_path, text) for text in texts)
    names = {"databases": ("blog",)}
    known = Register(slugs={"blog": Entry(stack="acme/codesensei/blog", identity="b", names=names)})
    preview(after, state_of(before, monkeypatch), monkeypatch, look=remote.Look(register=known))
    (server,) = [part.entries for part in story.read(told[-1]) if part.name == "server"]
    (restart,) = [entry for entry in server if "restarts once" in entry]
    assert restart.startswith(f"PostgreSQL restarts once ({mode}): ")
    assert restart.endswith(" loses the connection, those of blog too")


@pytest.mark.proves("story.ended")
@pytest.mark.slow
def test_an_update_ends_with_what_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    stack = stacks.given(tmp_path)
    state = state_of(stack, monkeypatch)
    recorder.run(stack, remote.Look(), monkeypatch)
    changed = stacks.loaded(tmp_path, stacks.GIVEN.replace("[shop.example.com]", "[www.example.com]"))
    preview(changed, state, monkeypatch)
    recorder.run(changed, remote.Look(), monkeypatch, updated=state)
    first, previewed, updated = map(story.read, told)
    assert [part.name for part in first][-2:] == ["server", "live"]
    assert updated == (*previewed, first[-1])
    # As the switch has answered.
    assert updated[-1].entries == ("http://shop.example.com/ serves 4f2a9c1-0123456",)


@pytest.mark.proves("story.drift", "story.ended", "story.switch")
@pytest.mark.slow
def test_what_was_changed_by_hand_is_told_before_it_is_put_back_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    stack = stacks.given(tmp_path)
    state = state_of(stack, monkeypatch)
    preview(stack, state, monkeypatch, look=DRIFTED)
    recorder.run(stack, DRIFTED, monkeypatch, updated=state)
    before, after = map(story.read, told)
    lines = ("shop.service is inactive", "  inactive (dead) -> active")
    assert before == (story.Section("drift", lines), story.Section("switch", ("web starts",)))
    assert after[0] == story.Section("drift", (f"put back: {lines[0]}", lines[1]))
    assert [part.name for part in after] == ["drift", "switch", "live"]


@pytest.mark.proves("story.site.dns")
@pytest.mark.slow
def test_hostnames_that_come_are_looked_up_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], looked_up: list[list[str]]
) -> None:
    state = state_of(stacks.given(tmp_path), monkeypatch)
    preview(stacks.given(tmp_path), state, monkeypatch)
    looked_up.clear()
    more = stacks.GIVEN.replace("[shop.example.com]", "[shop.example.com, www.example.com]")
    preview(stacks.loaded(tmp_path, more), state, monkeypatch)
    site = next(part for part in story.read(told[-1]) if part.name == "site")
    assert site.entries == ("+ www.example.com (leads past 203.0.113.7)",)
    assert looked_up == [["www.example.com"]]
    # A load balancer is to get the visitors.
    preview(stacks.loaded(tmp_path, f"{more}  codesensei:trustedProxies: [198.51.100.0/24]\n"), state, monkeypatch)
    site = next(part for part in story.read(told[-1]) if part.name == "site")
    assert site.entries == ("+ www.example.com",)
    assert len(looked_up) == 1


@pytest.mark.proves("story.releases")
@pytest.mark.slow
def test_releases_that_a_switch_removes_are_told_where_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    stack = stacks.given(tmp_path)
    state = state_of(stack, monkeypatch)
    served = tuple(f"{number}{number * 6}-aaaaaaa" for number in ("9", "8", "7", "6", "5", "4"))
    look = remote.Look(releases=served, served=(str(state.outputs["release"]), *served))
    preview(stack, state, monkeypatch, look=look)
    assert told == []
    more = stacks.GIVEN.replace("[shop.example.com]", "[www.example.com]")
    preview(stacks.loaded(tmp_path, more), state, monkeypatch, look=look)
    server = next(part for part in story.read(told[-1]) if part.name == "server")
    assert server.entries == tuple(f"- release {name} is removed (keepReleases: 5)" for name in served[4:])
    preview(stack, state, monkeypatch, look=replace(look, drift=DRIFTED.drift))
    assert [part.name for part in story.read(told[-1])] == ["server", "drift", "switch"]


@pytest.mark.proves("story.memory")
@pytest.mark.slow
def test_what_another_worker_takes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    stack = stacks.given(tmp_path)
    state = state_of(stack, monkeypatch)
    more = stacks.GIVEN.replace("mediaServing: proxy", "workers: {worker: celery -A config worker}")
    look = remote.Look(memory=Memory(available=1 << 30, each={"shop.service": 1 << 26}))
    preview(stacks.loaded(tmp_path, more), state, monkeypatch, look=look)
    processes = next(part for part in story.read(told[-1]) if part.name == "processes")
    assert processes.entries[1] == "memory: about 64 MB more for processes, and 1.0 GB are available"


@pytest.mark.proves("story.told")
@pytest.mark.slow
def test_the_sections_have_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    state = state_of(stacks.given(tmp_path), monkeypatch)
    others = "workers: {worker: celery -A config worker}\n    systemPackages: [jq]"
    more = stacks.GIVEN.replace("mediaServing: proxy", others)
    more = more.replace("[shop.example.com]", "[www.example.com]") + "  codesensei:env: {GREETING: Hello}\n"
    # A commit of which nothing is known here.
    checkout = replace(recorder.code().checkout, revision="5" * 40)
    preview(stacks.loaded(tmp_path, more), state, monkeypatch, look=DRIFTED, checkout=checkout)
    (text,) = told
    names = ["release", "packages", "migrations", "variables", "processes", "site", "server", "drift", "switch"]
    assert [part.name for part in story.read(text)] == names


@pytest.mark.proves("preview.after-failure", "story.release", "story.switch")
@pytest.mark.slow
def test_after_a_failed_deploy_both_releases_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """The steps before the switch have the new release in the state; it serves as little as before."""
    stack = stacks.given(tmp_path)
    state = state_of(stack, monkeypatch)
    wanted = state.outputs["release"]
    preview(stack, replace(state, outputs={**state.outputs, "release": "1111111-2222222"}), monkeypatch)
    (text,) = told
    release, variables, switch = story.read(text)
    head = f"1111111-2222222 -> {wanted}, the same commit 4f2a9c1 Sell more"
    assert release.entries == (head, OTHER_BUILD)
    assert variables.entries[0].startswith("changed; which ones is not known")
    assert switch.entries == ("what is live now is not in the state: all of it is held to be new",)


@pytest.mark.proves("story.variables", "secrets.never")
@pytest.mark.slow
def test_no_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    before = stacks.GIVEN.replace(API_TOKEN, "canary-of-another")
    more = '    ADDED: {secure: "clear:canary-that-is-added"}\n'
    state = state_of(stacks.loaded(tmp_path, before), monkeypatch)
    preview(stacks.loaded(tmp_path, stacks.GIVEN + more), state, monkeypatch)
    (text,) = told
    (variables,) = (part for part in story.read(text) if part.name == "variables")
    assert variables.entries[0] == "+ ADDED (secret)"
    assert re.fullmatch(r"API_TOKEN changed \(digest [0-9a-f]{4} -> [0-9a-f]{4}\)", variables.entries[1])
    assert len(variables.entries) == 2
    assert "canary" not in text


@pytest.mark.proves("story.variables")
@pytest.mark.slow
def test_a_variable_that_the_update_makes_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """The release has no name then, and everything that is known is told."""
    state = state_of(stacks.generated(tmp_path), monkeypatch)
    more = stacks.GENERATED.replace("[SECRET_KEY]", "[SECRET_KEY, UNMADE]") + "  codesensei:env: {GREETING: Hello}\n"
    preview(stacks.loaded(tmp_path, more), state, monkeypatch)
    (text,) = told
    release, variables, *_ = story.read(text)
    assert release.entries[0].endswith("-(new variables), the same commit 4f2a9c1 Sell more")
    assert variables.entries == ('+ GREETING "Hello"', "+ UNMADE (generated)")


def test_what_only_the_update_makes_is_none() -> None:
    found: list[Any] = []
    unknown: Output[Any] = Output.from_input("x").apply(lambda _: UNKNOWN)

    def ask() -> Output[None]:
        return Output.all(if_known(unknown), if_known("y"), if_known(None)).apply(found.extend)

    runner: Callable[[], None] = mocks.test(ask)  # type: ignore[no-untyped-call]
    runner()
    assert found == [None, "y", None]


@pytest.mark.proves("policy.listed")
@pytest.mark.slow
def test_waivers_are_listed_with_what_changes_and_never_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    waived = stacks.GIVEN + "  codesensei:waive: {check.W004: HSTS comes in May}\n"
    stack = stacks.loaded(tmp_path, waived)
    preview(stack, State(), monkeypatch)
    state = state_of(stack, monkeypatch)
    preview(stack, state, monkeypatch)
    preview(stacks.loaded(tmp_path, waived.replace("[shop.example.com]", "[www.example.com]")), state, monkeypatch)
    preview(stacks.loaded(tmp_path, stacks.GIVEN), state, monkeypatch)
    first, changed, without = map(story.read, told)
    listed = story.Section("policy", ("check.W004 is waived: HSTS comes in May",))
    assert first[-1:] == changed[-1:] == (listed,)
    assert without == (story.Section("policy", ("- check.W004",)),)


@pytest.mark.proves("backups.destructive")
@pytest.mark.parametrize(
    ("age", "said"),
    [
        (None, "a backup is younger than a day (there is none yet): codesensei backup"),
        (100_000.0, "a backup is younger than a day (the newest is 27 hours old): codesensei backup"),
        (90_000.0, ""),
    ],
)
def test_production_waits_for_a_backup_before_it_destroys(age: float | None, said: str, tmp_path: Path) -> None:
    stack = stacks.backed_up(tmp_path)
    production = replace(stack, config=stack.config.model_copy(update={"production": True}))
    look = remote.Look(register=Register(), backup_age=age)
    assert story_of._needed_backup(production, look) == said
    assert story_of._needed_backup(stack, look) == ""
    assert story_of._needed_backup(production, replace(look, register=None)) == ""
    waived = production.config.model_copy(update={"waive": {"backup": "a test"}})
    assert story_of._needed_backup(replace(production, config=waived), look) == ""


@pytest.mark.proves("migrations.locks.preview")
@pytest.mark.parametrize("name", EVERY)
def test_the_look_asks_for_the_tables_that_migrations_will_lock(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database is on the server."""
    stack, code = EVERY[name](tmp_path), recorder.code()
    monkeypatch.setattr("codesensei.source.read_code", lambda _: code)
    found: list[object] = []

    def reach(_: Any, state: Any, asked: object, wanted: Any) -> None:
        found.append(asked)
        raise InterruptedError

    monkeypatch.setattr(remote, "read_state", lambda: State(outputs={"revision": "1" * 40}))
    monkeypatch.setattr(remote, "ask", lambda *_, **__: None)
    monkeypatch.setattr(remote, "reach", reach)
    monkeypatch.setattr(story, "of_database", lambda *words: words)
    with pytest.raises(InterruptedError):
        deploy(stack)
    roots = (code.settings.django_directory, *code.settings.python_path, *code.requirements.roots)
    assert found == [NOTHING_ASKED if name == "external" else ("1" * 40, code.checkout, roots)]


@pytest.mark.proves("migrations.locks.preview", "story.applied")
@pytest.mark.slow
def test_what_the_look_has_found_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def keep(*_: Any, **known: Any) -> story.Section:
        given.update(known)
        raise InterruptedError

    stack = stacks.given(tmp_path)
    state, tables = state_of(stack, monkeypatch), {"books_book": Table(rows=1, size=2)}
    monkeypatch.setattr(story, "of_migrations", keep)
    with pytest.raises(InterruptedError):
        preview(stack, state, monkeypatch, look=remote.Look(tables=tables, migrations=("books.0001_first",)))
    assert (given["postgresql"], given["tables"], given["applied"]) == (True, tables, ("books.0001_first",))


@pytest.mark.proves("migrations.rehearsal.preview")
@pytest.mark.parametrize(
    ("text", "rehearse"),
    [
        (stacks.GIVEN, "auto"),
        (f"{stacks.GIVEN}  codesensei:database: {{rehearse: always}}\n", "always"),
        (stacks.GIVEN.replace("127.0.0.1", "db.example.com"), "never"),
    ],
)
def test_a_rehearsal_is_announced_where_there_can_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, rehearse: str
) -> None:
    given: dict[str, Any] = {}

    def keep(*_: Any, **known: Any) -> story.Section:
        given.update(known)
        raise InterruptedError

    stack = stacks.loaded(tmp_path, text)
    state = state_of(stack, monkeypatch)
    monkeypatch.setattr(story, "of_migrations", keep)
    with pytest.raises(InterruptedError):
        preview(stack, state, monkeypatch, look=remote.Look())
    assert given["rehearse"] == rehearse


@pytest.mark.proves("config.rehearse")
def test_the_build_is_told_which_migrations_are_rehearsed(tmp_path: Path) -> None:
    text = f"{stacks.GIVEN}  codesensei:database: {{rehearse: never}}\n"
    assert build_data(stacks.loaded(tmp_path, text), recorder.code()).rehearse == "never"


@pytest.mark.proves("config.migration-timeout")
def test_the_build_is_told_how_long_a_migration_may_take(tmp_path: Path) -> None:
    text = f"{stacks.GIVEN}  codesensei:database: {{migrationTimeout: 60}}\n"
    assert build_data(stacks.loaded(tmp_path, text), recorder.code()).migration_timeout == 60


@pytest.mark.proves("preview.same-release")
@pytest.mark.parametrize("key", ["settingsModule: config.other", "settingsModule: config.settings\n    user: shopper"])
def test_a_release_that_serves_is_not_promised_for_other_settings(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    state, asked = state_of(stacks.given(tmp_path), monkeypatch), "settingsModule: config.settings"
    stack = stacks.loaded(tmp_path, stacks.GIVEN.replace(asked, key))
    with pytest.raises(remote.RemoteError) as caught:
        preview(stack, state, monkeypatch)
    assert caught.value.thing == f"release {state.outputs['release']} on 203.0.113.7"
    assert (
        caught.value.cause
        == "it serves with the settings config.settings as the user deploy, and a release never changes"
    )
    assert caught.value.fix.startswith("set project.rebuild: config.")
    assert told == []
    # Other code is another release.
    preview(stack, state, monkeypatch, id="5" * 64)
    release = next(part for part in story.read(told[-1]) if part.name == "release")
    assert release.entries[0].endswith("the same commit 4f2a9c1 Sell more")


@pytest.mark.proves("story.server.access", "story.server.destroy")
@pytest.mark.slow
def test_other_access_to_backups_and_another_end_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    state = state_of(stacks.backed_up(tmp_path), monkeypatch)
    preview(stacks.backed_up(tmp_path), state, monkeypatch)
    assert told == []
    changed = stacks.BACKED_UP.replace("accessKey: shop", "accessKey: web").replace(
        stacks.BACKUP_KEY, "canaryOfAnother"
    )
    changed += f'    password: {{secure: "clear:canary-{"x" * 30}"}}\n  codesensei:onDestroy: {{media: drop}}\n'
    preview(stacks.loaded(tmp_path, changed), state, monkeypatch)
    (server,) = story.read(told[0])
    assert server.entries == (
        "backups reach s3:https://s3.example.com/shop with another accessKey, secretKey",
        "another password for backups",
        "onDestroy.media keep -> drop",
    )
    assert "canary" not in told[0]


@pytest.mark.proves("story.switch.password", "story.server.moved")
@pytest.mark.slow
def test_another_database_or_key_lets_nobody_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    state = state_of(stacks.given(tmp_path), monkeypatch)
    keyed = f'{stacks.GIVEN}  codesensei:digestKey: {{secure: "clear:0123456789abcdef0123"}}\n'
    preview(stacks.loaded(tmp_path, keyed), state, monkeypatch)
    preview(stacks.loaded(tmp_path, stacks.GIVEN.replace("127.0.0.1", "db.example.com")), state, monkeypatch)
    preview(stacks.loaded(tmp_path, stacks.GIVEN.replace("canary-of-the-database", "canary-new")), state, monkeypatch)
    first, moved, new = ({part.name: part.entries for part in story.read(text)} for text in told)
    quiet = "visitors notice nothing, a candidate serves them meanwhile"
    assert first["switch"] == (quiet,)
    assert moved["switch"] == (quiet,)
    assert moved["server"][0] == (
        "database shop in PostgreSQL on this server -> shop at db.example.com; data does not move"
    )
    assert new["switch"] == ("visitors wait while web restarts",)


@pytest.mark.proves("story.unwritten")
@pytest.mark.slow
def test_what_the_server_serves_counts_where_the_state_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """A run died behind the switch, and its commit is taken back."""
    stack = stacks.given(tmp_path)
    state = state_of(stack, monkeypatch)
    was = str(state.outputs["release"])
    look = remote.Look(served=("5555555-2222222", was))
    preview(stack, state, monkeypatch, look=replace(look, deploying=True))
    preview(stack, state, monkeypatch, look=replace(look, served=(was,)))
    assert told == []
    preview(stack, state, monkeypatch, look=look)
    release, packages, migrations, variables, switch = story.read(told[0])
    assert release.entries == (
        f"5555555-2222222 -> {was}, to 4f2a9c1 Sell more; which commit serves is not in the state",
        OTHER_BUILD,
        f"the server serves 5555555-2222222; the state has {was} still",
    )
    for part in (packages, migrations):
        assert part.entries[0].startswith("those that serve now are not known")
    assert variables.entries[0].startswith("changed; which ones is not known")
    assert switch.entries == ("what is live now is not in the state: all of it is held to be new",)
    # Tried again: the steps before the switch have left what they got in the state.
    preview(
        stack,
        replace(state, outputs={**state.outputs, "release": "5555555-2222222"}),
        monkeypatch,
        look=remote.Look(served=(was,)),
    )
    (release,) = story.read(told[1])
    assert release.entries == (f"the server serves {was}; the state has 5555555-2222222 still",)
