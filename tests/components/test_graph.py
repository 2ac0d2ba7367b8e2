"""Which resources there are, what they get, and what waits for what."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from codesensei import remote
from codesensei.config import DatabasePlan
from codesensei.remote.toolkit import pack
from codesensei.wire import codec, envfile, steps
from codesensei.wire.codec import HEAD
from codesensei.wire.steps import Seen, SeenStep
from components.environment import database_url
from tests.components import recorder, stacks
from tests.components.recorder import Registered, Run

GOLDEN = Path(__file__).parent / "golden"
REWRITE = "CODESENSEI_REWRITE_GOLDEN"
# Texts that other rooms write and test; here only where they go counts.
TEXTS = ("content", "unit", "config")
STACKS = {
    "example": stacks.example,
    "given": stacks.given,
    "generated": stacks.generated,
    "external": stacks.external,
    "backed_up": stacks.backed_up,
}


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, look: remote.Look | None = None) -> Run:
    return recorder.run(STACKS[name](folder), look or remote.Look(), monkeypatch)


def _described(resource: Registered) -> dict[str, Any]:
    inputs = dict(resource.shown)
    if str(inputs.get("stdin", "")).startswith(HEAD):
        inputs["stdin"] = _without_texts(codec.plain(inputs["stdin"]))
    if "source" in inputs and isinstance(inputs["source"], dict):
        inputs["source"] = "[asset]"
    return {
        "urn": resource.urn.removeprefix("urn:pulumi:stack::codesensei::"),
        "parent": resource.parent.rpartition("::codesensei::")[2],
        "after": sorted({urn.rpartition("::codesensei::")[2] for urn in resource.dependencies}),
        "inputs": inputs,
        "secretOutputs": list(resource.secret_outputs),
        "protect": resource.protect,
    }


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "[text]" if k in TEXTS and v else _without_texts(v) for k, v in value.items()}
    return [_without_texts(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", STACKS)
def test_the_graph_is_exactly_this(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With CODESENSEI_REWRITE_GOLDEN=1 the files are written again: read their diff."""
    registered = run(name, tmp_path, monkeypatch).registered
    graph = sorted((_described(it) for it in registered), key=lambda it: str(it["urn"]))
    text = json.dumps(graph, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get(REWRITE):
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.proves("order.environment-first")
def test_the_order_of_a_first_deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program declares; this is the order in which the engine can run what it declares."""
    names = [it.name for it in run("generated", tmp_path, monkeypatch).commands()]
    # Nothing waits for these two among the others, so their place is not fixed.
    names = [name for name in names if name not in ("shop-tls", "server-teardown")]
    assert names == [
        "server-toolkit",
        "server-preflight",
        "shop-packages",
        "shop-account",
        "shop-proxy",
        "shop-broker",
        "shop-instance",
        "shop-database",
        "shop-environment",
        "shop-build",
        "shop-switch",
    ]


def _before(run: Run, urn: str) -> set[str]:
    """All that the engine finishes before it begins this one: dependencies, and those of the parents."""
    known = {it.urn: it for it in run.registered}
    found: set[str] = set()
    open_ones = [urn]
    while open_ones:
        resource = known.get(open_ones.pop())
        if resource is None:
            continue
        for other in (*resource.dependencies, resource.parent):
            if other and other not in found:
                found.add(other)
                open_ones.append(other)
    return found


@pytest.mark.proves("order.inert", "migrations.before-switch", "backups.no-step")
@pytest.mark.parametrize("name", STACKS)
def test_everything_is_staged_before_the_switch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = run(name, tmp_path, monkeypatch)
    before = _before(declared, declared.find("shop-switch").urn)
    staged = {it.urn for it in declared.registered if it.type.startswith("command:")}
    # What the switch has made live is backed up.
    after = {it.urn for it in declared.commands() if it.name == "shop-backups"}
    assert staged - before == {declared.find("shop-switch").urn} | after
    assert all(declared.find("shop-switch").urn in _before(declared, urn) for urn in after)


@pytest.mark.parametrize("name", STACKS)
def test_a_step_waits_for_all_that_it_stands_on(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a component in between has nothing to run, and so nothing that could be waited for."""
    declared = run(name, tmp_path, monkeypatch)
    order = ["server-preflight", "shop-packages", "shop-account", "shop-environment", "shop-build"]
    for earlier, later in itertools.pairwise(order):
        assert declared.find(earlier).urn in _before(declared, declared.find(later).urn), f"{later} after {earlier}"


def test_the_teardown_is_there_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = run("generated", tmp_path, monkeypatch)
    teardown = declared.find("server-teardown")
    made = {it.urn for it in declared.registered if it.type.startswith("random:")}
    assert made <= _before(declared, teardown.urn), "a destroy that fails would lose generated values"
    toolkit, identity = declared.find("server-toolkit"), declared.find("server-identity")
    assert _before(declared, teardown.urn) >= {toolkit.urn, identity.urn}
    assert declared.find("shop-packages").urn not in _before(declared, teardown.urn)


def test_the_teardown_only_deletes_and_carries_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teardown = run("given", tmp_path, monkeypatch).find("server-teardown")
    assert "create" not in teardown.inputs
    assert "update" not in teardown.inputs
    connection = recorder.opened(teardown.inputs["connection"])
    assert stacks.SSH_KEY in connection["privateKey"]
    assert "agentSocketPath" not in connection


def test_what_was_renamed_is_known_under_its_old_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a deploy of this version would delete what the version before has made: the check would run."""
    registered = run("given", tmp_path, monkeypatch).registered
    assert {it.name: it.aliases for it in registered if it.aliases} == {"server-destroy-check": ("server-farewell",)}


@pytest.mark.proves("switch.manifest")
def test_no_other_command_deletes_updates_or_is_triggered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in run("given", tmp_path, monkeypatch).commands():
        assert command.inputs["addPreviousOutputInEnv"] is False
        assert not {"update", "triggers", "environment"} & set(command.inputs)
        assert ("delete" in command.inputs) == (command.name == "server-teardown")


@pytest.mark.slow
def test_a_new_ssh_key_changes_what_runs_at_a_destroy_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run("given", tmp_path, monkeypatch).registered
    monkeypatch.setattr(stacks, "GIVEN", stacks.GIVEN.replace(stacks.SSH_KEY, "anotherKey"))
    after = run("given", tmp_path, monkeypatch).registered
    changed = [new.name for old, new in zip(by_urn(before), by_urn(after), strict=True) if old.inputs != new.inputs]
    assert changed == ["server-destroy-check", "server-teardown"]


def by_urn(registered: tuple[Registered, ...]) -> list[Registered]:
    return sorted(registered, key=lambda it: it.urn)


@pytest.mark.proves("database.env")
def test_a_password_that_looks_like_a_quoted_word_keeps_its_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL has it percent-encoded, and the role gets it so."""
    url = f"postgres://shop:{stacks.DATABASE_PASSWORD}@"
    assert url in stacks.GIVEN
    given = stacks.GIVEN.replace(url, "postgres://shop:%27word%27@")
    monkeypatch.setattr(stacks, "GIVEN", f"{given}  codesensei:database: {{env: {{DB_PASSWORD: password}}}}\n")
    declared = run("given", tmp_path, monkeypatch)
    environment, database = (
        codec.from_text(kind, recorder.opened(declared.find(f"shop-{step}").inputs)["stdin"], step)
        for kind, step in ((steps.Environment, "environment"), (steps.Database, "database"))
    )
    assert isinstance(environment, steps.Environment)
    assert isinstance(database, steps.Database)
    assert envfile.parse(environment.content)["DB_PASSWORD"] == database.password == "'word'"


@pytest.mark.proves("secrets.changed")
@pytest.mark.slow
def test_a_changed_variable_names_itself_and_runs_the_release_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run("given", tmp_path, monkeypatch)
    another = stacks.GIVEN.replace('API_TOKEN: {secure: "clear:', 'API_TOKEN: {secure: "clear:x')
    monkeypatch.setattr(stacks, "GIVEN", another)
    after = run("given", tmp_path, monkeypatch)
    changed = {
        new.urn.rpartition("::")[2]: new
        for old, new in zip(by_urn(before.registered), by_urn(after.registered), strict=True)
        if old.inputs != new.inputs and new.type.startswith("command:")
    }
    assert set(changed) == {"shop-environment", "shop-build", "shop-switch"}
    old, new = (it.find("shop", ":Environment").shown["secretEnv"] for it in (before, after))
    assert {name for name in new if old[name] != new[name]} == {"API_TOKEN"}
    assert len(new["API_TOKEN"]) == 10


@pytest.mark.proves("words.release.outside")
@pytest.mark.slow
def test_a_worker_changes_the_switch_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run("generated", tmp_path, monkeypatch).registered
    another = stacks.GENERATED.replace("celery -A config worker", "celery -A config worker -c 2")
    monkeypatch.setattr(stacks, "GENERATED", another)
    after = run("generated", tmp_path, monkeypatch).registered
    changed = {
        new.name
        for old, new in zip(by_urn(before), by_urn(after), strict=True)
        if old.inputs != new.inputs and new.type.startswith("command:")
    }
    assert changed == {"shop-switch"}


@pytest.mark.proves("outputs.url", "outputs.served", "proxy.hostnames")
def test_outputs_are_what_the_switch_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run("generated", tmp_path, monkeypatch).outputs
    assert {key: outputs[key] for key in recorder.LINE_IN_STDOUT} == recorder.LINE_IN_STDOUT
    assert outputs["hostnames"] == [f"{recorder.UUID}.apps.example.com"]
    assert outputs["server"] == "203.0.113.7"


@pytest.mark.proves("proxy.hostnames", "proxy.url")
def test_without_any_name_the_address_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nameless = stacks.GENERATED.replace("  codesensei:appsDomain: apps.example.com\n", "")
    monkeypatch.setattr(stacks, "GENERATED", nameless)
    declared = run("generated", tmp_path, monkeypatch)
    assert declared.outputs["hostnames"] == ["203.0.113.7"]
    manifest = codec.plain(declared.find("shop-switch").inputs["stdin"])
    assert manifest["health"]["hosts"] == ["203.0.113.7"]
    assert manifest["url"] == "https://203.0.113.7/"


@pytest.mark.proves("state.size")
@pytest.mark.parametrize("name", STACKS)
def test_the_state_is_small(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all scripts. The engine keeps inputs and outputs, which are mostly the same, and some 50 KB of its own."""
    declared = recorder.run(STACKS[name](tmp_path), remote.Look(), monkeypatch, pack())
    assert len(pack().bundle) > 200_000
    assert 2 * sum(len(json.dumps(it.inputs)) for it in declared.registered) < 120_000


@pytest.mark.proves("source.new-server")
@pytest.mark.parametrize(
    "change",
    [
        ("host: 203.0.113.7", "host: 203.0.113.8"),
        ("user: admin", "user: ops"),
        (stacks.HOST_KEY, f"{stacks.HOST_KEY[:-4]}abcI"),
    ],
    ids=["host", "user", "host key"],
)
@pytest.mark.slow
def test_what_may_be_another_machine_is_sent_the_toolkit_again(
    change: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def triggers() -> Any:
        return run("given", tmp_path, monkeypatch).find("server-toolkit-file").inputs["triggers"]

    before = triggers()
    assert before == triggers()
    assert change[0] in stacks.GIVEN
    monkeypatch.setattr(stacks, "GIVEN", stacks.GIVEN.replace(*change))
    assert triggers() != before


@pytest.mark.proves("config.drift")
def test_a_repaired_claim_is_sent_the_toolkit_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim before it has removed every other version of it."""
    looks = (remote.Look({"claim": 1}, copy=3), remote.Look({"claim": 2}, copy=3))
    found = [run("given", tmp_path, monkeypatch, look).find("server-toolkit-file").inputs for look in looks]
    assert [inputs["triggers"][:2] for inputs in found] == [[3, 1], [3, 2]]


@pytest.mark.proves("source.new-server")
def test_a_server_that_lost_its_memory_gets_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = state_of(run("given", tmp_path, monkeypatch))
    declared = run("given", tmp_path, monkeypatch, remote.Look.of(state, Seen(), "203.0.113.7"))
    for command in declared.commands():
        if command.name != "server-teardown":
            assert command.inputs["create"].partition(" <")[0].endswith(" repair=1"), command.name
    assert declared.find("shop-source").inputs["triggers"] == [1, "203.0.113.7:22"]
    assert declared.find("server-toolkit-file").inputs["triggers"][:2] == [1, 1]


@pytest.mark.parametrize("name", STACKS)
def test_the_state_is_read_as_it_was_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is found with the digest that the server computes, so a server as it was left makes no difference."""
    declared = run(name, tmp_path, monkeypatch)
    state = state_of(declared)
    lines = [it for it in declared.commands() if it.name != "server-teardown"]
    assert len(state.steps) == len(lines)
    answer = as_left(state)
    again = run(name, tmp_path, monkeypatch, remote.Look.of(state, answer, "203.0.113.7"))
    assert by_urn(again.registered) == by_urn(declared.registered)


@pytest.mark.slow
@pytest.mark.proves("config.drift")
@pytest.mark.parametrize("name", STACKS)
def test_a_number_stays_in_the_line_whoever_looks_or_not(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = state_of(run(name, tmp_path, monkeypatch))
    repaired = run(name, tmp_path, monkeypatch, remote.Look.of(first, Seen(), "203.0.113.7"))
    state = state_of(repaired)
    unseen = run(name, tmp_path, monkeypatch, remote.Look.none(state))
    assert by_urn(unseen.registered) == by_urn(repaired.registered)
    answer = as_left(state)
    looked = run(name, tmp_path, monkeypatch, remote.Look.of(state, answer, "203.0.113.7"))
    assert by_urn(looked.registered) == by_urn(repaired.registered)


def as_left(state: remote.State) -> Seen:
    """The look at a server that is as the state has it."""
    return Seen(steps={step: SeenStep(applied=done.digest, drift=()) for step, done in state.steps.items()})


def state_of(declared: Run) -> remote.State:
    """What the state holds once all that was declared is there."""
    return remote.State.of(
        {
            it.urn: {"type": it.type.replace("index/", ""), "outputs": recorder.opened(it.inputs)}
            for it in declared.registered
        }
    )


@pytest.mark.parametrize(
    ("plan", "url"),
    [
        (DatabasePlan("generated", "shop", "shop", "127.0.0.1", 5432), "postgres://shop:p%40s%2Fs@127.0.0.1:5432/shop"),
        (DatabasePlan("local", "a b", "r:x", "::1", 5433), "postgres://r%3Ax:p%40s%2Fs@[::1]:5433/a%20b"),
        (
            DatabasePlan("local", "shop", "shop", "/run/postgresql", 5432, True),
            "postgres://shop:p%40s%2Fs@%2Frun%2Fpostgresql/shop",
        ),
    ],
)
def test_database_urls(plan: DatabasePlan, url: str) -> None:
    assert database_url(plan, "p@s/s") == url


@pytest.mark.proves("review-stack.data", "review-stack.down")
@pytest.mark.slow
def test_the_state_says_from_the_first_resource_on_whose_review_stack_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run("generated", tmp_path, monkeypatch)
    mark = "  codesensei:reviewOf: {stack: staging, branch: feature/prices, dataFrom: other}\n"
    monkeypatch.setattr(stacks, "GENERATED", f"{stacks.GENERATED}{mark}")
    declared = run("generated", tmp_path, monkeypatch)
    assert declared.find("server", ":Server").shown["reviewOf"] == {"stack": "staging", "branch": "feature/prices"}
    assert declared.find("shop", ":Database").shown["filledFrom"] == "other"
    assert codec.plain(declared.find("shop-database").inputs["stdin"]["value"])["fill"] == {"project": "other"}
    assert "reviewOf" not in plain.find("server", ":Server").shown
    assert "fill" not in codec.plain(plain.find("shop-database").inputs["stdin"]["value"])
