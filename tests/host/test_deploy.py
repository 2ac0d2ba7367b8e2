"""What a deploy brings, and that nothing runs where nothing has changed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.docs.reader import Reader
from tests.docs.table import SERVER
from tests.host import attacks
from tests.host.debians import each_debian
from tests.host.test_ways import agent
from tools.demo import checks
from tools.demo.browser import Browser
from tools.trials.fingerprint import difference, fingerprint
from tools.trials.stack import Stack

pytestmark = pytest.mark.host


@pytest.mark.proves("database.auto.generated", "broker.env", "proxy.web", "static.served", "collectstatic")
def test_the_site_answers_with_database_worker_and_static_files(deployed: Stack) -> None:
    assert deployed.site.greets("Hello")
    entry = deployed.site.write()
    deployed.site.await_job(entry)
    row = f"SELECT message FROM entries_entry WHERE id = {entry.number}"
    found = deployed.server.console(f"runuser -u postgres -- psql -XAtc {shlex.quote(row)} {deployed.slug}")
    assert found.stdout == f"{entry.text}\n"
    checks.check_static(deployed.site.browser)


@pytest.mark.proves("static.year")
def test_a_static_file_has_one_cache_header_of_a_year(deployed: Stack) -> None:
    sheet = next(word for word in deployed.site.get().body.split('"') if word.endswith(".css"))
    headers = deployed.site.headers(sheet)
    assert [value for name, value in headers if name in {"cache-control", "expires"}] == ["max-age=31536000"]


@pytest.mark.proves("proxy.unknown-hosts")
def test_an_unknown_host_gets_no_project(deployed: Stack) -> None:
    page = Browser(f"http://{deployed.server.host}/", "unknown.example").get("/")
    assert 400 <= page.status < 500
    assert "Hello" not in page.body


@pytest.mark.proves("outputs.url", "words.release")
def test_the_outputs_are_what_is_served(deployed: Stack) -> None:
    outputs = deployed.outputs()
    assert outputs == {
        "hostnames": [deployed.hostname],
        "release": deployed.serving(),
        "revision": deployed.config["codesensei:project"]["source"]["revision"],
        "server": deployed.server.host,
        "url": f"http://{deployed.hostname}/",
    }
    assert deployed.serving() == deployed.serving("worker")


@pytest.mark.proves("paths.manage")
def test_manage_runs_as_the_app_user_with_the_release_s_environment(deployed: Stack) -> None:
    manage = f"/srv/codesensei/{deployed.slug}/manage"
    assert deployed.server.console(f"cd / && {manage} check").stdout.startswith("System check identified no issues")
    code = "import os, json; print(json.dumps([os.getuid(), os.environ['GREETING'], os.getcwd()]))"
    said = deployed.server.console(f"{manage} shell -v 0 -c {shlex.quote(code)}").stdout
    user, greeting, folder = json.loads(said.splitlines()[-1])
    assert user == int(deployed.server.console("id -u deploy").stdout)
    assert greeting == "Hello"
    assert folder == f"/srv/codesensei/{deployed.slug}/releases/{deployed.serving()}"


@pytest.mark.proves("paths.manage.terminal")
def test_manage_never_has_root_s_terminal(deployed: Stack) -> None:
    manage = f"/srv/codesensei/{deployed.slug}/manage shell -v 0 -c"
    line = f"tty; {manage} {shlex.quote('import os; print(os.ttyname(0))')}"
    said = deployed.server.console(f"script -qec {shlex.quote(line)} /dev/null").stdout
    outer, inner = re.findall(r"/dev/pts/\d+", said)
    assert inner != outer
    line = f"""echo | {manage} 'open("/dev/tty")'"""
    said = deployed.server.console(f"script -qec {shlex.quote(line)} /dev/null", check=False).stdout
    assert "No such device or address: '/dev/tty'" in said


# What anybody may read: the product, names, commits, and what systemd, nginx and logrotate are told.
OPEN = (
    r"/usr/local/lib/codesensei(/toolkit(/.*)?)?",
    r"/srv/codesensei(/guestbook/(manage|releases/[0-9a-f-]{15}/\.codesensei/REVISION))?",
    r"/run/codesensei-candidate",
    r"/var/lib/codesensei(-broker|/acme-challenges)",
    r"/etc/codesensei(/unknown-host(/certificate\.pem)?)?",
    r"/etc/systemd/system/(guestbook(-worker)?\.(service|socket)|codesensei-broker-guestbook\.service)",
    r"/etc/nginx/(sites-available/codesensei-guestbook|conf\.d/codesensei|snippets/codesensei-[a-z]+)\.conf",
    r"/etc/systemd/system/nginx\.service\.d/codesensei\.conf",
    r"/etc/logrotate\.d/codesensei-guestbook",
    r"/var/cache/codesensei",
)


@pytest.mark.proves("root.logs", "neighbors.files")
@pytest.mark.parametrize("user", ["nobody", "games"])
def test_what_a_third_user_can_reach_of_all_that_is_made(deployed: Stack, user: str) -> None:
    found = attacks.walk(deployed.server, user, "codesensei", deployed.slug)
    assert found["write"] == found["connect"] == []
    # What the web serves.
    static = rf"/srv/codesensei/{deployed.slug}/releases/{deployed.serving()}/staticfiles(/.*)?"
    seen = "\n".join(
        path for path in found["read"] + found["list"] if not re.fullmatch("|".join((*OPEN, static)), path)
    )
    assert seen == ""


@pytest.mark.proves("neighbors.processes")
def test_what_a_third_user_can_learn_of_processes(deployed: Stack) -> None:
    """Command lines are everybody's; variables are the kernel's to keep."""
    slug = deployed.slug
    units = (f"{slug}.service", f"{slug}-worker.service", f"codesensei-broker-{slug}.service")
    pids = [deployed.server.console(f"systemctl show -P MainPID {unit}").stdout.strip() for unit in units]
    secret = deployed.environ()
    for pid in pids:
        for name in ("environ", "mem", "maps", "cwd", "root", "fd/0"):
            tried = f"runuser -u nobody -- sh -c 'head -c 1 /proc/{pid}/{name} || ls /proc/{pid}/{name}/'"
            done = deployed.server.console(tried, check=False)
            assert (done.returncode != 0, done.stdout) == (True, ""), name
        line = deployed.server.console(f"runuser -u nobody -- cat /proc/{pid}/cmdline").stdout
        assert line
        assert not [key for key in ("SECRET_KEY", "DATABASE_URL", "CELERY_BROKER_URL") if secret[key] in line]


@pytest.mark.proves("processes.sandbox", "proxy.confined")
def test_how_exposed_web_and_worker_are(deployed: Stack) -> None:
    """systemd's own measure: 10 for a unit that may do all that its user may, 0 for one that may do nothing."""
    for unit in (f"{deployed.slug}.service", f"{deployed.slug}-worker.service"):
        said = deployed.server.console(f"systemd-analyze security --no-pager {unit}").stdout
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
        assert found is not None, said
        assert float(found[1]) <= 2.0, said
    master = deployed.server.console("systemctl show --property=MainPID --value nginx.service").stdout.strip()
    assert "NoNewPrivs:\t1\n" in deployed.server.console(f"cat /proc/{master}/status").stdout


@pytest.mark.proves("django.asked")
def test_what_is_known_of_the_settings_is_what_django_says(deployed: Stack) -> None:
    names = {"mediaRoot": "MEDIA_ROOT", "mediaUrl": "MEDIA_URL", "staticRoot": "STATIC_ROOT", "staticUrl": "STATIC_URL"}
    code = (
        "import json; from django.conf import settings as s;"
        f" found = {{key: str(getattr(s, name)) for key, name in {names}.items()}};"
        " found |= {'databases': {'default': {k: str(s.DATABASES['default'][k.upper()] or '') for k in"
        " ('engine', 'name', 'user', 'host', 'port')}}};"
        " found |= {'allowedHosts': list(s.ALLOWED_HOSTS), 'debug': s.DEBUG, 'wsgiApplication': s.WSGI_APPLICATION};"
        " print(json.dumps(found | {'asgiApplication': getattr(s, 'ASGI_APPLICATION', None) or ''}))"
    )
    said = deployed.server.console(f"/srv/codesensei/{deployed.slug}/manage shell -v 0 -c {shlex.quote(code)}").stdout
    notes = f"/var/lib/codesensei/{deployed.slug}/release/{deployed.serving()}.json"
    known = json.loads(deployed.server.console(f"cat {notes}").stdout)["facts"]
    django = json.loads(said.splitlines()[-1])
    assert {name: known[name] for name in django} == django
    assert known["allowedHosts"] == [".example"]
    assert known["debug"] is False


@pytest.mark.proves("state.size")
def test_the_state_is_small(deployed: Stack) -> None:
    """The engine keeps a copy of it for each update, and the toolkit's text alone would be 700 KB in each."""
    state = deployed.backend / ".pulumi/stacks/codesensei" / f"{deployed.name}.json"
    assert state.stat().st_size < 250_000


@pytest.mark.proves("redeploy.unchanged", "config.drift")
@pytest.mark.parametrize(("drift", "looks"), [pytest.param(False, 0, marks=pytest.mark.full), (True, 1)])
def test_a_second_up_changes_nothing_and_only_looks_for_drift(stack: Stack, drift: bool, looks: int) -> None:
    stack.set("drift", drift)
    stack.up()
    before, logins = fingerprint(stack.server, stack.slug), stack.logins()
    assert stack.up_without_changes().changes == set()
    assert stack.logins() == logins + looks
    assert stack.preview("--expect-no-changes").changes == set()
    assert stack.logins() == logins + 2 * looks
    assert difference(before, fingerprint(stack.server, stack.slug)) == {}


@pytest.mark.proves("docs.commands", "paths.manage")
@each_debian(13)
def test_recipes_for_a_server(stack: Stack, tmp_path: Path) -> None:
    """What the documents print for a server on which a project runs, typed as it is printed."""
    operating, trouble, server = "docs/operating.md", "docs/troubleshooting.md", stack.server
    with agent(server.private_key_path) as socket:
        replaced = {"203.0.113.7": server.host, "shop": stack.slug}
        reader = Reader(SERVER, tmp_path / "home", replaced, {"SSH_AUTH_SOCK": socket})
        reader.may_log_in(server)
        assert "ED25519" in reader.types(f"{trouble}#the-connection")
    reader.types(f"{operating}#what-to-keep-safe")
    [dump], [media] = reader.home.glob("*.dump"), reader.home.glob("*.tar.gz")
    assert dump.read_bytes().startswith(b"PGDMP")
    assert "media/" in reader.shell(f"tar --list --gzip --file={media}")

    (reader.home / "ada-password.txt").write_text("correct horse\n")
    assert "Superuser created" in reader.types(f"{operating}#web-process-and-workers")
    know = "from django.contrib.auth.models import User; print(User.objects.get().check_password('correct horse'))"
    manage = f"/srv/codesensei/{stack.slug}/manage shell -v 0 -c {shlex.quote(know)}"
    assert server.console(manage).stdout.splitlines()[-1] == "True"
    assert "Installed 1 object(s)" in reader.types(f"{operating}#web-process-and-workers.2")
    assert "guestbook-worker.service" in reader.types_on(server, f"{trouble}#the-site")
    assert "pong" in reader.types_on(server, f"{trouble}#the-project")
    reader.ends()
