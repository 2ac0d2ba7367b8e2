"""A green deploy is what strangers get: hand-made sites, hostnames, the end of a redirect, settings, uploads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.debians import each_debian
from tests.host.visitor import ask
from tools.sandbox import Server
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

ENABLED = "/etc/nginx/sites-enabled"
OLD_SITE = """server {{
    listen 80;
    server_name {};
    location / {{ default_type text/plain; return 200 "the old site\\n"; }}
}}
"""
OTHER = "guestbook.test"
# The front page leads to one that fails.
URLS = """
from config.urls import urlpatterns as others
from django.shortcuts import redirect
from django.urls import path

urlpatterns = [path("", lambda request: redirect("/desk/")), path("desk/", lambda request: {}["greeting"]), *others]
"""
# As load_dotenv does with override=True.
LOAD = """
for line in (BASE_DIR / ".env").read_text().splitlines():
    os.environ.update([line.split("=", 1)])
GREETING = os.environ["GREETING"]
DEBUG = os.environ["SHOP_DEBUG"] == "1"
"""
ENV = "SHOP_DEBUG=1\nGREETING=from the repository\n"
OTHER_MODULE = 'import os\n\nos.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.other"\n'


def settings(stack: Stack, more: str) -> dict[str, str]:
    """The production settings with more lines at their end."""
    name = "config/settings/production.py"
    return {name: (stack.repository / name).read_text() + more}


def make_site(stack: Stack, file: str) -> None:
    """A site of the stack's name that somebody has made by hand, and that nginx has read."""
    command = f"cat > {ENABLED}/{file}; nginx -t && systemctl restart nginx"
    stack.server.console(command, input=OLD_SITE.format(stack.hostname).encode())
    assert stack.site.get().body == "the old site\n"


@pytest.mark.proves(
    "switch.read-back", "switch.edge", "register.sites", "register.refused", "register.adopt", "config.drift"
)
@each_debian(13)
def test_a_hand_made_site_is_refused_or_gives_way(stack: Stack) -> None:
    """Also where nothing else has changed."""
    make_site(stack, "0-old.conf")
    named = f"the nginx site {ENABLED}/0-old.conf, which codesensei did not write, already serves it"
    assert named in stack.preview().said("warning")
    before = stack.processes()
    error = stack.up(succeed=False).said("error")
    assert f"error: hostname {stack.hostname} on {stack.server.name}: {named}" in error
    assert "or take the site's place with codesensei:adopt: true" in error
    stack.set("adopt", True)
    stack.up()
    assert stack.site.greets("Hello")
    assert stack.processes() == before
    assert stack.server.console("cat /etc/nginx/sites-available/0-old.conf.before-codesensei").stdout
    stack.set("adopt", False)
    stack.up()
    stack.up_without_changes()
    stack.shared_in = __name__


@pytest.mark.full
@pytest.mark.proves("preview.foreseen", "register.sites")
def test_the_first_preview_tells_of_a_hand_made_site(fresh: Callable[[int], Server], place: Path) -> None:
    """And of what else is in the way, before anything of ours is there."""
    server = fresh(13)
    stack = Stack(server, place / "foreseen").create()
    # The sandbox's image is smaller than those that are bought: it lacks the whole of Python.
    previewed = stack.preview()
    assert previewed.said("error") == ""
    assert "its Python is a part of one, python3-minimal" in previewed.said("warning")
    packages = "nginx-light python3"
    server.console(f"apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install {packages}")
    make_site(stack, "0-old.conf")
    unit = f"/etc/systemd/system/{stack.slug}.service"
    server.console(f"mkdir -p /srv/codesensei; cat > {unit}", input=b"[Service]\nExecStart=/bin/true\n")
    files = "find /etc /root /srv /tmp /usr/local -type f | sort"
    before = server.console(files).stdout
    error = stack.preview(succeed=False).said("error")
    named = f"the nginx site {ENABLED}/0-old.conf, which codesensei did not write, already serves it"
    assert f"hostname {stack.hostname} on {server.host}: {named}" in error
    assert "or take the site's place with codesensei:adopt: true" in error
    assert f"unit {stack.slug}.service on {server.host}: {unit} was not written by codesensei" in error
    assert server.console(files).stdout == before
    assert named in " ".join(stack.up(succeed=False).said("error").split())
    server.console(f"rm {unit}")
    stack.set("adopt", True)
    assert f"the nginx site {ENABLED}/0-old.conf has it" in stack.preview().said("warning")
    stack.up()
    assert stack.site.greets("Hello")


@pytest.mark.proves("switch.every-hostname", "causes.disallowed-host")
@each_debian(13)
def test_a_new_hostname_is_asked_for(stack: Stack) -> None:
    """By whatever serves already; what comes next is not held up by it."""
    # A preview knows what is in a plain variable.
    with stack.editing() as config:
        hosts = config["codesensei:env"].pop("DJANGO_ALLOWED_HOSTS")
    stack.set_secret("codesensei:secretEnv.DJANGO_ALLOWED_HOSTS", hosts)
    stack.up()
    before = stack.processes()
    stack.set("domains", [stack.hostname, OTHER])
    error = stack.up(succeed=False).said("error")
    assert (
        f"asked for http://{OTHER}/ on {stack.server.name}: HTTP status 400: Django refuses the host {OTHER}" in error
    )
    assert ask(stack.server.host, OTHER).status == 404
    stack.set("domains", [stack.hostname])
    stack.set("limits", {"bodySize": "31m"})
    stack.up()
    assert stack.processes() == before
    stack.shared_in = __name__


@pytest.mark.full
@pytest.mark.proves("switch.redirects", "switch.same-settings", "django.debug")
@each_debian(13)
def test_what_is_asked_is_what_is_served(stack: Stack) -> None:
    """The end of a redirect; the settings that a committed file overrides; another settings module of wsgi.py."""
    first = stack.serving()
    revision = stack.revision("main")
    files = {"config/urls_desk.py": URLS, **settings(stack, 'ROOT_URLCONF = "config.urls_desk"\n')}
    stack.set("project.source.revision", stack.commit(files))
    error = stack.up(succeed=False).said("error")
    assert f"HTTP status 500 at http://{stack.hostname}/desk/, to which it redirects: KeyError: 'greeting'" in error
    stack.set("env.SHOP_DEBUG", "0")
    stack.set("production", True)
    stack.set("waive", {"backup": "a test"})
    overriding = {".env": ENV, **settings(stack, LOAD)}
    stack.set("project.source.revision", stack.commit(overriding))
    error = stack.up(succeed=False).said("error")
    assert (
        f" on {stack.server.name}: codesensei:production is true, and the policy has 1 finding\n"
        "      debug: DEBUG is on in config.settings.production: every error shows visitors code and settings"
    ) in error
    assert "the project does not have the stack's values of GREETING, SHOP_DEBUG" in error
    wsgi = (stack.repository / "config/wsgi.py").read_text()
    files = {"config/wsgi.py": OTHER_MODULE + wsgi, "config/settings/other.py": "from .production import *\n"}
    stack.set("project.source.revision", stack.commit(files))
    error = stack.up(succeed=False).said("error")
    assert "it serves with the settings config.settings.other, and project.settingsModule is config.settings" in error
    assert stack.serving() == first
    stack.set("production", False)
    stack.set("waive", {})
    stack.set("project.source.revision", stack.commit(overriding))
    done = stack.up()
    assert "DEBUG is on in config.settings.production" in done.said("warning")
    assert "the project does not have the stack's values of GREETING, SHOP_DEBUG" in done.said("warning")
    assert stack.site.greets("from the repository")
    stack.set("project.source.revision", revision)
    stack.up()
    stack.shared_in = __name__


@pytest.mark.full
@pytest.mark.proves("media.readable")
@each_debian(13)
def test_uploads_on_a_bigger_disk(stack: Stack) -> None:
    """Where root led them: nginx can read them, or the deploy says why not."""
    media = f"/srv/codesensei/{stack.slug}/shared/media"
    stack.server.console(
        f"mkdir -p /mnt/volume; mv {media} /mnt/volume/; ln -s /mnt/volume/media {media}; chmod 0700 /mnt/volume;"
        " echo hello > /mnt/volume/media/hello.txt; chown -R deploy: /mnt/volume/media"
    )
    stack.set(
        "project.source.revision", stack.commit(settings(stack, f'MEDIA_ROOT = "{media}"\nMEDIA_URL = "/media/"\n'))
    )
    stack.set("project.mediaServing", "proxy")
    error = stack.up(succeed=False).said("error")
    assert (
        f"{media} on {stack.server.name}: the user deploy cannot write uploads: it may not enter /mnt/volume" in error
    )
    stack.server.console("chgrp deploy /mnt/volume; chmod 0710 /mnt/volume")
    error = stack.up(succeed=False).said("error")
    assert "the user www-data cannot read uploads: it may not enter /mnt/volume (drwx--x---)" in error
    assert "fix: on the server: chmod o+x /mnt/volume" in error
    stack.server.console("chmod o+x /mnt/volume")
    stack.up()
    assert stack.site.get("/media/hello.txt").body == "hello\n"
    assert stack.server.console("ls -A /mnt/volume/media").stdout.split() == ["hello.txt"]
