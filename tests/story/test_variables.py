"""Variables by name, with values where everybody may read them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from codesensei.story import Served, Variable, of_variables
from codesensei.wire import digests, envfile, steps
from codesensei.wire.envfile import Written

pytestmark = pytest.mark.proves("story.variables")
KEY, OLD, NEW = "a-key", "canary-old", "canary-new"


def served(values: Mapping[str, str], *secret: str) -> Served:
    """What serves with these variables."""
    return Served(
        "1111111-2222222",
        "",
        environment=steps.Environment(
            content=envfile.render({name: Written(value) for name, value in values.items()}),
            secret_names=secret,
            managed_names=(),
            account=None,
            user="deploy",
        ),
    )


def told(was: Served, **wanted: Variable) -> tuple[str, ...]:
    return of_variables(was, "1111111-3333333", wanted, KEY).entries


def test_plain_ones_have_their_values() -> None:
    was = served({"GREETING": "Welcome!", "GONE": "1", "SAME": "a $b"})
    wanted = {"GREETING": Variable("Good\nevening!", False), "SAME": Variable("a $b", False)}
    assert told(was, NEW=Variable("x", False), **wanted) == (
        '- GONE',
        r'GREETING "Welcome!" -> "Good\nevening!"',
        '+ NEW "x"',
    )  # fmt: skip


def test_secret_ones_have_digests_alone() -> None:
    was = served({"TOKEN": OLD, "SAME": OLD, "GONE": OLD}, "TOKEN", "SAME", "GONE")
    entries = told(was, TOKEN=Variable(NEW, True), SAME=Variable(OLD, True), MORE=Variable(NEW, True))
    before, after = (digests.keyed(KEY, value)[:4] for value in (OLD, NEW))
    assert entries == ("- GONE", "+ MORE (secret)", f"TOKEN changed (digest {before} -> {after})")
    assert "canary" not in repr(was) + repr(Variable(NEW, True))


def test_without_a_key_no_digest_is_shown() -> None:
    was = served({"TOKEN": OLD}, "TOKEN")
    entries = of_variables(was, "1111111-3333333", {"TOKEN": Variable(NEW, True)}, None).entries
    assert entries == ("TOKEN changed",)


@pytest.mark.parametrize(
    ("secret", "value", "text"),
    [
        (True, OLD, "TOKEN is secret now, the same value"),
        (True, NEW, "TOKEN is secret now, another value"),
        (False, OLD, "TOKEN is no secret any more, the same value"),
    ],
)
def test_a_value_that_moved(secret: bool, value: str, text: str) -> None:
    was = served({"TOKEN": OLD}, *([] if secret else ["TOKEN"]))
    assert told(was, TOKEN=Variable(value, secret)) == (text,)


def test_what_this_run_makes_is_named_as_such() -> None:
    made = Variable(None, True, "generated")
    assert told(served({"KEY": OLD}, "KEY"), KEY=made, OTHER=made) == ("KEY changed (generated)", "+ OTHER (generated)")
    url = Variable("postgres://new", True, "of the database")
    assert told(served({}), DATABASE_URL=url) == ("+ DATABASE_URL (of the database)",)


def test_long_values_are_cut() -> None:
    (entry,) = told(served({}), LONG=Variable("x" * 5000, False))
    assert entry == f'+ LONG "{"x" * 59}…" (5000 characters)'


@pytest.mark.proves("story.apart")
def test_long_values_are_cut_around_their_difference() -> None:
    hosts = ",".join(f"{number}.example.com" for number in range(90))
    was, wanted = f"{hosts},old.example.com", f"{hosts},new.example.com"
    (entry,) = told(served({"HOSTS": was}), HOSTS=Variable(wanted, False))
    start = hosts[-28:].partition(",")[2]
    assert entry.startswith('HOSTS "…')
    assert f'{start},old.example.com" ({len(was)} characters) -> "…' in entry
    assert entry.endswith(f'{start},new.example.com" ({len(wanted)} characters)')


def test_the_same_variables_are_not_told() -> None:
    was = served({"TOKEN": OLD})
    assert of_variables(was, "4444444-2222222", {"TOKEN": Variable(NEW, False)}, KEY).entries == ()


def test_a_state_with_others_than_those_that_serve_is_said() -> None:
    (entry,) = told(Served("1111111-2222222", ""), TOKEN=Variable(NEW, False))
    assert entry.startswith("changed; which ones is not known")
