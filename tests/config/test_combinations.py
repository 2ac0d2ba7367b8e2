"""Mistakes that take two keys: each alone is right. Every rule of the product is in one of the two tables."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from codesensei.config import BadConfig
from tests.config.bad import BAD, DOMAINS, OWN_ENV, OWN_KIND, TLS, mapping, secret_url
from tests.config.engine import EXAMPLE, load_text

ELSEWHERE = secret_url("clear:postgres://shop:canary@db.example.com/shop")
HERE = secret_url("clear:postgres://shop:canary@127.0.0.1/shop")
SQLITE = (OWN_ENV, f"    DATABASE_URL: sqlite:////srv/codesensei/shop/shared/db.sqlite3\n{OWN_ENV}")
NAMED = ('    name: ""\n', "    name: store\n")
ALWAYS = ("rehearse: auto", "rehearse: always")


def kind(word: str) -> tuple[str, str]:
    return OWN_KIND, f"    kind: {word}\n"


PRODUCTION = ("production: false", "production: true")
UNPROTECTED = ("  codesensei:drift: true\n", "  codesensei:drift: true\n  codesensei:waive: {backup: a trial}\n")
REVIEW = "  codesensei:reviewOf: {stack: staging, branch: prices, dataFrom: shop}\n"
CONTINUOUS = "  codesensei:backups: {to: /backups/shop, database: continuous}\n"
COMBINATIONS = {
    "policy-plainSecret": (
        [PRODUCTION, UNPROTECTED, (OWN_ENV, f"    MAIL_TOKEN: canary\n{OWN_ENV}")],
        "env.MAIL_TOKEN: looks like a secret, but is in plain text in the stack file, the state and every preview, and "
        "codesensei:production is true\n"
        "    move it: pulumi config set --secret --path codesensei:secretEnv.MAIL_TOKEN, "
        'then remove it from env; or give your reason: codesensei:waive: {plainSecret.MAIL_TOKEN: "…"}',
    ),
    "policy-backup": (
        [PRODUCTION],
        "backups: nothing backs up the data of this production stack, and codesensei:production is true\n"
        '    set codesensei:backups, e.g. to {to: /backups}; or give your reason: codesensei:waive: {backup: "…"}',
    ),
    "production-moving-revision": (
        [PRODUCTION, UNPROTECTED, ("revision: v1.4.0", "revision: origin/main")],
        'project.source.revision: "origin/main" moves, and this stack is production\n'
        "    give a commit or a tag: v1.4.0",
    ),
    "review-of-production": (
        [PRODUCTION, (UNPROTECTED[0], UNPROTECTED[1] + REVIEW)],
        "reviewOf: makes this a review stack, which codesensei review down removes with its data, "
        "and it is production\n"
        "    remove it, or codesensei:production",
    ),
    "review-data": (
        [SQLITE, ("  codesensei:drift: true\n", "  codesensei:drift: true\n" + REVIEW)],
        "reviewOf: fills a database that codesensei makes on the server, and this one is sqlite\n"
        "    remove dataFrom and dump, and copy the data by hand",
    ),
    "backup-continuous-database": (
        [SQLITE, (UNPROTECTED[0], UNPROTECTED[0] + CONTINUOUS)],
        "backups.database: continuous is for a database that codesensei makes on the server, and this one is sqlite\n"
        "    remove it",
    ),
    "acme-needs-name": (
        [(DOMAINS, ""), (TLS, "  codesensei:tls: acme\n")],
        "tls: is acme, but the stack has no host name to get a certificate for\n"
        "    add codesensei:domains, or set tls to selfSigned",
    ),
    "acme-names": (
        [
            (DOMAINS, f"  codesensei:domains: [{', '.join(f'n{number}.example.com' for number in range(101))}]\n"),
            (TLS, "  codesensei:tls: acme\n"),
        ],
        "domains: has 101 names with appsDomain's, and a certificate holds 100\n"
        "    remove some, or set tls to a certificate of your own",
    ),
    "acme-pattern": (
        [("[shop.example.com]", '[example.com, "*.example.com"]'), (TLS, "  codesensei:tls: acme\n")],
        'domains: "*.example.com" needs a certificate by DNS validation, which tls: acme cannot do\n'
        "    set tls to a certificate of your own for it, to external or to selfSigned, or list each host name",
    ),
    "python-path-twice": (
        [("pythonPath: []", "pythonPath: [src]"), (OWN_ENV, f"    PYTHONPATH: src\n{OWN_ENV}")],
        "env.PYTHONPATH: PYTHONPATH is also made of project.pythonPath\n    remove one of the two",
    ),
    "memory-order": (
        [("      web:\n        tasksMax: 2048", "      web: {memoryHigh: 1G, memoryMax: 1024m}")],
        "project.resources.web.memoryHigh: 1G is not below memoryMax (1024M), at which the process is ended\n"
        "    lower it, or remove it",
    ),
    "external-needs-proxies": (
        [(TLS, "  codesensei:tls: external\n")],
        "tls: is external, but no load balancer or CDN is trusted to say that a visitor came over HTTPS\n"
        "    list the networks that it connects from in codesensei:trustedProxies",
    ),
    "external-needs-name": (
        [(DOMAINS, ""), (TLS, "  codesensei:tls: external\n"), ("Proxies: []", "Proxies: [10.0.0.0/8]")],
        "tls: is external, but the stack has no host name: the server's own address has no TLS\n"
        "    add codesensei:domains",
    ),
    "worker-unit-reserved": (
        [("slug: shop", "slug: cloud"), ("      beat:\n", "      init:\n")],
        "project.workers.init: cloud-init.service is a system unit\n    give the worker another name",
    ),
    "local-elsewhere": (
        [kind("local"), ELSEWHERE],
        "database.kind: is local, but secretEnv.DATABASE_URL points to another machine\n"
        "    set it to external, or point the URL to 127.0.0.1",
    ),
    "external-here": (
        [kind("external"), HERE],
        "database.kind: is external, but secretEnv.DATABASE_URL points to the server itself\n"
        "    set it to local, or point the URL to the provider's host; for a database of your own: none",
    ),
    "kind-and-url": (
        [kind("local"), SQLITE],
        "database.kind: is local, but env.DATABASE_URL points to a SQLite file\n    set it to auto",
    ),
    "migration-timeout-sqlite": (
        [("migrationTimeout: 0", "migrationTimeout: 60"), SQLITE],
        "database.migrationTimeout: has no use: nothing cancels a migration of a SQLite file\n    remove it, or set 0",
    ),
    "rehearse-elsewhere": (
        [ALWAYS, ELSEWHERE],
        "database.rehearse: always is not possible: only PostgreSQL on the server is copied, and the database is"
        " elsewhere\n    set it to auto or never",
    ),
    "database-name-differs": (
        [NAMED, HERE],
        "database.name: is not the name in secretEnv.DATABASE_URL\n    remove it: the URL says it",
    ),
    "name-elsewhere": ([NAMED, ELSEWHERE], "database.name: has no use: the database is elsewhere\n    remove it"),
    "extensions-elsewhere": (
        [("extensions: []", "extensions: [citext]"), SQLITE],
        "database.extensions: cannot be made: a SQLite file needs nothing made\n    remove them here",
    ),
    "mapping-elsewhere": (
        [kind("none"), mapping("MY_URL: url")],
        "database.env: has no use: kind is none: the program makes no database\n    remove it, or set the kind to auto",
    ),
    "variable-twice": (
        [mapping("DB_HOST: host"), HERE, (OWN_ENV, f"    DB_HOST: 127.0.0.1\n{OWN_ENV}")],
        "env.DB_HOST: DB_HOST is filled from DATABASE_URL\n    remove it here, or from DATABASE_URL and database.env",
    ),
    "mapped-port": (
        [mapping("DB_PORT: port"), (OWN_ENV, f'    DB_PORT: "5432 "\n{OWN_ENV}')],
        "env.DB_PORT: is not a TCP port\n    use a number from 1 to 65535",
    ),
}


def both(changes: list[tuple[str, str]]) -> str:
    """The example with these changes."""
    text = EXAMPLE.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.mark.proves("config.refused", "config.production", "policy.plain-secret", "backups.none", "continuous.refused")
@pytest.mark.parametrize("rule", COMBINATIONS)
def test_a_combination_is_refused(rule: str, tmp_path: Path) -> None:
    changes, text = COMBINATIONS[rule]
    with pytest.raises(BadConfig) as caught:
        load_text(tmp_path, both(changes))
    assert str(caught.value) == f"the stack config has 1 problem, nothing was run:\n  codesensei:{text}"
    assert [problem.rule for problem in caught.value.problems] == [rule]
    assert "canary" not in str(caught.value)


@pytest.mark.proves("migrations.rehearsal.always")
@pytest.mark.parametrize("where", [ELSEWHERE, SQLITE, kind("none")])
def test_a_rehearsal_that_is_not_possible_is_refused(where: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"database\.rehearse: always is not possible"):
        load_text(tmp_path, both([ALWAYS, where]))


def rules_of_the_product() -> set[str]:
    """The first text of every call that states a rule."""
    rules = {"secret-and-plain", "generated-and-given", "broker-variable-twice"}  # in a table of stack.py
    rules |= {"policy-plainSecret", "policy-backup"}  # named after the rules of the policy
    rules |= {
        "seconds",
        "keep-releases",
        "lock-timeout",
        "tasks",
        "connections",
        "backup-keep",
    }  # named by users of at_least()
    rules |= {"backup-keep", "dump-keep", "migration-timeout"}
    rules |= {"root-certificate", "backup-root-certificate"}  # named by users of authority_root()
    doors = {"reject", "Problem", "_refuse", "Refusal", "matching"}
    product = EXAMPLE.parents[1] / "codesensei"
    for path in (*(product / "config").glob("*.py"), product / "wire" / "envfile.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in doors:
                first = node.args[1 if node.func.id == "matching" else 0]
                values = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                rules |= {str(value.value) for value in values if isinstance(value, ast.Constant)}
    return rules


def test_every_rule_has_its_case() -> None:
    assert rules_of_the_product() ^ ({bad.rule for bad in BAD} | set(COMBINATIONS)) == set()
