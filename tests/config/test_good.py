"""Stack files that are right, and what follows from them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.runtime.settings import Settings, configure

from codesensei.config import BadConfig, BrokerPlan, DatabasePlan, Stack, StackConfig, validate
from codesensei.wire.paths import ProjectPaths
from tests.config.bad import HOST_KEY, OWN_ENV, OWN_KIND, SECRET_END, TLS, TLS_KEY, mapping, secret_url
from tests.config.engine import EXAMPLE, load_text

SMALLEST: dict[str, dict[str, object]] = {
    "server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
    "project": {
        "slug": "shop",
        "source": {"git": "https://github.com/example/shop.git", "revision": "v1.4.0"},
        "settingsModule": "config.settings.production",
    },
}


def loaded(directory: Path, *changes: tuple[str, str]) -> Stack:
    text = EXAMPLE.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return load_text(directory, text)


@pytest.mark.proves("config.migration-timeout")
def test_a_migration_has_no_bound_unless_one_is_set(tmp_path: Path) -> None:
    assert loaded(tmp_path).config.database.migration_timeout == 0
    given = loaded(tmp_path, ("migrationTimeout: 0", "migrationTimeout: 60"))
    assert given.config.database.migration_timeout == 60


@pytest.mark.proves("config.rehearse")
def test_which_migrations_are_rehearsed(tmp_path: Path) -> None:
    assert loaded(tmp_path).config.database.rehearse == "auto"
    assert loaded(tmp_path, ("rehearse: auto", "rehearse: never")).config.database.rehearse == "never"


@pytest.mark.proves("config.lock-timeout")
def test_migrations_may_wait_for_ever(tmp_path: Path) -> None:
    assert loaded(tmp_path, ("lockTimeout: 5", "lockTimeout: 0")).config.database.lock_timeout == 0


@pytest.mark.proves("config.defaults", "user.default")
def test_the_example_states_the_defaults(tmp_path: Path) -> None:
    """What the example gives beyond the smallest config is what it would be without."""
    example = loaded(tmp_path).config.model_dump()
    smallest = validate(SMALLEST).model_dump()
    for own in ("env", "secret_names", "generate_secrets", "domains"):
        del example[own], smallest[own]
    for given in ("name", "workers"):
        del example["project"][given], smallest["project"][given]
    assert example == smallest


def test_the_example_has_no_warnings(tmp_path: Path) -> None:
    assert loaded(tmp_path).warnings == ()


@pytest.mark.proves("config.camel-case")
def test_the_example_names_every_key() -> None:
    text = EXAMPLE.read_text()
    keys = ["sshPrivateKey", "digestKey", "proxy", "certificate", "key"]

    def collect(model: type) -> None:
        for field in getattr(model, "model_fields", {}).values():
            keys.append(field.alias)
            if isinstance(field.annotation, type):
                collect(field.annotation)

    collect(StackConfig)
    assert len(keys) > 60
    assert [key for key in keys if f"{key}:" not in text and f"tls.{key}" not in text] == []


GOOD_PARTS: list[tuple[str, object, str]] = [
    ("server.host", "2001:db8::1", "server.host"),
    ("server.host", "2001:DB8:0:0::1", "server.host"),
    ("server.host", "server.example.com", "server.host"),
    ("server.port", "2222", "server.port"),
    ("project.source.git", "git@github.com:example/shop.git", "project.source.git"),
    ("project.source.git", "ssh://git@github.com:22/example/shop.git", "project.source.git"),
    ("project.source.git", "file:///home/me/shop", "project.source.git"),
    ("project.source.revision", "4f2a9c1e8be01d70aa3b6a1f9f8f3d5b2c1e0d9f", "project.source.revision"),
    ("project.source.git", "git@github_work:org/repo.git", "project.source.git"),
    ("project.source.git", "deploy_1@[2001:db8::1]:shop.git", "project.source.git"),
    ("project.source.revision", "feature/cart", "project.source.revision"),
    ("project.source.revision", "fix/#12-a@b", "project.source.revision"),
    ("project.source.revision", "shop@1.4.0", "project.source.revision"),
    ("project.source.revision", "feature/ünï", "project.source.revision"),
    ("project.source.revision", "a%b", "project.source.revision"),
    ("project.source.revision", "+(1),'2'!=&$;{x}", "project.source.revision"),
    ("project.python", "3.12", "project.python"),
    ("project.workers", {"a": "x\ny", "b": {"command": "celery beat", "singleton": "true"}}, "project.workers"),
    ("project.hooks.beforeMigrate", ["echo '$X' > \"%n\""], "project.hooks.before_migrate"),
    ("project.healthCheck.path", "/health/?full=1", "project.health_check.path"),
    ("project.wsgiApplication", "config.wsgi:get.application", "project.wsgi_application"),
    ("domains", ["shop.example.com", "xn--bcher-kva.example"], "domains"),
    ("trustedProxies", ["10.0.0.0/8", "2001:db8::/32"], "trusted_proxies"),
    ("limits.bodySize", "1g", "limits.body_size"),
    ("production", "true", "production"),
    ("drift", "false", "drift"),
    ("onDestroy.database", "drop", "on_destroy.database"),
    ("waive", {"debug": "a trial", "check.W004": "later", "check.axes.W003": "x", "plainSecret.A": "y"}, "waive"),
    ("env.NUMBER", 5, "env"),
]


@pytest.mark.proves("env.integers", "config.source.git", "config.source.revision", "config.switches")
@pytest.mark.proves("config.server.address")
@pytest.mark.parametrize(("key", "value", "attribute"), GOOD_PARTS, ids=lambda part: str(part)[:30])
def test_a_good_value_is_taken(key: str, value: object, attribute: str) -> None:
    raw: dict[str, Any] = copy.deepcopy(SMALLEST)
    place = raw
    *path, last = key.split(".")
    for part in path:
        place = place.setdefault(part, {})
    place[last] = value
    taken: object = validate(raw)
    for name in attribute.split("."):
        taken = getattr(taken, name)
    expected: dict[str, object] = {
        "server.port": 2222,
        "production": True,
        "drift": False,
        "env.NUMBER": {"NUMBER": "5"},
    }
    if value == "2001:DB8:0:0::1":
        expected[key] = "2001:db8::1"
    if key == "project.workers":
        assert isinstance(taken, dict)
        assert [(w.command, w.singleton) for w in taken.values()] == [("x\ny", False), ("celery beat", True)]
    else:
        wanted = expected.get(key, value)
        assert taken == (tuple(wanted) if isinstance(wanted, list) else wanted)


def test_forms_are_made_equal() -> None:
    """Paths, networks, host keys with a comment or a host name, and the word pgvector."""
    project = {**SMALLEST["project"], "directory": "./src/", "healthCheck": {"accept": [200]}}
    server = {**SMALLEST["server"], "hostKey": f"203.0.113.7 {HOST_KEY} root@shop"}
    config = validate({"server": server, "project": project, "tls": False, "database": {"extensions": ["pgvector"]}})
    assert config.project.directory == "src"
    assert config.project.health_check.accept == ("200",)
    assert config.server.host_key == HOST_KEY
    assert config.tls.kind == "off"
    assert config.database.extensions == ("vector",)


PARTS = "DB_HOST: host, DB_PORT: port, DB_NAME: name, DB_USER: user, DB_PASSWORD: password"


def plain(*lines: str) -> tuple[str, str]:
    return OWN_ENV, "".join(f"    {line}\n" for line in lines) + OWN_ENV


DATABASES: dict[str, tuple[list[tuple[str, str]], DatabasePlan]] = {
    "nothing given": (
        [],
        DatabasePlan("generated", "shop", "shop", "127.0.0.1", 5432, variables={"DATABASE_URL": "url"}),
    ),
    "a slug with a dash": (
        [("slug: shop", "slug: shop-eu")],
        DatabasePlan("generated", "shop_eu", "shop_eu", "127.0.0.1", 5432, variables={"DATABASE_URL": "url"}),
    ),
    "kind local, named": (
        [(OWN_KIND, "    kind: local\n"), ('    name: ""\n', "    name: store\n")],
        DatabasePlan("generated", "store", "store", "127.0.0.1", 5432, variables={"DATABASE_URL": "url"}),
    ),
    "mapped": (
        [mapping("DB_NAME: name, DB_USER: user, DB_PASSWORD: password")],
        DatabasePlan(
            "generated",
            "shop",
            "shop",
            "127.0.0.1",
            5432,
            variables={"DB_NAME": "name", "DB_USER": "user", "DB_PASSWORD": "password"},
        ),
    ),
    "local": (
        [secret_url("clear:postgres://my-role:p%40ss%2Fword@localhost/my-db")],
        DatabasePlan("local", "my-db", "my-role", "localhost", 5432, given_by="DATABASE_URL"),
    ),
    "local over IPv6 with a port": (
        [secret_url("clear:postgresql+psycopg://u:canary@[::1]:5433/db")],
        DatabasePlan("local", "db", "u", "::1", 5433, given_by="DATABASE_URL"),
    ),
    "a quoted word": (
        [plain("DATABASE_URL: \"'postgres://u:canary@127.0.0.1/db'\"")],
        DatabasePlan("local", "db", "u", "127.0.0.1", 5432, given_by="DATABASE_URL"),
    ),
    "local with other names": (
        [mapping("DB_HOST: host"), secret_url("clear:postgres://u:canary@127.0.0.1/db")],
        DatabasePlan("local", "db", "u", "127.0.0.1", 5432, variables={"DB_HOST": "host"}, given_by="DATABASE_URL"),
    ),
    "a socket in the host": (
        [secret_url("clear:postgres://deploy@%2Fvar%2Frun%2Fpostgresql/db")],
        DatabasePlan("local", "db", "deploy", "/var/run/postgresql", 5432, socket=True, given_by="DATABASE_URL"),
    ),
    "a socket in the query": (
        [secret_url("clear:postgres:///db?host=/var/run/postgresql&port=5433")],
        DatabasePlan("local", "db", "deploy", "/var/run/postgresql", 5433, socket=True, given_by="DATABASE_URL"),
    ),
    "the default socket": (
        [secret_url("clear:postgres://u:canary@/db")],
        DatabasePlan("local", "db", "u", "", 5432, socket=True, given_by="DATABASE_URL"),
    ),
    "elsewhere": (
        [secret_url("clear:postgres://u:canary@db.example.com:6543/db?sslmode=require")],
        DatabasePlan("external", "db", "u", "db.example.com", 6543, given_by="DATABASE_URL"),
    ),
    "elsewhere, not PostgreSQL": (
        [secret_url("clear:mysql://u:canary@db.example.com/db")],
        DatabasePlan("external", "db", "u", "db.example.com", 3306, given_by="DATABASE_URL"),
    ),
    "sqlite in a shared path": (
        [("sharedPaths: []", "sharedPaths: [data]"), plain("DATABASE_URL: sqlite:///data/shop.sqlite3")],
        DatabasePlan("sqlite", "data/shop.sqlite3", given_by="DATABASE_URL"),
    ),
    "sqlite": (
        [plain("DATABASE_URL: sqlite:////srv/codesensei/shop/shared/db.sqlite3")],
        DatabasePlan("sqlite", "/srv/codesensei/shop/shared/db.sqlite3", given_by="DATABASE_URL"),
    ),
    "kind none": (
        [(OWN_KIND, "    kind: none\n"), secret_url("clear:mysql://u:canary@127.0.0.1/db")],
        DatabasePlan("none"),
    ),
    "parts given": (
        [
            mapping(PARTS),
            plain("DB_HOST: db.example.com", "DB_PORT: 5433", "DB_NAME: db", "DB_USER: u"),
            ("    API_TOKEN:\n", "    DB_PASSWORD: {secure: 'clear:canary'}\n    API_TOKEN:\n"),
        ],
        DatabasePlan("external", "db", "u", "db.example.com", 5433, given_by="mapped"),
    ),
    "another URL variable given": (
        [mapping("MY_URL: url"), plain("MY_URL: postgres://u:canary@127.0.0.1/db")],
        DatabasePlan("local", "db", "u", "127.0.0.1", 5432, given_by="mapped"),
    ),
}


@pytest.mark.proves(
    "database.kinds",
    "database.auto.local",
    "database.auto.external",
    "database.auto.sqlite",
    "database.auto.generated",
)
@pytest.mark.parametrize("name", DATABASES)
def test_database_plan(name: str, tmp_path: Path) -> None:
    changes, plan = DATABASES[name]
    stack = loaded(tmp_path, *changes)
    assert stack.database == plan
    assert "canary" not in repr(stack.database)
    with_password = plan.given_by and plan.kind in {"local", "external"} and name[:8] != "a socket"
    assert (stack.secrets.database_password is not None) == bool(with_password)


@pytest.mark.proves("tls.kinds")
@pytest.mark.parametrize(
    ("tls", "kind"),
    [
        ("off", "off"),
        (False, "off"),
        ("selfSigned", "selfSigned"),
        ("external", "external"),
        ({"certificate": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"}, "files"),
        ("acme", "acme"),
        ({"acme": {"email": "ops@example.com"}}, "acme"),
    ],
)
def test_each_kind_of_tls(tls: object, kind: str) -> None:
    trusted = {"trustedProxies": ["10.0.0.0/8"]} if kind == "external" else {}
    assert validate({**SMALLEST, "domains": ["shop.example.com"], "tls": tls, **trusted}).tls.kind == kind


@pytest.mark.proves("proxy.patterns")
@pytest.mark.parametrize(
    ("domains", "made_up"), [(["*.example.com"], True), (["*.example.com", "example.com"], False), ([], False)]
)
def test_all_names_below_a_domain(domains: list[str], made_up: bool, tmp_path: Path) -> None:
    stack = loaded(tmp_path, ("[shop.example.com]", json.dumps(domains)))
    assert list(stack.config.domains) == domains
    told = [warning for warning in stack.warnings if "url is codesensei-probe.example.com" in warning]
    assert len(told) == made_up


@pytest.mark.proves("broker.plain-url")
@pytest.mark.parametrize(
    ("lines", "plan"),
    [
        (["X: redis://localhost:6379/3", "Y: valkey://127.0.0.1"], BrokerPlan((0, 3))),
        (["X: redis://cache.example.com:6379/99"], BrokerPlan((0,))),
        (["X: redis://127.0.0.1:6380/99"], BrokerPlan((0,))),
        (["REDIS_HOST: localhost", 'REDIS_DB: "3"'], BrokerPlan((0, 3))),
        (["MY_REDIS_HOST: 127.0.0.1", "MY_REDIS_PORT: 6379", "MY_REDIS_DB: 30"], BrokerPlan((0, 30))),
        (["REDIS_HOST: cache.example.com", "REDIS_DB: 3"], BrokerPlan((0,))),
        (["REDIS_HOST: localhost", "REDIS_PORT: 6380", "REDIS_DB: 3"], BrokerPlan((0,))),
        (["REDIS_DB: 3", "OTHER_DB: 4", "OTHER_HOST: localhost"], BrokerPlan((0,))),
    ],
)
def test_broker_plan(lines: list[str], plan: BrokerPlan, tmp_path: Path) -> None:
    """The example itself names number 0; brokers elsewhere are not the program's."""
    assert loaded(tmp_path, plain(*lines)).broker == plan


def test_broker_with_a_number_of_its_own(tmp_path: Path) -> None:
    url = "    CELERY_BROKER_URL: redis://127.0.0.1:6379/0\n"
    own = ("  codesensei:broker:\n    env: {}\n", "  codesensei:broker:\n    env: {CELERY_BROKER_URL: url}\n")
    broker = loaded(tmp_path, (url, ""), own).broker
    assert (broker.numbers, broker.variables) == ((), {"CELERY_BROKER_URL": "url"})
    assert broker.own
    assert not broker.shared
    assert loaded(tmp_path, (url, "")).broker.variables == {}


@pytest.mark.proves("broker.own")
@pytest.mark.parametrize(
    ("mapped", "own"),
    [
        ("X: url", True),
        ("X: url, Y: url", True),
        ("H: host, P: port, S: password", True),
        ("X: url, H: host, S: password", True),
        ("H: host, P: port, N: number", False),
        ("X: url, N: number", False),
        ("N: number", False),
    ],
)
def test_a_mapping_with_the_password_is_one_of_a_broker_of_the_stack_s_own(
    mapped: str, own: bool, tmp_path: Path
) -> None:
    """A project that reads no password stays in the shared broker, where it needs none."""
    lines = ("  codesensei:broker:\n    env: {}\n", f"  codesensei:broker:\n    env: {{{mapped}}}\n")
    url = ("    CELERY_BROKER_URL: redis://127.0.0.1:6379/0\n", "")
    broker = loaded(tmp_path, url, lines).broker
    assert (broker.own, broker.shared) == (own, not own)


@pytest.mark.proves("paths.units")
def test_names(tmp_path: Path) -> None:
    # Tests of other rooms leave another organization behind in the same process.
    configure(Settings(project="project", stack="stack", organization="organization"))
    stack = loaded(tmp_path)
    assert (stack.full_name, stack.slug, stack.user) == ("organization/project/stack", "shop", "deploy")
    assert stack.paths == ProjectPaths("shop")
    assert (stack.scheme, loaded(tmp_path, (TLS, "  codesensei:tls: selfSigned\n")).scheme) == ("http", "https")
    trusting = ("trustedProxies: []", "trustedProxies: [10.0.0.0/8]")
    assert loaded(tmp_path, (TLS, "  codesensei:tls: external\n"), trusting).scheme == "https"


@pytest.mark.proves("web.workers")
@pytest.mark.parametrize(("variable", "server"), [("GUNICORN_WORKERS", "auto"), ("WEB_CONCURRENCY", "uvicorn")])
@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("4", 4),
        ('"4"', 4),
        ("'\"4\"'", 4),
        ("\"'4'\"", 4),
        ("'''\"4\"'''", None),
        ('""', None),
        ("0", None),
        ("-1", None),
        ("٣", None),
    ],
)
def test_the_number_of_web_processes_is_what_the_processes_read(
    variable: str, server: str, given: str, count: int | None, tmp_path: Path
) -> None:
    """One pair of quotes is YAML's, one the env file's; secret ones are checked too, and not given to anybody."""
    serves = ("    server: auto\n", f"    server: {server}\n")
    line = ('    GUNICORN_WORKERS: "3"\n', f"    {variable}: {given}\n")
    value = yaml.safe_load(given)
    sealed = [(line[0], ""), (SECRET_END, f"{SECRET_END}    {variable}: {{secure: {json.dumps(f'clear:{value}')}}}\n")]
    if count is None:
        for changes in ([serves, line], [serves, *sealed]):
            with pytest.raises(BadConfig, match=f"nv.{variable}: is not a positive whole number"):
                loaded(tmp_path, *changes)
        return
    assert loaded(tmp_path, serves, line).config.workers_given(variable) == count
    assert loaded(tmp_path, serves, *sealed).config.workers_given(variable) is None
    assert loaded(tmp_path, (line[0], "")).config.workers_given(variable) is None


def test_a_variable_of_another_web_server_is_the_projects_own(tmp_path: Path) -> None:
    line = ('    GUNICORN_WORKERS: "3"\n', "    WEB_CONCURRENCY: auto\n")
    assert loaded(tmp_path, line).config.env["WEB_CONCURRENCY"] == "auto"


def test_certificate_of_ones_own(tmp_path: Path) -> None:
    pem = "    certificate: |\n      -----BEGIN CERTIFICATE-----\n      MIIB\n      -----END CERTIFICATE-----\n"
    stack = loaded(tmp_path, (TLS, f"  codesensei:tls:\n{pem}{TLS_KEY}"))
    assert stack.config.tls.kind == "files"
    assert stack.secrets.tls_key is not None
    assert stack.scheme == "https"


def waived(name: str) -> tuple[str, str]:
    return "  codesensei:drift: true\n", f"  codesensei:drift: true\n  codesensei:waive: {{{name}: it is known}}\n"


UNUSED = "codesensei:waive.{}: waives nothing: remove it"
WARNINGS: dict[str, tuple[tuple[str, str], str]] = {
    "a secret by its name": (
        plain("STRIPE_SECRET_KEY: abc"),
        "codesensei:env.STRIPE_SECRET_KEY: looks like a secret, but is in plain text in the stack file, the state "
        "and every preview; move it: pulumi config set --secret --path codesensei:secretEnv.STRIPE_SECRET_KEY, "
        'then remove it from env; or give your reason: codesensei:waive: {plainSecret.STRIPE_SECRET_KEY: "…"}',
    ),
    "another namespace": (
        ("  codesensei:drift: true\n", "  codesensei:drift: true\n  shop:adopt: true\n"),
        "shop:adopt: nobody reads this namespace; did you mean codesensei:adopt?",
    ),
    "an unused application": (
        ("    interface: auto\n", "    interface: wsgi\n    asgiApplication: a:b\n"),
        "codesensei:project.asgiApplication: is not used: project.interface is wsgi",
    ),
    "a shared user": (
        ("    shareUser: false\n", "    shareUser: true\n"),
        "codesensei:project.shareUser: every project on 203.0.113.7 that runs as deploy can read and change what the "
        "others have there: variables with their secrets, database, uploads, logs, processes",
    ),
    "a waiver of what is no secret": (waived("plainSecret.GREETING"), UNUSED.format("plainSecret.GREETING")),
    "a waiver where no backup is needed": (waived("backup"), UNUSED.format("backup")),
    "tasks that each deploy would end": (
        plain("REMAP_SIGTERM: SIGQUIT"),
        "codesensei:project.workers: with REMAP_SIGTERM, deploys end the tasks of worker amid their work: "
        "remove it; Celery finishes its tasks on SIGTERM, and here no other process gets that",
    ),
    "everybody is trusted": (
        ("trustedProxies: []", "trustedProxies: [0.0.0.0/0]"),
        "codesensei:trustedProxies: 0.0.0.0/0 is everybody: any visitor could claim another address",
    ),
}


@pytest.mark.proves("user.shared", "policy.unused", "policy.plain-secret", "workers.remapped")
@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name: str, tmp_path: Path) -> None:
    change, warning = WARNINGS[name]
    assert loaded(tmp_path, change).warnings == (warning,)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("DB_URL: postgres://u:canary@db.example.com/x", True),
        ("SENTRY_DSN: https://x@sentry.example.com/1", True),
        ("EMAIL_HOST_PASSWORD: canary", True),
        ("PASSWORD_MIN_LENGTH: 12", False),
        ("PASSWORD_RESET_TIMEOUT: 3600", False),
        ("TOKEN_URL: https://example.com/token", False),
        ("CSRF_COOKIE_SECURE: 'true'", False),
        ("COMPASS: north", False),
        ("PUBLIC_URL: https://example.com/", False),
    ],
)
def test_what_looks_secret(line: str, secret: bool, tmp_path: Path) -> None:
    warnings = loaded(tmp_path, plain(line)).warnings
    assert len(warnings) == secret
    assert "canary" not in str(warnings)


@pytest.mark.proves("config.server.hardening")
@pytest.mark.parametrize(
    ("given", "word"), [("auto", "auto"), ("on", "on"), (True, "on"), ("true", "on"), ("off", "off"), (False, "off")]
)
def test_hardening_may_be_a_flag_of_yaml(given: object, word: str) -> None:
    server = {"host": "203.0.113.7", "hostKey": HOST_KEY, "hardening": given}
    project = {"slug": "shop", "source": {"path": ".", "revision": "v1"}, "settingsModule": "config.settings"}
    assert validate({"server": server, "project": project}).server.hardening == word
